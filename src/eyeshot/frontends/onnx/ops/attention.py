"""Attention, whole; rotary embeddings; linear attention."""

from __future__ import annotations

from math import inf, prod

import numpy as np
from numpy.typing import NDArray

from eyeshot.frontends.compounds import indexing, masking
from eyeshot.frontends.compounds.attention import attention as attended
from eyeshot.frontends.compounds.norms import softmax
from eyeshot.frontends.compounds.products import product
from eyeshot.frontends.onnx.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.graph.masks import with_cut
from eyeshot.relations import All, Prefix, Table
from eyeshot.relations.tables import stretch, take

Mask = NDArray[np.bool_]


@lowers("Attention")
def attention(
    ctx: Context,
    query: Ref,
    key: Ref,
    value: Ref,
    mask: Ref | None = None,
    past_key: Ref | None = None,
    past_value: Ref | None = None,
    lengths: Ref | None = None,
    *,
    is_causal: int = 0,
    q_num_heads: int | None = None,
    kv_num_heads: int | None = None,
    qk_matmul_output_mode: int = 0,
    left_window_size: int = -1,
    right_window_size: int = -1,
) -> list[Ref]:
    """Each output reads its query, the keys that masks leave, past ones too, and one feature of their values."""
    flat = len(query.shape) == 3
    q = split_heads(ctx, query, q_num_heads) if flat else query
    k, v = (split_heads(ctx, ref, kv_num_heads) if flat else ref for ref in (key, value))
    if past_key is not None and past_value is not None:
        k, v = ctx.concat([past_key, k], 2), ctx.concat([past_value, v], 2)
    rows, columns = q.shape[2], k.shape[2]
    bounds = (left_window_size, 0 if is_causal else right_window_size)
    keep = _keep(ctx, bounds, rows, columns, 0 if past_key is None else past_key.shape[2], lengths)
    bias = _bias(ctx, mask, keep, rows, columns)
    boolean = mask is not None and ctx.dtype(3) == "bool"
    hidden = lengths is not None and ctx.known(6) is None
    out = attended(ctx, q, k, v, bias, boolean=boolean, grouped=True)[0]
    if hidden and lengths is not None:
        out = ctx.flagged(
            ctx.pointwise(out, ctx.reshape(lengths, (-1, 1, 1, 1)), shape=out.shape), "data-dependent-mask"
        )
    ctx.macs += prod(out.shape[:-1]) * columns * (q.shape[-1] + v.shape[-1])
    whole = merge_heads(ctx, out) if flat else out
    if ctx.outputs < 4:
        return [whole, k, v]
    return [whole, k, v, _scores(ctx, q, k, bias, qk_matmul_output_mode)]


