"""Convolutions, pooling, and ops on images and signals."""

from __future__ import annotations

from math import prod
from typing import Any

from eyeshot.errors import InputError
from eyeshot.frontends.compounds import convolution as compounds
from eyeshot.frontends.keras.context import Context, lowers
from eyeshot.frontends.keras.layers.convolution import turned, window
from eyeshot.frontends.keras.layers.layout import Maps, channel_axis, channels_first, image_axes, spatial_axes
from eyeshot.frontends.keras.layers.pooling import pooled
from eyeshot.frontends.keras.layers.resizing import MODES, cropped, padded, resized
from eyeshot.graph import Ref
from eyeshot.relations import All, Window
from eyeshot.relations.folds import unfold
from eyeshot.relations.tables import adaptive, pad


@lowers("nn.MaxPool", "nn.AveragePool")
def pooling(ctx: Context, inputs: Ref) -> Ref:
    """Each output reads a window per spatial axis."""
    return pooled(ctx, inputs)


@lowers("nn.AdaptiveMaxPool", "nn.AdaptiveAveragePool")
def adaptive_pooling(ctx: Context, inputs: Ref) -> Ref:
    """Outputs split each spatial axis as evenly as whole numbers can."""
    rank = len(inputs.shape) - 2
    axes = spatial_axes(ctx.options, inputs.shape, rank)
    sizes = ctx.options.sizes("output_size", rank)
    maps = {axis: (adaptive(inputs.shape[axis], n), n) for axis, n in zip(axes, sizes, strict=True)}
    return ctx.along(inputs, maps, summarises=True)


@lowers("nn.Conv", "nn.DepthwiseConv", "nn.ConvTranspose")
def convolution(ctx: Context, inputs: Ref, kernel: Ref) -> Ref:
    """Each output reads a window per spatial axis, in all channels of its group; computed kernels by their taps."""
    options, rank, name = ctx.options, len(inputs.shape) - 2, ctx.call.name
    last = not channels_first(options)
    x = ctx.permute(inputs, (0, rank + 1, *range(1, rank + 1))) if last else inputs
    strides, dilation = options.sizes("strides", rank, 1), options.sizes("dilation_rate", rank, 1)
    padding, where = options.choice("padding", "valid", "same"), options.where
    amounts = zip(x.shape[2:], kernel.shape[:rank], strides, dilation, strict=True)
    if name == "nn.ConvTranspose":
        extra = options.sizes("output_padding", rank, low=0) if "output_padding" in options else [None] * rank
        maps = [turned(n, k, s, d, padding, e) for (n, k, s, d), e in zip(amounts, extra, strict=True)]
    else:
        maps = [window(n, k, s, d, padding, where) for n, k, s, d in amounts]
    turning = name == "nn.ConvTranspose"
    weight = ctx.permute(
        kernel, (rank + 1, rank, *range(rank))
    )  # outputs, inputs, taps; turned: inputs, outputs
    groups = 1 if turning else x.shape[1] // kernel.shape[rank]
    if name == "nn.DepthwiseConv":
        groups = x.shape[1]
        weight = ctx.reshape(
            ctx.permute(kernel, (rank, rank + 1, *range(rank))), (-1, 1, *kernel.shape[:rank])
        )
    windows = [amap if isinstance(amap, Window) else Window(1) for amap, _ in maps]
    out = compounds.convolution(
        ctx,
        x,
        weight,
        None,
        windows,
        [n for _, n in maps],
        groups=groups,
        transposed=turning,
    )
    swept = x if turning else out
    ctx.call.macs += swept.shape[0] * prod(swept.shape[2:]) * prod(kernel.shape)
    return ctx.permute(out, (0, *range(2, rank + 2), 1)) if last else out


@lowers("nn.SeparableConv")
def separable(ctx: Context, inputs: Ref, depthwise_kernel: Ref, pointwise_kernel: Ref) -> Ref:
    """Each output reads a window per spatial axis, in all channels; both kernels are constants."""
    if not ctx.is_constant(depthwise_kernel) or not ctx.is_constant(pointwise_kernel):
        raise InputError(f"{ctx.options.where} has a kernel that is computed: write it as two convolutions")
    options, rank = ctx.options, len(inputs.shape) - 2
    kernel, strides = depthwise_kernel.shape[:rank], options.sizes("strides", rank, 1)
    dilation, padding = options.sizes("dilation_rate", rank, 1), options.choice("padding", "valid", "same")
    axes = spatial_axes(options, inputs.shape, rank)
    maps: Maps = {
        a: window(inputs.shape[a], k, s, d, padding, options.where)
        for a, k, s, d in zip(axes, kernel, strides, dilation, strict=True)
    }
    return ctx.along(
        inputs, {channel_axis(options, inputs.shape): (All(), pointwise_kernel.shape[-1]), **maps}
    )


