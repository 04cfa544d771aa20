"""Lowerings of Keras layers, one file a family."""
