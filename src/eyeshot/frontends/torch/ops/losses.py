"""Losses and distances: pointwise, then summed or averaged unless asked not to."""

from __future__ import annotations

from typing import Any

from eyeshot.frontends.compounds.indexing import DYNAMIC
from eyeshot.frontends.torch.context import Context, lowers, tensors_in
from eyeshot.graph import Ref
from eyeshot.graph.builder import broadcast_shape


@lowers(
    "aten.dist.default",
    "aten.mse_loss.default",
    "aten.smooth_l1_loss.default",
    "aten.huber_loss.default",
    "aten.binary_cross_entropy.default",
    "aten.binary_cross_entropy_with_logits.default",
    "aten.soft_margin_loss.default",
)
def loss(ctx: Context, *args: Any, **kwargs: Any) -> Ref:
    """Each element reads the same element of prediction and target; a reduced loss reads all of them."""
    refs = tensors_in([args, kwargs])
    each = ctx.pointwise(*refs, shape=broadcast_shape(*(ref.shape for ref in refs)))
    return each if each.shape == ctx.output_shape else ctx.reduce(each, range(len(each.shape)), keep=False)


@lowers(
    "aten.nll_loss_forward.default",
    "aten.nll_loss2d_forward.default",
    "aten.multi_margin_loss.default",
    "aten.multilabel_margin_loss_forward.default",
)
def class_loss(ctx: Context, *args: Any, **kwargs: Any) -> list[Ref]:
    """A loss may read every class of every sample: which ones, the targets say."""
    refs = tensors_in([args, kwargs])
    return [ctx.dense(refs, shape, DYNAMIC) for shape in ctx.output_shapes]
