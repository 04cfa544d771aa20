"""Attention: queries, and the keys and values that masks leave of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from eyeshot.errors import InputError
from eyeshot.frontends.compounds.masking import chosen
from eyeshot.frontends.compounds.norms import softmax
from eyeshot.frontends.compounds.products import product
from eyeshot.frontends.keras.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.graph.masks import plain, with_cut
from eyeshot.relations import All


def attended(
    ctx: Context, q: Ref, k: Ref, v: Ref, static: np.ndarray[Any, Any] | None, masks: Sequence[Ref]
) -> tuple[Ref, Ref]:
    """Outputs and scores of queries (..., T, C) on keys (..., S, C) and values (..., S, D).

    ``static`` is True where a key is read by construction; computed ``masks`` broadcast to (..., T, S). They may leave
    nothing of a row, which then reads all keys alike: so a static mask spares nothing beside them.
    """
    scores = product(ctx, q, ctx.permute(k, (*range(len(k.shape) - 2), -1, -2)))
    for mask in masks:
        scores = chosen(ctx, mask, [scores], scores.shape, hides=True)
    if static is not None and not masks:
        scores = with_cut(ctx, scores, ~static)
    scores = softmax(ctx, scores, -1)
    return product(ctx, scores, v), plain(ctx, scores)


def static_mask(rows: int, columns: int, *, causal: bool, reach: int | None) -> np.ndarray[Any, Any] | None:
    """Which keys a row may read, aligned at the first: none after it, and none ``reach`` or more away."""
    if not causal and reach is None:
        return None
    away = np.arange(rows)[:, None] - np.arange(columns)
    kept = np.ones((rows, columns), bool)
    if causal:
        kept &= away >= 0
    if reach is not None:
        kept &= abs(away) < reach
    return kept


def _lengthened(ctx: Context, mask: Ref | None, *, rows: bool) -> list[Ref]:
    """A Keras mask (N, T) as it lies beside scores: (N, T, 1) of rows, (N, 1, S) of columns."""
    if mask is None:
        return []
    return [ctx.reshape(mask, (*mask.shape, 1) if rows else (*mask.shape[:-1], 1, mask.shape[-1]))]


@lowers("layers.MultiHeadAttention", "layers.GroupQueryAttention", "layers.GroupedQueryAttention")
def multi_head_attention(
    ctx: Context,
    query: Ref,
    value: Ref,
    key: Ref | None = None,
    query_mask: Ref | None = None,
    value_mask: Ref | None = None,
    key_mask: Ref | None = None,
    attention_mask: Ref | None = None,
    return_attention_scores: bool = False,
    use_causal_mask: bool = False,
) -> Ref | list[Ref]:
    """Each output reads its query, and the keys and values that masks leave, all features of each.

    Axes of attention are put behind all others and flattened for the scores.
    """
    options, grouped = ctx.options, "Group" in ctx.call.name
    key = value if key is None else key
    between = list(range(1, len(query.shape) - 1))
    axes = [1] if grouped else list(options.axes("attention_axes", len(query.shape) - 1, between))
    heads = _own_projections(ctx, query, value, key, grouped=grouped)
    query_mask = query_mask or ctx.call.mask_of("query", 0)
    value_mask = value_mask or ctx.call.mask_of("value", 1)
    key_mask = key_mask or (ctx.call.mask_of("key", 2) if key is not value else None)
    ctx.call.output_masks = [None if grouped else query_mask]
    q, k, v = (_flat(ctx, ref, axes) for ref in (query, key, value))
    rows, columns = q.shape[-2], k.shape[-2]
    reach = options.whole("sliding_window") if "sliding_window" in options else None
    if (use_causal_mask or reach is not None) and axes != [1]:
        raise InputError(
            f"{options.where} masks keys by their place on the second axis, and attends along {axes}"
        )
    masks = [
        *_lengthened(ctx, query_mask, rows=True),
        *_lengthened(ctx, value_mask, rows=False),
        *_lengthened(ctx, key_mask, rows=False),
        *_flat_mask(ctx, attention_mask, axes, rows, columns),
    ]
    masks = [ctx.reshape(m, (m.shape[0], *[1] * (len(q.shape) - len(m.shape)), *m.shape[1:])) for m in masks]
    static = static_mask(rows, columns, causal=use_causal_mask, reach=reach)
    out, scores = attended(
        ctx, ctx.along(q, {-1: (All(), 1)}), ctx.along(k, {-1: (All(), 1)}), v, static, masks
    )
    ctx.call.macs += prod(out.shape[:-1]) * columns * heads
    out = _unflat(ctx, out, query.shape, axes)
    if options.flag("use_gate"):
        out = ctx.pointwise(ctx.along(out, {-1: (All(), 1)}), ctx.along(query, {-1: (All(), 1)}))
    result = _projected(ctx, out, query)
    if not return_attention_scores:
        return result
    count = options.whole("num_query_heads" if grouped else "num_heads")
    extents = [*(query.shape[axis] for axis in axes), *(key.shape[axis] for axis in axes)]
    return [result, _of_heads(ctx, scores, count, extents)]


def _flat_mask(ctx: Context, mask: Ref | None, axes: Sequence[int], rows: int, columns: int) -> list[Ref]:
    """A mask (N, ..., queries', keys') with the axes of attention of either as one."""
    if mask is None:
        return []
    return [ctx.reshape(mask, (*mask.shape[: len(mask.shape) - 2 * len(axes)], rows, columns))]


def _of_heads(ctx: Context, scores: Ref, count: int, extents: Sequence[int]) -> Ref:
    """Scores as they are returned: for each head, over the axes of attention."""
    others = scores.shape[:-2]
    return ctx.broadcast(ctx.reshape(scores, (*others, 1, *extents)), (*others, count, *extents))


def _own_projections(ctx: Context, query: Ref, value: Ref, key: Ref, *, grouped: bool) -> int:
    """Count the weights of all projections, and what they cost; the width of scores and values over all heads."""
    options, bias = ctx.options, ctx.options.flag("use_bias", default=True)
    if grouped:
        width = value_width = options.whole("head_dim")
        heads, kv_heads = options.whole("num_query_heads"), options.whole("num_key_value_heads")
    else:
        width = options.whole("key_dim")
        value_width, heads = options.whole("value_dim", width), options.whole("num_heads")
        kv_heads = heads
    parts = [(query, heads * width), (key, kv_heads * width), (value, kv_heads * value_width)]
    if options.flag("use_gate"):
        parts.append((query, heads * value_width))
    for x, features in parts:
        ctx.own((x.shape[-1], features), *([(features,)] if bias else []))
        ctx.call.macs += prod(x.shape) * features
    out = prod(output_features(ctx, query))
    ctx.own((heads * value_width, out), *([(out,)] if bias else []))
    ctx.call.macs += prod(query.shape[:-1]) * heads * value_width * out
    return heads * (width + value_width)


def output_features(ctx: Context, query: Ref) -> tuple[int, ...]:
    """The last axes of the output: those asked for, or the query's own."""
    given = ctx.options.get("output_shape")
    if not given:
        return (query.shape[-1],)
    return ctx.options.sizes("output_shape", 1 if isinstance(given, int) else len(given))


