"""Writing at positions held by other tensors: exact where they are known, else sound with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyeshot.frontends.compounds import indexing as compounds
from eyeshot.frontends.compounds.indexing import DYNAMIC, SHAPELESS, known_all
from eyeshot.frontends.compounds.masking import filled
from eyeshot.frontends.torch.context import Context, lowers
from eyeshot.frontends.torch.ops.indexing import inside, selects
from eyeshot.graph import Ref, gathers
from eyeshot.graph.masks import cuts, masked


@lowers("aten.index_put.default", "aten._unsafe_index_put.default", "aten._index_put_impl.default")
def index_put(
    ctx: Context, x: Ref, indices: Sequence[Ref | None], values: Ref, accumulate: bool = False, *args: Any
) -> Ref:
    """Each element reads what was written there, or else itself; both and the index if that is computed."""
    known = known_all(indices)
    if known is not None:
        number: Any = values.known.item() if values.known is not None and values.known.size == 1 else None
        mask = _of_matrices(known, x.shape)
        if mask is not None and cuts(number) and not accumulate:
            return filled(ctx, x, mask, number, x.shape)
        return gathers.index_put(ctx, x, known, values, accumulate=accumulate)
    if selects(ctx.call.args[1]):
        given = [ref for ref in indices if ref is not None]
        return ctx.pointwise(x, ctx.dense([values, *given], x.shape, DYNAMIC))
    return compounds.index_put(ctx, x, indices, values)


def _of_matrices(known: Sequence[NDArray[Any] | None], shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """The elements of each matrix that an index names, where it names the same of all."""
    if len(known) != len(shape) or [one is None for one in known[-2:]] != [False, False]:
        return None
    if any(one is not None for one in known[:-2]):
        return None
    mask: NDArray[np.bool_] = np.zeros(shape[-2:], bool)
    mask[known[-2], known[-1]] = True
    return mask


@lowers(
    "aten.scatter.src",
    "aten.scatter.value",
    "aten.scatter.reduce",
    "aten.scatter.value_reduce",
    "aten.scatter_add.default",
)
def scatter(
    ctx: Context, x: Ref, dim: int, index: Ref, source: Ref | float, *args: Any, reduce: str = ""
) -> Ref:
    """Each element reads what was written there along ``dim``, or else itself; both where it is added."""
    adds = "scatter_add" in ctx.call.op or bool(reduce)
    sent = source if isinstance(source, Ref) else ctx.constant(index.shape)
    return compounds.scatter(ctx, x, dim, index, sent, adds=adds)


@lowers("aten.scatter_reduce.two")
def scatter_reduce(
    ctx: Context, x: Ref, dim: int, index: Ref, source: Ref, reduce: str, *, include_self: bool = True
) -> Ref:
    """Each element reads all that was sent there along ``dim``, and itself unless that is left out."""
    if include_self or index.known is None:
        return compounds.scatter(ctx, x, dim, index, source, adds=True)
    emptied = compounds.scatter(ctx, x, dim, index, ctx.constant(source.shape), adds=False)
    return ctx.pointwise(
        emptied, compounds.scatter(ctx, ctx.constant(x.shape), dim, index, source, adds=True)
    )


@lowers("aten.index_add.default", "aten.index_copy.default")
def index_write(ctx: Context, x: Ref, dim: int, index: Ref, source: Ref, **kwargs: Any) -> Ref:
    """Each slice along ``dim`` reads what was written there, or else itself; both where it is added."""
    return compounds.index_write(ctx, x, dim, index, source, adds=ctx.call.op == "aten.index_add.default")


@lowers("aten.index_reduce.default")
def index_reduce(
    ctx: Context, x: Ref, dim: int, index: Ref, source: Ref, reduce: str, *, include_self: bool = True
) -> Ref:
    """Each slice along ``dim`` reads all that was sent there, and itself unless that is left out."""
    if not x.shape:
        return ctx.pointwise(x, source) if include_self else source
    if index.known is None:
        return compounds.index_write(ctx, x, dim, index, source, adds=True)
    base = (
        x
        if include_self
        else compounds.index_write(ctx, x, dim, index, ctx.constant(source.shape), adds=False)
    )
    sent = compounds.index_write(ctx, ctx.constant(x.shape), dim, index, source, adds=True)
    return ctx.pointwise(base, sent)


@lowers("aten.embedding_renorm.default")
def embedding_renorm(ctx: Context, weight: Ref, indices: Ref, *args: Any) -> Ref:
    """The rows that are named read themselves whole, for their norms are bounded; any row, if names are computed."""
    bounded = ctx.normalise(weight, [-1])
    if indices.known is None:
        where = ctx.reduce(indices, range(len(indices.shape)), keep=False, summarises=False)
        return ctx.along(ctx.pointwise(bounded, where), {}, reason=DYNAMIC)
    named = np.unique(indices.known)
    return gathers.index_put(ctx, weight, [named], gathers.index(ctx, bounded, [named]))


@lowers("aten.index_fill.int_Scalar", "aten.index_fill.int_Tensor")
def index_fill(ctx: Context, x: Ref, dim: int, index: Ref, value: Ref | float) -> Ref:
    """Each slice along ``dim`` reads the value if it is filled, or else itself."""
    shape = list(x.shape)
    if shape:
        shape[dim] = index.shape[0] if index.shape else 1
    filling = ctx.broadcast(value, tuple(shape)) if isinstance(value, Ref) else ctx.constant(tuple(shape))
    return compounds.index_write(ctx, x, dim, index, filling, adds=False)


@lowers("aten._unsafe_masked_index_put_accumulate.default")
def masked_index_put(ctx: Context, x: Ref, mask: Ref, indices: Sequence[Ref | None], values: Ref) -> Ref:
    """Each element reads itself and what the mask lets through to its place; indices are moved inside the tensor."""
    known = known_all(indices)
    if mask.known is None or known is None:
        given = [ref for ref in indices if ref is not None]
        return ctx.pointwise(x, ctx.dense([mask, values, *given], x.shape, DYNAMIC))
    sent = masked(ctx, values, mask.known)
    return gathers.index_put(ctx, x, inside(known, x.shape), sent, accumulate=True)


@lowers("aten.masked_scatter.default")
def masked_scatter(ctx: Context, x: Ref, mask: Ref, source: Ref) -> Ref:
    """Where the mask is set, each element reads the next one of the flat source; any of them if that is computed."""
    if mask.known is None:
        return ctx.dense([x, mask, source], ctx.output_shape, SHAPELESS)
    marked = np.nonzero(np.broadcast_to(mask.known, ctx.output_shape))
    base = ctx.broadcast(x, ctx.output_shape)
    if not base.shape:
        return ctx.reshape(ctx.slice(ctx.reshape(source, (-1,)), 0, 0, 1), ()) if mask.known else base
    sent = ctx.slice(ctx.reshape(source, (-1,)), 0, 0, len(marked[0]))
    return gathers.index_put(ctx, base, marked, sent)


@lowers("aten.put.default")
def put(ctx: Context, x: Ref, index: Ref, source: Ref, accumulate: bool = False) -> Ref:
    """Each element of the flattened tensor reads what was written there, or else itself."""
    flat, sent = ctx.reshape(x, (-1,)), ctx.reshape(source, (-1,))
    if index.known is not None:
        out = gathers.index_put(ctx, flat, [index.known.ravel()], sent, accumulate=accumulate)
    else:
        out = compounds.scatter(ctx, flat, 0, ctx.reshape(index, (-1,)), sent, adds=accumulate)
    return ctx.reshape(out, x.shape)
