"""Convolutions and pools: a window along each axis."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from eyeshot.frontends.compounds.convolution import across_groups, turned
from eyeshot.frontends.spec.words import whole, word
from eyeshot.relations import Identity, Window
from eyeshot.relations.tables import adaptive as adaptive_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyeshot.frontends.spec.context import Context
    from eyeshot.frontends.spec.tree import Op
    from eyeshot.graph import Ref
    from eyeshot.relations import AxisMap


@word("conv", size="a kernel", letters="sdpg", modes=("causal",), channels=True)
def conv(ctx: Context, x: Ref, op: Op) -> Ref:
    """Each output reads a window along every axis, in all channels of its group; causal: nothing behind its place."""
    if "causal" in op.modes and op.padding:
        ctx.refuse("-causal sets the padding; leave out p")
    groups = op.groups[0] if op.groups else 1
    assert isinstance(groups, int)
    return _convolved(ctx, x, op, groups, ctx.channels(op, x))


@word("dwconv", size="a kernel", letters="sdp", modes=("causal",), channels=True)
def dwconv(ctx: Context, x: Ref, op: Op) -> Ref:
    """A convolution of each channel by itself (depthwise)."""
    return _convolved(ctx, x, op, x.shape[1], ctx.channels(op, x))


@word("deconv", size="a kernel", letters="sdpog", channels=True)
def deconv(ctx: Context, x: Ref, op: Op) -> Ref:
    """A transposed convolution: each output reads the inputs whose windows would reach it."""
    numbers, groups = ctx.numbers(op), op.groups[0] if op.groups else 1
    assert isinstance(groups, int)
    windows, extents = [], []
    for each, n in zip(numbers, ctx.spatial(x), strict=True):
        if each.output_padding >= max(each.stride, each.dilation):
            ctx.refuse(f"output padding {each.output_padding} is not smaller than the stride or the dilation")
        extents.append((n - 1) * each.stride - 2 * each.before + each.span + each.output_padding)
        ctx.fits(extents[-1], each.kernel)
        windows.append(turned(each.kernel, each.stride, each.before, each.dilation))
    return _mixed(ctx, x, windows, extents, groups, ctx.channels(op, x), swept=ctx.spatial(x))


@word("maxpool", size="a kernel", letters="sdp", modes=("ceil",))
def maxpool(ctx: Context, x: Ref, op: Op) -> Ref:
    """Each output reads a window along every axis; its stride is the kernel, unless written."""
    return _pooled(ctx, x, op)


@word("avgpool", size="a kernel", letters="sp", modes=("ceil",))
def avgpool(ctx: Context, x: Ref, op: Op) -> Ref:
    """Each output reads a window along every axis; its stride is the kernel, unless written."""
    return _pooled(ctx, x, op)


@word("adaptive", size="the extent of the output")
def adaptive(ctx: Context, x: Ref, op: Op) -> Ref:
    """Average pooling to a given extent: output y of m reads [floor(y n / m), ceil((y + 1) n / m)) of n."""
    maps: dict[int, tuple[AxisMap, int]] = {}
    for axis, (n, m) in enumerate(zip(ctx.spatial(x), whole(op.size, ctx.rank, 1), strict=True), 2):
        ctx.fits(m)
        ctx.charge(n + 2 * m)
        maps[axis] = (adaptive_map(n, m), m)
    return ctx.along(x, maps, summarises=True)


@word("gap")
def gap(ctx: Context, x: Ref, op: Op) -> Ref:
    """Global average pooling: everything along every spatial axis; the extents become 1."""
    ctx.spatial(x)
    return ctx.reduce(x, range(2, 2 + ctx.rank))


def _pooled(ctx: Context, x: Ref, op: Op) -> Ref:
    numbers = ctx.numbers(op)
    if any(2 * each.before > each.span for each in numbers):
        ctx.refuse("the padding of a pool is at most half its kernel")
    extents = ctx.extents(numbers, x, ceil="ceil" in op.modes)
    maps = dict(enumerate(zip(ctx.sliding(numbers), extents, strict=True), 2))
    return ctx.along(x, {axis: _plain(*pair) for axis, pair in maps.items()}, summarises=True)


def _convolved(ctx: Context, x: Ref, op: Op, groups: int, channels: int) -> Ref:
    numbers = ctx.numbers(op)
    extents = ctx.extents(numbers, x)
    return _mixed(ctx, x, ctx.sliding(numbers), extents, groups, channels, swept=extents)


def _mixed(
    ctx: Context,
    x: Ref,
    windows: Sequence[Window],
    extents: Sequence[int],
    groups: int,
    channels: int,
    swept: Sequence[int],
) -> Ref:
    """The windows, with the channels of each group mixed; every weight meets each of the ``swept`` positions."""
    if x.shape[1] % groups or channels % groups:
        ctx.refuse(f"{x.shape[1]} channels in and {channels} out do not both split into {groups} groups")
    weights = x.shape[1] // groups * channels * prod(window.kernel for window in windows)
    ctx.costs(weights + channels, x.shape[0] * weights * prod(swept))
    maps = {axis: _plain(*pair) for axis, pair in enumerate(zip(windows, extents, strict=True), 2)}
    return across_groups(ctx, x, maps, groups, channels)


def _plain(window: Window, extent: int) -> tuple[AxisMap, int]:
    return (Identity() if window == Window(1) else window), extent
