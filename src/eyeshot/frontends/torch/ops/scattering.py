"""Writing at positions held by other tensors: exact where they are known, else sound with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eyeshot.frontends.torch.context import Context, lowers
from eyeshot.frontends.torch.ops.indexing import DYNAMIC, Index, merged, parted, places
from eyeshot.graph import Ref
from eyeshot.relations import All, Table


def written(ctx: Context, x: Ref, source: Ref, at: Index, *, adds: bool) -> Ref:
    """``x`` with ``source`` written (or added) at the positions ``at`` of its last axis.

    Where several writes meet, torch promises no order: every one counts, with a reason.
    """
    size, count = x.shape[-1], source.shape[-1]
    writers = np.bincount(at, minlength=size)
    repeated = not adds and writers.max(initial=0) > 1
    if not adds:
        kept = Table(np.concatenate([[0], np.cumsum(writers == 0)]), np.flatnonzero(writers == 0), size)
        if repeated or ctx.is_constant(source):
            x = ctx.along(x, {-1: (kept, size)})
    if ctx.is_constant(source):
        return x
    if adds or repeated:
        sent = Table(np.concatenate([[0], np.cumsum(writers)]), np.argsort(at, kind="stable"), count)
        reason = "repeated-index" if repeated else None
        return ctx.pointwise(x, ctx.along(source, {-1: (sent, size)}, reason=reason))
    origin = np.arange(size)
    origin[at] = size + np.arange(count)
    joined = ctx.concat([x, source], -1)
    return ctx.along(joined, {-1: (Table(np.arange(size + 1), origin, size + count), size)})


@lowers("aten.index_put.default", "aten._unsafe_index_put.default", "aten._index_put_impl.default")
def index_put(
    ctx: Context, x: Ref, indices: Sequence[Ref | None], values: Ref, accumulate: bool = False, *args: Any
) -> Ref:
    """Each element reads what was written there, or else itself; both and the index if that is computed."""
    given = [ref for ref in indices if ref is not None]
    if any(value is not None and value.dtype in {"bool", "uint8"} for value in ctx.call.args[1]):
        everything = ctx.dense([values, *given], x.shape, DYNAMIC)
        return ctx.pointwise(x, everything)
    axes, place, _ = places(indices)
    common = np.broadcast_shapes(*(ref.shape for ref in given))
    spread = range(place, place + len(common))
    rest = [n for axis, n in enumerate(x.shape) if axis not in axes]
    source = ctx.broadcast(values, (*rest[:place], *common, *rest[place:]))
    if any(ref.known is None for ref in given):
        index = [ctx.reduce(ref, range(len(ref.shape)), keep=False, summarises=False) for ref in given]
        total = merged(ctx, ctx.along(source, dict.fromkeys(spread, (All(), 1)), reason=DYNAMIC), spread)
        back = parted(ctx, total, axes, (1,) * len(axes))
        return _flagged(ctx, ctx.pointwise(x, back, *index, shape=x.shape), source)
    known = np.broadcast_arrays(*(ref.known for ref in given if ref.known is not None))
    extents = tuple(x.shape[axis] for axis in axes)
    at = np.ravel_multi_index(tuple(k % n for k, n in zip(known, extents, strict=True)), extents).ravel()
    out = written(ctx, merged(ctx, x, axes), merged(ctx, source, spread), at, adds=accumulate)
    return parted(ctx, out, axes, extents)


def _flagged(ctx: Context, out: Ref, source: Ref) -> Ref:
    """A flag where no operand that carries one is left, since constants are written at computed places."""
    if not ctx.is_constant(source):
        return out
    return ctx.along(out, {}, reason=DYNAMIC)


@lowers(
    "aten.scatter.src",
    "aten.scatter.value",
    "aten.scatter_add.default",
    "aten.scatter.reduce",
    "aten.scatter.value_reduce",
)
def scatter(
    ctx: Context, x: Ref, dim: int, index: Ref, source: Ref | float, *args: Any, reduce: str = ""
) -> Ref:
    """Each element reads what was written there along ``dim``, or else itself; both where it is added."""
    adds = "scatter_add" in ctx.call.op or bool(reduce)
    return _scatter(
        ctx, x, dim, index, source if isinstance(source, Ref) else ctx.constant(index.shape), adds
    )


@lowers("aten.scatter_reduce.two")
def scatter_reduce(
    ctx: Context, x: Ref, dim: int, index: Ref, source: Ref, reduce: str, *, include_self: bool = True
) -> Ref:
    """Each element reads all that was sent there along ``dim``, and itself unless that is left out."""
    if include_self or index.known is None:
        return _scatter(ctx, x, dim, index, source, adds=True)
    emptied = _scatter(ctx, x, dim, index, ctx.constant(source.shape), adds=False)
    return ctx.pointwise(emptied, _scatter(ctx, ctx.constant(x.shape), dim, index, source, adds=True))


def _scatter(ctx: Context, x: Ref, dim: int, index: Ref, source: Ref, adds: bool) -> Ref:
    if not x.shape:
        return ctx.pointwise(x, source) if adds else source
    dim %= len(x.shape)
    for axis, extent in enumerate(index.shape):
        source = ctx.slice(source, axis, 0, extent)
    if index.known is None:
        everywhere = [
            ctx.along(ref, {dim: (All(), x.shape[dim])}, reason=DYNAMIC if ref is source else None)
            for ref in (source, index)
        ]
        ends = {a: (0, x.shape[a] - n) for a, n in enumerate(index.shape) if a != dim and n < x.shape[a]}
        return _flagged(ctx, ctx.pointwise(x, *(ctx.pad(ref, ends) for ref in everywhere)), source)
    known = index.known
    axes = [
        a
        for a, n in enumerate(known.shape)
        if a == dim or n < x.shape[a] or (known != known.take([0], a)).any()
    ]
    corner = known[tuple(slice(None) if a in axes else slice(1) for a in range(known.ndim))]
    at = list(np.indices([known.shape[a] for a in axes]))
    at[axes.index(dim)] = corner.reshape(at[0].shape) % x.shape[dim]
    extents = [x.shape[a] for a in axes]
    flat = np.ravel_multi_index(tuple(at), tuple(extents)).ravel()
    out = written(ctx, merged(ctx, x, axes), merged(ctx, source, axes), flat, adds=adds)
    return parted(ctx, out, axes, extents)


@lowers("aten.index_add.default", "aten.index_copy.default")
def index_write(ctx: Context, x: Ref, dim: int, index: Ref, source: Ref, **kwargs: Any) -> Ref:
    """Each slice along ``dim`` reads what was written there, or else itself; both where it is added."""
    adds = ctx.call.op == "aten.index_add.default"
    if not x.shape:
        return ctx.pointwise(x, source) if adds else source
    dim %= len(x.shape)
    wide = (1,) * dim + (index.shape[0] if index.shape else 1,) + (1,) * (len(x.shape) - dim - 1)
    if index.known is None:
        everything = ctx.along(source, {dim: (All(), x.shape[dim])}, reason=DYNAMIC)
        chosen = ctx.reduce(ctx.reshape(index, wide), [dim], summarises=False)
        return _flagged(ctx, ctx.pointwise(x, everything, chosen), source)
    out = written(
        ctx, merged(ctx, x, [dim]), merged(ctx, source, [dim]), index.known.ravel() % x.shape[dim], adds=adds
    )
    return parted(ctx, out, [dim], [x.shape[dim]])


@lowers("aten.index_fill.int_Scalar", "aten.index_fill.int_Tensor")
def index_fill(ctx: Context, x: Ref, dim: int, index: Ref, value: Ref | float) -> Ref:
    """Each slice along ``dim`` reads the value if it is filled, or else itself."""
    shape = list(x.shape)
    shape[dim] = index.shape[0]
    filling = ctx.broadcast(value, tuple(shape)) if isinstance(value, Ref) else ctx.constant(tuple(shape))
    return index_write(ctx, x, dim, index, filling)


@lowers("aten.put.default")
def put(ctx: Context, x: Ref, index: Ref, source: Ref, accumulate: bool = False) -> Ref:
    """Each element of the flattened tensor reads what was written there, or else itself."""
    flat = ctx.reshape(x, (-1,))
    out = _scatter(ctx, flat, 0, _flattened(index), ctx.reshape(source, (-1,)), accumulate)
    return ctx.reshape(out, x.shape)


def _flattened(index: Ref) -> Ref:
    size = int(np.prod(index.shape))
    return index._replace(shape=(size,), known=None if index.known is None else index.known.ravel())
