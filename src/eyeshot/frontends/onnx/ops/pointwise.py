"""Operators whose output element reads the same element of every operand, after broadcasting."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from eyeshot.errors import FileFormatError
from eyeshot.frontends.compounds import masking
from eyeshot.frontends.onnx.context import Context, Value, lowers
from eyeshot.frontends.onnx.tensors import dtype_name
from eyeshot.graph import Ref
from eyeshot.graph.builder import broadcast_shape

UNARY = """
Acos Acosh Atanh BitwiseNot Ceil Celu Cos Cosh Elu Exp HardSigmoid Log Not Reciprocal Selu Sigmoid Softplus
""".split()
ZERO_AT_ZERO = """
Abs Asin Asinh Atan Erf Floor Gelu HardSwish LeakyRelu Mish Neg Relu Round Shrink Sign Sin Sinh Softsign Sqrt Swish
Tan Tanh ThresholdedRelu
""".split()
ZERO_AT_MINUS_INFINITY = frozenset("Elu Exp HardSigmoid Relu Sigmoid Softplus".split())
COMPARING = "Equal Greater GreaterOrEqual Less LessOrEqual".split()
LOGICAL = "And Or Xor".split()
ARITHMETIC = "BitShift BitwiseAnd BitwiseOr BitwiseXor Mod Pow SwiGLU".split()


@lowers(*UNARY, *ZERO_AT_ZERO)
def unary(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself; what is 0 by construction may stay so."""
    return masking.mapped(
        ctx, x, zero_at_zero=ctx.op in ZERO_AT_ZERO, zero_at_minus_infinity=ctx.op in ZERO_AT_MINUS_INFINITY
    )


@lowers("IsInf", "IsNaN", dtype="bool")
def tested(ctx: Context, x: Ref) -> Ref:
    """Each answer reads its element."""
    return ctx.pointwise(x)


@lowers("Identity")
def identity(ctx: Context, x: Ref | list[Value] | None = None) -> object:
    """The tensor itself, or the sequence."""
    return [ctx.inputs[0]] if ctx.inputs else [None]


@lowers("Cast", "BitCast")
def cast(ctx: Context, x: Ref, *, to: int | str) -> Value:
    """The element itself in another type; the first opset spells that type."""
    return ctx.typed(x, to.lower() if isinstance(to, str) else dtype_name(to))


@lowers("CastLike")
def cast_like(ctx: Context, x: Ref, like: Ref) -> Value:
    """The element itself in the other tensor's type."""
    return ctx.typed(x, ctx.dtype(1))


@lowers("Clip")
def clip(ctx: Context, x: Ref, low: Ref | None = None, high: Ref | None = None) -> Ref:
    """Each element reads itself and the bounds."""
    return ctx.pointwise(x, *(ref for ref in (low, high) if ref is not None), shape=x.shape)


@lowers("Min", "Max", "Mean", "Sum")
def several(ctx: Context, *operands: Ref) -> Ref:
    """Each element reads the same element of all operands."""
    return ctx.pointwise(*operands)


@lowers(*COMPARING, *LOGICAL, dtype="bool")
@lowers(*ARITHMETIC)
def binary(ctx: Context, x: Ref, y: Ref, *, broadcast: int = 0, axis: int | None = None) -> Ref:
    """Each element reads the same element of both operands."""
    return ctx.pointwise(x, _aligned(ctx, x, y, broadcast, axis))


def _aligned(ctx: Context, x: Ref, y: Ref, broadcast: int, axis: int | None) -> Ref:
    """Before opset 7 the axes of ``y`` may stand for those of ``x`` from ``axis`` on."""
    if not broadcast or axis is None or ctx.opset >= 7:
        return y
    behind = len(x.shape) - axis % len(x.shape) - len(y.shape)
    return ctx.reshape(y, (*y.shape, *(1,) * behind))


@lowers("PRelu")
def prelu(ctx: Context, x: Ref, slope: Ref) -> Ref:
    """Each element reads itself and its slope, which before opset 7 lies along the channels."""
    if ctx.opset < 7 and len(slope.shape) == 1 and len(x.shape) > 1:
        slope = ctx.reshape(slope, (*slope.shape, *(1,) * (len(x.shape) - 2)))
    return ctx.pointwise(x, slope, shape=x.shape)


