"""Fused attention: a contraction of queries, keys and values, with what a static mask leaves of it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from eyeshot.frontends.torch.context import Context, lowers
from eyeshot.frontends.torch.trace import values_in
from eyeshot.graph.masks import cutting, support
from eyeshot.relations import Pointwise, Table
from eyeshot.relations.tables import stretch

if TYPE_CHECKING:
    from eyeshot.graph import Ref


@lowers("aten.scaled_dot_product_attention.default", "aten._scaled_dot_product_attention_math.default")
def attention(
    ctx: Context,
    query: Ref,
    key: Ref,
    value: Ref,
    attn_mask: Ref | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    dropout_mask: Ref | None = None,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> list[Ref]:
    """Each output reads its query, the keys that its mask leaves, and one feature of their values."""
    if enable_gqa:
        outer = np.broadcast_shapes(query.shape[:-3], key.shape[:-3], value.shape[:-3])
        batch = (*outer, *query.shape[-3:-2])
    else:
        batch = np.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    q, k, v = (
        ctx.broadcast(_heads(ctx, ref, batch) if enable_gqa else ref, (*batch, *ref.shape[-2:]))
        for ref in (query, key, value)
    )
    table, reason = _support(attn_mask, is_causal, q.shape[-2], k.shape[-2])
    letters = "abcdefgh"[: len(batch)]
    terms, operands = [f"{letters}ix", f"{letters}jx", f"{letters}jy"], [q, k, v]
    if attn_mask is not None and attn_mask.known is None and not ctx.is_constant(attn_mask):
        wide = (*batch, q.shape[-2], k.shape[-2])
        terms.append(f"{letters}ij")
        operands.append(ctx.broadcast(attn_mask, wide))
        if any(value.dtype == "bool" for value in values_in([ctx.call.args, ctx.call.kwargs])):
            reason = "data-dependent-mask"
    static = None if table is None else ("i", "j", table)
    outs = [ctx.contract(f"{','.join(terms)}->{letters}iy", *operands, support=static)]
    if len(ctx.output_shapes) > 1:  # the logarithm of each row's sum of exponentials
        del terms[2], operands[2]
        sums = ctx.contract(f"{','.join(terms)}->{letters}i", *operands, support=static)
        outs += [sums] if sums.shape == ctx.output_shapes[1] else []
    return [
        out if reason is None or ctx.is_constant(out) else ctx.add(Pointwise(), (out,), out.shape, reason)
        for out in outs
    ]


@lowers(
    "aten._scaled_dot_product_flash_attention.default", "aten._scaled_dot_product_cudnn_attention.default"
)
def flash_attention(ctx: Context, query: Ref, key: Ref, value: Ref, *args: Any, **kwargs: Any) -> list[Ref]:
    """As attention; whether it is causal stands behind the dropout (and the bias, with cuDNN)."""
    cudnn = "cudnn" in ctx.call.op
    bias = args[0] if cudnn and args else kwargs.get("attn_bias")
    causal = args[3] if cudnn and len(args) > 3 else args[1] if not cudnn and len(args) > 1 else False
    return attention(ctx, query, key, value, bias, 0.0, kwargs.get("is_causal", causal))


@lowers("aten._scaled_dot_product_flash_attention_for_cpu.default")
def cpu_flash_attention(
    ctx: Context,
    query: Ref,
    key: Ref,
    value: Ref,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    attn_mask: Ref | None = None,
    scale: float | None = None,
) -> list[Ref]:
    """As attention."""
    return attention(ctx, query, key, value, attn_mask, 0.0, is_causal)


@lowers("aten._scaled_dot_product_efficient_attention.default")
def efficient_attention(
    ctx: Context,
    query: Ref,
    key: Ref,
    value: Ref,
    attn_bias: Ref | None,
    compute_log_sumexp: bool,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
) -> list[Ref]:
    """As attention."""
    return attention(ctx, query, key, value, attn_bias, 0.0, is_causal)


def _heads(ctx: Context, x: Ref, batch: tuple[int, ...]) -> Ref:
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
