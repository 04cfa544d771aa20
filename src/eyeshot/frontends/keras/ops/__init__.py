"""Lowerings of `keras.ops`, as they stand between the layers of functional models; one file a family."""
