"""Windows laid out as axes and back, pixel shuffles, and views by strides."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyeshot.errors import CaptureError
from eyeshot.frontends.torch.context import Context, lowers
from eyeshot.frontends.torch.ops.convolution import Sizes, per_axis
from eyeshot.graph import Ref, gathers
from eyeshot.relations import AxisMap
from eyeshot.relations.folds import fold, unfold
from eyeshot.relations.tables import strided, take


@lowers("aten.unfold.default", "aten.unfold_copy.default")
def unfold_axis(ctx: Context, x: Ref, dimension: int, size: int, step: int) -> Ref:
    """Windows of one axis; what is inside a window becomes the last axis."""
    if not x.shape:
        return ctx.reshape(x, ctx.output_shape)
    axis = dimension % len(x.shape)
    windows = ctx.output_shape[axis]
    table = unfold(x.shape[axis], windows, size, step)
    laid = ctx.along(x, {axis: (table, windows * size)})
    split = ctx.reshape(laid, (*x.shape[:axis], windows, size, *x.shape[axis + 1 :]))
    order = [*range(axis + 1), *range(axis + 2, len(split.shape)), axis + 1]
    return ctx.permute(split, order)


@lowers("aten.unfold_backward.default")
def fold_axis(ctx: Context, x: Ref, input_sizes: Sequence[int], dim: int, size: int, step: int) -> Ref:
    """Each element sums its place in every window that holds it; windows come in as the last axis."""
    if not input_sizes:
        return ctx.reshape(x, ())
    axis = dim % len(input_sizes)
    beside = ctx.permute(x, [*range(axis + 1), len(x.shape) - 1, *range(axis + 1, len(x.shape) - 1)])
    merged = ctx.reshape(beside, (*x.shape[:axis], x.shape[axis] * size, *x.shape[axis + 1 : -1]))
    return ctx.along(merged, {axis: (fold(input_sizes[axis], x.shape[axis], size, step), input_sizes[axis])})


@lowers("aten.im2col.default")
def im2col(ctx: Context, x: Ref, kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes) -> Ref:
    """Column l holds window l of every channel: (N, C, H, W) -> (N, C kh kw, oh ow)."""
    batched = ctx.reshape(x, (-1, *x.shape[-3:]))
    batch, channels, *extents = batched.shape
    kernels, dilations, paddings, strides = (per_axis(v, 2) for v in (kernel_size, dilation, padding, stride))
    counts, maps = [], {}
    for axis, (n, k, d, p, s) in enumerate(
        zip(extents, kernels, dilations, paddings, strides, strict=True), 2
    ):
        count = (n + 2 * p - d * (k - 1) - 1) // s + 1
        counts.append(count)
        maps[axis] = (unfold(n, count, k, s, d, p), count * k)
    laid = ctx.along(batched, maps)
    split = ctx.reshape(laid, (batch, channels, counts[0], kernels[0], counts[1], kernels[1]))
    return ctx.reshape(ctx.permute(split, (0, 1, 3, 5, 2, 4)), ctx.output_shape)


@lowers("aten.col2im.default")
def col2im(
    ctx: Context,
    x: Ref,
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes,
    padding: Sizes,
    stride: Sizes,
) -> Ref:
    """Each output sums its place in every window that holds it: (N, C kh kw, oh ow) -> (N, C, H, W)."""
    amounts = (per_axis(v, 2) for v in (output_size, kernel_size, dilation, padding, stride))
    kernels, counts, maps = [], [], {}
    for axis, (n, k, d, p, s) in enumerate(zip(*amounts, strict=True), 2):
        count = (n + 2 * p - d * (k - 1) - 1) // s + 1
        kernels.append(k)
        counts.append(count)
        maps[axis] = (fold(n, count, k, s, d, p), n)
    split = ctx.reshape(x, (-1, ctx.output_shape[-3], *kernels, *counts))
    laid = ctx.permute(split, (0, 1, 4, 2, 5, 3))
    merged = ctx.reshape(
        laid, (*split.shape[:2], *(count * k for count, k in zip(counts, kernels, strict=True)))
    )
    return ctx.reshape(ctx.along(merged, maps), ctx.output_shape)


@lowers("aten.pixel_shuffle.default")
def pixel_shuffle(ctx: Context, x: Ref, upscale_factor: int) -> Ref:
    """Channels become places: (..., C r r, H, W) -> (..., C, H r, W r)."""
    r, (channels, height, width) = upscale_factor, x.shape[-3:]
    split = ctx.reshape(x, (-1, channels // (r * r), r, r, height, width))
    return ctx.reshape(ctx.permute(split, (0, 1, 4, 2, 5, 3)), ctx.output_shape)


@lowers("aten.pixel_unshuffle.default")
def pixel_unshuffle(ctx: Context, x: Ref, downscale_factor: int) -> Ref:
    """Places become channels: (..., C, H r, W r) -> (..., C r r, H, W)."""
    r, (channels, height, width) = downscale_factor, x.shape[-3:]
    split = ctx.reshape(x, (-1, channels, height // r, r, width // r, r))
    return ctx.reshape(ctx.permute(split, (0, 1, 3, 5, 2, 4)), ctx.output_shape)


@lowers("aten.channel_shuffle.default", "aten.native_channel_shuffle.default")
def channel_shuffle(ctx: Context, x: Ref, groups: int) -> Ref:
    """Channels (G, C/G) reordered to (C/G, G)."""
    split = ctx.reshape(x, (x.shape[0], groups, -1, *x.shape[2:]))
    order = (0, 2, 1, *range(3, len(split.shape)))
    return ctx.reshape(ctx.permute(split, order), x.shape)


@lowers("aten.resize.default", "aten.resize_as.default")
def resize(ctx: Context, x: Ref, *args: Any, **kwargs: Any) -> Ref:
    """The same elements in memory under another shape; what is new is whatever memory held."""
    size = prod(ctx.output_shape)
    flat = ctx.pad(ctx.reshape(x, (-1,)), {0: (0, size - prod(x.shape))})
    return ctx.reshape(flat, ctx.output_shape)


@lowers("aten.as_strided.default", "aten.as_strided_copy.default")
def as_strided(
    ctx: Context, x: Ref, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Ref:
    """Elements at steady steps of the flat tensor, which is taken as contiguous.

    Where every output axis walks along a single axis of ``x`` the maps stay on those axes, and keep their
    laws; otherwise one table on the flat axis says it all.
    """
    offset = storage_offset or 0
    _check_strides(ctx, x, size, stride, offset)
    walks = _walks(x.shape, size, stride, offset)
    if walks is None:
        places = _places(offset, size, stride)
        read = ctx.along(ctx.reshape(x, (-1,)), {0: (take(places, prod(x.shape)), len(places))})
        return ctx.reshape(read, tuple(size))
    maps = {}
    for axis, (start, walkers) in enumerate(walks):
        unit = prod(x.shape[axis + 1 :])
        extents, steps = [size[w] for w in walkers], [stride[w] // unit for w in walkers]
        maps[axis] = (_walk(start, extents, steps, x.shape[axis]), prod(extents))
    order = [walker for _, walkers in walks for walker in walkers]
    split = ctx.reshape(ctx.along(x, maps), [size[walker] for walker in order])
    standing = ctx.permute(split, np.argsort(order).tolist())
    present = tuple(n if axis in order else 1 for axis, n in enumerate(size))
    return ctx.broadcast(ctx.reshape(standing, present), tuple(size))


@lowers("aten.as_strided_scatter.default")
def as_strided_scatter(
    ctx: Context,
    x: Ref,
    src: Ref,
    size: Sequence[int],
    stride: Sequence[int],
    storage_offset: int | None = None,
) -> Ref:
    """The elements that `as_strided` would read come from ``src``, the rest from ``x``."""
    offset = storage_offset or 0
    _check_strides(ctx, x, size, stride, offset)
    flat, source = ctx.reshape(x, (-1,)), ctx.reshape(src, (-1,))
    return ctx.reshape(gathers.index_put(ctx, flat, [_places(offset, size, stride)], source), x.shape)


def _check_strides(ctx: Context, x: Ref, size: Sequence[int], stride: Sequence[int], offset: int) -> None:
    """Refuse strides that lead out of ``x``, and say that its memory order was assumed."""
    place = ctx.call.module or "the model itself"
    reach = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if prod(size) and reach >= prod(x.shape):
        raise CaptureError(
            f"as_strided at {place} reads beyond the {prod(x.shape)} elements of its operand "
            f"(sizes {tuple(size)}, strides {tuple(stride)}, offset {offset}). Take it of the whole tensor."
        )
    note = f"as_strided at {place}: its operand's elements are taken to lie in memory in their order"
    if note not in ctx.graph.notes:
        ctx.graph.notes.append(note)


def _places(start: int, size: Sequence[int], stride: Sequence[int]) -> NDArray[np.int64]:
    """Flat places of all elements, in row-major order."""
    places = np.full((), start, np.int64)
    for n, step in zip(size, stride, strict=True):
        places = places[..., None] + np.arange(n) * step
    return places.reshape(-1)


def _walk(start: int, size: Sequence[int], stride: Sequence[int], extent: int) -> AxisMap:
    """The map of one axis under the output axes that walk along it."""
    match size, stride:
        case [n], [step]:
            return strided(start, step, n, extent)
        case [windows, kernel], [step, 1] if start == 0:
            return unfold(extent, windows, kernel, step)
        case _:
            return take(_places(start, size, stride), extent)


def _walks(
    shape: Sequence[int], size: Sequence[int], stride: Sequence[int], offset: int
) -> list[tuple[int, list[int]]] | None:
    """For every axis of a contiguous ``shape`` its first index and the output axes that walk along it.

    None where an output axis crosses from one axis into another. Steps of 0 and extents of 1 walk nowhere.
    """
    walks = []
    left = {axis for axis, n in enumerate(size) if n != 1 and stride[axis]}
    for axis, extent in enumerate(shape):
        unit = prod(shape[axis + 1 :])
        start, offset = divmod(offset, max(unit, 1))
        walkers = [a for a in sorted(left) if unit and stride[a] % unit == 0 and extent > 1]
        left.difference_update(walkers)
        if start + sum((size[a] - 1) * (stride[a] // unit) for a in walkers) >= extent:
            return None
        walks.append((start, walkers))
    return None if left else walks
