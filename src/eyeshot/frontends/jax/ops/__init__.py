"""Lowerings of JAX primitives, one file a family."""
