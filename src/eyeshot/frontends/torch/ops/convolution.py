"""Convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eyeshot.frontends.torch.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.graph.masks import support
from eyeshot.relations import All, Along, AxisMap, Identity, Pointwise, Table, Window

Maps = dict[int, tuple[AxisMap, int]]
Sizes = int | Sequence[int]


def per_axis(value: Sizes, count: int) -> list[int]:
    """One number for each of ``count`` axes: a single number, or a list of one, stands for all."""
    listed = [value] if isinstance(value, int) else list(value)
    return listed * count if len(listed) == 1 else listed


@lowers("aten.convolution.default", "aten._convolution.default", "aten.convolution_overrideable.default")
def convolution(
    ctx: Context,
    x: Ref,
    weight: Ref,
    bias: Ref | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    output_padding: Sizes,
    groups: int,
    *flags: bool,
) -> Ref:
    """Each output reads a dilated window per spatial axis, in all channels of its group."""
    rank = len(weight.shape) - 2
    kernels = weight.shape[2:]
    steps = (per_axis(amount, rank) for amount in (stride, padding, dilation))
    extents = ctx.output_shape[-rank:]
    maps: Maps = {}
    taps: Maps = {}
    for axis, (k, s, p, d, n) in enumerate(zip(kernels, *steps, extents, strict=True), 2):
        window = Window(k, 1, d, d * (k - 1) - p, s) if transposed else Window(k, s, d, p)
        maps[axis] = (Identity() if window == Window(1) else window, n)
        if not ctx.is_constant(weight):
            taps[axis] = (_taps(window, _held(ctx, x, axis - rank - 2), n, turned=transposed), n)
    batched = ctx.reshape(x, (1, *x.shape)) if len(x.shape) == rank + 1 else x
    out = _across_groups(
        ctx, batched, maps, groups, weight.shape[1] * groups if transposed else weight.shape[0]
    )
    out = ctx.pointwise(out, *_learned(ctx, weight, bias, groups if transposed else 0, taps))
    if weight.known is not None and not weight.known.all() and not ctx.is_constant(out):
        out = ctx.add(Pointwise(), (out,), out.shape, "zero-coefficient")
    return ctx.reshape(out, ctx.output_shape)


def _across_groups(ctx: Context, x: Ref, maps: Maps, groups: int, channels: int) -> Ref:
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


def _held(ctx: Context, x: Ref, axis: int) -> range:
    """The indices of a negative axis that hold input: those around them were padded just before."""
    node, size = ctx.graph.nodes[x.node], x.shape[axis]
    maps = dict(node.relation.maps) if isinstance(node.relation, Along) else {}
    match maps.get(axis % len(x.shape)):
        case Window(1, 1, _, low, 1):
            return range(max(0, low), min(size, low + ctx.graph.nodes[node.inputs[0]].shape[axis]))
        case _:
            return range(size)


def _taps(window: Window, held: range, count: int, *, turned: bool = False) -> Table:
    """Which taps of a kernel each output multiplies with input, not with padding; ``turned``: the last tap first."""
    starts = window.stride * np.arange(count)[:, None] - window.padding
    places, between = np.divmod(starts + window.dilation * np.arange(window.kernel), window.input_dilation)
    inside = (places >= held.start) & (places < held.stop) & (between == 0)
    return support(~inside[:, ::-1] if turned else ~inside)


def _learned(
    ctx: Context, weight: Ref, bias: Ref | None, groups: int, taps: Maps, reason: str | None = None
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


@lowers("aten.conv1d.default", "aten.conv2d.default", "aten.conv3d.default")
def conv(
    ctx: Context,
    x: Ref,
    weight: Ref,
    bias: Ref | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Ref:
    """A convolution as exported programs spell it."""
    return convolution(ctx, x, weight, bias, stride, padding, dilation, False, 0, groups)


@lowers("aten.conv1d.padding", "aten.conv2d.padding", "aten.conv3d.padding")
def conv_named_padding(
    ctx: Context,
    x: Ref,
    weight: Ref,
    bias: Ref | None = None,
    stride: Sizes = 1,
    padding: str = "valid",
    dilation: Sizes = 1,
    groups: int = 1,
) -> Ref:
    """A convolution with padding "same" (the extra element of an odd total goes behind) or "valid"."""
    kernels = weight.shape[2:]
    spans = [d * (k - 1) for k, d in zip(kernels, per_axis(dilation, len(kernels)), strict=True)]
    amounts = [span // 2 for span in spans] if padding == "same" else 0
    return convolution(ctx, x, weight, bias, stride, amounts, dilation, False, 0, groups)


@lowers("aten.conv_transpose1d.default", "aten.conv_transpose2d.input", "aten.conv_transpose3d.input")
def conv_transpose(
    ctx: Context,
    x: Ref,
    weight: Ref,
    bias: Ref | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Ref:
    """A transposed convolution as exported programs spell it."""
    return convolution(ctx, x, weight, bias, stride, padding, dilation, True, output_padding, groups)


@lowers("aten.conv_tbc.default")
def conv_tbc(ctx: Context, x: Ref, weight: Ref, bias: Ref, pad: int = 0) -> Ref:
    """A 1-D convolution over (T, B, C) with weights (kernel, C_in, C_out)."""
    kernel, _, channels = weight.shape
    out = ctx.along(x, {0: (Window(kernel, padding=pad), ctx.output_shape[0]), 2: (All(), channels)})
    taps = _taps(Window(kernel, padding=pad), range(x.shape[0]), ctx.output_shape[0])
    read = ctx.along(weight, {0: (taps, ctx.output_shape[0]), 1: (All(), 1)})
    return ctx.pointwise(out, read, bias, shape=ctx.output_shape)


@lowers("torchvision.deform_conv2d.default")
def deform_conv2d(
    ctx: Context,
    x: Ref,
    weight: Ref,
    offset: Ref,
    mask: Ref,
    bias: Ref,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    groups: int,
    offset_groups: int,
    use_mask: bool,
) -> Ref:
    """Each output reads x anywhere (its group's channels), and the offsets and mask of its own place."""
    channels, *extents = ctx.output_shape[1:]
    anywhere = ctx.along(x, {2: (All(), 1), 3: (All(), 1)}, reason="data-dependent-index")
    read = _across_groups(ctx, anywhere, {}, groups, channels)
    steering = [ctx.along(ref, {1: (All(), 1)}) for ref in ([offset, mask] if use_mask else [offset])]
    everywhere: Maps = {2: (All(), 1), 3: (All(), 1)}
    learned = _learned(ctx, weight, bias, 0, everywhere, reason="computed-weights")
    return ctx.pointwise(read, *steering, *learned, shape=(x.shape[0], channels, *extents))
