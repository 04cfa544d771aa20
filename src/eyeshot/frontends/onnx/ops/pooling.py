"""Pooling."""

from __future__ import annotations

import numpy as np

from eyeshot.frontends.onnx.context import Context, Value, lowers
from eyeshot.frontends.onnx.ops.windows import Numbers, windows
from eyeshot.graph import Ref
from eyeshot.graph.masks import masked
from eyeshot.relations import All
from eyeshot.relations.maps import tabulate


@lowers("AveragePool", "LpPool")
def average_pool(
    ctx: Context,
    x: Ref,
    *,
    kernel_shape: Numbers = None,
    strides: Numbers = None,
    pads: Numbers = None,
    dilations: Numbers = None,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
) -> Ref:
    """Each output reads a dilated window per spatial axis; whether padding counts changes the divisor alone."""
    kernel = kernel_shape or x.shape[2:]
    maps, extents = windows(
        ctx, x.shape[2:], kernel, strides, pads, dilations, auto_pad, ceil=bool(ceil_mode)
    )
    pairs = zip(maps, extents, strict=True)
    return ctx.along(x, dict(enumerate(pairs, 2)), summarises=True)


@lowers("MaxPool")
def max_pool(
    ctx: Context,
    x: Ref,
    *,
    kernel_shape: Numbers,
    strides: Numbers = None,
    pads: Numbers = None,
    dilations: Numbers = None,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
) -> list[Ref | Value]:
    """As `average_pool`; the index of a maximum reads its window, too, where that leaves a choice."""
    maps, extents = windows(
        ctx, x.shape[2:], kernel_shape or (), strides, pads, dilations, auto_pad, ceil=bool(ceil_mode)
    )
    out = ctx.along(x, dict(enumerate(zip(maps, extents, strict=True), 2)), summarises=True)
    if ctx.outputs < 2:
        return [out]
    choices = np.ones((), int)
    for axis, window in enumerate(maps, 2):
        choices = np.multiply.outer(choices, np.diff(tabulate(window, x.shape[axis], out.shape[axis]).indptr))
    return [out, ctx.typed(masked(ctx, out, choices > 1), "int64")]


@lowers("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(ctx: Context, x: Ref) -> Ref:
    """Each channel reads all of its positions."""
    return ctx.along(x, {axis: (All(), 1) for axis in range(2, len(x.shape))}, summarises=True)
