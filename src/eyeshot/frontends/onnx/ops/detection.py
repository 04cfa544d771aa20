"""Regions of interest and non-maximum suppression."""

from __future__ import annotations

from collections.abc import Sequence

from eyeshot.frontends.compounds.indexing import DYNAMIC, SHAPELESS, take_along
from eyeshot.frontends.onnx.context import Context, Value, lowers
from eyeshot.graph import Ref
from eyeshot.relations import All


@lowers("NonMaxSuppression")
def non_max_suppression(
    ctx: Context,
    boxes: Ref,
    scores: Ref,
    most: Ref | None = None,
    overlap: Ref | None = None,
    threshold: Ref | None = None,
) -> Value:
    """Which boxes are kept, and how many, depends on all of them; at most so many a class, none without a limit."""
    batch, classes, count = scores.shape
    limit = ctx.value(2)
    each = (
        count
        if limit is None and most is not None
        else min(count, int(limit.item()) if limit is not None else 0)
    )
    read = [ref for ref in (boxes, scores, most, overlap, threshold) if ref is not None]
    return ctx.upper(ctx.dense(read, (batch * classes * max(0, each), 3), SHAPELESS), "int64")


@lowers("RoiAlign")
def roi_align(
    ctx: Context, x: Ref, regions: Ref, samples: Ref, *, output_height: int = 1, output_width: int = 1
) -> Ref:
    """Each bin reads its channel anywhere, in the sample that its region names, and its own region's corners."""
    chosen = ctx.held(2)
    shape = (regions.shape[0], x.shape[1], output_height, output_width)
    anywhere = ctx.along(x, {2: (All(), output_height), 3: (All(), output_width)}, reason=DYNAMIC)
    if chosen.known is not None:
        anywhere = take_along(ctx, anywhere, chosen, 0)
        return ctx.pointwise(anywhere, _rows(ctx, regions), shape=shape)
    spread = ctx.along(anywhere, {0: (All(), shape[0])}, reason=DYNAMIC)
    return ctx.pointwise(spread, _rows(ctx, regions), ctx.reshape(samples, (shape[0], 1, 1, 1)), shape=shape)


@lowers("MaxRoiPool")
def max_roi_pool(ctx: Context, x: Ref, regions: Ref, *, pooled_shape: Sequence[int]) -> Ref:
    """Each bin reads its channel anywhere, in any sample, and its own region's row (sample, corners)."""
    count, (height, width) = regions.shape[0], pooled_shape
    maps = {0: (All(), count), 2: (All(), height), 3: (All(), width)}
    anywhere = ctx.along(x, maps, reason=DYNAMIC)
    return ctx.pointwise(anywhere, _rows(ctx, regions), shape=(count, x.shape[1], height, width))


def _rows(ctx: Context, regions: Ref) -> Ref:
    """Everything that says where a region is, one row a region, as (K, 1, 1, 1)."""
    rows = ctx.reduce(regions, [1], summarises=False)
    return ctx.reshape(rows, (regions.shape[0], 1, 1, 1))
