"""Convolutions, pooling, and what gradients of pooling are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eyeshot.frontends.compounds import convolution as compounds
from eyeshot.frontends.jax.context import Context, lowers
from eyeshot.frontends.jax.ops.control import closed
from eyeshot.frontends.jax.ops.reductions import mixed
from eyeshot.graph import Ref
from eyeshot.relations import Window
from eyeshot.relations.maps import transpose

Padding = Sequence[tuple[int, int]]


@lowers("conv_general_dilated")
def convolution(
    ctx: Context,
    x: Ref,
    weight: Ref,
    *,
    window_strides: Sequence[int],
    padding: Padding,
    lhs_dilation: Sequence[int],
    rhs_dilation: Sequence[int],
    dimension_numbers: Any,
    feature_group_count: int,
    batch_group_count: int,
    **params: Any,
) -> Ref:
    """Each output reads a dilated window of the (spread) input per spatial axis, in all channels of its group."""
    numbers, shape = dimension_numbers, ctx.output_shape
    x, weight = ctx.permute(x, numbers.lhs_spec), ctx.permute(weight, numbers.rhs_spec)
    if batch_group_count > 1:
        x = _batches_as_channels(ctx, x, batch_group_count)
    windows = [
        Window(kernel, stride, dilation, low, between)
        for kernel, stride, dilation, (low, _), between in zip(
            weight.shape[2:], window_strides, rhs_dilation, padding, lhs_dilation, strict=True
        )
    ]
    extents = [shape[axis] for axis in numbers.out_spec[2:]]
    groups = feature_group_count * batch_group_count
    out = compounds.convolution(ctx, x, weight, None, windows, extents, groups=groups)
    return ctx.permute(out, np.argsort(numbers.out_spec).tolist())


def _batches_as_channels(ctx: Context, x: Ref, groups: int) -> Ref:
    """(groups * N, C, ...) as (N, groups * C, ...): each part of the batch has output channels of its own."""
    batch, channels, *spatial = x.shape
    split = ctx.reshape(x, (groups, batch // groups, channels, *spatial))
    moved = ctx.permute(split, (1, 0, 2, *range(3, len(split.shape))))
    return ctx.reshape(moved, (batch // groups, groups * channels, *spatial))


def _windows(
    dimensions: Sequence[int],
    strides: Sequence[int],
    padding: Padding,
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> list[Window]:
    ones = (1,) * len(dimensions)
    return [
        Window(kernel, stride, dilation, low, between)
        for kernel, stride, dilation, (low, _), between in zip(
            dimensions, strides, window_dilation or ones, padding, base_dilation or ones, strict=True
        )
    ]


def _pooled(ctx: Context, x: Ref, windows: Sequence[Window], shape: Sequence[int]) -> Ref:
    pairs = zip(windows, shape, strict=True)
    maps = {axis: pair for axis, pair in enumerate(pairs) if pair[0] != Window(1) or pair[1] != x.shape[axis]}
    return ctx.along(x, maps, summarises=True)


@lowers("reduce_window_max", "reduce_window_min", "reduce_window_sum")
def pool(
    ctx: Context,
    x: Ref,
    *,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Padding,
    base_dilation: Sequence[int],
    window_dilation: Sequence[int],
    **params: Any,
) -> Ref:
    """Each output reads a dilated window of the (spread) input per axis; padding is not input."""
    windows = _windows(window_dimensions, window_strides, padding, base_dilation, window_dilation)
    return _pooled(ctx, x, windows, ctx.output_shape)


@lowers("reduce_window")
def pool_by_function(ctx: Context, *operands: Ref, jaxpr: Any, **params: Any) -> list[Ref]:
    """As the others, by any function of pairs: each output reads the windows, and the first values, of all operands."""
    half = len(operands) // 2
    params.pop("consts", None)
    pooled = [pool(ctx, x, **params) for x in operands[:half]]
    return mixed(ctx, closed(jaxpr), pooled, operands[half:])


@lowers("select_and_gather_add")
def select_and_gather(ctx: Context, tangents: Ref, x: Ref, **params: Any) -> Ref:
    """Each output reads its window of both: the chosen element of one, by the numbers of the other."""
    params.pop("select_prim")
    return ctx.pointwise(*(pool(ctx, ref, **params) for ref in (tangents, x)))


@lowers("select_and_scatter_add", "select_and_scatter")
def select_and_scatter(ctx: Context, source: Ref, x: Ref, *first: Ref, **params: Any) -> Ref:
    """Each element reads the windows that may choose it: what they send, and all that they choose from."""
    windows = _windows(params["window_dimensions"], params["window_strides"], params["padding"])
    maps = {
        axis: (transpose(window, n, source.shape[axis]), n)
        for axis, (window, n) in enumerate(zip(windows, x.shape, strict=True))
        if window != Window(1)
    }
    looked = _pooled(ctx, x, windows, source.shape)
    sent = ctx.along(ctx.pointwise(source, looked), maps)
    return ctx.pointwise(sent, *first, shape=ctx.output_shape)