def split_heads(ctx: Context, x: Ref, heads: int | None) -> Ref:
    """(batch, tokens, heads x features) as (batch, heads, tokens, features)."""
    split = ctx.reshape(x, (*x.shape[:2], heads or 1, x.shape[2] // (heads or 1)))
    return ctx.permute(split, (0, 2, 1, 3))


def merge_heads(ctx: Context, x: Ref) -> Ref:
    """The reverse of `split_heads`."""
    moved = ctx.permute(x, (0, 2, 1, 3))
    return ctx.reshape(moved, (*moved.shape[:2], moved.shape[2] * moved.shape[3]))


def _keep(
    ctx: Context, bounds: tuple[int, int], rows: int, columns: int, past: int, lengths: Ref | None
) -> Mask | None:
    """Which keys each query may read by position: (rows, columns), or with a batch where samples have lengths."""
    low, high = bounds
    if lengths is not None:
        known = ctx.known(6)
        if known is None:
            return None
        offset, limit = known.reshape(-1, 1, 1, 1) - rows, known.reshape(-1, 1, 1, 1)
    else:
        offset, limit = np.array(past), np.array(columns)
    if low < 0 and high < 0 and lengths is None:
        return None
    place, column = np.arange(rows)[:, None] + offset, np.arange(columns)
    keep = np.broadcast_to(column < limit, np.broadcast_shapes(place.shape, (rows, columns))).copy()
    if low >= 0:
        keep &= column >= place - low
    if high >= 0:
        keep &= column <= place + high
    return keep


def _bias(ctx: Context, mask: Ref | None, keep: Mask | None, rows: int, columns: int) -> Ref | None:
    """One mask of the given one and of positions, known where both are."""
    if mask is None:
        return None if keep is None else ctx.constant(keep.shape)._replace(known=keep)
    known = ctx.known(3)
    if known is not None:
        short = columns - known.shape[-1]
        hidden = False if known.dtype == bool else -inf
        if short > 0 and known.shape[-1] > 1:
            known = np.pad(known, [(0, 0)] * (known.ndim - 1) + [(0, short)], constant_values=hidden)
        if keep is not None:
            known = known & keep if known.dtype == bool else np.where(keep, known, -inf).astype(known.dtype)
        return ctx.constant(known.shape)._replace(known=known)
    wide = mask
    if 1 < mask.shape[-1] < columns:
        wide = ctx.pad(mask, {-1: (0, columns - mask.shape[-1])})
        beyond = np.broadcast_to(np.arange(columns) < mask.shape[-1], (rows, columns))
        keep = beyond if keep is None else keep & beyond
    if keep is None:
        return wide
    shape = (*wide.shape[:-2], rows, columns)
    return with_cut(ctx, ctx.broadcast(wide, np.broadcast_shapes(wide.shape, shape)), ~keep)


def _scores(ctx: Context, q: Ref, k: Ref, bias: Ref | None, mode: int) -> Ref:
    """The products of queries and keys; with masks from mode 2 on, after the softmax in mode 3."""
    if k.shape[1] != q.shape[1]:
        k = ctx.along(k, {1: (stretch(q.shape[1] // k.shape[1], k.shape[1]), q.shape[1])})
    scores = product(ctx, q, ctx.permute(k, (0, 1, 3, 2)))
    if bias is not None and mode >= 2:
        if bias.known is not None and bias.known.dtype == bool:
            bias = bias._replace(known=np.where(bias.known, 0.0, -inf))
        scores = masking.add(ctx, [(scores, 1.0), (bias, 1.0)], scores.shape)
    return softmax(ctx, scores, -1) if mode == 3 else scores


@lowers("RotaryEmbedding")
def rotary_embedding(
    ctx: Context,
    x: Ref,
    cosine: Ref,
    sine: Ref,
    positions: Ref | None = None,
    *,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
    interleaved: int = 0,
) -> Ref:
    """Each feature reads itself and the one that it is turned with, and the angle of its position."""
    flat = len(x.shape) == 3
    heads = split_heads(ctx, x, num_heads) if flat else x
    features = heads.shape[-1]
    turned = rotary_embedding_dim or features
    half = turned // 2
    place = np.arange(turned)
    partner = place ^ 1 if interleaved else (place + half) % turned
    angle = place // 2 if interleaved else place % half
    rows = [sorted({int(j), int(partner[j])}) if j < turned else [j] for j in range(features)]
    out = ctx.along(heads, {-1: (Table.of_rows(rows, features), features)})
    steering = []
    for cache in (cosine, sine):
        held = cache
        if positions is not None:
            held = indexing.index(ctx, cache, [ctx.held(3)], (*positions.shape, half))
        held = ctx.along(held, {-1: (take(angle, half), turned)})
        steering.append(ctx.pad(held, {-1: (0, features - turned)}))
    read = [ctx.reshape(ref, (ref.shape[0], 1, *ref.shape[1:])) for ref in steering]
    out = ctx.pointwise(out, *read, shape=out.shape)
    return merge_heads(ctx, out) if flat else out


@lowers("LinearAttention")
def linear_attention(
    ctx: Context,
    query: Ref,
    key: Ref,
    value: Ref,
    past: Ref | None = None,
    decay: Ref | None = None,
    beta: Ref | None = None,
    *,
    q_num_heads: int,
    kv_num_heads: int,
    update_rule: str = "gated_delta",
) -> list[Ref]:
    """Each token reads its query, and keys and values of all tokens up to it through a state; so does the next state."""
    q, k, v = (
        split_heads(ctx, ref, n)
        for ref, n in ((query, q_num_heads), (key, kv_num_heads), (value, kv_num_heads))
    )
    tokens, mixes = q.shape[2], "delta" in update_rule
    gates = []
    for gate in (decay, beta):
        if gate is None:
            continue
        split = split_heads(ctx, gate, kv_num_heads if gate.shape[2] >= kv_num_heads else 1)
        gates.append(ctx.broadcast(split, (split.shape[0], kv_num_heads, *split.shape[2:])))
    if decay is not None and past is None:  # the first decay scales an empty state
        gates[0] = ctx.pad(ctx.slice(gates[0], 2, 1, tokens), {2: (1, 0)})
    wide = (*k.shape, v.shape[3])
    joined = [ctx.reshape(k, (*k.shape, 1)), ctx.reshape(v, (*v.shape[:3], 1, v.shape[3]))]
    joined += [ctx.reshape(gate, (*gate.shape, 1)) for gate in gates]
    state = ctx.along(ctx.pointwise(*joined, shape=wide), {2: (Prefix(), tokens)})
    if past is not None:
        state = ctx.pointwise(state, ctx.reshape(past, (*past.shape[:2], 1, *past.shape[2:])))
    state = ctx.along(state, {3: (All(), state.shape[3])}) if mixes else state
    last = ctx.slice(state, 2, tokens - 1, tokens)
    own = ctx.reduce(state, [3], keep=False, summarises=False)
    if kv_num_heads != q_num_heads:
        own = ctx.along(own, {1: (stretch(q_num_heads // kv_num_heads, kv_num_heads), q_num_heads)})
    asked = ctx.along(q, {3: (All(), 1)})
    ctx.macs += 2 * prod(q.shape) * v.shape[3]
    return [
        merge_heads(ctx, ctx.pointwise(own, asked, shape=own.shape)),
        ctx.reshape(last, (*last.shape[:2], *last.shape[3:])),
    ]
