"""Ops that look along whole axes by choice: attention and recurrent layers."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from eyeshot.frontends.compounds.attention import attention
from eyeshot.frontends.compounds.recurrent import recurrent
from eyeshot.frontends.spec.words import whole, word
from eyeshot.relations import All

if TYPE_CHECKING:
    from eyeshot.frontends.spec.context import Context
    from eyeshot.frontends.spec.tree import Op
    from eyeshot.graph import Ref


@word("attn", size="a window", optional=True, letters="h", modes=("causal",))
def attn(ctx: Context, x: Ref, op: Op) -> Ref:
    """Self-attention between all positions, inside windows that tile the input, or to no later position (causal, 1d)."""
    extents, (batch, channels) = ctx.spatial(x), x.shape[:2]
    heads = op.heads[0] if op.heads else 1
    assert isinstance(heads, int)
    if channels % heads:
        ctx.refuse(f"{channels} channels do not divide into {heads} heads")
    causal = "causal" in op.modes
    if causal and (ctx.rank != 1 or op.size):
        ctx.refuse("causal attention is for 1d networks, without windows")
    sides = whole(op.size, ctx.rank, 1) if op.size else list(extents)
    if any(n % side for n, side in zip(extents, sides, strict=True)):
        ctx.refuse(f"windows of {sides} do not tile extents {list(extents)}; pad first")
    tokens = prod(sides)
    if causal:
        ctx.charge(tokens * tokens)
    ctx.costs(4 * channels * (channels + 1), prod(x.shape) * (4 * channels + 2 * tokens))
    # (N, C, H, W) as (N, h, w, heads, tokens of a window, C / heads)
    counts = [n // side for n, side in zip(extents, sides, strict=True)]
    mixed = ctx.along(x, {1: (All(), channels)})
    pieces = [part for pair in zip(counts, sides, strict=True) for part in pair]
    split = ctx.reshape(mixed, (batch, heads, channels // heads, *pieces))
    outer, inner = range(3, 3 + 2 * ctx.rank, 2), range(4, 4 + 2 * ctx.rank, 2)
    order = [0, *outer, 1, *inner, 2]
    rows = ctx.reshape(ctx.permute(split, order), (batch * prod(counts), heads, tokens, channels // heads))
    (out,) = attention(ctx, rows, rows, rows, causal=causal)
    back = ctx.reshape(out, (batch, *counts, heads, *sides, channels // heads))
    turned = ctx.permute(back, [order.index(axis) for axis in range(len(order))])
    return ctx.along(ctx.reshape(turned, x.shape), {1: (All(), channels)})


@word("lstm", "gru", modes=("both",), channels=True, ranks=(1,))
def lstm(ctx: Context, x: Ref, op: Op) -> Ref:
    """A recurrent layer along time: each step reads all steps up to it, or all in both directions."""
    ctx.spatial(x)
    inputs, channels, both = x.shape[1], ctx.channels(op, x), "both" in op.modes
    if both and channels % 2:
        ctx.refuse(f"{channels} channels do not divide into two directions")
    hidden = channels // 2 if both else channels
    directions = (False, True) if both else (False,)
    gates = 4 if op.kind == "lstm" else 3
    weights = gates * hidden * (inputs + hidden) * len(directions)
    ctx.costs(weights + 2 * gates * hidden * len(directions), x.shape[0] * x.shape[2] * weights)
    steps = ctx.permute(x, (2, 0, 1))
    return ctx.permute(recurrent(ctx, steps, [], hidden=hidden, directions=directions)[0], (1, 2, 0))
