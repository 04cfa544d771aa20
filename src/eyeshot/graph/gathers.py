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

    The shape of the indices takes the place of the indexed axes where those are neighbours, and comes first
    otherwise.
    Indices that vary along different axes of their common shape (open grids) leave the axes of ``x`` apart.
    """
    axes, arrays = _arrays(indices)
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    ranks = [
        tuple(i - array.ndim + len(shape) for i, n in enumerate(array.shape) if n != 1) for array in arrays
    ]
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
    if not picked.size:
        return ctx.constant(picked.shape)
    if not x.shape:
        return ctx.reshape(x, picked.shape)
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
    if not x.shape:
        return ctx.pointwise(x, source) if accumulate else source
    axis %= len(x.shape)
    source = ctx.broadcast(source, picked.shape) if source.shape == () else source
    source = _crop(ctx, source, None, picked.shape)
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


def _arrays(indices: Index) -> tuple[list[int], list[Known]]:
    """The indexed axes, and integers for each; a boolean array stands for as many axes as it has."""
    axes: list[int] = []
    arrays: list[Known] = []
    axis = 0
    for given in indices:
        found = [] if given is None else list(np.nonzero(given)) if given.dtype == bool else [given]
        axes += range(axis, axis + len(found))
        arrays += found
        axis += max(1, len(found))
    return axes, arrays


def _behind(ctx: Builder, x: Ref, axes: Sequence[int]) -> tuple[Ref, list[int]]:
    """``x`` with ``axes`` moved behind, and the axes that stay in front."""
    front = [axis for axis in range(len(x.shape)) if axis not in axes]
    return ctx.permute(x, [*front, *axes]), front


def _merge(ctx: Builder, x: Ref, kept: int) -> Ref:
    """All axes after the first ``kept`` as one."""
    return ctx.reshape(x, (*x.shape[:kept], prod(x.shape[kept:])))


def _placed(axes: Sequence[int], kept: int, rank: int) -> list[int]:
    """The order that brings (other axes, index axes) to where indexing puts the latter."""
    others, own = list(range(kept)), list(range(kept, kept + rank))
    before = axes[0] if list(axes) == list(range(axes[0], axes[0] + len(axes))) else 0
    return [*others[:before], *own, *others[before:]]


def _places(arrays: Sequence[Known], extents: Sequence[int]) -> NDArray[np.int64]:
    """Indices of several axes as places on their merged axis."""
    places = np.zeros((), np.int64)
    for array, extent in zip(arrays, extents, strict=True):
        places = places * extent + np.where(array < 0, array + extent, array)
    return places.reshape(-1)


def _varying(picked: Known, axis: int) -> list[int]:
    """The other axes along which an index differs."""
    others = (other for other in range(picked.ndim) if other != axis)
    return [other for other in others if (picked != picked.take([0], other)).any()]


def _mixed_places(
    picked: Known, mixed: Sequence[int], extents: Sequence[int]
) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    """Places of ``gather`` and ``scatter`` on the merge of the ``mixed`` axes, the indexed one last."""
    along = tuple(slice(None) if axis in mixed else 0 for axis in range(picked.ndim))
    kept = sorted(mixed)
    values = picked[along].transpose([kept.index(axis) for axis in mixed])
    grid = np.indices(values.shape, sparse=True)
    return _places([*grid[:-1], values], extents), values.shape


def _crop(ctx: Builder, x: Ref, axis: int | None, shape: Sequence[int]) -> Ref:
    """``x`` cut to the extents of ``shape`` on all axes but ``axis``."""
    for other, extent in enumerate(shape):
        if other != axis and extent != x.shape[other]:
            x = ctx.slice(x, other, 0, extent)
    return x


def _overlay(ctx: Builder, base: Ref, source: Ref, places: NDArray[np.int64], *, accumulate: bool) -> Ref:
    """``base`` with ``source`` written to ``places`` of the last axis; a place written twice reads both."""
    if ctx.is_constant(base) and ctx.is_constant(source):
        return ctx.constant(base.shape)
    size = base.shape[-1]
    order = np.argsort(places, kind="stable")
    written = np.bincount(places, minlength=size)
    kept = np.arange(size) if accumulate else np.flatnonzero(written == 0)
    lengths = written.copy()
    lengths[kept] += 1
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    indices = np.empty(indptr[-1], np.int64)
    first = np.cumsum(written) - written  # of each place's writes, in ``order``
    owners = places[order]
    indices[indptr[owners] + np.arange(len(order)) - first[owners]] = size + order
    indices[indptr[kept + 1] - 1] = kept
    joined = ctx.concat([base, source], -1)
    table = Table(indptr, indices, joined.shape[-1])
    repeated = not accumulate and not ctx.is_constant(source) and written.max(initial=0) > 1
    return ctx.along(joined, {-1: (table, size)}, reason="repeated-index" if repeated else None)