@lowers("image.RGBToGrayscale")
def grayscale(ctx: Context, images: Ref) -> Ref:
    """Each pixel reads all channels."""
    axis = _channels(ctx, images)
    return ctx.along(images, {axis: (All(), 1)})


@lowers("image.RGBToHSV", "image.HSVToRGB")
def colour(ctx: Context, images: Ref) -> Ref:
    """Each element may read all channels of its pixel."""
    axis = _channels(ctx, images)
    return ctx.along(images, {axis: (All(), images.shape[axis])})


def _channels(ctx: Context, images: Ref) -> int:
    return len(images.shape) - (3 if channels_first(ctx.options) else 1)


@lowers("image.Resize")
def resize(ctx: Context, images: Ref) -> Ref:
    """Each output reads the pixels that it is interpolated from."""
    options, axes = ctx.options, image_axes(ctx.options, images.shape)
    height, width = options.sizes("size", 2)
    if options.flag("crop_to_aspect_ratio"):
        images = cropped(ctx, images, axes, (height, width))
    elif options.flag("pad_to_aspect_ratio"):
        images = padded(ctx, images, axes, (height, width))
    mode = options.choice("interpolation", "bilinear", *MODES)
    return resized(ctx, images, {axes[0]: height, axes[1]: width}, mode, antialias=options.flag("antialias"))


@lowers("image.PadImages", "image.CropImages")
def borders(ctx: Context, images: Ref) -> Ref:
    """Pixels at the borders added or taken away; the last amount follows from the extent that is asked for."""
    options, word = ctx.options, "padding" if ctx.call.name == "image.PadImages" else "cropping"
    sign = 1 if word == "padding" else -1
    amounts = {}
    for axis, first, last, extent in zip(
        image_axes(options, images.shape),
        ("top", "left"),
        ("bottom", "right"),
        ("height", "width"),
        strict=True,
    ):
        before, after = options.get(f"{first}_{word}"), options.get(f"{last}_{word}")
        total = options.get(f"target_{extent}")
        if total is not None:
            total = sign * (total - images.shape[axis])
            before, after = (total - after, after) if before is None else (before, total - before)
        amounts[axis] = (sign * before, sign * after)
    return ctx.pad(images, amounts)


@lowers("image.GaussianBlur", "image.SobelEdges")
def filtered(ctx: Context, images: Ref) -> Ref:
    """Each pixel reads those around it in its own channel."""
    options, axes = ctx.options, image_axes(ctx.options, images.shape)
    blur = ctx.call.name == "image.GaussianBlur"
    sizes = options.sizes("kernel_size", 2, (3, 3)) if blur else (3, 3)
    maps = {
        axis: window(images.shape[axis], k, 1, 1, "same", options.where)
        for axis, k in zip(axes, sizes, strict=True)
    }
    out = ctx.along(images, maps, reason=None if blur else "zero-coefficient")
    return out if blur else ctx.broadcast(ctx.reshape(out, (*out.shape, 1)), (*out.shape, 2))


@lowers("image.ExtractPatches")
def patches(ctx: Context, images: Ref) -> Ref:
    """Each output reads one pixel of its window; the window's pixels lie before the channels."""
    options = ctx.options
    rank = 3 if isinstance(size := options.get("size"), list | tuple) and len(size) == 3 else 2
    sizes = options.sizes("size", rank)
    strides = options.sizes("strides", rank, sizes)
    dilation = options.sizes("dilation_rate", rank, 1)
    alone = len(images.shape) == rank + 1
    x = ctx.reshape(images, (1, *images.shape)) if alone else images
    x = ctx.permute(x, (0, *range(2, rank + 2), 1)) if channels_first(options) else x
    padding, counts, split = options.choice("padding", "valid", "same"), [], []
    for axis, (k, s, d) in enumerate(zip(sizes, strides, dilation, strict=True), 1):
        amap, count = window(x.shape[axis], k, s, d, padding, options.where)
        before = amap.padding if isinstance(amap, Window) else 0
        x = ctx.along(x, {axis: (unfold(x.shape[axis], count, k, s, d, before), count * k)})
        counts.append(count)
        split += [count, k]
    x = ctx.reshape(x, (x.shape[0], *split, x.shape[-1]))
    order = (0, *range(1, 2 * rank, 2), *range(2, 2 * rank + 1, 2), 2 * rank + 1)
    out = ctx.reshape(ctx.permute(x, order), (x.shape[0], *counts, prod(sizes) * x.shape[-1]))
    out = ctx.permute(out, (0, rank + 1, *range(1, rank + 1))) if channels_first(options) else out
    return ctx.reshape(out, out.shape[1:]) if alone else out