def _projected(ctx: Context, out: Ref, query: Ref) -> Ref:
    """All features mixed into those of the output."""
    features = output_features(ctx, query)
    return ctx.reshape(ctx.along(out, {-1: (All(), prod(features))}), (*out.shape[:-1], *features))


def _flat(ctx: Context, x: Ref, axes: Sequence[int]) -> Ref:
    """(N, ..., C) with the axes of attention behind the others, as one."""
    free = [axis for axis in range(len(x.shape) - 1) if axis not in axes]
    moved = ctx.permute(x, (*free, *axes, len(x.shape) - 1))
    return ctx.reshape(moved, (*moved.shape[: len(free)], -1, x.shape[-1]))


def _unflat(ctx: Context, out: Ref, shape: tuple[int, ...], axes: Sequence[int]) -> Ref:
    """The reverse of `_flat`, with the features that ``out`` has."""
    free = [axis for axis in range(len(shape) - 1) if axis not in axes]
    order = [*free, *axes]
    split = ctx.reshape(out, (*(shape[axis] for axis in order), out.shape[-1]))
    return ctx.permute(split, (*(order.index(axis) for axis in range(len(order))), len(order)))


@lowers("layers.Attention", "layers.AdditiveAttention")
def attention(
    ctx: Context, inputs: Sequence[Ref], return_attention_scores: bool = False, use_causal_mask: bool = False
) -> Ref | list[Ref]:
    """Each output reads its query, all features of the keys that masks leave, and one feature of their values."""
    options, additive = ctx.options, ctx.call.name == "layers.AdditiveAttention"
    q, v = inputs[0], inputs[1]
    k = inputs[2] if len(inputs) > 2 else v
    if options.flag("use_scale", default=additive):
        ctx.own((q.shape[-1],) if additive else ())
    if options.get("score_mode") == "concat":
        ctx.own(())
    query_mask = ctx.call.masks[0] if ctx.call.masks else None
    value_mask = ctx.call.masks[1] if len(ctx.call.masks) > 1 else None
    static = static_mask(q.shape[-2], k.shape[-2], causal=use_causal_mask, reach=None)
    out, scores = attended(ctx, q, k, v, static, _lengthened(ctx, value_mask, rows=False))
    ctx.call.macs += prod(scores.shape) * (q.shape[-1] + v.shape[-1])
    if query_mask is not None:
        out = ctx.pointwise(out, ctx.reshape(query_mask, (*query_mask.shape, 1)))
    ctx.call.output_masks = [query_mask]
    return [out, scores] if return_attention_scores else out
