"""Pooling and unpooling."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, prod

import numpy as np

from eyeshot.frontends.torch.context import Context, lowers
from eyeshot.frontends.torch.ops.convolution import Sizes, per_axis
from eyeshot.graph import Ref, gathers
from eyeshot.graph.masks import masked
from eyeshot.relations import All, Table, Window
from eyeshot.relations.maps import tabulate
from eyeshot.relations.tables import adaptive


def _rank(ctx: Context) -> int:
    """Spatial axes of the op at hand: the digit in its name."""
    return int(ctx.call.op.split("pool")[1][0])


def _pool(ctx: Context, x: Ref, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> Ref:
    """Windows on the last axes; what hangs over an edge (ceil mode, padding) is not input."""
    rank = _rank(ctx)
    windows = _windows(rank, kernel, stride, padding, dilation)
    extents = ctx.output_shape[-rank:]
    maps = {axis - rank: pair for axis, pair in enumerate(zip(windows, extents, strict=True))}
    return ctx.along(x, maps, summarises=True)


def _windows(rank: int, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> list[Window]:
    amounts = (per_axis(amount, rank) for amount in (kernel, stride or kernel, dilation, padding))
    return [Window(k, s, d, p) for k, s, d, p in zip(*amounts, strict=True)]


@lowers("aten.avg_pool1d.default", "aten.avg_pool2d.default", "aten.avg_pool3d.default")
def avg_pool(
    ctx: Context,
    x: Ref,
    kernel_size: Sizes,
    stride: Sizes = (),
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Ref:
    """Each output reads a window per spatial axis; whether padding counts changes the divisor alone."""
    return _pool(ctx, x, kernel_size, stride, padding, 1)


@lowers("aten.max_pool1d.default", "aten.max_pool2d.default", "aten.max_pool3d.default")
@lowers("aten.max_pool2d_with_indices.default", "aten.max_pool3d_with_indices.default")
@lowers("aten.max_pool1d_with_indices.default")
def max_pool(
    ctx: Context,
    x: Ref,
    kernel_size: Sizes,
    stride: Sizes = (),
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> list[Ref]:
    """Each output reads a dilated window per spatial axis; so does its index, where the window leaves a choice."""
    out = _pool(ctx, x, kernel_size, stride, padding, dilation)
    if len(ctx.output_shapes) == 1:
        return [out]
    rank = _rank(ctx)
    choices = np.ones((), int)
    for axis, window in enumerate(_windows(rank, kernel_size, stride, padding, dilation), -rank):
        table = tabulate(window, x.shape[axis], out.shape[axis])
        choices = np.multiply.outer(choices, np.diff(table.indptr))
    return [out, masked(ctx, out, choices > 1)]


@lowers("aten.adaptive_avg_pool1d.default", "aten.adaptive_avg_pool2d.default")
@lowers("aten.adaptive_avg_pool3d.default")
@lowers("aten._adaptive_avg_pool2d.default", "aten._adaptive_avg_pool3d.default")
@lowers("aten.adaptive_max_pool1d.default", "aten.adaptive_max_pool2d.default")
@lowers("aten.adaptive_max_pool3d.default")
def adaptive_pool(ctx: Context, x: Ref, output_size: Sizes) -> list[Ref]:
    """Output y of m reads [floor(y n / m), ceil((y + 1) n / m)) of n; a single output reads everything."""
    rank = _rank(ctx)
    pairs = enumerate(zip(x.shape[-rank:], ctx.output_shape[-rank:], strict=True))
    maps = {axis - rank: (All() if m == 1 else adaptive(n, m), m) for axis, (n, m) in pairs}
    return [ctx.along(x, maps, summarises=True)] * len(ctx.output_shapes)


@lowers("aten.max_unpool2d.default")
def max_unpool2d(ctx: Context, x: Ref, indices: Ref, output_size: Sizes) -> Ref:
    """Every value lands where its index says, anywhere in its plane if that is computed."""
    return _unpool(ctx, x, indices, 2)


@lowers("aten.max_unpool3d.default")
def max_unpool3d(
    ctx: Context, x: Ref, indices: Ref, output_size: Sizes, stride: Sizes, padding: Sizes
) -> Ref:
    """As `max_unpool2d`, in volumes."""
    return _unpool(ctx, x, indices, 3)


def _unpool(ctx: Context, x: Ref, indices: Ref, rank: int) -> Ref:
    if indices.known is not None:
        kept = x.shape[:-rank]
        empty = ctx.constant((*kept, prod(ctx.output_shape[-rank:])))
        places = indices.known.reshape(*kept, -1)
        out = gathers.scatter(ctx, empty, -1, places, ctx.reshape(x, places.shape))
        return ctx.reshape(out, ctx.output_shape)
    plane = ctx.pointwise(x, indices)
    maps = {axis: (All(), ctx.output_shape[axis]) for axis in range(-rank, 0)}
    return ctx.along(plane, maps, reason="data-dependent-index")


@lowers("aten.max_pool2d_with_indices_backward.default")
def max_pool_backward(
    ctx: Context,
    slopes: Ref,
    x: Ref,
    kernel_size: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
    indices: Ref,
) -> Ref:
    """Each element gets the slopes of the windows that chose it; it reads, and asks, all windows that it is in."""
    amounts = (per_axis(amount, 2) for amount in (kernel_size, stride or kernel_size, padding, dilation))
    windows = [Window(k, 1, d, d * (k - 1) - p, s) for k, s, p, d in zip(*amounts, strict=True)]
    maps = {axis - 2: (window, x.shape[axis - 2]) for axis, window in enumerate(windows)}
    return ctx.along(ctx.pointwise(slopes, indices), maps)


@lowers("aten.fractional_max_pool2d.default", "aten.fractional_max_pool3d.default")
def fractional_max_pool(
    ctx: Context, x: Ref, kernel_size: Sizes, output_size: Sizes, random_samples: Ref
) -> list[Ref]:
    """Windows whose starts are drawn at random, each between two bounds one or two elements apart."""
    rank = random_samples.shape[-1]
    extents = zip(per_axis(kernel_size, rank), x.shape[-rank:], ctx.output_shape[-rank:], strict=True)
    maps = {axis - rank: (_fractional(k, n, m), m) for axis, (k, n, m) in enumerate(extents)}
    read = ctx.along(x, maps, summarises=True, reason="random-index")
    drawn = ctx.reduce(random_samples, [-1], keep=False, summarises=False)
    where = ctx.reshape(drawn, (*drawn.shape, *(1,) * rank))
    return [ctx.pointwise(read, where, shape=ctx.output_shape)] * 2


def _fractional(kernel: int, size: int, count: int) -> Table:
    """Start y is int((y + u) a) - int(u a) for u in [0, 1) and a = (size - kernel) / (count - 1)."""
    step = Fraction(size - kernel, max(1, count - 1))
    rows = []
    for y in range(count):
        first, last = max(0, ceil(y * step) - 1), min(size - kernel, floor(y * step) + 1)
        if y == count - 1:
            first = last = size - kernel
        rows.append(range(first, last + kernel))
    return Table.of_rows(rows, size)
