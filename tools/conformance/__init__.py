"""Every lowering against PyTorch's own table of operators and modules: `make conformance`."""
