"""What operators compute, where shapes, axes, indices and masks need it."""
