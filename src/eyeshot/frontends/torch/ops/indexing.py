"""Reading at positions held by other tensors: exact where they are known, else sound with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyeshot.frontends.compounds import indexing as compounds
from eyeshot.frontends.compounds.indexing import DYNAMIC, SHAPELESS, known_all
from eyeshot.frontends.torch.context import Context, lowers, tensors_in
from eyeshot.frontends.torch.trace import Value
from eyeshot.graph import Ref, gathers
from eyeshot.graph.builder import broadcast_shape
from eyeshot.graph.masks import masked
from eyeshot.relations import All, AxisMap, Table


def selects(indices: Sequence[Value | None]) -> bool:
    """Whether an index is a mask."""
    return any(value is not None and value.dtype in {"bool", "uint8"} for value in indices)


@lowers("aten.index.Tensor", "aten._unsafe_index.Tensor")
def index(ctx: Context, x: Ref, indices: Sequence[Ref | None]) -> Ref:
    """Each element reads the element at its index; all along the indexed axes where that is computed."""
    if known_all(indices) is None and selects(ctx.call.args[1]):
        return ctx.dense([x, *(ref for ref in indices if ref is not None)], ctx.output_shape, SHAPELESS)
    return compounds.index(ctx, x, indices, ctx.output_shape)


@lowers("aten._unsafe_masked_index.default")
def masked_index(ctx: Context, x: Ref, mask: Ref, indices: Sequence[Ref | None], fill: float) -> Ref:
    """Each element reads the mask, and where that is set the element at its index, moved inside the tensor."""
    known = known_all(indices)
    if known is None:
        read = compounds.index(ctx, x, indices, ctx.output_shape)
    else:
        read = gathers.index(ctx, x, inside(known, x.shape))
    if mask.known is None:
        return ctx.pointwise(read, mask, shape=ctx.output_shape)
    return masked(ctx, ctx.broadcast(read, ctx.output_shape), mask.known)


def inside(known: Sequence[NDArray[Any] | None], shape: Sequence[int]) -> list[NDArray[Any] | None]:
    """Indices of the first axes of a ``shape``, each moved to the nearest that exists."""
    pairs = zip(known, shape, strict=False)
    return [None if index is None else np.clip(index, -extent, extent - 1) for index, extent in pairs]


@lowers("aten.embedding.default")
def embedding(ctx: Context, weight: Ref, indices: Ref, *args: Any) -> Ref:
    """Each vector reads its index; any row of the table too, where the table is computed."""
    return compounds.index(ctx, weight, [indices], ctx.output_shape)


@lowers("aten._embedding_bag.default", "aten._embedding_bag_forward_only.default")
def embedding_bag(
    ctx: Context,
    weight: Ref,
    indices: Ref,
    offsets: Ref,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Ref | None = None,
    include_last_offset: bool = False,
    padding_idx: int = -1,
) -> list[Ref]:
    """Each bag reads its indices and weights, from its offset to the next, and the rows that they name.

    Indices that name the padding row are left out, where they are known.
    """
    bags, count = ctx.output_shape[0], indices.shape[0]
    amap: AxisMap = All()
    rows: AxisMap = All()
    if offsets.known is not None:
        edges = [int(offset) for offset in (*offsets.known, count)][: bags + 1]
        held = [np.arange(a, b) for a, b in pairwise(edges)]
        if indices.known is not None:
            held = [places[indices.known[places] != padding_idx] for places in held]
            rows = Table.of_rows([np.unique(indices.known[places]) for places in held], weight.shape[0])
        amap = Table.of_rows(held, count)
    read = [
        ctx.reshape(ctx.along(ref, {0: (amap, bags)}, reason=_unless(amap)), (bags, 1))
        for ref in (indices, per_sample_weights)
        if ref is not None
    ]
    table = ctx.along(weight, {0: (rows, bags)}, reason=_unless(rows))
    return [ctx.pointwise(*read, table, shape=ctx.output_shape)]


def _unless(amap: AxisMap) -> str | None:
    """The reason of a map that stands for a computed one."""
    return DYNAMIC if isinstance(amap, All) else None


@lowers("aten.index_select.default")
def index_select(ctx: Context, x: Ref, dim: int, chosen: Ref) -> Ref:
    """Each slice along ``dim`` reads the slice at its index."""
    if not x.shape:
        return x
    dim %= len(x.shape)
    flat = ctx.reshape(chosen, (-1,))
    known = None if chosen.known is None else chosen.known.ravel()
    return compounds.take_along(ctx, x, flat._replace(known=known), dim)


@lowers("aten.gather.default")
def gather(ctx: Context, x: Ref, dim: int, chosen: Ref, *, sparse_grad: bool = False) -> Ref:
    """Each element reads the element at its own place, with its index along ``dim``."""
    if not x.shape:
        return ctx.reshape(x, ctx.output_shape)
    return compounds.gather(ctx, x, dim, chosen)


@lowers("aten.take.default")
def take_flat(ctx: Context, x: Ref, chosen: Ref) -> Ref:
    """Each element reads the flattened tensor at its index."""
    return compounds.index(ctx, ctx.reshape(x, (-1,)), [chosen], ctx.output_shape)


@lowers("aten.searchsorted.Tensor", "aten.searchsorted.Scalar")
def searchsorted(ctx: Context, boundaries: Ref, x: Ref | float, *args: Any, **kwargs: Any) -> Ref:
    """Each element reads its value and every boundary of its row."""
    values = tensors_in([x])
    if len(boundaries.shape) > 1 or not values:
        everything = ctx.reduce(boundaries, [-1], summarises=False, keep=bool(ctx.output_shape))
        return ctx.pointwise(*values, everything, shape=ctx.output_shape)
    return bucketize(ctx, values[0], boundaries)


@lowers("aten.bucketize.Tensor")
def bucketize(ctx: Context, x: Ref, boundaries: Ref, *args: Any, **kwargs: Any) -> Ref:
    """Each element reads its value and every boundary."""
    everything = ctx.reduce(boundaries, [0], summarises=False, keep=False)
    return ctx.pointwise(x, everything, shape=ctx.output_shape)


@lowers("aten.isin.Tensor_Tensor", "aten.isin.Scalar_Tensor", "aten.isin.Tensor_Scalar")
def isin(ctx: Context, x: Ref | float, among: Ref | float, **kwargs: Any) -> Ref:
    """Each element reads its value, and every value that it may equal."""
    among = ctx.reduce(among, range(len(among.shape)), keep=False) if isinstance(among, Ref) else among
    return ctx.pointwise(*tensors_in([x, among]), shape=ctx.output_shape)


@lowers(
    "aten.histc.default",
    "aten.bincount.default",
    "aten.histogram.bin_ct",
    "aten.histogram.bins_tensor",
    "aten._histogramdd_bin_edges.default",
    "aten._histogramdd_from_bin_cts.default",
    "aten._histogramdd_from_bin_tensors.default",
)
def histogram(ctx: Context, *args: Any, **kwargs: Any) -> list[Ref]:
    """Each bin reads everything."""
    sums = [ctx.reduce(ref, range(len(ref.shape)), keep=False) for ref in tensors_in([args, kwargs])]
    return [ctx.pointwise(*sums, shape=shape) for shape in ctx.output_shapes]


@lowers("aten.masked_select.default")
def masked_select(ctx: Context, x: Ref, mask: Ref) -> Ref:
    """Each element reads the next one that the mask keeps; any if that is computed."""
    if mask.known is None or not ctx.output_shape[0]:
        return ctx.dense([x, mask], ctx.output_shape, SHAPELESS)
    shape = broadcast_shape(x.shape, mask.shape)
    kept = np.flatnonzero(np.broadcast_to(mask.known, shape))
    return gathers.index(ctx, ctx.reshape(ctx.broadcast(x, shape), (-1,)), [kept])


@lowers(
    *(f"aten.{op}.default" for op in "nonzero unique_consecutive _unique2".split()),
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