@lowers("Add", "Sub")
def add(ctx: Context, x: Ref, y: Ref, *, broadcast: int = 0, axis: int | None = None) -> Ref:
    """Each element reads both operands; a known -inf cuts the element out of the softmax to come."""
    held = [_aligned_held(ctx, place, broadcast, axis) for place in (0, 1)]
    factor = -1.0 if ctx.op == "Sub" else 1.0
    shape = broadcast_shape(held[0].shape, held[1].shape)
    return masking.add(ctx, [(held[0], 1.0), (held[1], factor)], shape)


def _aligned_held(ctx: Context, place: int, broadcast: int, axis: int | None) -> Ref:
    held = ctx.held(place)
    first = ctx.inputs[0]
    if place == 0 or not isinstance(first, Value):
        return held
    moved = _aligned(ctx, first.ref, held, broadcast, axis)
    return moved if held.known is None else moved._replace(known=held.known.reshape(moved.shape))


@lowers("Mul", "Div")
def multiply(ctx: Context, x: Ref, y: Ref, *, broadcast: int = 0, axis: int | None = None) -> Ref:
    """Each element reads both operands, nothing where a mask of zeros and ones is 0; a positive number keeps cuts."""
    factors = [_aligned_held(ctx, place, broadcast, axis) for place in (0, 1)]
    shape = broadcast_shape(factors[0].shape, factors[1].shape)
    kept = [ref if _masks(ref) else ref._replace(known=None) for ref in factors]
    combine = masking.divide if ctx.op == "Div" else masking.multiply
    return combine(ctx, kept[0], kept[1], shape)


def _masks(x: Ref) -> bool:
    """Whether a constant is a mask (zeros and ones, over two axes or more) or one number: weights that are 0 count."""
    known = x.known
    if known is None or known.size == 1:
        return known is not None and bool(known.all())
    axes = sum(extent != 1 for extent in known.shape)
    return axes > 1 and bool(((known == 0) | (known == 1)).all())


@lowers("Where")
def where(ctx: Context, condition: Ref, x: Ref, y: Ref) -> Value:
    """Each element reads the condition and both choices; a known condition leaves one choice an element."""
    shape = broadcast_shape(condition.shape, x.shape, y.shape)
    held = ctx.held(0)
    if held.known is not None:
        held = held._replace(known=held.known.astype(bool))
    choices = [ctx.held(place) if prod(ref.shape) == 1 else ref for place, ref in ((1, x), (2, y))]
    return ctx.typed(masking.where(ctx, held, choices[0], choices[1], shape), ctx.dtype(1))


@lowers("Dropout")
def dropout(ctx: Context, x: Ref) -> list[Ref | Value]:
    """The element itself, where the op is left in for inference; the mask is all ones."""
    return [x, ctx.typed(ctx.constant(x.shape), "bool" if ctx.opset >= 10 else ctx.dtype())]


@lowers("Dropout", since=12)
def dropout_with_mode(
    ctx: Context, x: Ref, ratio: Ref | None = None, training: Ref | None = None
) -> list[Ref | Value]:
    """The element itself, scaled by noise in training: that reads whether there is any, and how much, where computed."""
    known = np.array(False) if training is None else ctx.known(2)
    steering = () if known is not None and not known.any() else (ratio, training)
    noise = [ref for ref in steering if ref is not None and not ctx.is_constant(ref)]
    mask = ctx.pointwise(*noise, shape=x.shape) if noise else ctx.constant(x.shape)
    return [ctx.pointwise(x, *noise, shape=x.shape) if noise else x, ctx.typed(mask, "bool")]


@lowers("Affine", "ImageScaler", "ParametricSoftplus", "Scale", "ScaledTanh")
def experimental(ctx: Context, x: Ref) -> Ref:
    """Operators of the first opsets, withdrawn since: each element reads itself."""
    return ctx.pointwise(x)


def axes_of(ctx: Context, axes: Sequence[int], rank: int) -> list[int]:
    """Axes counted from the front, each once.

    Raises
    ------
    FileFormatError
        for an axis that there isn't, or one named twice.
    """
    found = [axis + rank if axis < 0 else axis for axis in axes]
    if len(set(found)) < len(found) or not all(0 <= axis < rank for axis in found):
        raise FileFormatError(f"{ctx.label} names axes {list(axes)} of a tensor with {rank}")
    return found
