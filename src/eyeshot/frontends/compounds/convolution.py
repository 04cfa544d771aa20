"""Convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eyeshot.graph import Builder, Ref
from eyeshot.graph.masks import support
from eyeshot.relations import All, Along, AxisMap, Identity, Pointwise, Reshape, Table, Window

Maps = dict[int, tuple[AxisMap, int]]


def turned(kernel: int, stride: int, padding: int, dilation: int) -> Window:
    """The window of a transposed convolution: it reads what a convolution of these numbers would have written."""
    return Window(kernel, 1, dilation, dilation * (kernel - 1) - padding, stride)


def convolution(
    ctx: Builder,
    x: Ref,
    weight: Ref,
    bias: Ref | None,
    windows: Sequence[Window],
    extents: Sequence[int],
    *,
    groups: int = 1,
    transposed: bool = False,
) -> Ref:
    """Each output reads a window per spatial axis, in all channels of its group.

    ``x`` is (N, C, *spatial); ``weight`` (outputs, C / groups, *kernel), or (C, outputs / groups, *kernel) where
    ``transposed``, and the ``windows`` are then `turned`. ``extents`` are the spatial ones of the result. Weights that are
    computed from an input are read by their taps; where known ones are 0 the result is flagged "zero-coefficient".
    """
    maps: Maps = {}
    taps: Maps = {}
    for axis, (window, n) in enumerate(zip(windows, extents, strict=True), 2):
        maps[axis] = (Identity() if window == Window(1) else window, n)
        if not ctx.is_constant(weight):
            taps[axis] = (taps_read(window, _held(ctx, x, axis), n, backwards=transposed), n)
    channels = weight.shape[1] * groups if transposed else weight.shape[0]
    out = across_groups(ctx, x, maps, groups, channels)
    out = ctx.pointwise(out, *learned(ctx, weight, bias, groups if transposed else 0, taps))
    if weight.known is not None and not weight.known.all() and not ctx.is_constant(out):
        out = ctx.add(Pointwise(), (out,), out.shape, "zero-coefficient")
    return out


def across_groups(ctx: Builder, x: Ref, maps: Maps, groups: int, channels: int) -> Ref:
    """The spatial maps, with the channels of each group mixed; ``x`` is (N, C, *spatial)."""
    if groups == 1:
        return ctx.along(x, {1: (All(), channels), **maps})
    if groups == channels == x.shape[1]:
        return ctx.along(x, maps)
    batch, inner = x.shape[0], x.shape[1] // groups
    split = ctx.reshape(x, (batch, groups, inner, *x.shape[2:]))
    shifted = {axis + 1: value for axis, value in maps.items()}
    mixed = ctx.along(split, {2: (All(), channels // groups), **shifted})
    return ctx.reshape(mixed, (batch, channels, *mixed.shape[3:]))


def _held(ctx: Builder, x: Ref, axis: int) -> range:
    """The indices of an axis that hold input: those around them were padded just before."""
    node, size = ctx.graph.nodes[x.node], x.shape[axis]
    if isinstance(node.relation, Reshape) and node.shape == (1, *ctx.graph.nodes[node.inputs[0]].shape):
        node, axis = ctx.graph.nodes[node.inputs[0]], axis - 1
    maps = dict(node.relation.maps) if isinstance(node.relation, Along) else {}
    match maps.get(axis):
        case Window(1, 1, _, low, 1):
            return range(max(0, low), min(size, low + ctx.graph.nodes[node.inputs[0]].shape[axis]))
        case _:
            return range(size)


def taps_read(window: Window, held: range, count: int, *, backwards: bool = False) -> Table:
    """Which taps of a kernel each output multiplies with input, not with padding; ``backwards``: the last tap first."""
    starts = window.stride * np.arange(count)[:, None] - window.padding
    places, between = np.divmod(starts + window.dilation * np.arange(window.kernel), window.input_dilation)
    inside = (places >= held.start) & (places < held.stop) & (between == 0)
    return support(~inside[:, ::-1] if backwards else ~inside)


def learned(
    ctx: Builder, weight: Ref, bias: Ref | None, groups: int, taps: Maps, reason: str | None = None
) -> list[Ref]:
    """Weights (by their ``taps``) and bias that are computed from an input, as (1, C, ...); ``groups`` if transposed."""
    found = []
    if not ctx.is_constant(weight):
        if groups:
            weight = ctx.reshape(weight, (groups, weight.shape[0] // groups, *weight.shape[1:]))
            weight = ctx.permute(weight, (0, 2, 1, *range(3, len(weight.shape))))
            weight = ctx.reshape(weight, (weight.shape[0] * weight.shape[1], *weight.shape[2:]))
        read = ctx.along(weight, {1: (All(), 1), **taps}, reason=reason)
        found.append(ctx.reshape(read, (1, weight.shape[0], *read.shape[2:])))
    if bias is not None and not ctx.is_constant(bias):
        found.append(ctx.reshape(bias, (1, *bias.shape, *(1,) * (len(weight.shape) - 2))))
    return found
