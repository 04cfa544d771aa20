"""Normalisations and softmax: each element with the statistics that it is scaled by; the identity path survives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eyeshot.frontends.compounds import norms
from eyeshot.frontends.compounds.norms import scaled
from eyeshot.frontends.compounds.norms import softmax as over_axis
from eyeshot.frontends.onnx.context import Context, Value, lowers
from eyeshot.graph import Ref
from eyeshot.relations import Table


@lowers("BatchNormalization")
def batch_norm(
    ctx: Context,
    x: Ref,
    scale: Ref,
    bias: Ref,
    mean: Ref,
    variance: Ref,
    *,
    spatial: int = 1,
    is_test: int = 0,
) -> list[Ref]:
    """Each element reads itself; where statistics are outputs (training) all that it is normalised with."""
    if ctx.outputs < 2 or (is_test and ctx.opset < 7):
        axis = 1 if spatial else None
        return [scaled(ctx, x, scale, bias, mean, variance, axis=axis)]
    return _trained(ctx, x, scale, bias, mean, variance, outputs=5, spatial=bool(spatial))


@lowers("BatchNormalization", since=14)
def batch_norm_with_mode(
    ctx: Context, x: Ref, scale: Ref, bias: Ref, mean: Ref, variance: Ref, *, training_mode: int = 0
) -> list[Ref]:
    """Each element reads itself; in training every element of its channel, over batch and space, too."""
    if not training_mode:
        return [scaled(ctx, x, scale, bias, mean, variance)]
    return _trained(ctx, x, scale, bias, mean, variance, outputs=3)


def _trained(
    ctx: Context,
    x: Ref,
    scale: Ref,
    bias: Ref,
    mean: Ref,
    variance: Ref,
    *,
    outputs: int,
    spatial: bool = True,
) -> list[Ref]:
    """The result, and running and current statistics of each channel (of each element, unless ``spatial``)."""
    axes = [0, *range(2, len(x.shape))] if spatial else [0]
    summary = ctx.reduce(x, axes)
    own = ctx.reshape(summary, mean.shape)
    out = scaled(ctx, ctx.pointwise(x, summary), scale, bias, axis=1 if spatial else None)
    running = [ctx.pointwise(own, old) for old in (mean, variance)]
    return [out, *running, own, own][:outputs]


@lowers("InstanceNormalization")
def instance_norm(ctx: Context, x: Ref, scale: Ref, bias: Ref) -> Ref:
    """Each element reads itself and its channel's space."""
    return scaled(ctx, ctx.normalise(x, range(2, len(x.shape))), scale, bias)


@lowers("LayerNormalization", dtype=(None, "float32", "float32"))
def layer_norm(ctx: Context, x: Ref, scale: Ref, bias: Ref | None = None, *, axis: int = -1) -> list[Ref]:
    """Each element reads itself and all axes from ``axis`` on; so do the mean and the deviation."""
    summary = ctx.reduce(x, range(axis % len(x.shape), len(x.shape)))
    return [scaled(ctx, ctx.pointwise(x, summary), scale, bias, axis=None), summary, summary]


@lowers("RMSNormalization")
def rms_norm(ctx: Context, x: Ref, scale: Ref, *, axis: int = -1) -> Ref:
    """Each element reads itself and all axes from ``axis`` on."""
    axes = range(axis % len(x.shape), len(x.shape))
    return scaled(ctx, ctx.normalise(x, axes), scale, axis=None)


@lowers("GroupNormalization")
def group_norm(ctx: Context, x: Ref, scale: Ref, bias: Ref, *, num_groups: int) -> Ref:
    """Each element reads itself and its group of channels; before opset 21 scale and bias belong to groups."""
    normal, _ = norms.grouped(ctx, x, num_groups)
    if scale.shape[0] == x.shape[1]:
        return scaled(ctx, normal, scale, bias)
    split = ctx.reshape(normal, (x.shape[0], num_groups, -1, *x.shape[2:]))
    return ctx.reshape(scaled(ctx, split, scale, bias), x.shape)


@lowers("LRN")
def local_response_norm(ctx: Context, x: Ref, *, size: int) -> Ref:
    """Each element reads its own channel and those around it, fewer before than behind where ``size`` is even."""
    channels = x.shape[1]
    before, behind = (size - 1) // 2, size // 2
    rows = [np.arange(max(0, c - before), min(channels, c + behind + 1)) for c in range(channels)]
    return ctx.along(x, {1: (Table.of_rows(rows, channels), channels)})


@lowers("MeanVarianceNormalization")
def mean_variance_norm(
    ctx: Context, x: Ref, *, axes: Sequence[int] | None = None, across_channels: int = 0
) -> Ref:
    """Each element reads itself and everything along the axes, by default batch and space."""
    if ctx.opset < 9:
        axes = range(1 if across_channels else 2, len(x.shape))
    return ctx.normalise(x, (0, 2, 3) if axes is None else axes)


@lowers("LpNormalization")
def lp_norm(ctx: Context, x: Ref, *, axis: int = -1) -> Ref:
    """Each element reads itself and its axis."""
    return ctx.normalise(x, [axis])


@lowers("Softmax", "LogSoftmax")
def softmax_flattened(ctx: Context, x: Ref, *, axis: int = 1) -> Ref:
    """Each element reads itself and everything from ``axis`` on."""
    axis %= len(x.shape) or 1
    if axis == len(x.shape) - 1:
        return over_axis(ctx, x, axis, log=ctx.op == "LogSoftmax")
    return ctx.normalise(x, range(axis, len(x.shape)))


@lowers("Softmax", "LogSoftmax", since=13)
def softmax(ctx: Context, x: Ref, *, axis: int = -1) -> Ref | Value:
    """Each element reads itself and its axis; what a mask cuts stays out."""
    return over_axis(ctx, x, axis, log=ctx.op == "LogSoftmax")
