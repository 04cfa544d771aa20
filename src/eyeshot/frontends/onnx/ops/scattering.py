"""Writing at positions held by other tensors."""

from __future__ import annotations

import numpy as np

from eyeshot.frontends.compounds import indexing
from eyeshot.frontends.compounds.indexing import DYNAMIC
from eyeshot.frontends.onnx.context import Context, lowers, size
from eyeshot.frontends.onnx.ops.indexing import LARGEST
from eyeshot.graph import Ref
from eyeshot.relations import All, Prefix


@lowers("Scatter", "ScatterElements")
def scatter_elements(
    ctx: Context, x: Ref, indices: Ref, updates: Ref, *, axis: int = 0, reduction: str = "none"
) -> Ref:
    """Each element reads what was written there along ``axis``, or else itself; both where it is added."""
    return indexing.scatter(ctx, x, axis, ctx.held(1), updates, adds=reduction != "none")


@lowers("ScatterND")
def scatter_nd(ctx: Context, x: Ref, indices: Ref, updates: Ref, *, reduction: str = "none") -> Ref:
    """Each slice reads the update whose vector of indices names it, or else itself; both where it is added."""
    depth = indices.shape[-1]
    known = ctx.known(1)
    if known is not None:
        places = [*np.moveaxis(known, -1, 0)]
        return indexing.index_put(
            ctx, x, [Ref(0, place.shape, place) for place in places], updates, accumulate=reduction != "none"
        )
    inner = len(indices.shape) - 1
    sent = ctx.along(updates, {axis: (All(), 1) for axis in range(inner)}, reason=DYNAMIC)
    spread = ctx.reshape(sent, (*(1,) * depth, *x.shape[depth:]))
    where = ctx.reduce(indices, range(len(indices.shape)), summarises=False, keep=False)
    return indexing.flagged(ctx, ctx.pointwise(x, spread, where, shape=x.shape), updates)


@lowers("TensorScatter")
def tensor_scatter(
    ctx: Context,
    cache: Ref,
    update: Ref,
    positions: Ref | None = None,
    *,
    axis: int = -2,
    mode: str = "linear",
) -> Ref:
    """A cache with an update written along one axis, from each sample's position on (0 where none is given)."""
    axis %= len(cache.shape)
    extent, count = cache.shape[axis], update.shape[axis]
    known = np.zeros(cache.shape[0], np.int64) if positions is None else ctx.known(2)
    if known is not None and (known == known[:1]).all():
        places = int(known[0]) + np.arange(count)
        written = Ref(0, (count,), places % extent if mode == "circular" else places)
        return indexing.index_write(ctx, cache, axis, written, update)
    if known is not None and size(update) <= LARGEST:
        around = [1] * len(cache.shape)
        around[0], steps = len(known), [1] * len(cache.shape)
        steps[axis] = count
        places = known.reshape(around) + np.arange(count).reshape(steps)
        chosen = np.broadcast_to(places % extent if mode == "circular" else places, update.shape)
        return indexing.scatter(ctx, cache, axis, Ref(0, update.shape, chosen), update)
    assert positions is not None
    if mode == "linear":
        # Step s of the update lands at s or later, so an element reads no later step than its own place.
        padded = ctx.pad(update, {axis: (0, extent - count)})
        sent = ctx.along(padded, {axis: (Prefix(), extent)}, reason=DYNAMIC)
    else:
        sent = ctx.along(update, {axis: (All(), extent)}, reason=DYNAMIC)
    where = ctx.reshape(positions, (*positions.shape, *(1,) * (len(cache.shape) - 1)))
    return indexing.flagged(ctx, ctx.pointwise(cache, sent, where, shape=cache.shape), update)
