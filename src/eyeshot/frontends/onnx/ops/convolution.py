"""Convolutions."""

from __future__ import annotations

from math import prod

from eyeshot.frontends.compounds import convolution as compounds
from eyeshot.frontends.compounds.convolution import Maps, across_groups, turned
from eyeshot.frontends.onnx.context import Context, Value, lowers
from eyeshot.frontends.onnx.ops.quantization import beside
from eyeshot.frontends.onnx.ops.windows import Numbers, sized, windows
from eyeshot.graph import Ref
from eyeshot.relations import All, Window


@lowers("Conv")
def conv(
    ctx: Context,
    x: Ref,
    weight: Ref,
    bias: Ref | None = None,
    *,
    strides: Numbers = None,
    pads: Numbers = None,
    dilations: Numbers = None,
    auto_pad: str = "NOTSET",
    group: int = 1,
) -> Ref:
    """Each output reads a dilated window per spatial axis, in all channels of its group."""
    maps, extents = windows(ctx, x.shape[2:], weight.shape[2:], strides, pads, dilations, auto_pad)
    ctx.macs += x.shape[0] * prod(extents) * prod(weight.shape)
    return compounds.convolution(ctx, x, weight, bias, maps, extents, groups=group)


@lowers("ConvInteger", dtype="int32")
def conv_integer(
    ctx: Context,
    x: Ref,
    weight: Ref,
    x_zero: Ref | None = None,
    weight_zero: Ref | None = None,
    *,
    strides: Numbers = None,
    pads: Numbers = None,
    dilations: Numbers = None,
    auto_pad: str = "NOTSET",
    group: int = 1,
) -> Ref:
    """As `conv`; zero points that are computed are read by every output."""
    out = conv(
        ctx, x, weight, None, strides=strides, pads=pads, dilations=dilations, auto_pad=auto_pad, group=group
    )
    read = [*beside(ctx, out, None, x_zero), *beside(ctx, out, 1, weight_zero)]
    return ctx.pointwise(out, *read, shape=out.shape)


@lowers("QLinearConv")
def qlinear_conv(
    ctx: Context,
    x: Ref,
    x_scale: Ref,
    x_zero: Ref,
    weight: Ref,
    weight_scale: Ref,
    weight_zero: Ref,
    scale: Ref,
    zero: Ref,
    bias: Ref | None = None,
    *,
    strides: Numbers = None,
    pads: Numbers = None,
    dilations: Numbers = None,
    auto_pad: str = "NOTSET",
    group: int = 1,
) -> Value:
    """As `conv`, of quantized numbers."""
    out = conv(
        ctx, x, weight, bias, strides=strides, pads=pads, dilations=dilations, auto_pad=auto_pad, group=group
    )
    read = beside(ctx, out, None, x_scale, x_zero, scale, zero)
    read += beside(ctx, out, 1, weight_scale, weight_zero)
    return ctx.typed(ctx.pointwise(out, *read, shape=out.shape), ctx.dtype(7))


@lowers("ConvTranspose")
def conv_transpose(
    ctx: Context,
    x: Ref,
    weight: Ref,
    bias: Ref | None = None,
    *,
    strides: Numbers = None,
    pads: Numbers = None,
    dilations: Numbers = None,
    auto_pad: str = "NOTSET",
    group: int = 1,
    output_padding: Numbers = None,
    output_shape: Numbers = None,
) -> Ref:
    """Each output reads the inputs whose window it lies in; a stated output shape decides the padding."""
    kernel, rank = weight.shape[2:], len(weight.shape) - 2
    stride, dilation, extra = (sized(ctx, given, rank, default)
                               for given, default in ((strides, 1), (dilations, 1), (output_padding, 0)))  # fmt: skip
    given = sized(ctx, pads, 2 * rank, 0)
    maps: list[Window] = []
    extents: list[int] = []
    for axis, (n, k, s, d, e) in enumerate(zip(x.shape[2:], kernel, stride, dilation, extra, strict=True)):
        full = s * (n - 1) + e + d * (k - 1) + 1
        wanted = (
            list(output_shape)[-rank:][axis]
            if output_shape
            else n * s
            if auto_pad.startswith("SAME")
            else None
        )
        if wanted is None:
            low, high = (0, 0) if auto_pad == "VALID" else (given[axis], given[axis + rank])
            wanted = full - low - high
        else:
            total = full - wanted
            low = (
                total // 2
                if auto_pad == "SAME_UPPER" or (ctx.opset < 11 and auto_pad != "SAME_LOWER")
                else -(-total // 2)
            )
        maps.append(turned(k, s, low, d))
        extents.append(wanted)
    ctx.bounded(extents)
    ctx.macs += prod(x.shape) * prod(weight.shape[1:])
    return compounds.convolution(ctx, x, weight, bias, maps, extents, groups=group, transposed=True)


@lowers("DeformConv")
def deform_conv(
    ctx: Context,
    x: Ref,
    weight: Ref,
    offset: Ref,
    bias: Ref | None = None,
    mask: Ref | None = None,
    *,
    group: int = 1,
) -> Ref:
    """Each output reads x anywhere (its group's channels), and the offsets and mask of its own place."""
    extents, rank = offset.shape[2:], len(weight.shape) - 2
    ctx.macs += x.shape[0] * prod(extents) * prod(weight.shape)
    everywhere: Maps = {axis: (All(), 1) for axis in range(2, 2 + rank)}
    anywhere = ctx.along(x, everywhere, reason="data-dependent-index")
    read = across_groups(ctx, anywhere, {}, group, weight.shape[0])
    steering = [ctx.along(ref, {1: (All(), 1)}) for ref in (offset, mask) if ref is not None]
    learned = compounds.learned(ctx, weight, bias, 0, everywhere, reason="computed-weights")
    return ctx.pointwise(read, *steering, *learned, shape=(x.shape[0], weight.shape[0], *extents))


@lowers("CausalConvWithState")
def causal_conv(
    ctx: Context, x: Ref, weight: Ref, bias: Ref | None = None, past: Ref | None = None
) -> list[Ref]:
    """Each channel reads its last k places, those before the first from the state; the next state is the last k - 1."""
    kernel = weight.shape[-1]
    before = past if past is not None else ctx.constant((*x.shape[:2], kernel - 1))
    joined = ctx.concat([before, x], 2)
    ctx.macs += prod(x.shape) * kernel
    out = compounds.convolution(ctx, joined, weight, bias, [Window(kernel)], x.shape[2:], groups=x.shape[1])
    return [out, ctx.slice(joined, 2, joined.shape[2] - kernel + 1, joined.shape[2])]
