"""Gathers and scatters by indices whose values are known: tables on the axes that they really mix."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyeshot.graph.builder import Builder, Ref
from eyeshot.relations import Table
from eyeshot.relations.tables import take

Known = NDArray[Any]
Index = Sequence[Known | None]


def index(ctx: Builder, x: Ref, indices: Index) -> Ref:
    """``x[indices]``, as NumPy and PyTorch do it; None stands for a whole axis, booleans select.

    The shape of the indices takes the place of the indexed axes where those are neighbours, and comes first otherwise.
    Indices that vary along different axes of their common shape (open grids) leave the axes of ``x`` apart.
    """
    axes, arrays = _arrays(indices)
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    ranks = [tuple(i - array.ndim + len(shape) for i, n in enumerate(array.shape) if n != 1) for array in arrays]
    moved, front = _behind(ctx, x, axes)
    if len({axis for own in ranks for axis in own}) == sum(map(len, ranks)):
        maps = {}
        for axis, array in enumerate(arrays, len(front)):
            maps[axis] = (take(array.reshape(-1), moved.shape[axis]), array.size)
        kept = moved.shape[: len(front)]
        order = [axis for own in ranks for axis in own]
        split = ctx.reshape(ctx.along(moved, maps), (*kept, *(shape[axis] for axis in order)))
        turned = [len(front) + int(place) for place in np.argsort(order)]
        out = ctx.reshape(ctx.permute(split, (*range(len(front)), *turned)), (*kept, *shape))
    else:
        merged = _merge(ctx, moved, len(front))
        places = _places(arrays, moved.shape[len(front) :])
        read = ctx.along(merged, {-1: (take(places, merged.shape[-1]), len(places))})
        out = ctx.reshape(read, (*moved.shape[: len(front)], *shape))
    return ctx.permute(out, _placed(axes, len(front), len(shape)))


def index_put(ctx: Builder, x: Ref, indices: Index, values: Ref, *, accumulate: bool = False) -> Ref:
    """``x`` with ``x[indices] = values``, or ``+=`` with ``accumulate``."""
    axes, arrays = _arrays(indices)
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    moved, front = _behind(ctx, x, axes)
    kept = moved.shape[: len(front)]
    order = _placed(axes, len(front), len(shape))
    target = (*kept, *shape)
    values = ctx.broadcast(values, tuple(target[axis] for axis in order))
    source = ctx.reshape(ctx.permute(values, np.argsort(order).tolist()), (*kept, prod(shape)))
    merged = _merge(ctx, moved, len(front))
    places = _places(arrays, moved.shape[len(front) :])
    out = ctx.reshape(_overlay(ctx, merged, source, places, accumulate=accumulate), moved.shape)
    return ctx.permute(out, np.argsort([*front, *axes]).tolist())


def gather(ctx: Builder, x: Ref, axis: int, picked: Known) -> Ref:
    """``out[i, j] = x[picked[i, j], j]`` for ``axis`` 0, and so on; extents of ``picked`` may be smaller."""
    axis %= len(x.shape)
    x = _crop(ctx, x, axis, picked.shape)
    mixed = [*_varying(picked, axis), axis]
    moved, front = _behind(ctx, x, mixed)
    merged = _merge(ctx, moved, len(front))
    places, extents = _mixed_places(picked, mixed, moved.shape[len(front) :])
    read = ctx.along(merged, {-1: (take(places, merged.shape[-1]), len(places))})
    split = ctx.reshape(read, (*moved.shape[: len(front)], *extents))
    return ctx.permute(split, np.argsort([*front, *mixed]).tolist())


def scatter(ctx: Builder, x: Ref, axis: int, picked: Known, source: Ref, *, accumulate: bool = False) -> Ref:
    """``x`` with ``x[picked[i, j], j] = source[i, j]`` for ``axis`` 0, or ``+=`` with ``accumulate``."""
    axis %= len(x.shape)
    source = ctx.broadcast(source, picked.shape) if source.shape == () else source
    source = ctx.along(source, {a: (_first(n), n) for a, n in enumerate(picked.shape)})
    narrow = any(n != x.shape[a] for a, n in enumerate(picked.shape) if a != axis)
    mixed = [a for a in range(len(x.shape)) if a != axis] if narrow else _varying(picked, axis)
    mixed.append(axis)
    moved, front = _behind(ctx, x, mixed)
    placed, _ = _behind(ctx, source, mixed)
    merged = _merge(ctx, moved, len(front))
    places, _ = _mixed_places(picked, mixed, moved.shape[len(front) :])
    flat = ctx.reshape(placed, (*placed.shape[: len(front)], len(places)))
    out = ctx.reshape(_overlay(ctx, merged, flat, places, accumulate=accumulate), moved.shape)
    return ctx.permute(out, np.argsort([*front, *mixed]).tolist())
