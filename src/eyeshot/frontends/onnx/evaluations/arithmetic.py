"""Arithmetic, comparisons and logic of constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyeshot.frontends.onnx.tensors import dtype_name
from eyeshot.frontends.onnx.values import Call, evaluates, range_length

Array = NDArray[Any]

UNARY: dict[str, Callable[[Array], Any]] = {
    "Abs": np.abs,
    "Ceil": np.ceil,
    "Cos": np.cos,
    "Exp": np.exp,
    "Floor": np.floor,
    "Identity": lambda x: x,
    "IsInf": np.isinf,
    "IsNaN": np.isnan,
    "Log": np.log,
    "Neg": np.negative,
    "Not": np.logical_not,
    "Reciprocal": np.reciprocal,
    "Relu": lambda x: np.maximum(x, 0),
    "Round": np.rint,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Sign": np.sign,
    "Sin": np.sin,
    "Sqrt": np.sqrt,
    "Tanh": np.tanh,
}
BINARY: dict[str, Callable[[Array, Array], Any]] = {
    "Add": np.add,
    "And": np.logical_and,
    "BitwiseAnd": np.bitwise_and,
    "BitwiseOr": np.bitwise_or,
    "BitwiseXor": np.bitwise_xor,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Mul": np.multiply,
    "Or": np.logical_or,
    "Sub": np.subtract,
    "Xor": np.logical_xor,
}
SEVERAL: dict[str, Callable[[Array, Array], Any]] = {"Max": np.maximum, "Min": np.minimum, "Sum": np.add}


@evaluates(*UNARY)
def unary(call: Call, x: Array) -> Array:
    """One function of each element; whole numbers stay whole."""
    return np.asarray(UNARY[call.op](x)).astype(bool if call.op.startswith("Is") else x.dtype)


@evaluates(*BINARY)
def binary(call: Call, x: Array, y: Array, *, broadcast: int = 0) -> Array | None:
    """One function of two elements; the alignment of old opsets isn't followed."""
    return None if broadcast and x.shape != y.shape and y.ndim else np.asarray(BINARY[call.op](x, y))


@evaluates(*SEVERAL)
def several(call: Call, *operands: Array) -> Array:
    """One function of the elements of all operands."""
    return np.asarray(reduce(SEVERAL[call.op], operands))


@evaluates("Div")
def divide(call: Call, x: Array, y: Array) -> Array | None:
    """Whole numbers are divided towards 0."""
    if x.dtype.kind not in "iu":
        return np.asarray(x / y)
    if not np.all(y):
        return None
    quotient = np.abs(x) // np.abs(y) * (np.sign(x) * np.sign(y))
    return np.asarray(quotient).astype(x.dtype)


@evaluates("Mod")
def modulo(call: Call, x: Array, y: Array, *, fmod: int = 0) -> Array | None:
    """The remainder, with the divisor's sign unless ``fmod``."""
    if x.dtype.kind in "iu" and not np.all(y):
        return None
    return np.asarray(np.fmod(x, y) if fmod else np.mod(x, y))


@evaluates("Pow")
def power(call: Call, x: Array, y: Array) -> Array:
    """The result has the base's type."""
    return np.asarray(np.power(x.astype(np.float64), y)).astype(x.dtype)


@evaluates("Clip")
def clip(call: Call, x: Array, low: Array | None = None, high: Array | None = None) -> Array:
    """Bounds given as inputs."""
    bounded = x if low is None else np.maximum(x, low)
    return np.asarray(bounded if high is None else np.minimum(bounded, high))


@evaluates("Cast", "CastLike")
def cast(call: Call, x: Array, like: Array | None = None, *, to: int = 0) -> Array | None:
    """Another type, one that NumPy has."""
    name = dtype_name(to) if like is None else like.dtype.name
    if name == "bfloat16":
        return x.astype(np.float32)
    try:
        return x.astype(np.dtype(name))
    except (TypeError, ValueError):
        return None


@evaluates("Where")
def where(call: Call, condition: Array, x: Array, y: Array) -> Array:
    """A choice for each element."""
    return np.where(condition, x, y)


@evaluates("Range")
def steps(call: Call, start: Array, limit: Array, delta: Array) -> Array:
    """Numbers in even steps."""
    count = range_length(start, limit, delta)
    return np.asarray(start.reshape(()) + np.arange(count).astype(start.dtype) * delta.reshape(())).astype(
        start.dtype
    )


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "ReduceMax": np.max,
    "ReduceMean": np.mean,
    "ReduceMin": np.min,
    "ReduceProd": np.prod,
    "ReduceSum": np.sum,
}


@evaluates(*REDUCTIONS)
def reduction(
    call: Call,
    x: Array,
    given: Array | None = None,
    *,
    axes: Sequence[int] | None = None,
    keepdims: int = 1,
    noop_with_empty_axes: int = 0,
) -> Array | None:
    """Sums, products, extrema along axes."""
    listed = list(axes) if axes else [] if given is None else given.tolist()
    if not listed and noop_with_empty_axes:
        return x
    if not x.size:
        return None
    found = REDUCTIONS[call.op](x, axis=tuple(listed) or None, keepdims=bool(keepdims))
    return np.asarray(found).astype(x.dtype)


@evaluates("ArgMax", "ArgMin")
def place(
    call: Call, x: Array, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0
) -> Array | None:
    """Where the first extremum of an axis is."""
    if select_last_index or not x.size:
        return None
    find = np.argmax if call.op == "ArgMax" else np.argmin
    return np.asarray(find(x, axis=axis, keepdims=bool(keepdims)))


@evaluates("CumSum")
def running_sum(call: Call, x: Array, axis: Array, *, exclusive: int = 0, reverse: int = 0) -> Array:
    """Sums of all before, itself included unless ``exclusive``."""
    along = int(axis.reshape(-1)[0])
    turned = np.flip(x, along) if reverse else x
    sums = np.cumsum(turned, along, dtype=x.dtype)
    sums = sums - turned if exclusive else sums
    return np.flip(sums, along) if reverse else sums
