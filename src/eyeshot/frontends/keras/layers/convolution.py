"""Convolutions: windows along space, all channels of a group."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from eyeshot.errors import InputError
from eyeshot.frontends.keras.context import Context, lowers
from eyeshot.frontends.keras.layers.activations import activated
from eyeshot.frontends.keras.layers.layout import Maps, channel_axis, spatial_axes
from eyeshot.graph import Ref
from eyeshot.relations import All, AxisMap, Identity, Window


def window(n: int, kernel: int, stride: int, dilation: int, padding: str, where: str) -> tuple[AxisMap, int]:
    """The window along an axis of ``n`` elements, and how many outputs it makes.

    "same" pads as TensorFlow does: so much that there are ceil(n / stride) outputs, and the odd element behind.
    "causal" pads in front alone.
    """
    reach = dilation * (kernel - 1) + 1
    if padding == "same":
        count = -(-n // stride)
        before = max((count - 1) * stride + reach - n, 0) // 2
    else:
        before = reach - 1 if padding == "causal" else 0
        count = (n + before - reach) // stride + 1
    if count < 1:
        raise InputError(
            f"{where}: a kernel that reaches over {reach} elements does not fit an axis of {n}: use a larger input"
        )
    amap = Window(kernel, stride, dilation, before)
    return (Identity() if amap == Window(1) else amap), count


def turned(
    n: int, kernel: int, stride: int, dilation: int, padding: str, extra: int | None
) -> tuple[AxisMap, int]:
    """The window of a transposed convolution over an axis of ``n`` elements, as Keras pads it; ``extra`` output padding.

    "valid" makes (n - 1) stride + max(kernel, stride) outputs, "same" n stride.
    """
    reach = dilation * (kernel - 1) + 1
    if padding == "valid":
        added = max(reach, stride) - reach if extra is None else extra
        before, after = reach - 1, reach - 1 + added
    else:
        total = stride + reach - 2 if extra is None else reach + reach % 2 - 2 + extra
        before = min(total // 2 + total % 2, reach - 1)
        after = total - before
    count = (n - 1) * stride + 1 + before + after - reach + 1
    return Window(kernel, 1, dilation, before, stride), count


def mixed(ctx: Context, x: Ref, maps: Maps, channel: int, groups: int, filters: int) -> Ref:
    """The spatial maps, with the channels of each group mixed into ``filters`` channels."""
    if groups == 1:
        return ctx.along(x, {channel: (All(), filters), **maps})
    if groups == filters == x.shape[channel]:
        return ctx.along(x, maps)
    inner = x.shape[channel] // groups
    split = ctx.reshape(x, (*x.shape[:channel], groups, inner, *x.shape[channel + 1 :]))
    shifted = {axis + (axis > channel): value for axis, value in maps.items()}
    out = ctx.along(split, {channel + 1: (All(), filters // groups), **shifted})
    return ctx.reshape(out, (*out.shape[:channel], filters, *out.shape[channel + 2 :]))


def windows(ctx: Context, x: Ref, rank: int, *, padding: str) -> tuple[Maps, tuple[int, ...]]:
    """The windows of the layer at hand, and its kernel."""
    options = ctx.options
    kernel = options.sizes("kernel_size", rank)
    steps = options.sizes("strides", rank, 1), options.sizes("dilation_rate", rank, 1)
    axes = spatial_axes(options, x.shape, rank)
    amounts = zip(axes, kernel, *steps, strict=True)
    where = options.where
    return {a: window(x.shape[a], k, s, d, padding, where) for a, k, s, d in amounts}, kernel


def _spent(ctx: Context, out: Ref, per_output: int) -> None:
    ctx.call.macs += prod(out.shape) * per_output


@lowers("layers.Conv1D", "layers.Conv2D", "layers.Conv3D")
def convolution(ctx: Context, x: Ref) -> Ref:
    """Each output reads a window per spatial axis, in all channels of its group."""
    options, rank = ctx.options, len(x.shape) - 2
    filters, groups = options.features("filters"), options.whole("groups", 1)
    channel = channel_axis(options, x.shape)
    padding = options.choice("padding", "valid", "same", *(["causal"] if rank == 1 else []))
    maps, kernel = windows(ctx, x, rank, padding=padding)
    if x.shape[channel] % groups or filters % groups:
        raise options.malformed("groups", f"a divisor of {x.shape[channel]} channels and {filters} filters")
    inner = x.shape[channel] // groups
    out = mixed(ctx, x, maps, channel, groups, filters)
    ctx.own((*kernel, inner, filters), *_bias(ctx, filters))
    _spent(ctx, out, prod(kernel) * inner)
    return activated(ctx, out)


@lowers("layers.DepthwiseConv1D", "layers.DepthwiseConv2D")
def depthwise(ctx: Context, x: Ref) -> Ref:
    """Each output reads a window per spatial axis, in its own channel."""
    options, rank = ctx.options, len(x.shape) - 2
    channel = channel_axis(options, x.shape)
    maps, kernel = windows(ctx, x, rank, padding=options.choice("padding", "valid", "same"))
    times = options.whole("depth_multiplier", 1)
    filters = x.shape[channel] * times
    out = mixed(ctx, x, maps, channel, x.shape[channel], filters)
    ctx.own((*kernel, x.shape[channel], times), *_bias(ctx, filters))
    _spent(ctx, out, prod(kernel))
    return activated(ctx, out)


@lowers("layers.SeparableConv1D", "layers.SeparableConv2D")
def separable(ctx: Context, x: Ref) -> Ref:
    """Each output reads a window per spatial axis, in all channels."""
    options, rank = ctx.options, len(x.shape) - 2
    channel = channel_axis(options, x.shape)
    maps, kernel = windows(ctx, x, rank, padding=options.choice("padding", "valid", "same"))
    filters, between = options.features("filters"), x.shape[channel] * options.whole("depth_multiplier", 1)
    out = ctx.along(x, {channel: (All(), filters), **maps})
    ctx.own((*kernel, between), (between, filters), *_bias(ctx, filters))
    ctx.call.macs += prod(out.shape) // filters * between * (prod(kernel) + filters)
    return activated(ctx, out)


@lowers("layers.Conv1DTranspose", "layers.Conv2DTranspose", "layers.Conv3DTranspose")
def transposed(ctx: Context, x: Ref) -> Ref:
    """Each output reads what a convolution would have spread onto it, in all channels."""
    options, rank = ctx.options, len(x.shape) - 2
    channel, filters = channel_axis(options, x.shape), options.features("filters")
    kernel = options.sizes("kernel_size", rank)
    strides, dilation = options.sizes("strides", rank, 1), options.sizes("dilation_rate", rank, 1)
    extra: Sequence[int | None] = [None] * rank
    if "output_padding" in options:
        extra = options.sizes("output_padding", rank, low=0)
    padding = options.choice("padding", "valid", "same")
    maps: Maps = {}
    for axis, k, s, d, e in zip(
        spatial_axes(options, x.shape, rank), kernel, strides, dilation, extra, strict=True
    ):
        maps[axis] = turned(x.shape[axis], k, s, d, padding, e)
    out = ctx.along(x, {channel: (All(), filters), **maps})
    ctx.own((*kernel, x.shape[channel], filters), *_bias(ctx, filters))
    ctx.call.macs += prod(x.shape) * prod(kernel) * filters
    return activated(ctx, out)


def _bias(ctx: Context, filters: int) -> list[tuple[int]]:
    return [(filters,)] if ctx.options.flag("use_bias", default=True) else []
