"""Normalisations: each element with the statistics that it is scaled by; the identity path survives."""

from __future__ import annotations

from eyeshot.frontends.keras.context import Context, lowers
from eyeshot.graph import Ref


@lowers("layers.BatchNormalization", masks=True)
def batch_norm(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself: at inference the statistics are those of training."""
    options = ctx.options
    axis = options.axis("axis", len(x.shape))
    learned = options.flag("scale", default=True) + options.flag("center", default=True)
    ctx.own(*[(x.shape[axis],)] * (2 + learned + 3 * options.flag("renorm")))
    return x


@lowers("layers.LayerNormalization", masks=True)
def layer_norm(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself and all along the axes of the statistics."""
    axes = ctx.options.axes("axis", len(x.shape), -1)
    scaled = ctx.options.flag("scale", default=True) or ctx.options.flag("rms_scaling")
    centred = ctx.options.flag("center", default=True) and not ctx.options.flag("rms_scaling")
    ctx.own(*[[x.shape[axis] for axis in axes]] * (scaled + centred))
    return ctx.normalise(x, axes)


@lowers("layers.RMSNormalization")
def rms_norm(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself and all along the axes of the mean square."""
    axes = ctx.options.axes("axis", len(x.shape), -1)
    ctx.own([x.shape[axis] for axis in axes])
    return ctx.normalise(x, axes)


@lowers("layers.LayerScale")
def layer_scale(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself, as keras.applications' ConvNeXt scales it."""
    ctx.own((ctx.options.features("projection_dim"),))
    return x


@lowers("layers.UnitNormalization", masks=True)
def unit_norm(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself and all along the axes of the norm."""
    return ctx.normalise(x, ctx.options.axes("axis", len(x.shape), -1))


@lowers("layers.GroupNormalization", masks=True)
def group_norm(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself, and every channel of its group at every place of its sample."""
    options = ctx.options
    axis = options.axis("axis", len(x.shape))
    channels = x.shape[axis]
    groups = channels if options.get("groups") == -1 else options.whole("groups", 32)
    ctx.own(*[(channels,)] * (options.flag("scale", default=True) + options.flag("center", default=True)))
    split = ctx.reshape(x, (*x.shape[:axis], groups, channels // groups, *x.shape[axis + 1 :]))
    normal = ctx.normalise(split, [other for other in range(1, len(split.shape)) if other != axis])
    return ctx.reshape(normal, x.shape)


@lowers("layers.Normalization", masks=True)
def normalization(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself: mean and variance were taken from a data set."""
    options = ctx.options
    if "mean" not in options:
        kept = [x.shape[axis] for axis in options.axes("axis", len(x.shape), ())]
        ctx.own(kept, kept, ())
    return x
