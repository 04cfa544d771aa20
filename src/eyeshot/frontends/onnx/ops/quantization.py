"""Quantized numbers: scales and zero points are read like any other operand."""

from __future__ import annotations

from math import prod

from eyeshot.frontends.compounds.products import product
from eyeshot.frontends.onnx.context import Context, Value, lowers
from eyeshot.frontends.onnx.tensors import dtype_name
from eyeshot.graph import Ref
from eyeshot.relations.tables import stretch


@lowers("QuantizeLinear")
def quantize(
    ctx: Context,
    x: Ref,
    scale: Ref,
    zero: Ref | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
) -> Value:
    """Each element reads itself, and the scale and zero point of its tensor, slice or block."""
    stated = dtype_name(output_dtype) if output_dtype else "uint8"
    return ctx.typed(
        _scaled(ctx, x, axis, scale, zero, block=block_size), stated if zero is None else ctx.dtype(2)
    )


@lowers("DequantizeLinear")
def dequantize(
    ctx: Context,
    x: Ref,
    scale: Ref,
    zero: Ref | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
) -> Value:
    """Each element reads itself, and the scale and zero point of its tensor, slice or block."""
    stated = dtype_name(output_dtype) if output_dtype else ctx.dtype(1)
    return ctx.typed(_scaled(ctx, x, axis, scale, zero, block=block_size), stated)


def beside(ctx: Context, x: Ref, axis: int | None, *numbers: Ref | None, block: int = 0) -> list[Ref]:
    """Those scales and zero points that are computed, as ``x`` reads them: one for all, or one an index of ``axis``.

    With ``block`` there is one for as many indices. None for ``axis``: each is a single number.
    """
    read = []
    for ref in numbers:
        if ref is None or ctx.is_constant(ref):
            continue
        if axis is None or prod(ref.shape) == 1:
            read.append(ctx.reshape(ref, ()))
        elif block:
            extent = ref.shape[axis]
            laid = ctx.along(ref, {axis: (stretch(block, extent), extent * block)})
            read.append(ctx.slice(laid, axis, 0, x.shape[axis]))
        elif len(ref.shape) == 1:
            read.append(ctx.reshape(ref, (*ref.shape, *(1,) * (len(x.shape) - axis % len(x.shape) - 1))))
        else:
            read.append(ref)
    return read


def _scaled(ctx: Context, x: Ref, axis: int, *numbers: Ref | None, block: int = 0) -> Ref:
    return ctx.pointwise(x, *beside(ctx, x, axis, *numbers, block=block), shape=x.shape)


@lowers("DynamicQuantizeLinear", dtype=("uint8", "float32", "uint8"))
def quantize_dynamically(ctx: Context, x: Ref) -> list[Ref]:
    """Scale and zero point follow from the extrema of the whole tensor; each element reads them and itself."""
    axes = range(len(x.shape))
    extrema = ctx.reduce(x, axes, keep=False)
    return [ctx.normalise(x, axes), extrema, extrema]


@lowers("MatMulInteger", dtype="int32")
def integer_product(
    ctx: Context, x: Ref, y: Ref, x_zero: Ref | None = None, y_zero: Ref | None = None
) -> Ref:
    """A product of integers less their zero points: one a tensor, a row of ``x`` or a column of ``y``."""
    return product(ctx, _of_rows(ctx, x, x_zero), _scaled(ctx, y, -1, y_zero))


@lowers("QLinearMatMul")
def quantized_product(
    ctx: Context,
    x: Ref,
    x_scale: Ref,
    x_zero: Ref,
    y: Ref,
    y_scale: Ref,
    y_zero: Ref,
    scale: Ref,
    zero: Ref,
) -> Value:
    """A product of dequantized numbers, quantized again."""
    out = product(ctx, _of_rows(ctx, x, x_scale, x_zero), _scaled(ctx, y, -1, y_scale, y_zero))
    return ctx.typed(_of_rows(ctx, out, scale, zero), ctx.dtype(7))


def _of_rows(ctx: Context, x: Ref, *numbers: Ref | None) -> Ref:
    """``x`` with scales and zero points, of which there may be one a row."""
    return _scaled(ctx, x, -2 if len(x.shape) > 1 else -1, *numbers)
