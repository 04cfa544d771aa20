"""Constants whose values are kept: what follows from no input and no parameter, and is small enough.

Such a value (an index table, a mask, the weights of a resize) decides which elements are read. Values are NumPy
arrays; those of dtypes that NumPy lacks are held as float32 (bfloat16, float8) or int32 (int4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax import numpy as jnp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Values = NDArray[Any]

LARGEST = 1 << 22
"""Elements of a value that is kept."""


def held(value: Any) -> Values | None:
    """A constant that a jaxpr holds, as far as its values count.

    Floating-point arrays of JAX may be learned, so of those only masks of -inf (or the dtype's minimum) do.
    NumPy's, written into the program as literals, always count.
    """
    if jnp.issubdtype(value.dtype, jax.dtypes.extended) or value.size > LARGEST:
        return None
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, np.inexact):
        values = plain(value)
        return values if (values.real <= _minimum(value.dtype)).any() else None
    return plain(value)


def _minimum(dtype: Any) -> float:
    limits: Any = jnp.finfo
    return float(limits(dtype).min)


def plain(value: Any) -> Values:
    """Any array as one of a dtype that NumPy has; the minimum of a narrower dtype becomes that of float32."""
    array = np.asarray(value)
    if array.dtype.kind in "biufc":
        return array
    if jnp.issubdtype(array.dtype, np.floating):
        lowest = array <= _minimum(array.dtype)
        wide = array.astype(np.float32)
        return np.where(lowest & ~np.isinf(wide), np.finfo(np.float32).min, wide)
    return array.astype(np.int32)


def evaluate(eqn: Any, operands: Sequence[Values]) -> list[Values] | None:
    """The outputs of an equation of known operands; None where they are too large, or no numbers."""
    avals = [var.aval for var in eqn.outvars]
    for aval in avals:
        dtype = getattr(aval, "dtype", None)
        if dtype is None or jnp.issubdtype(dtype, jax.dtypes.extended) or aval.size > LARGEST:
            return None
    if eqn.effects or "callback" in eqn.primitive.name:
        return None
    if eqn.primitive.name in BY_NUMPY:
        with np.errstate(all="ignore"):
            found = BY_NUMPY[eqn.primitive.name](*operands, **eqn.params)
        (aval,) = avals
        return [plain(np.asarray(found).astype(aval.dtype))]
    given = [jnp.asarray(value, var.aval.dtype) for value, var in zip(operands, eqn.invars, strict=True)]
    bound = eqn.primitive.get_bind_params(eqn.params)
    functions, params = bound if isinstance(bound, tuple) else ((), bound)  # apart in JAX before 0.10
    with jax.ensure_compile_time_eval():
        found = eqn.primitive.bind(*functions, *given, **params)
    return [plain(value) for value in (found if eqn.primitive.multiple_results else [found])]


def _broadcast_in_dim(
    x: Values, *_: Any, shape: Sequence[int], broadcast_dimensions: Sequence[int], **__: Any
) -> Values:
    wide = [1] * len(shape)
    for axis, place in enumerate(broadcast_dimensions):
        wide[place] = x.shape[axis]
    return np.broadcast_to(x.reshape(wide), shape)


def _reshape(
    x: Values, *_: Any, new_sizes: Sequence[int], dimensions: Sequence[int] | None, **__: Any
) -> Values:
    return (x if dimensions is None else x.transpose(dimensions)).reshape(new_sizes)


def _iota(*, shape: Sequence[int], dimension: int, **_: Any) -> Values:
    line = np.arange(shape[dimension]).reshape([-1 if a == dimension else 1 for a in range(len(shape))])
    return np.broadcast_to(line, shape)


def _select(which: Values, *cases: Values, **_: Any) -> Values:
    return np.select([which == number for number in range(len(cases))], cases)


def _of_two(function: Callable[..., Values]) -> Callable[..., Values]:
    return lambda x, y, **_: function(x, y)


# What is the same in NumPy, bit by bit: each compilation of XLA that this spares takes ten milliseconds.
BY_NUMPY: dict[str, Callable[..., Any]] = {
    "broadcast_in_dim": _broadcast_in_dim,
    "iota": _iota,
    "select_n": _select,
    "reshape": _reshape,
    "squeeze": lambda x, *, dimensions, **_: x.squeeze(tuple(dimensions)),
    "transpose": lambda x, *, permutation, **_: x.transpose(permutation),
    "neg": lambda x, **_: -x,
    "abs": lambda x, **_: abs(x),
    "not": lambda x, **_: ~x,
    "stop_gradient": lambda x, **_: x,
    "copy": lambda x, **_: x,
    "concatenate": lambda *xs, dimension, **_: np.concatenate(xs, dimension),
    **{
        name: _of_two(function)
        for name, function in {
            "add": np.add, "sub": np.subtract, "mul": np.multiply, "and": np.bitwise_and, "or": np.bitwise_or,
            "xor": np.bitwise_xor, "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
            "gt": np.greater, "ge": np.greater_equal, "max": np.maximum, "min": np.minimum,
        }.items()
    },
}  # fmt: skip
