"""Matrix products and sums over labels."""

from __future__ import annotations

from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

import numpy as np

from eyeshot.graph.masks import support
from eyeshot.relations import All, Pointwise
from eyeshot.relations.tables import take

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyeshot.graph import Builder, Ref
    from eyeshot.relations import AxisMap, Table


def product(ctx: Builder, x: Ref, y: Ref) -> Ref:
    """``x @ y`` for any ranks, as NumPy's matmul: row and column meet over all of the shared axis.

    Elements of either side that are 0 by construction are not multiplied.
    """
    if len(x.shape) == len(y.shape) == 1:
        return ctx.contract("x,x->", x, y)
    if len(x.shape) == 1:
        out = product(ctx, ctx.reshape(x, (1, x.shape[0])), y)
        return ctx.reshape(out, (*out.shape[:-2], out.shape[-1]))
    if len(y.shape) == 1:
        out = product(ctx, x, ctx.reshape(y, (y.shape[0], 1)))
        return ctx.reshape(out, out.shape[:-1])
    outer = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x = _wide(ctx, x, (*outer, *x.shape[-2:]))
    y = _wide(ctx, y, (*outer, *y.shape[-2:]))
    if ctx.is_constant(y):
        amap, reason = _mixing(y.known)
        return ctx.along(x, {-1: (amap, y.shape[-1])}, reason=reason)
    if ctx.is_constant(x):
        known = None if x.known is None else x.known.swapaxes(-1, -2)
        amap, reason = _mixing(known)
        return ctx.along(y, {-2: (amap, x.shape[-2])}, reason=reason)
    left, right = (ref.cut if ref.zeroed else None for ref in (x, y))
    batch = ascii_lowercase[: len(outer)]
    static = None
    if left is not None:
        static = ("x", "y", support(left))
    elif right is not None:
        static = ("z", "y", support(right.T))
    used = (left is not None, left is None and right is not None)
    operands = [ref._replace(cut=None) if use else ref for ref, use in zip((x, y), used, strict=True)]
    return ctx.contract(f"{batch}xy,{batch}yz->{batch}xz", *operands, support=static)


def _wide(ctx: Builder, x: Ref, shape: tuple[int, ...]) -> Ref:
    """``x`` broadcast along leading axes, with what is known of it."""
    if x.shape == shape:
        return x
    known = None if x.known is None else np.broadcast_to(x.known, shape)
    return ctx.broadcast(x, shape)._replace(known=known)


def _mixing(matrix: np.ndarray[Any, Any] | None) -> tuple[AxisMap, str | None]:
    """How a constant (inputs, outputs) matrix mixes an axis, and a reason where only some of a batch has a zero."""
    if matrix is None:
        return All(), None
    zeros = (matrix == 0).reshape(-1, *matrix.shape[-2:])
    shared = zeros.all(0)
    reason = None if (zeros == shared).all() else "zero-coefficient"
    return support(shared.T) if shared.any() else All(), reason


def linear_map(ctx: Builder, x: Ref, weight: Ref, bias: Ref | None) -> Ref:
    """``x @ weight.T + bias``."""
    if ctx.is_constant(weight) and weight.known is None:
        out = ctx.along(x, {-1: (All(), weight.shape[0])})
    else:
        turned = ctx.permute(weight, [1, 0])
        out = product(ctx, x, turned._replace(known=None if weight.known is None else weight.known.T))
    return out if bias is None else ctx.pointwise(out, bias)


def einsum(ctx: Builder, equation: str, tensors: Sequence[Ref]) -> Ref:
    """Each element reads the operands where their labels agree with its own.

    ``equation`` as in NumPy, with ellipses, repeated labels and extents of 1.
    """
    terms, target = _labels(equation.replace(" ", ""), [len(ref.shape) for ref in tensors])
    extents: dict[str, int] = {}
    for term, ref in zip(terms, tensors, strict=True):
        for label, n in zip(term, ref.shape, strict=True):
            extents[label] = max(n, extents.get(label, 1))
    kept, operands = [], []
    for term, given in zip(terms, tensors, strict=True):
        ref = ctx.broadcast(given, tuple(extents[label] for label in term))
        while len(set(term)) < len(term):
            term, ref = _diagonal(ctx, term, ref)  # noqa: PLW2901 - one repeated label less each time
        kept.append(term)
        operands.append(ref)
    out = ctx.contract(f"{','.join(kept)}->{target}", *operands, support=_spared(kept, operands, target))
    spared = any(ref.known is not None and not ref.known.all() for ref in tensors)
    return ctx.add(Pointwise(), (out,), out.shape, "zero-coefficient") if spared else out


def _spared(terms: list[str], operands: list[Ref], target: str) -> tuple[str, str, Table] | None:
    """The first operand that is 0 in places, as the rows and columns that are left; its cut is then used up."""
    for place, (term, ref) in enumerate(zip(terms, operands, strict=True)):
        if ref.cut is None or not ref.zeroed:
            continue
        row, column = term[-2], term[-1]
        if (row in target) != (column in target):
            operands[place] = ref._replace(cut=None)
            return (row, column, support(ref.cut)) if row in target else (column, row, support(ref.cut.T))
    return None


def _labels(equation: str, ranks: list[int]) -> tuple[list[str], str]:
    """Labels of every operand and of the result; digits are those that an ellipsis stands for."""
    sources, arrow, target = equation.partition("->")
    terms = sources.split(",")
    widths = [rank - len(term.replace("...", "")) for term, rank in zip(terms, ranks, strict=True)]
    widest = max((w for w, term in zip(widths, terms, strict=True) if "..." in term), default=0)
    digits = "0123456789"[:widest]
    terms = [term.replace("...", digits[widest - w :]) for term, w in zip(terms, widths, strict=True)]
    if arrow:
        return terms, target.replace("...", digits)
    joined = "".join(terms)
    return terms, digits + "".join(sorted(c for c in set(joined) - set(digits) if joined.count(c) == 1))


def _diagonal(ctx: Builder, term: str, x: Ref) -> tuple[str, Ref]:
    """One label that an operand repeats, read along its diagonal; it comes last."""
    label = next(c for c in term if term.count(c) > 1)
    first, second = term.index(label), term.rindex(label)
    rest = [axis for axis in range(len(term)) if axis not in {first, second}]
    n = x.shape[first]
    moved = ctx.permute(x, [*rest, first, second])
    flat = ctx.reshape(moved, (*moved.shape[:-2], n * n))
    read = ctx.along(flat, {-1: (take(np.arange(n) * (n + 1), n * n), n)})
    return "".join(term[axis] for axis in rest) + label, read
