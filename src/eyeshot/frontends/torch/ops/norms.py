"""Normalisations: each element with the statistics that it is scaled by; the identity path survives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eyeshot.frontends.compounds.norms import grouped, scaled
from eyeshot.frontends.torch.context import Context, lowers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyeshot.graph import Ref


@lowers(
    "aten._native_batch_norm_legit.default",
    "aten._native_batch_norm_legit_functional.default",
    "aten.cudnn_batch_norm.default",
    "aten.miopen_batch_norm.default",
    "aten.native_batch_norm.default",
)
def batch_norm(
    ctx: Context,
    x: Ref,
    weight: Ref | None,
    bias: Ref | None,
    mean: Ref | None,
    var: Ref | None,
    training: bool,
    *args: Any,
) -> list[Ref]:
    """Each element reads itself; in training every element of its channel, over batch and space, too."""
    if not training:
        return [scaled(ctx, x, weight, bias, mean, var)]
    return _batch_statistics(ctx, x, weight, bias, mean, var)


@lowers("aten._native_batch_norm_legit.no_stats")
def batch_norm_without_stats(
    ctx: Context, x: Ref, weight: Ref | None, bias: Ref | None, *args: Any
) -> list[Ref]:
    """Each element reads itself and every element of its channel, over batch and space."""
    return _batch_statistics(ctx, x, weight, bias)


@lowers("aten._native_batch_norm_legit_no_training.default", "aten._batch_norm_no_update.default")
def batch_norm_eval(
    ctx: Context, x: Ref, weight: Ref | None, bias: Ref | None, mean: Ref | None, var: Ref | None, *args: Any
) -> list[Ref]:
    """Each element reads itself."""
    return [scaled(ctx, x, weight, bias, mean, var)]


@lowers("aten._batch_norm_with_update_functional.default")
def batch_norm_update(
    ctx: Context, x: Ref, weight: Ref | None, bias: Ref | None, mean: Ref, var: Ref, *args: Any
) -> list[Ref]:
    """Each element reads itself and every element of its channel, over batch and space."""
    return _batch_statistics(ctx, x, weight, bias, mean, var)


@lowers("aten.batch_norm.default")
def whole_batch_norm(
    ctx: Context,
    x: Ref,
    weight: Ref | None,
    bias: Ref | None,
    mean: Ref | None,
    var: Ref | None,
    training: bool,
    *args: Any,
) -> Ref:
    """As native_batch_norm, its output alone."""
    return batch_norm(ctx, x, weight, bias, mean, var, training)[0]


@lowers("aten.instance_norm.default")
def instance_norm(
    ctx: Context,
    x: Ref,
    weight: Ref | None,
    bias: Ref | None,
    mean: Ref | None,
    var: Ref | None,
    use_input_stats: bool,
    *args: Any,
) -> Ref:
    """Each element reads itself and its channel's space; only itself where running statistics are used."""
    normal = ctx.normalise(x, range(2, len(x.shape))) if use_input_stats else x
    return scaled(ctx, normal, weight, bias)


def _batch_statistics(
    ctx: Context,
    x: Ref,
    weight: Ref | None,
    bias: Ref | None,
    mean: Ref | None = None,
    var: Ref | None = None,
) -> list[Ref]:
    """Output, mean, inverse deviation and (last) updated running statistics, as far as the op has them."""
    axes = [axis for axis, extent in enumerate(x.shape) if axis != 1 and extent > 1]
    summary = ctx.reduce(x, axes)
    statistics = [
        ctx.reshape(summary, shape) if shape == x.shape[1:2] else ctx.constant(shape)
        for shape in ctx.output_shapes[1:]
    ]
    if ctx.call.op.endswith("functional.default"):
        held = zip(statistics[-2:], (mean, var), strict=True)
        statistics[-2:] = [new if old is None else ctx.pointwise(new, old) for new, old in held]
    return [scaled(ctx, ctx.pointwise(x, summary), weight, bias), *statistics]


@lowers("aten.native_layer_norm.default")
def layer_norm(
    ctx: Context,
    x: Ref,
    shape: Sequence[int],
    weight: Ref | None,
    bias: Ref | None,
    *args: Any,
) -> list[Ref]:
    """Each element reads itself and all of the last axes, over which the statistics run."""
    summary = ctx.reduce(x, range(-len(shape), 0))
    out = scaled(ctx, ctx.pointwise(x, summary), weight, bias, axis=None)
    return [out, *(ctx.reshape(summary, s) for s in ctx.output_shapes[1:])]


@lowers("aten.layer_norm.default", "aten.rms_norm.default", "aten._fused_rms_norm.default")
def last_axes_norm(
    ctx: Context, x: Ref, shape: Sequence[int], weight: Ref | None = None, *args: Any
) -> list[Ref]:
    """Each element reads itself and all of the last axes."""
    bias = args[0] if ctx.call.op == "aten.layer_norm.default" and args else None
    return layer_norm(ctx, x, shape, weight, bias)


@lowers("aten.native_group_norm.default")
def native_group_norm(
    ctx: Context,
    x: Ref,
    weight: Ref | None,
    bias: Ref | None,
    n: int,
    c: int,
    positions: int,
    group: int,
    eps: float,
) -> list[Ref]:
    """Each element reads itself and every channel and position of its group."""
    return _group_norm(ctx, x, group, weight, bias)


@lowers("aten.group_norm.default")
def group_norm(
    ctx: Context, x: Ref, num_groups: int, weight: Ref | None = None, bias: Ref | None = None, *args: Any
) -> Ref:
    """Each element reads itself and every channel and position of its group."""
    return _group_norm(ctx, x, num_groups, weight, bias)[0]


@lowers("aten.renorm.default")
def renorm(ctx: Context, x: Ref, p: float, dim: int, maxnorm: float) -> Ref:
    """Each element reads its slice along ``dim``, whose norm is bounded."""
    return ctx.normalise(x, [axis for axis in range(len(x.shape)) if axis != dim % len(x.shape)])


def _group_norm(ctx: Context, x: Ref, groups: int, weight: Ref | None, bias: Ref | None) -> list[Ref]:
    normal, summary = grouped(ctx, x, groups)
    return [scaled(ctx, normal, weight, bias), *(ctx.reshape(summary, s) for s in ctx.output_shapes[1:])]
