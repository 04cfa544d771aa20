"""Reading at positions held by other tensors."""

from __future__ import annotations

from math import prod

import numpy as np

from eyeshot.frontends.compounds import indexing
from eyeshot.frontends.compounds.indexing import DYNAMIC, SHAPELESS
from eyeshot.frontends.compounds.masking import triangle
from eyeshot.frontends.onnx.context import Context, Value, lowers, size
from eyeshot.graph import Ref, gathers
from eyeshot.relations import All, AxisMap, Suffix, Table
from eyeshot.relations.tables import take

LARGEST = 1 << 22
"""Cells of a table that is made for one op."""


@lowers("Gather")
def gather(ctx: Context, x: Ref, indices: Ref, *, axis: int = 0) -> Ref:
    """Each slice along ``axis`` reads the slice at its index; all of them where that is computed."""
    axis %= len(x.shape)
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    return indexing.index(ctx, x, [*[None] * axis, ctx.held(1)], shape)


@lowers("GatherElements")
def gather_elements(ctx: Context, x: Ref, indices: Ref, *, axis: int = 0) -> Ref:
    """Each element reads the element at its own place, with its index along ``axis``."""
    return indexing.gather(ctx, x, axis, ctx.held(1))


@lowers("GatherND")
def gather_nd(ctx: Context, x: Ref, indices: Ref, *, batch_dims: int = 0) -> Ref:
    """Each slice reads the slice that its vector of indices names, in its own batch."""
    depth, kept = indices.shape[-1], indices.shape[:-1]
    indexed = batch_dims + depth
    known = ctx.known(1)
    if known is not None:
        own = np.indices(kept, sparse=True)[:batch_dims]
        return gathers.index(ctx, x, [*own, *np.moveaxis(known, -1, 0)])
    inner = (1,) * (len(kept) - batch_dims)
    read = ctx.along(x, {axis: (All(), 1) for axis in range(batch_dims, indexed)}, reason=DYNAMIC)
    spread = ctx.reshape(read, (*x.shape[:batch_dims], *inner, *x.shape[indexed:]))
    where = ctx.reduce(indices, [-1], summarises=False, keep=False)
    placed = ctx.reshape(where, (*kept, *(1,) * (len(x.shape) - indexed)))
    return ctx.pointwise(spread, placed, shape=(*kept, *x.shape[indexed:]))


@lowers("ArrayFeatureExtractor", domain="ai.onnx.ml")
def array_feature_extractor(ctx: Context, x: Ref, indices: Ref) -> Ref:
    """Columns of the last axis by their indices; a vector comes out as one row."""
    wide = x if len(x.shape) > 1 else ctx.reshape(x, (1, *x.shape))
    chosen = ctx.held(1)
    known = None if chosen.known is None else chosen.known.reshape(-1)
    flat = ctx.reshape(chosen, (size(chosen),))._replace(known=known)
    return indexing.take_along(ctx, wide, flat, len(wide.shape) - 1)


@lowers("OneHot")
def one_hot(ctx: Context, indices: Ref, depth: Ref, values: Ref, *, axis: int = -1) -> Value:
    """Each element reads its index, and the two values that it may be; the one that it is where the index is known."""
    count = (ctx.integers(1, "depth") or [0])[0]
    place = axis % (len(indices.shape) + 1)
    shape = ctx.bounded((*indices.shape[:place], count, *indices.shape[place:]))
    known = ctx.known(0)
    if known is not None and prod(shape) <= LARGEST:
        classes = np.arange(count).reshape(-1, *(1,) * (len(shape) - place - 1))
        hot = np.expand_dims(np.where(known < 0, known + count, known), place) == classes
        return ctx.typed(gathers.index(ctx, values, [hot.astype(np.int64)]), ctx.dtype(2))
    own = ctx.reshape(indices, (*shape[:place], 1, *shape[place + 1 :]))
    both = ctx.reduce(values, [0], summarises=False, keep=False)
    return ctx.typed(ctx.pointwise(own, both, shape=shape), ctx.dtype(2))


@lowers("Compress")
def compress(ctx: Context, x: Ref, condition: Ref, *, axis: int | None = None) -> Ref | Value:
    """The slices (or, without an axis, elements) that the condition keeps.

    Where it is computed, number k of m kept ones of n is one of k to n - m + k, whichever the condition says; m is at
    most n.
    """
    flat = ctx.reshape(x, (size(x),)) if axis is None else x
    axis = 0 if axis is None else axis % len(x.shape)
    extent = flat.shape[axis]
    known = ctx.known(1)
    if known is not None:
        kept = np.flatnonzero(known.reshape(-1)[:extent])
        return ctx.along(flat, {axis: (take(kept, extent), len(kept))})
    given = ctx.value(1)
    count = None if given is None else int(np.count_nonzero(given[:extent]))
    read = kept_in_order(ctx, flat, axis, count)
    said = ctx.reduce(condition, [0], summarises=False, keep=False)
    out = ctx.flagged(ctx.pointwise(read, said, shape=read.shape), SHAPELESS)
    return out if given is not None else ctx.upper(out)


