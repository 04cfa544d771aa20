"""Reading at positions held by other tensors: exact where they are known, else sound with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyeshot.frontends.torch.context import Context, lowers, tensors_in
from eyeshot.graph import Ref
from eyeshot.relations import All, Table
from eyeshot.relations.tables import take

Index = NDArray[np.int64]
DYNAMIC = "data-dependent-index"
SHAPELESS = "data-dependent-shape"


def merged(ctx: Context, x: Ref, axes: Sequence[int]) -> Ref:
    """``x`` with the given axes last, in the order given, as one."""
    rest = [axis for axis in range(len(x.shape)) if axis not in axes]
    moved = ctx.permute(x, [*rest, *axes])
    return ctx.reshape(moved, (*moved.shape[: len(rest)], prod(moved.shape[len(rest) :])))


def parted(ctx: Context, x: Ref, axes: Sequence[int], extents: Sequence[int]) -> Ref:
    """The last axis split into ``extents``, which go to the places ``axes``: the inverse of `merged`."""
    split = ctx.reshape(x, (*x.shape[:-1], *extents))
    rest = [axis for axis in range(len(split.shape)) if axis not in axes]
    return ctx.permute(split, [int(place) for place in np.argsort([*rest, *axes])])


def places(indices: Sequence[Ref | None]) -> tuple[list[int], int, bool]:
    """The indexed axes, where the axes of the index go in the result, and whether they are adjacent."""
    axes = [axis for axis, ref in enumerate(indices) if ref is not None]
    adjacent = axes == list(range(axes[0], axes[0] + len(axes)))
    return axes, axes[0] if adjacent else 0, adjacent


@lowers("aten.index.Tensor", "aten._unsafe_index.Tensor")
def index(ctx: Context, x: Ref, indices: Sequence[Ref | None]) -> Ref:
    """Each element reads the element at its index; all along the indexed axes where that is computed."""
    given = [ref for ref in indices if ref is not None]
    if any(value is not None and value.dtype in {"bool", "uint8"} for value in ctx.call.args[1]):
        return ctx.dense([x, *given], ctx.output_shape, SHAPELESS)
    axes, place, adjacent = places(indices)
    known = [
        _inside(ref.known, x.shape[axis])
        for axis, ref in zip(axes, given, strict=True)
        if ref.known is not None
    ]
    if len(known) < len(given):
        return _index_dynamic(ctx, x, given, axes, place)
    common = np.broadcast_shapes(*(ref.shape for ref in given))
    if adjacent and _separate(known, len(common)):
        read = ctx.along(
            x, {a: (take(k.ravel(), x.shape[a]), k.size) for a, k in zip(axes, known, strict=True)}
        )
        return ctx.reshape(read, ctx.output_shape)
    flat = np.ravel_multi_index(tuple(np.broadcast_arrays(*known)), tuple(x.shape[axis] for axis in axes))
    together = merged(ctx, x, axes)
    read = ctx.along(together, {-1: (take(flat.ravel(), together.shape[-1]), flat.size)})
    return parted(ctx, read, range(place, place + len(common)), common)


def _inside(positions: NDArray[Any], extent: int) -> Index:
    wrapped: Index = np.where(positions < 0, positions + extent, positions).astype(np.int64)
    return wrapped


def _separate(known: list[Index], rank: int) -> bool:
    """Whether the indices vary along axes of their own, in their own order: an outer product."""
    along = [axis for k in known for axis in range(rank - k.ndim, rank) if k.shape[axis - rank + k.ndim] > 1]
    return along == sorted(set(along))


def _index_dynamic(ctx: Context, x: Ref, given: list[Ref], axes: list[int], place: int) -> Ref:
    shape = ctx.output_shape
    common = np.broadcast_shapes(*(ref.shape for ref in given))
    after = len(shape) - place - len(common)
    read = merged(ctx, ctx.along(x, dict.fromkeys(axes, (All(), 1)), reason=DYNAMIC), axes)
    spread = parted(ctx, read, range(place, place + len(common)), (1,) * len(common))
    where = [ctx.reshape(ref, (*ref.shape, *(1,) * after)) for ref in given]
    return ctx.pointwise(spread, *where, shape=shape)


@lowers("aten.embedding.default")
def embedding(ctx: Context, weight: Ref, indices: Ref, *args: Any) -> Ref:
    """Each vector reads its index; any row of the table too, where the table is computed."""
    if indices.known is None:
        return _index_dynamic(ctx, weight, [indices], [0], 0)
    rows = ctx.along(weight, {0: (take(indices.known.ravel(), weight.shape[0]), indices.known.size)})
    return ctx.reshape(rows, ctx.output_shape)


@lowers("aten._embedding_bag.default", "aten._embedding_bag_forward_only.default")
def embedding_bag(ctx: Context, weight: Ref, indices: Ref, offsets: Ref, *args: Any) -> list[Ref]:
    """Each bag reads the indices between its offset and the next."""
    bags, count = ctx.output_shape[0], indices.shape[0]
    if offsets.known is None:
        read = ctx.along(indices, {0: (All(), bags)}, reason=DYNAMIC)
    else:
        edges = [*(int(o) for o in offsets.known[:bags]), count]
        rows = [range(a, b) for a, b in pairwise(edges)]
        read = ctx.along(indices, {0: (Table.of_rows(rows, count), bags)})
    table = ctx.along(weight, {0: (All(), bags)}, reason=DYNAMIC)
    return [ctx.pointwise(ctx.reshape(read, (bags, 1)), table, shape=ctx.output_shape)]


@lowers("aten.index_select.default")
def index_select(ctx: Context, x: Ref, dim: int, chosen: Ref) -> Ref:
    """Each slice along ``dim`` reads the slice at its index."""
    if not x.shape:
        return x
    if chosen.known is not None:
        count = chosen.known.size
        return ctx.along(x, {dim: (take(chosen.known.ravel(), x.shape[dim]), count)})
    return _index_dynamic(ctx, x, [ctx.reshape(chosen, (-1,))], [dim % len(x.shape)], dim % len(x.shape))


@lowers("aten.gather.default")
def gather(ctx: Context, x: Ref, dim: int, chosen: Ref, *, sparse_grad: bool = False) -> Ref:
    """Each element reads the element at its own place, with its index along ``dim``."""
    if not x.shape:
        return ctx.reshape(x, ctx.output_shape)
    dim %= len(x.shape)
    extents = chosen.shape
    for axis, extent in enumerate(extents):
        if axis != dim:
            x = ctx.slice(x, axis, 0, extent)
    if chosen.known is None:
        return ctx.pointwise(ctx.along(x, {dim: (All(), extents[dim])}, reason=DYNAMIC), chosen)
    known = _inside(chosen.known, x.shape[dim])
    axes = [a for a in range(known.ndim) if a == dim or (known != known.take([0], a)).any()]
    corner = known[tuple(slice(None) if a in axes else slice(1) for a in range(known.ndim))]
    corner = corner.reshape([known.shape[a] for a in axes])
    at: list[Index] = list(np.indices(corner.shape))
    at[axes.index(dim)] = corner
    flat = np.ravel_multi_index(tuple(at), tuple(x.shape[a] for a in axes))
    together = merged(ctx, x, axes)
    read = ctx.along(together, {-1: (take(flat.ravel(), together.shape[-1]), flat.size)})
    return parted(ctx, read, axes, corner.shape)


@lowers("aten.take.default")
def take_flat(ctx: Context, x: Ref, chosen: Ref) -> Ref:
    """Each element reads the flattened tensor at its index."""
    flat = ctx.reshape(x, (-1,))
    if chosen.known is None:
        return _index_dynamic(ctx, flat, [chosen], [0], 0)
    read = ctx.along(flat, {0: (take(chosen.known.ravel(), flat.shape[0]), chosen.known.size)})
    return ctx.reshape(read, chosen.shape)


@lowers("aten.searchsorted.Tensor", "aten.searchsorted.Scalar")
def searchsorted(ctx: Context, boundaries: Ref, x: Ref | float, *args: Any, **kwargs: Any) -> Ref:
    """Each element reads its value and every boundary of its row."""
    values = tensors_in([x])
    if len(boundaries.shape) > 1 or not values:
        return ctx.pointwise(*values, ctx.reduce(boundaries, [-1], summarises=False), shape=ctx.output_shape)
    return bucketize(ctx, values[0], boundaries)


@lowers("aten.bucketize.Tensor")
def bucketize(ctx: Context, x: Ref, boundaries: Ref, *args: Any, **kwargs: Any) -> Ref:
    """Each element reads its value and every boundary."""
    return ctx.pointwise(x, ctx.reduce(boundaries, [0], summarises=False), shape=ctx.output_shape)


@lowers("aten.histc.default", "aten.bincount.default", "aten.histogram.bin_ct")
def histogram(ctx: Context, *args: Any, **kwargs: Any) -> list[Ref]:
    """Each bin reads everything."""
    sums = [ctx.reduce(ref, range(len(ref.shape)), keep=False) for ref in tensors_in([args, kwargs])]
    return [ctx.pointwise(*sums, shape=shape) for shape in ctx.output_shapes]


@lowers(
    *(
        f"aten.{op}.default"
        for op in "nonzero masked_select masked_scatter unique_consecutive _unique2".split()
    ),
    *(
        f"aten.{op}.default"
        for op in "nonzero_static argwhere _unique unique_dim unique_dim_consecutive".split()
    ),
    "aten.repeat_interleave.Tensor",
)
def selected(ctx: Context, *args: Any, **kwargs: Any) -> list[Ref]:
    """What is kept, and where it lands, depends on everything."""
    refs = tensors_in([args, kwargs])
    return [ctx.dense(refs, shape, SHAPELESS) for shape in ctx.output_shapes]
