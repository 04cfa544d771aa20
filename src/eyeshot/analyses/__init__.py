"""Analyses: graphs of relations to raw answers, all on one engine."""
