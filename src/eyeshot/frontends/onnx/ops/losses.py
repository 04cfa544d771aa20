"""Losses: what each sample says of its class, then summed or averaged unless asked not to."""

from __future__ import annotations

from eyeshot.frontends.compounds import indexing
from eyeshot.frontends.compounds.norms import softmax
from eyeshot.frontends.onnx.context import Context, lowers
from eyeshot.graph import Ref


@lowers("NegativeLogLikelihoodLoss")
def negative_log_likelihood(
    ctx: Context, x: Ref, target: Ref, weight: Ref | None = None, *, reduction: str = "mean"
) -> Ref:
    """Each sample reads its target, and the score and weight of that class: any class where it is computed."""
    return _reduced(ctx, _of_target(ctx, x, weight), reduction)


@lowers("SoftmaxCrossEntropyLoss")
def softmax_cross_entropy(
    ctx: Context, x: Ref, target: Ref, weight: Ref | None = None, *, reduction: str = "mean"
) -> list[Ref]:
    """Each sample reads its scores, its target, and the weight of that class; the second output has all log-softmaxes."""
    logs = softmax(ctx, x, 1, log=True)
    return [_reduced(ctx, _of_target(ctx, logs, weight), reduction), logs]


def _of_target(ctx: Context, x: Ref, weight: Ref | None) -> Ref:
    """The entry of each sample's target class along axis 1, and that class's weight."""
    target = ctx.held(1)
    wide = (target.shape[0], 1, *target.shape[1:])
    # What an ignored class is, only the attribute says, and it may lie outside the axis.
    known = None if target.known is None else target.known.reshape(wide)
    ignored = known is not None and bool(((known < 0) | (known >= x.shape[1])).any())
    chosen = ctx.reshape(target._replace(known=None), wide)._replace(known=None if ignored else known)
    read = ctx.reshape(indexing.gather(ctx, x, 1, chosen), target.shape)
    if weight is None or ctx.is_constant(weight):
        return read
    row = target._replace(known=None) if ignored else target
    return ctx.pointwise(read, indexing.index(ctx, weight, [row], target.shape))


def _reduced(ctx: Context, each: Ref, reduction: str) -> Ref:
    return each if reduction == "none" else ctx.reduce(each, range(len(each.shape)), keep=False)
