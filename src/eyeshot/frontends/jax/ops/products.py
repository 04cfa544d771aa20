"""Products of tensors, summed over shared axes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from string import ascii_letters
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyeshot.frontends.compounds.products import einsum, product
from eyeshot.frontends.jax.context import Context, lowers
from eyeshot.frontends.jax.laws import lawful
from eyeshot.graph import Ref
from eyeshot.graph.masks import support
from eyeshot.relations import All

DUST = 2e-6
"""What rounding leaves of a weight that should be 0, as a share of the largest."""

Axes = Sequence[int]


@lowers("dot_general")
def dot_general(
    ctx: Context,
    x: Ref,
    y: Ref,
    *,
    dimension_numbers: tuple[tuple[Axes, Axes], tuple[Axes, Axes]],
    **params: Any,
) -> Ref:
    """Each element reads both operands where its labels agree, over all of the summed axes."""
    (x_summed, y_summed), (x_batch, y_batch) = dimension_numbers
    known = x.known is not None or y.known is not None
    if known and ctx.is_constant(x) + ctx.is_constant(y) == 1:
        return _by_matrices(ctx, x, y, (x_summed, y_summed), (x_batch, y_batch))
    free = iter(ascii_letters)
    terms = [[next(free) for _ in x.shape], [next(free) for _ in y.shape]]
    for mine, theirs in [*zip(x_summed, y_summed, strict=True), *zip(x_batch, y_batch, strict=True)]:
        terms[1][theirs] = terms[0][mine]
    batch = [terms[0][axis] for axis in x_batch]
    rest = [terms[0][axis] for axis in _free(x, x_summed, x_batch)]
    rest += [terms[1][axis] for axis in _free(y, y_summed, y_batch)]
    return _summed(ctx, terms, [x, y], [*batch, *rest])


def _summed(ctx: Context, terms: list[list[str]], operands: list[Ref], target: list[str]) -> Ref:
    """A sum of products by labels; of a constant of unknown numbers every element counts."""
    kept = [number for number, ref in enumerate(operands) if not ctx.is_constant(ref)]
    if len(kept) == 2:
        return einsum(ctx, f"{','.join(map(''.join, terms))}->{''.join(target)}", operands)
    if not kept:
        return ctx.constant(ctx.output_shape)
    (only,) = kept
    term, x = terms[only], operands[only]
    out = ctx.reduce(
        x, [a for a, label in enumerate(term) if label not in target], keep=False, summarises=False
    )
    left = [label for label in term if label in target]
    out = ctx.permute(out, sorted(range(len(left)), key=lambda place: target.index(left[place])))
    extents = iter(out.shape)
    wide = [next(extents) if label in left else 1 for label in target]
    return ctx.broadcast(ctx.reshape(out, wide), ctx.output_shape)


def _free(x: Ref, summed: Axes, batch: Axes) -> list[int]:
    return [axis for axis in range(len(x.shape)) if axis not in {*summed, *batch}]


def _by_matrices(ctx: Context, x: Ref, y: Ref, summed: tuple[Axes, Axes], batch: tuple[Axes, Axes]) -> Ref:
    """The product as one of matrices, so that zeros of the known one are left out."""
    rows = _free(x, summed[0], batch[0])
    columns = _free(y, summed[1], batch[1])
    x, y = _without_dust(ctx, x), _without_dust(ctx, y)
    if len(summed[0]) == 1 and not batch[0]:
        if ctx.is_constant(y) and len(y.shape) == 2:
            out = _along(ctx, x, summed[0][0], _matrix(y, [*columns, *summed[1]]))
            return ctx.permute(out, [*rows, *summed[0]])
        if ctx.is_constant(x) and len(x.shape) == 2:
            out = _along(ctx, y, summed[1][0], _matrix(x, [*rows, *summed[0]]))
            return ctx.permute(out, [*summed[1], *columns])
    outer = [x.shape[axis] for axis in batch[0]]
    inner = prod(x.shape[axis] for axis in summed[0])
    height, width = (prod(ref.shape[a] for a in free) for ref, free in ((x, rows), (y, columns)))
    left = _shaped(ctx, x, [*batch[0], *rows, *summed[0]], [*outer, height, inner])
    right = _shaped(ctx, y, [*batch[1], *summed[1], *columns], [*outer, inner, width])
    return ctx.reshape(product(ctx, left, right), ctx.output_shape)


def _matrix(x: Ref, order: Sequence[int]) -> NDArray[Any]:
    assert x.known is not None
    return x.known.transpose(order)


def _along(ctx: Context, x: Ref, axis: int, weights: NDArray[Any]) -> Ref:
    """One axis mixed by known (outputs, inputs) weights, where they are not 0."""
    zeros = weights == 0
    amap = lawful(support(zeros)) if zeros.any() else All()
    return ctx.along(x, {axis: (amap, len(weights))})


def _without_dust(ctx: Context, x: Ref) -> Ref:
    """The weights of a resize with 0 for what is 0 but for rounding: positions there are sums of fractions."""
    if x.known is None or not ctx.resizing:
        return x
    dust = abs(x.known) < DUST * abs(x.known).max(initial=0)
    return x._replace(known=np.where(dust, 0, x.known))


def _shaped(ctx: Context, x: Ref, order: Sequence[int], shape: list[int]) -> Ref:
    out = ctx.reshape(ctx.permute(x, order), shape)
    return out if x.known is None else out._replace(known=x.known.transpose(order).reshape(shape))
