"""Every lowering of a JAX primitive against JAX's own list of test harnesses: `python -m tools.jax_harness`."""
