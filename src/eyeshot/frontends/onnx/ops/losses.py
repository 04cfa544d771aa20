"""Losses: what each sample says of its class, then summed or averaged unless asked not to."""

from __future__ import annotations

import numpy as np

from eyeshot.frontends.compounds import indexing
from eyeshot.frontends.compounds.norms import softmax
from eyeshot.frontends.onnx.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.graph.masks import masked


@lowers("NegativeLogLikelihoodLoss")
def negative_log_likelihood(
    ctx: Context,
    x: Ref,
    target: Ref,
    weight: Ref | None = None,
    *,
    reduction: str = "mean",
    ignore_index: int | None = None,
) -> Ref:
    """Each sample reads its target, and the score and weight of that class: any class where it is computed."""
    return _reduced(ctx, _of_target(ctx, x, weight, ignore_index), reduction)


@lowers("SoftmaxCrossEntropyLoss")
def softmax_cross_entropy(
    ctx: Context,
    x: Ref,
    target: Ref,
    weight: Ref | None = None,
    *,
    reduction: str = "mean",
    ignore_index: int | None = None,
) -> list[Ref]:
    """Each sample reads its scores, its target, and the weight of that class; the second output has all log-softmaxes."""
    logs = softmax(ctx, x, 1, log=True)
    return [_reduced(ctx, _of_target(ctx, logs, weight, ignore_index), reduction), logs]


def _of_target(ctx: Context, x: Ref, weight: Ref | None, ignore_index: int | None) -> Ref:
    """The entry of each sample's target class along axis 1, and that class's weight; nothing where it is ignored."""
    target = ctx.held(1)
    wide = (target.shape[0], 1, *target.shape[1:])
    keep = None
    chosen = ctx.reshape(target._replace(known=None), wide)
    if target.known is not None:
        keep = target.known != ignore_index
        known = np.where(keep, target.known, 0)
        target, chosen = target._replace(known=known), chosen._replace(known=known.reshape(wide))
    read = ctx.reshape(indexing.gather(ctx, x, 1, chosen), target.shape)
    if weight is not None and not ctx.is_constant(weight):
        read = ctx.pointwise(read, indexing.index(ctx, weight, [target], target.shape))
    return read if keep is None else masked(ctx, read, keep)


def _reduced(ctx: Context, each: Ref, reduction: str) -> Ref:
    return each if reduction == "none" else ctx.reduce(each, range(len(each.shape)), keep=False)
