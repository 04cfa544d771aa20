"""Mutation testing of relations, graph and engine with the tests that need no framework: `make mutants`."""
