"""Layers that move, repeat, cut off and pad."""

from __future__ import annotations

from math import prod

from eyeshot.errors import InputError
from eyeshot.frontends.keras.context import Context, bounded, lowers
from eyeshot.frontends.keras.layers.layout import Maps, channels_first, spatial_axes
from eyeshot.frontends.keras.layers.pooling import named
from eyeshot.frontends.keras.layers.resizing import MODES, resized
from eyeshot.graph import Ref
from eyeshot.relations.tables import stretch


@lowers("layers.Flatten")
def flatten(ctx: Context, x: Ref) -> Ref:
    """The same elements, channels last."""
    if channels_first(ctx.options) and len(x.shape) > 1:
        x = ctx.permute(x, (0, *range(2, len(x.shape)), 1))
    return ctx.reshape(x, (x.shape[0], prod(x.shape[1:])))


@lowers("layers.Reshape")
def reshape(ctx: Context, x: Ref) -> Ref:
    """The same elements under another shape."""
    given = ctx.options.get("target_shape")
    wanted = [-1 if n is None else n for n in given]
    known = prod(n for n in wanted if n != -1)
    total = prod(x.shape[1:])
    if wanted.count(-1) > 1 or total % max(known, 1) or (-1 not in wanted and known != total):
        raise InputError(
            f"{ctx.options.where} reshapes samples of {x.shape[1:]}, {total} elements, to {tuple(given)}: that only fits "
            "the size that the model was made for"
        )
    return ctx.reshape(x, (x.shape[0], *(total // known if n == -1 else n for n in wanted)))


@lowers("layers.Permute")
def permute(ctx: Context, x: Ref) -> Ref:
    """The same elements; axes are counted from 1, behind the batch."""
    order = ctx.options.sizes("dims", len(x.shape) - 1)
    if sorted(order) != list(range(1, len(x.shape))):
        raise ctx.options.malformed("dims", f"the axes 1 to {len(x.shape) - 1} in some order")
    return ctx.permute(x, (0, *order))


@lowers("layers.RepeatVector")
def repeat_vector(ctx: Context, x: Ref) -> Ref:
    """Every step is the same vector."""
    times = ctx.options.whole("n")
    return ctx.broadcast(ctx.reshape(x, (x.shape[0], 1, x.shape[1])), (x.shape[0], times, x.shape[1]))


@lowers(*named("ZeroPadding{}D"))
def zero_padding(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself; padding is not input."""
    rank = len(x.shape) - 2
    amounts = ctx.options.pairs("padding", rank)
    return ctx.pad(x, dict(zip(spatial_axes(ctx.options, x.shape, rank), amounts, strict=True)))


@lowers(*named("Cropping{}D"))
def cropping(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself; those at the borders are dropped."""
    rank = len(x.shape) - 2
    axes = spatial_axes(ctx.options, x.shape, rank)
    for axis, (before, after) in zip(axes, ctx.options.pairs("cropping", rank), strict=True):
        if before + after >= x.shape[axis]:
            raise InputError(
                f"{ctx.options.where} crops {before + after} of {x.shape[axis]} elements: use a larger input"
            )
        x = ctx.slice(x, axis, before, x.shape[axis] - after)
    return x


@lowers(*named("UpSampling{}D"))
def up_sampling(ctx: Context, x: Ref) -> Ref:
    """Each output reads the element that it repeats, or those that it is interpolated from."""
    options, rank = ctx.options, len(x.shape) - 2
    axes, sizes = spatial_axes(options, x.shape, rank), options.sizes("size", rank)
    extents = {
        axis: bounded(times * x.shape[axis], options.where) for axis, times in zip(axes, sizes, strict=True)
    }
    if rank == 2 and (mode := options.choice("interpolation", "nearest", *MODES)) != "nearest":
        return resized(ctx, x, extents, mode)
    maps: Maps = {a: (stretch(times, x.shape[a]), extents[a]) for a, times in zip(axes, sizes, strict=True)}
    return ctx.along(x, maps)