@lowers("image.AffineTransform", "image.PerspectiveTransform", "image.ElasticTransform")
def moved(ctx: Context, images: Ref, *transform: Any) -> Ref:
    """Each pixel may come from anywhere in its channel."""
    from eyeshot.frontends.keras.context import tensors_in

    axes = image_axes(ctx.options, images.shape)
    reason = "random-index" if ctx.call.name == "image.ElasticTransform" else "data-dependent-index"
    read = ctx.along(images, {axis: (All(), images.shape[axis]) for axis in axes}, reason=reason)
    batched = len(images.shape) == 4
    asked = [ctx.reduce(ref, range(1 if batched else 0, len(ref.shape))) for ref in tensors_in(transform)]
    shapes = [(ref.shape[0] if batched and ref.shape else 1, *[1] * (len(read.shape) - 1)) for ref in asked]
    return ctx.pointwise(read, *(ctx.reshape(ref, shape) for ref, shape in zip(asked, shapes, strict=True)))


@lowers("math.ExtractSequences")
def sequences(ctx: Context, x: Ref) -> Ref:
    """Windows of the last axis, side by side."""
    length, step = ctx.options.whole("sequence_length"), ctx.options.whole("sequence_stride")
    count = (x.shape[-1] - length) // step + 1
    out = ctx.along(x, {-1: (unfold(x.shape[-1], count, length, step), count * length)})
    return ctx.reshape(out, (*x.shape[:-1], count, length))


@lowers("math.STFT")
def stft(ctx: Context, x: Ref) -> list[Ref]:
    """Real and imaginary part: each bin of a frame may read all of its window."""
    options = ctx.options
    length, step, fft = (options.whole(key) for key in ("sequence_length", "sequence_stride", "fft_length"))
    if options.flag("center", default=True):
        x = ctx.along(
            x, {-1: (pad(fft // 2, fft // 2, x.shape[-1], "reflect"), x.shape[-1] + 2 * (fft // 2))}
        )
    count = (x.shape[-1] - fft) // step + 1
    frames = ctx.along(
        x, {-1: (Window(length, step, 1, -((fft - length) // 2)), count)}, reason="zero-coefficient"
    )
    out = ctx.broadcast(ctx.reshape(frames, (*frames.shape, 1)), (*frames.shape, fft // 2 + 1))
    return [out, out]


@lowers("math.FFT", "math.FFT2", "math.IFFT2")
def fft(ctx: Context, x: list[Ref]) -> list[Ref]:
    """Each output may read all along the last axis (the last two), of both parts."""
    axes = [-1] if ctx.call.name == "math.FFT" else [-2, -1]
    out = ctx.pointwise(*(ctx.along(part, {axis: (All(), part.shape[axis]) for axis in axes}) for part in x))
    out = ctx.along(out, {}, reason="zero-coefficient")
    return [out, out]


@lowers("math.RFFT")
def rfft(ctx: Context, x: Ref) -> list[Ref]:
    """Each bin may read all along the last axis."""
    length = ctx.options.whole("fft_length", x.shape[-1])
    x = ctx.slice(x, len(x.shape) - 1, 0, min(length, x.shape[-1]))
    out = ctx.along(x, {-1: (All(), length // 2 + 1)}, reason="zero-coefficient")
    return [out, out]


@lowers("math.IRFFT")
def irfft(ctx: Context, x: list[Ref]) -> Ref:
    """Each output may read every bin, of both parts."""
    length = ctx.options.whole("fft_length", 2 * (x[0].shape[-1] - 1))
    return ctx.pointwise(*(ctx.along(part, {-1: (All(), length)}, reason="zero-coefficient") for part in x))
