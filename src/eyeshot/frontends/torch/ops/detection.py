"""Regions of interest and non-maximum suppression, as torchvision registers them."""

from __future__ import annotations

from eyeshot.frontends.torch.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.relations import All

MOVING = "data-dependent-index"


@lowers("torchvision.nms.default")
def nms(ctx: Context, boxes: Ref, scores: Ref, iou_threshold: float) -> Ref:
    """Which boxes are kept, and how many, depends on all of them."""
    return ctx.dense([boxes, scores], ctx.output_shape, "data-dependent-shape")


@lowers("torchvision.roi_align.default", "torchvision.roi_pool.default")
def pool_regions(ctx: Context, x: Ref, regions: Ref, *arguments: object) -> list[Ref]:
    """Each bin reads its channel anywhere, in any sample, and its own region's row (sample, corners)."""
    count, _, height, width = ctx.output_shape
    anywhere = ctx.along(x, {0: (All(), count), 2: (All(), height), 3: (All(), width)}, reason=MOVING)
    return [ctx.pointwise(anywhere, _rows(ctx, regions), shape=ctx.output_shape)] * len(ctx.output_shapes)


@lowers("torchvision.ps_roi_align.default", "torchvision.ps_roi_pool.default")
def pool_sensitive_regions(ctx: Context, x: Ref, regions: Ref, *arguments: object) -> list[Ref]:
    """As `pool_regions`, with a channel of its own for every bin: c, i, j reads channel (c ph + i) pw + j."""
    anywhere = ctx.along(x, {axis: (All(), 1) for axis in (0, 2, 3)}, reason=MOVING)
    binned = ctx.reshape(anywhere, (1, *ctx.output_shape[1:]))
    return [ctx.pointwise(binned, _rows(ctx, regions), shape=ctx.output_shape)] * len(ctx.output_shapes)


def _rows(ctx: Context, regions: Ref) -> Ref:
    """Everything that says where a region is, one row a region, as (K, 1, 1, 1)."""
    rows = ctx.along(regions, {1: (All(), 1)})
    return ctx.reshape(rows, (regions.shape[0], 1, 1, 1))
