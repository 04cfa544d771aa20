"""Reading and writing at positions held by other tensors: exact where they are known, else sound with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from eyeshot.graph import Builder, Ref, gathers
from eyeshot.graph.graph import Shape
from eyeshot.relations import All
from eyeshot.relations.tables import take

DYNAMIC = "data-dependent-index"
SHAPELESS = "data-dependent-shape"


def index(ctx: Builder, x: Ref, indices: Sequence[Ref | None], shape: Shape) -> Ref:
    """``x[indices]`` of ``shape``, None for a whole axis; all along the indexed axes where an index is computed.

    Computed indices are integers: what a computed mask keeps has no static shape.
    """
    known = known_all(indices)
    if known is not None:
        return gathers.index(ctx, x, known)
    given = [ref for ref in indices if ref is not None]
    axes, place = _places(indices)
    rank = max(len(ref.shape) for ref in given)
    rest = [n for axis, n in enumerate(x.shape) if axis not in axes]
    read = ctx.along(x, dict.fromkeys(axes, (All(), 1)), reason=DYNAMIC)
    spread = ctx.reshape(read, (*rest[:place], *(1,) * rank, *rest[place:]))
    where = [ctx.reshape(ref, (*ref.shape, *(1,) * len(rest[place:]))) for ref in given]
    return ctx.pointwise(spread, *where, shape=shape)


def take_along(ctx: Builder, x: Ref, chosen: Ref, axis: int) -> Ref:
    """Slices of ``x`` along one axis, by a vector of indices."""
    if chosen.known is not None:
        return ctx.along(x, {axis: (take(chosen.known, x.shape[axis]), chosen.shape[0])})
    shape = (*x.shape[:axis], chosen.shape[0], *x.shape[axis + 1 :])
    return index(ctx, x, [*[None] * axis, chosen], shape)


def gather(ctx: Builder, x: Ref, axis: int, chosen: Ref) -> Ref:
    """``out[i, j] = x[chosen[i, j], j]`` for ``axis`` 0, and so on; extents of ``chosen`` may be smaller."""
    if chosen.known is not None:
        return gathers.gather(ctx, x, axis, chosen.known)
    axis %= len(x.shape)
    for other, extent in enumerate(chosen.shape):
        if other != axis:
            x = ctx.slice(x, other, 0, extent)
    return ctx.pointwise(ctx.along(x, {axis: (All(), chosen.shape[axis])}, reason=DYNAMIC), chosen)


def index_put(
    ctx: Builder, x: Ref, indices: Sequence[Ref | None], values: Ref, *, accumulate: bool = False
) -> Ref:
    """``x`` with ``x[indices] = values`` (or ``+=``): what was written there, or else ``x``; both if that is computed."""
    known = known_all(indices)
    if known is not None:
        return gathers.index_put(ctx, x, known, values, accumulate=accumulate)
    given = [ref for ref in indices if ref is not None]
    axes, place = _places(indices)
    rank = max(len(ref.shape) for ref in given)
    rest = [n for axis, n in enumerate(x.shape) if axis not in axes]
    wide = ctx.reshape(values, (1,) * (rank + len(rest) - len(values.shape)) + values.shape)
    read = ctx.along(wide, dict.fromkeys(range(place, place + rank), (All(), 1)), reason=DYNAMIC)
    kept = [*read.shape[:place], *read.shape[place + rank :]]
    for axis in axes:
        kept.insert(axis, 1)
    where = [ctx.reduce(ref, range(len(ref.shape)), keep=False, summarises=False) for ref in given]
    return flagged(ctx, ctx.pointwise(x, ctx.reshape(read, kept), *where, shape=x.shape), values)


def scatter(ctx: Builder, x: Ref, axis: int, index: Ref, source: Ref, *, adds: bool = False) -> Ref:
    """``x`` with ``x[index[i, j], j] = source[i, j]`` (or ``+=``) for ``axis`` 0; both are read where that is computed."""
    if not x.shape:
        return ctx.pointwise(x, source) if adds else source
    if index.known is not None:
        return gathers.scatter(ctx, x, axis, index.known, source, accumulate=adds)
    axis %= len(x.shape)
    for other, extent in enumerate(index.shape):
        source = ctx.slice(source, other, 0, extent)
    ends = {a: (0, x.shape[a] - n) for a, n in enumerate(index.shape) if a != axis and n < x.shape[a]}
    sent = ctx.pad(ctx.along(source, {axis: (All(), x.shape[axis])}, reason=DYNAMIC), ends)
    where = ctx.pad(ctx.along(index, {axis: (All(), x.shape[axis])}), ends)
    return flagged(ctx, ctx.pointwise(x, sent, where), source)


def index_write(ctx: Builder, x: Ref, axis: int, index: Ref, source: Ref, *, adds: bool = False) -> Ref:
    """``x`` with slices along one axis read from ``source``, by a vector of indices; both where it is computed."""
    if not x.shape:
        return ctx.pointwise(x, source) if adds else source
    axis %= len(x.shape)
    if index.known is not None:
        return gathers.index_put(ctx, x, [*[None] * axis, index.known.ravel()], source, accumulate=adds)
    everything = ctx.along(source, {axis: (All(), x.shape[axis])}, reason=DYNAMIC)
    chosen = ctx.reduce(index, range(len(index.shape)), keep=False, summarises=False)
    return flagged(ctx, ctx.pointwise(x, everything, chosen), source)


def flagged(ctx: Builder, out: Ref, source: Ref) -> Ref:
    """A flag where no operand that carries one is left, since constants are written at computed places."""
    return ctx.along(out, {}, reason=DYNAMIC) if ctx.is_constant(source) else out


def known_all(indices: Sequence[Ref | None]) -> list[NDArray[Any] | None] | None:
    """The values of all indices, None where some are computed."""
    if any(ref is not None and ref.known is None for ref in indices):
        return None
    return [None if ref is None else ref.known for ref in indices]


def _places(indices: Sequence[Ref | None]) -> tuple[list[int], int]:
    """The indexed axes, and where the axes of the index go in the result."""
    axes = [axis for axis, ref in enumerate(indices) if ref is not None]
    adjacent = axes == list(range(axes[0], axes[0] + len(axes)))
    return axes, axes[0] if adjacent else 0