def kept_in_order(ctx: Context, x: Ref, axis: int, count: int | None) -> Ref:
    """What is left of an axis where data decide what stays: number k of m is one of k to n - m + k; m may be unknown."""
    extent = x.shape[axis]
    amap: AxisMap = Suffix() if count is None else All()
    if count is not None and count * extent <= LARGEST:
        amap = Table.of_rows([range(k, extent - count + k + 1) for k in range(count)], extent)
    return ctx.along(x, {axis: (amap, extent if count is None else count)}, reason=SHAPELESS)


@lowers("NonZero", dtype="int64")
def nonzero(ctx: Context, x: Ref) -> Value:
    """Which elements are listed, and how many, depends on everything."""
    rank = max(1, len(x.shape))
    given = ctx.value(0)
    if given is not None:
        count = int(np.count_nonzero(given))
        return ctx.typed(ctx.dense([x], (rank, count), SHAPELESS), "int64")
    return ctx.upper(ctx.dense([x], (rank, size(x)), SHAPELESS), "int64")


@lowers("Unique", dtype=(None, "int64", "int64", "int64"))
def unique(ctx: Context, x: Ref, *, axis: int | None = None) -> list[Value]:
    """What is kept, and how often it is there, depends on everything."""
    given = ctx.value(0)
    extent = size(x) if axis is None else x.shape[axis]
    count = extent if given is None else np.unique(given, axis=axis).shape[axis or 0]
    first = (count,) if axis is None else (*x.shape[: axis % len(x.shape)], count, *x.shape[axis:][1:])
    outs = []
    for place, shape in enumerate((first, (count,), (extent,), (count,))):
        ref = ctx.dense([x], shape, SHAPELESS)
        dtype = "int64" if place else ctx.dtype()
        outs.append(ctx.typed(ref, dtype) if given is not None or place == 2 else ctx.upper(ref, dtype))
    return outs


@lowers("ReverseSequence")
def reverse_sequence(ctx: Context, x: Ref, lengths: Ref, *, batch_axis: int = 1, time_axis: int = 0) -> Ref:
    """The first steps of each sample backwards, as many as its length says; the rest stay."""
    steps, samples = x.shape[time_axis], x.shape[batch_axis]
    known = ctx.known(1)
    if known is not None and steps * samples <= LARGEST:
        place = np.arange(steps)
        turned = known.reshape(-1, 1) - 1 - place
        picked = np.where(turned >= 0, turned, place) + steps * np.arange(samples).reshape(-1, 1)
        order = [*(a for a in range(len(x.shape)) if a not in (batch_axis, time_axis)), batch_axis, time_axis]
        moved = ctx.permute(x, order)
        flat = ctx.reshape(moved, (*moved.shape[:-2], samples * steps))
        read = ctx.along(flat, {-1: (take(picked.reshape(-1), samples * steps), samples * steps)})
        return ctx.permute(ctx.reshape(read, moved.shape), np.argsort(order).tolist())
    amap: AxisMap = All()
    if steps * steps <= LARGEST:
        rows = [sorted({*range(steps - step), step}) for step in range(steps)]
        amap = Table.of_rows(rows, steps)
    read = ctx.along(x, {time_axis: (amap, steps)}, reason=DYNAMIC)
    around = [1] * len(x.shape)
    around[batch_axis] = samples
    return ctx.pointwise(read, ctx.reshape(lengths, around), shape=x.shape)


@lowers("Trilu")
def trilu(ctx: Context, x: Ref, diagonal: Ref | None = None, *, upper: int = 1) -> Ref:
    """Elements of one triangle of the last two axes read themselves, the others are 0; all do where ``k`` is computed."""
    known = None if diagonal is None else ctx.known(1)
    if diagonal is None or known is not None:
        return triangle(ctx, x, 0 if known is None else int(known.item()), lower=not upper)
    where = ctx.reduce(diagonal, range(len(diagonal.shape)), summarises=False, keep=False)
    return ctx.flagged(ctx.pointwise(x, where, shape=x.shape), "data-dependent-mask")
