"""Lowerings of ATen ops, one file a family."""
