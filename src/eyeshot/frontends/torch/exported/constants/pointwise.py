"""Ops on the same element of every operand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from eyeshot.frontends.torch.exported.constants.registry import EVALUATORS, Out, evaluates
from eyeshot.frontends.torch.exported.known import Array

_UNARY: dict[str, Callable[[Array], Any]] = {
    "neg": np.negative, "negative": np.negative, "abs": np.abs, "sign": np.sign, "floor": np.floor, "ceil": np.ceil,
    "trunc": np.trunc, "square": np.square, "sqrt": np.sqrt, "exp": np.exp, "expm1": np.expm1, "log": np.log,
    "log2": np.log2, "log10": np.log10, "log1p": np.log1p, "sin": np.sin, "cos": np.cos, "tan": np.tan, "tanh": np.tanh,
    "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite, "logical_not": np.logical_not,
    "bitwise_not": np.invert, "reciprocal": lambda x: 1 / x, "rsqrt": lambda x: 1 / np.sqrt(x),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "relu": lambda x: np.maximum(x, 0), "_to_copy": lambda x: x,
    "clone": lambda x: x, "detach": lambda x: x, "alias": lambda x: x, "lift_fresh_copy": lambda x: x,
    "to": lambda x: x, "contiguous": lambda x: x,
}  # fmt: skip

_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "mul": np.multiply, "multiply": np.multiply, "true_divide": np.true_divide, "floor_divide": np.floor_divide,
    "remainder": np.remainder, "fmod": np.fmod, "pow": np.power, "minimum": np.minimum, "maximum": np.maximum,
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "less": np.less, "greater": np.greater, "logical_and": np.logical_and, "logical_or": np.logical_or,
    "logical_xor": np.logical_xor, "bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor, "__and__": np.bitwise_and, "__or__": np.bitwise_or, "__xor__": np.bitwise_xor,
    "atan2": np.arctan2, "bitwise_left_shift": np.left_shift, "bitwise_right_shift": np.right_shift,
    "clamp_min": np.maximum, "clamp_max": np.minimum,
}  # fmt: skip


def _together(outs: list[Out], *operands: Any) -> None:
    """Check that operands broadcast to the output before they do."""
    outs[0].fits(np.broadcast_shapes(*(np.shape(operand) for operand in operands)))


def _unary(function: Callable[[Array], Any]) -> Callable[..., Any]:
    def evaluator(outs: list[Out], x: Any, *args: Any, **_: Any) -> Any:
        return np.asarray(function(x))

    return evaluator


def _binary(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def evaluator(outs: list[Out], x: Any, y: Any) -> Any:
        _together(outs, x, y)
        return np.asarray(function(x, y))

    return evaluator


EVALUATORS.update({name: _unary(function) for name, function in _UNARY.items()})
EVALUATORS.update({name: _binary(function) for name, function in _BINARY.items()})


@evaluates("add")
def plus(outs: list[Out], x: Any, y: Any, *, alpha: float = 1) -> Any:
    """``x + alpha y``."""
    _together(outs, x, y)
    if outs[0].dtype == bool:
        return np.logical_or(x, y)
    return np.asarray(x + (y if alpha == 1 else alpha * y))


@evaluates("sub", "subtract")
def minus(outs: list[Out], x: Any, y: Any, *, alpha: float = 1) -> Any:
    """``x - alpha y``."""
    _together(outs, x, y)
    return np.asarray(x - (y if alpha == 1 else alpha * y))


@evaluates("rsub")
def reverse_minus(outs: list[Out], x: Any, y: Any, alpha: float = 1) -> Any:
    """``y - alpha x``."""
    _together(outs, x, y)
    return np.asarray(y - alpha * x)


@evaluates("div", "divide")
def divide(outs: list[Out], x: Any, y: Any, *, rounding_mode: str | None = None) -> Any:
    """A quotient, rounded down or towards 0 if asked."""
    _together(outs, x, y)
    if rounding_mode == "floor":
        return np.asarray(np.floor_divide(x, y))
    quotient = np.true_divide(x, y)
    return np.asarray(np.trunc(quotient) if rounding_mode == "trunc" else quotient)


@evaluates("round")
def rounded(outs: list[Out], x: Array, *, decimals: int = 0) -> Any:
    """Halves go to the even number."""
    return np.round(x, decimals)


@evaluates("clamp", "clip", "hardtanh")
def clamp(outs: list[Out], x: Array, min: Any = None, max: Any = None) -> Any:
    """Within bounds."""
    _together(outs, x, *(bound for bound in (min, max) if bound is not None))
    low = x if min is None else np.maximum(x, min)
    return np.asarray(low if max is None else np.minimum(low, max))


@evaluates("where")
def where(outs: list[Out], condition: Array, x: Any, y: Any) -> Any:
    """Either of two."""
    _together(outs, condition, x, y)
    return np.where(condition, x, y)


@evaluates("masked_fill")
def masked_fill(outs: list[Out], x: Array, mask: Array, value: Any) -> Any:
    """A number where the mask is."""
    _together(outs, x, mask)
    return np.where(mask, np.asarray(value, outs[0].dtype), x)


@evaluates("isin")
def isin(outs: list[Out], x: Array, among: Array, **_: Any) -> Any:
    """Which elements are among others."""
    return np.isin(x, among)


@evaluates("copy")
def copy(outs: list[Out], x: Array, source: Array, non_blocking: bool = False) -> Any:
    """What is written."""
    return np.broadcast_to(source, outs[0].shape)
