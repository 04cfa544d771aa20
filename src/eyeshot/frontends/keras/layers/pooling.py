"""Pooling."""

from __future__ import annotations

from eyeshot.frontends.keras.context import Context, lowers
from eyeshot.frontends.keras.layers.convolution import window
from eyeshot.frontends.keras.layers.layout import Maps, channel_axis, spatial_axes
from eyeshot.graph import Ref
from eyeshot.relations.tables import adaptive


def named(pattern: str) -> list[str]:
    """The names of a family of layers: "MaxPooling{}D" for one, two and three axes."""
    return [f"layers.{pattern.format(rank)}" for rank in (1, 2, 3)]


def pooled(ctx: Context, x: Ref) -> Ref:
    """Each output reads a window per spatial axis; padding is not input."""
    options, rank = ctx.options, len(x.shape) - 2
    sizes = options.sizes("pool_size", rank)
    strides = options.sizes("strides", rank, sizes)
    padding = options.choice("padding", "valid", "same")
    maps: Maps = {}
    for axis, k, s in zip(spatial_axes(options, x.shape, rank), sizes, strides, strict=True):
        maps[axis] = window(x.shape[axis], k, s, 1, padding, options.where)
    return ctx.along(x, maps)


@lowers(*named("MaxPooling{}D"), *named("AveragePooling{}D"))
def pooling(ctx: Context, x: Ref) -> Ref:
    """Each output reads a window per spatial axis; padding is not input."""
    return pooled(ctx, x)


@lowers(*named("AdaptiveMaxPooling{}D"), *named("AdaptiveAveragePooling{}D"))
def adaptive_pooling(ctx: Context, x: Ref) -> Ref:
    """Outputs split each spatial axis as evenly as whole numbers can."""
    rank = len(x.shape) - 2
    sizes = ctx.options.sizes("output_size", rank)
    axes = spatial_axes(ctx.options, x.shape, rank)
    maps = {axis: (adaptive(x.shape[axis], n), n) for axis, n in zip(axes, sizes, strict=True)}
    return ctx.along(x, maps, summarises=True)


@lowers(*named("GlobalMaxPooling{}D"), *named("GlobalAveragePooling{}D"))
def global_pooling(ctx: Context, x: Ref) -> Ref:
    """Each output reads all of space in its channel; a mean over steps also the mask that leaves some out."""
    rank = len(x.shape) - 2
    axes = spatial_axes(ctx.options, x.shape, rank)
    if ctx.mask is not None and ctx.call.name == "layers.GlobalAveragePooling1D":
        channel = channel_axis(ctx.options, x.shape)
        mask = ctx.reshape(ctx.mask, (*ctx.mask.shape, 1) if channel == 2 else (ctx.mask.shape[0], 1, -1))
        x = ctx.pointwise(x, mask)
    return ctx.reduce(x, axes, keep=ctx.options.flag("keepdims"))
