"""Reading at positions held by other tensors: exact where they are known, else sound with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyeshot.frontends.compounds.indexing import DYNAMIC
from eyeshot.frontends.jax.context import Context, lowers
from eyeshot.frontends.jax.places import overwritten, read
from eyeshot.graph import Ref
from eyeshot.graph.masks import masked
from eyeshot.relations import All, Window

Known = NDArray[Any]


def window_places(
    indices: Known, numbers: Any, sizes: Sequence[int], shape: Sequence[int], rank: int
) -> tuple[list[NDArray[np.int64]], NDArray[np.bool_]]:
    """Where a gather of known indices reads each axis of a tensor of ``shape``, moved inside; and which do not overhang.

    ``numbers`` are gather's dimension numbers, ``sizes`` its slice sizes, ``rank`` the result's.
    """
    batch = [axis for axis in range(rank) if axis not in numbers.offset_dims]
    spread = [1] * rank
    for axis, extent in zip(batch, indices.shape[:-1], strict=True):
        spread[axis] = extent
    gone = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
    offsets = iter(numbers.offset_dims)
    inside = np.ones(spread, np.bool_)
    places = []
    for axis, (n, size) in enumerate(zip(shape, sizes, strict=True)):
        place = np.zeros([1] * rank, np.int64)
        if axis in numbers.start_index_map:
            given = indices[..., numbers.start_index_map.index(axis)].astype(np.int64).reshape(spread)
            inside &= (given >= 0) & (given <= n - size)
            place = np.clip(given, 0, n - size)
        if axis in numbers.operand_batching_dims:
            which = numbers.start_indices_batching_dims[numbers.operand_batching_dims.index(axis)]
            place = place + np.arange(n).reshape([n if a == batch[which] else 1 for a in range(rank)])
        if axis not in gone:
            own = next(offsets)
            place = place + np.arange(size).reshape([size if a == own else 1 for a in range(rank)])
        places.append(place)
    return places, inside


@lowers("gather")
def gather(
    ctx: Context,
    x: Ref,
    indices: Ref,
    *,
    dimension_numbers: Any,
    slice_sizes: Sequence[int],
    mode: Any,
    **params: Any,
) -> Ref:
    """Each element reads the element at its index; all along the indexed axes where that is computed."""
    shape = ctx.output_shape
    if indices.known is None:
        return _gather_dynamic(ctx, x, indices, dimension_numbers, slice_sizes)
    places, inside = window_places(indices.known, dimension_numbers, slice_sizes, x.shape, len(shape))
    out = read(ctx, x, places, shape)
    return masked(ctx, out, inside) if mode.name == "FILL_OR_DROP" else out


def _gather_dynamic(ctx: Context, x: Ref, indices: Ref, numbers: Any, sizes: Sequence[int]) -> Ref:
    shape = ctx.output_shape
    batch = [axis for axis in range(len(shape)) if axis not in numbers.offset_dims]
    gone = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
    steered = [axis for axis in numbers.start_index_map if sizes[axis] < x.shape[axis] or axis in gone]
    out = ctx.along(x, dict.fromkeys(steered, (All(), 1)), reason=DYNAMIC)
    offsets = iter(numbers.offset_dims)
    places: list[int] = []
    for axis, size in enumerate(sizes):
        if axis in numbers.operand_batching_dims:
            which = numbers.start_indices_batching_dims[numbers.operand_batching_dims.index(axis)]
            places.append(batch[which])
        elif axis not in gone:
            places.append(next(offsets))
            if axis not in steered and size < x.shape[axis]:
                out = ctx.slice(out, axis, 0, size)
    kept = [n for axis, n in enumerate(out.shape) if axis not in numbers.collapsed_slice_dims]
    out = placed(ctx, ctx.reshape(out, kept), places, shape)
    where = ctx.reduce(indices, [-1], keep=False, summarises=False)
    return ctx.pointwise(out, placed(ctx, where, batch, shape), shape=shape)


def placed(ctx: Context, x: Ref, places: Sequence[int], shape: Sequence[int]) -> Ref:
    """``x`` with its axes at other places among those of a ``shape``, repeated along the rest."""
    turned = ctx.permute(x, np.argsort(places).tolist())
    extents = dict(zip(sorted(places), turned.shape, strict=True))
    return ctx.broadcast(ctx.reshape(turned, [extents.get(a, 1) for a in range(len(shape))]), tuple(shape))


def _start(start: Ref, size: int, extent: int) -> int | None:
    """A known first index, moved so that a slice fits."""
    if size == extent:
        return 0
    return None if start.known is None else int(np.clip(int(start.known), 0, extent - size))


@lowers("dynamic_slice")
def dynamic_slice(ctx: Context, x: Ref, *starts: Ref, slice_sizes: Sequence[int]) -> Ref:
    """Each element reads its own place behind the start; all of an axis, and the start, where that is computed."""
    computed: dict[int, Any] = {}
    for axis, (start, size) in enumerate(zip(starts, slice_sizes, strict=True)):
        first = _start(start, size, x.shape[axis])
        if first is None:
            computed[axis] = (All(), size)
        elif size < x.shape[axis]:
            x = ctx.slice(x, axis, first, first + size)
    if not computed:
        return x
    return ctx.pointwise(
        ctx.along(x, computed, reason=DYNAMIC), *(starts[axis] for axis in computed), shape=ctx.output_shape
    )


@lowers("dynamic_update_slice")
def dynamic_update_slice(ctx: Context, x: Ref, update: Ref, *starts: Ref) -> Ref:
    """Each element reads what was written there, or else itself; both, and the start, where that is computed."""
    if not all(update.shape):
        return x
    firsts = [_start(s, update.shape[a], x.shape[a]) for a, s in enumerate(starts)]
    known = [first for first in firsts if first is not None]
    if len(known) == len(firsts):
        return overwritten(ctx, x, update, known)
    maps: dict[int, Any] = {}
    for axis, first in enumerate(firsts):
        if first is None:
            maps[axis] = (All(), x.shape[axis])
        elif update.shape[axis] < x.shape[axis]:
            maps[axis] = (Window(1, padding=first), x.shape[axis])
    sent = ctx.along(update, maps, reason=DYNAMIC)
    computed = [start for start, first in zip(starts, firsts, strict=True) if first is None]
    out = ctx.pointwise(x, sent, *computed, shape=x.shape)
    return ctx.along(out, {}, reason=DYNAMIC) if ctx.is_constant(update) and not ctx.is_constant(out) else out
