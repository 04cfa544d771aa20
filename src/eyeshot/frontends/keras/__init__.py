"""The way in for Keras: live models and `.keras` files, both read from their configuration alone."""
