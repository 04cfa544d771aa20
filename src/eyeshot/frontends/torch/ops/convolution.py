"""Convolutions."""

from __future__ import annotations

from collections.abc import Sequence

from eyeshot.frontends.compounds import convolution as compounds
from eyeshot.frontends.compounds.convolution import Maps, across_groups, learned, taps_read, turned
from eyeshot.frontends.torch.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.relations import All, Window

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
    amounts = zip(kernels, *steps, strict=True)
    windows = [turned(k, s, p, d) if transposed else Window(k, s, d, p) for k, s, p, d in amounts]
    batched = ctx.reshape(x, (1, *x.shape)) if len(x.shape) == rank + 1 else x
    extents = ctx.output_shape[-rank:]
    out = compounds.convolution(
        ctx, batched, weight, bias, windows, extents, groups=groups, transposed=transposed
    )
    return ctx.reshape(out, ctx.output_shape)


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
    taps = taps_read(Window(kernel, padding=pad), range(x.shape[0]), ctx.output_shape[0])
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
    read = across_groups(ctx, anywhere, {}, groups, channels)
    steering = [ctx.along(ref, {1: (All(), 1)}) for ref in ([offset, mask] if use_mask else [offset])]
    everywhere: Maps = {2: (All(), 1), 3: (All(), 1)}
    own = learned(ctx, weight, bias, 0, everywhere, reason="computed-weights")
    return ctx.pointwise(read, *steering, *own, shape=(x.shape[0], channels, *extents))
