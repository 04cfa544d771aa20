"""Slices, gathers and writes."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from eyeshot.frontends.compounds import indexing
from eyeshot.frontends.keras.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.relations.tables import strided


@lowers("numpy.GetItem")
def get_item(ctx: Context, x: Ref, key: Any) -> Ref:
    """Slices, new axes, and integers or arrays of them, as NumPy takes them."""
    keys = key if isinstance(key, list) else [key]
    used = sum(part is not None and part is not Ellipsis for part in keys)
    if Ellipsis not in [part for part in keys if not isinstance(part, Ref)]:
        keys = [*keys, Ellipsis]
    whole: list[Any] = [slice(None)] * (len(x.shape) - used)
    expanded = [each for part in keys for each in (whole if part is Ellipsis else [part])]
    indices: list[Ref | None] = []
    shape: list[int] = []
    axis = 0
    for part in expanded:
        if part is None:
            shape.append(1)
            continue
        if isinstance(part, slice):
            x, n = _sliced(ctx, x, axis, part)
            shape.append(n)
            indices.append(None)
        elif isinstance(part, Ref):
            indices.append(part)
            shape.append(-1)
        else:
            place = int(part) % x.shape[axis]
            x = ctx.slice(x, axis, place, place + 1)
            indices.append(None)
        axis += 1
    if any(ref is not None for ref in indices):
        return _gathered(ctx, x, indices)
    return ctx.reshape(x, shape)


def _sliced(ctx: Context, x: Ref, axis: int, part: slice) -> tuple[Ref, int]:
    start, stop, step = part.indices(x.shape[axis])
    count = len(range(start, stop, step))
    return ctx.along(x, {axis: (strided(start, step, count, x.shape[axis]), count)}), count


def _gathered(ctx: Context, x: Ref, indices: list[Ref | None]) -> Ref:
    given = [ref for ref in indices if ref is not None]
    common = np.broadcast_shapes(*(ref.shape for ref in given))
    axes = [axis for axis, ref in enumerate(indices) if ref is not None]
    rest = [n for axis, n in enumerate(x.shape) if axis not in axes]
    place = axes[0] if axes == list(range(axes[0], axes[0] + len(axes))) else 0
    return indexing.index(ctx, x, indices, (*rest[:place], *common, *rest[place:]))


@lowers("numpy.Take")
def take(ctx: Context, x: Ref, indices: Any) -> Ref:
    """Slices of one axis, by any array of indices."""
    chosen = indices if isinstance(indices, Ref) else _known(ctx, indices)
    if ctx.options.get("axis") is None:
        x = ctx.reshape(x, (prod(x.shape),))
    axis = ctx.options.axis("axis", len(x.shape), 0)
    shape = (*x.shape[:axis], *chosen.shape, *x.shape[axis + 1 :])
    return indexing.index(ctx, x, [*[None] * axis, chosen], shape)


@lowers("numpy.TakeAlongAxis")
def take_along_axis(ctx: Context, x: Ref, indices: Any) -> Ref:
    """One element each, of its own line of the axis."""
    chosen = indices if isinstance(indices, Ref) else _known(ctx, indices)
    if ctx.options.get("axis") is None:
        x = ctx.reshape(x, (prod(x.shape),))
    axis = ctx.options.axis("axis", len(x.shape), 0)
    wide = tuple(n if other != axis else chosen.shape[axis] for other, n in enumerate(x.shape))
    known = None if chosen.known is None else np.broadcast_to(chosen.known, wide)
    return indexing.gather(ctx, x, axis, ctx.broadcast(chosen, wide)._replace(known=known))


def _known(ctx: Context, value: Any) -> Ref:
    array = np.asarray(value)
    return ctx.constant(array.shape)._replace(known=array)


def _starts(given: Any) -> list[int] | None:
    """Known start indices; None where they are computed."""
    if isinstance(given, Ref):
        return None if given.known is None else [int(n) for n in given.known]
    return None if any(isinstance(n, Ref) for n in given) else [int(n) for n in given]


@lowers("core.Slice")
def slice_(ctx: Context, inputs: Ref, start_indices: Any) -> Ref:
    """A block at a known or computed place."""
    shape, starts = tuple(ctx.options.get("shape")), _starts(start_indices)
    if starts is not None:
        for axis, (start, n) in enumerate(zip(starts, shape, strict=True)):
            start = max(0, min(start, inputs.shape[axis] - n))  # noqa: PLW2901 - kept inside, as XLA does
            inputs = ctx.slice(inputs, axis, start, start + n)
        return inputs
    moved = [axis for axis, n in enumerate(shape) if n != inputs.shape[axis]]
    index = _scalars(ctx, start_indices)
    return ctx.dynamic(inputs, moved, *index, shape=shape, reason="data-dependent-index")


def _scalars(ctx: Context, given: Any) -> list[Ref]:
    refs = [given] if isinstance(given, Ref) else [ref for ref in given if isinstance(ref, Ref)]
    return [ctx.reduce(ref, range(len(ref.shape)), keep=False, summarises=False) for ref in refs]


@lowers("core.SliceUpdate")
def slice_update(ctx: Context, inputs: Ref, start_indices: Any, updates: Ref) -> Ref:
    """A block written at a known place."""
    starts = _starts(start_indices)
    if starts is None:
        return ctx.dense(
            [inputs, updates, *_scalars(ctx, start_indices)], inputs.shape, "data-dependent-index"
        )
    grid = np.ix_(*(np.arange(n) + start for start, n in zip(starts, updates.shape, strict=True)))
    return indexing.index_put(ctx, inputs, [_known(ctx, part) for part in grid], updates)


@lowers("core.ScatterUpdate", "core.Scatter")
def scatter_update(ctx: Context, *operands: Any) -> Ref:
    """Elements or slices written at the places that ``indices`` lists."""
    if ctx.call.name == "core.Scatter":
        base, (indices, updates) = ctx.constant(tuple(ctx.options.get("shape"))), operands
    else:
        base, indices, updates = operands
    places = indices if isinstance(indices, Ref) else _known(ctx, indices)
    adds = ctx.call.name == "core.Scatter" or ctx.options.get("reduction") is not None
    if places.known is None:
        return ctx.dense([base, places, updates], base.shape, "data-dependent-index")
    columns = [_known(ctx, places.known[..., k]) for k in range(places.shape[-1])]
    return indexing.index_put(ctx, base, columns, updates, accumulate=adds)
