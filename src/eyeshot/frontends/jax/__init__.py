"""JAX: functions, flax and equinox modules, traced to a jaxpr and lowered primitive by primitive."""
