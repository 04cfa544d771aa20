"""The lowerings of the language's ops, one file a family."""
