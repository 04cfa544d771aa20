"""Fused attention: a contraction of queries, keys and values, with what a static mask leaves of it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from eyeshot.graph.masks import cutting, support
from eyeshot.relations import Pointwise, Table
from eyeshot.relations.tables import stretch

if TYPE_CHECKING:
    from eyeshot.graph import Builder, Ref


def attention(
    ctx: Builder,
    query: Ref,
    key: Ref,
    value: Ref,
    mask: Ref | None = None,
    *,
    causal: bool = False,
    boolean: bool = False,
    grouped: bool = False,
    sums: bool = False,
) -> list[Ref]:
    """Each output reads its query, the keys that its mask leaves, and one feature of their values.

    Operands are (..., tokens, features). A ``mask`` (added, or True where a key is read) is static where its values are
    known; ``boolean`` says that a computed one hides keys. ``causal``: row i reads the columns up to i. ``grouped``: each
    of fewer heads of keys and values serves as many of the queries' as it takes. With ``sums`` a second result has a
    number a row: the logarithm of its sum of exponentials.
    """
    if grouped:
        outer = np.broadcast_shapes(query.shape[:-3], key.shape[:-3], value.shape[:-3])
        batch = (*outer, *query.shape[-3:-2])
    else:
        batch = np.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    q, k, v = (
        ctx.broadcast(_heads(ctx, ref, batch) if grouped else ref, (*batch, *ref.shape[-2:]))
        for ref in (query, key, value)
    )
    table, reason = _support(mask, causal, q.shape[-2], k.shape[-2])
    letters = "abcdefgh"[: len(batch)]
    terms, operands = [f"{letters}ix", f"{letters}jx", f"{letters}jy"], [q, k, v]
    if mask is not None and mask.known is None and not ctx.is_constant(mask):
        terms.append(f"{letters}ij")
        operands.append(ctx.broadcast(mask, (*batch, q.shape[-2], k.shape[-2])))
        if boolean:
            reason = "data-dependent-mask"
    static = None if table is None else ("i", "j", table)
    outs = [ctx.contract(f"{','.join(terms)}->{letters}iy", *operands, support=static)]
    if sums:
        del terms[2], operands[2]
        outs.append(ctx.contract(f"{','.join(terms)}->{letters}i", *operands, support=static))
    return [
        out if reason is None or ctx.is_constant(out) else ctx.add(Pointwise(), (out,), out.shape, reason)
        for out in outs
    ]


def _heads(ctx: Builder, x: Ref, batch: tuple[int, ...]) -> Ref:
    """Grouped queries: each of fewer heads serves as many queries' heads as it takes."""
    if len(x.shape) < 3 or not batch or x.shape[-3] in {1, batch[-1]}:
        return x
    times = batch[-1] // x.shape[-3]
    return ctx.along(x, {-3: (stretch(times, x.shape[-3]), batch[-1])})


def _support(mask: Ref | None, causal: bool, rows: int, columns: int) -> tuple[Table | None, str | None]:
    """Which columns each row may read (None: all), and a reason if that is a union over batch or heads."""
    if causal:
        return _causal(rows, columns), None
    if mask is None or mask.known is None:
        cut = None if mask is None or mask.zeroed else mask.cut
        return None if cut is None else support(np.broadcast_to(cut, (rows, columns))), None
    cut = ~mask.known if mask.known.dtype == bool else cutting(mask.known)
    if cut is None or not cut.any():
        return None, None
    flat = np.broadcast_to(cut, np.broadcast_shapes(cut.shape, (rows, columns))).reshape(-1, rows, columns)
    shared = np.logical_and.reduce(flat)
    reason = None if (flat == shared).all() else "mask-varies"
    return (support(shared) if shared.any() else None), reason


@lru_cache(maxsize=64)
def _causal(rows: int, columns: int) -> Table:
    """Row i reads the columns up to i, as torch's is_causal (aligned at the upper left)."""
    return support(~np.tri(rows, columns, dtype=bool))
