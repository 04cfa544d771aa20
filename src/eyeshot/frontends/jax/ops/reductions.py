"""Primitives that read all of some axes: sums, extrema, scans, sorts."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase
from typing import Any

import numpy as np
from jax.extend.core import ClosedJaxpr

from eyeshot.errors import UnsupportedOpError
from eyeshot.frontends.jax import loops
from eyeshot.frontends.jax.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.graph.masks import support
from eyeshot.relations import All, Prefix, Suffix


def reduced(ctx: Context, x: Ref, axes: Sequence[int]) -> Ref:
    """Everything along the axes but what is -inf, or 0, by construction; they are dropped."""
    axes = sorted(axis % len(x.shape) for axis in axes)
    rank = len(x.shape)
    if x.cut is None or not axes:
        return ctx.reduce(x, axes, keep=False)
    others = [axis for axis in axes if axis < rank - 2]
    if others:
        opened = ctx.reduce(x._replace(cut=None), others, keep=False)
        return reduced(
            ctx,
            opened._replace(cut=x.cut, zeroed=x.zeroed),
            [a - len(others) for a in axes if a not in others],
        )
    if len(axes) == 2:
        return ctx.reduce(x, axes, keep=False)
    letters = ascii_lowercase[:rank]
    (row,) = {rank - 2, rank - 1} - set(axes)
    cut = x.cut if row == rank - 2 else x.cut.T
    table = support(cut & ~cut.all(-1, keepdims=True)) if not x.zeroed else support(cut)
    kept = letters[: rank - 2] + letters[row]
    return ctx.contract(
        f"{letters}->{kept}",
        x._replace(cut=None, zeroed=False),
        support=(letters[row], letters[axes[0]], table),
    )


@lowers("reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or", "reduce_xor")
def reduce(ctx: Context, x: Ref, *, axes: Sequence[int], **params: Any) -> Ref:
    """Each element reads everything along the reduced axes."""
    absorbing = {"reduce_sum": True, "reduce_max": False}.get(ctx.eqn.primitive.name)
    if x.cut is not None and absorbing is x.zeroed:
        return reduced(ctx, x, [int(axis) for axis in axes])
    return ctx.reduce(x, [int(axis) for axis in axes], keep=False)


@lowers("psum", "pmax", "pmin")
def across(ctx: Context, *operands: Ref, axes: Sequence[Any], **params: Any) -> list[Ref]:
    """Each element reads everything along axes that were mapped over; those of several devices are refused."""
    op = ctx.eqn.primitive.name
    named = [str(axis) for axis in axes if not isinstance(axis, int)]
    if named:
        raise UnsupportedOpError({f"{op} over {', '.join(named)}": ["several devices"]})
    return [ctx.reduce(x, axes, keep=False) for x in operands]


@lowers("argmax", "argmin")
def place(ctx: Context, x: Ref, *, axes: Sequence[int], **params: Any) -> Ref:
    """Each place reads everything along its axis, unless there is but one."""
    if all(x.shape[axis] == 1 for axis in axes):
        return ctx.constant(ctx.output_shape)
    return ctx.reduce(x, axes, keep=False)


@lowers("reduce")
def reduce_by_function(
    ctx: Context, *operands: Ref, jaxpr: ClosedJaxpr, dimensions: Sequence[int], **params: Any
) -> list[Ref]:
    """Each element reads everything along the axes, and the first value, of the operands that the function mixes in."""
    half = len(operands) // 2
    sums = [ctx.reduce(x, dimensions, keep=False) for x in operands[:half]]
    return mixed(ctx, jaxpr, sums, operands[half:])


def mixed(ctx: Context, jaxpr: ClosedJaxpr, sums: Sequence[Ref], firsts: Sequence[Ref]) -> list[Ref]:
    """Results of a function of pairs, carried from pair to pair: each reads what the function's own reads in the end."""
    count, shape = len(sums), sums[0].shape
    scalars = [ctx.constant(())] * 2 * count
    step = loops.step(ctx, jaxpr, scalars, [()] * 2 * count, 0, 2 * count)
    read = np.array([[form is not None for form in row] for row in step.direct])
    read = read[:, :count] | read[:, count:] | np.eye(count, dtype=bool)
    for _ in range(count):
        read = read @ read
    pairs = [(x, first) for x, first in zip(sums, firsts, strict=True)]
    return [
        ctx.pointwise(
            *(ref for kept, pair in zip(row, pairs, strict=True) if kept for ref in pair), shape=shape
        )
        for row in read
    ]


@lowers("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp")
def cumulated(ctx: Context, x: Ref, *, axis: int, reverse: bool) -> Ref:
    """Each element reads itself and all before it along the axis (or all after it)."""
    return ctx.along(x, {axis: (Suffix() if reverse else Prefix(), x.shape[axis])})


@lowers("sort")
def sort(ctx: Context, *operands: Ref, dimension: int, **params: Any) -> list[Ref]:
    """Each rank reads the whole axis of its operand, and of the keys that come before it."""
    wide = [ctx.along(x, {dimension: (All(), x.shape[dimension])}) for x in operands]
    keys = wide[: params["num_keys"]]
    return [ctx.pointwise(x, *keys[:place], shape=x.shape) for place, x in enumerate(wide)]


@lowers("top_k", "approx_top_k")
def top_k(ctx: Context, x: Ref, **params: Any) -> list[Ref]:
    """Each rank, and its place, reads the whole axis."""
    axis = params.get("axis", params.get("reduction_dimension", -1))
    out = ctx.along(x, {axis: (All(), ctx.output_shape[axis])})
    return [out] * len(ctx.output_shapes)
