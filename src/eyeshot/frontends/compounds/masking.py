"""Arithmetic with static masks: -inf before a softmax, 0 after it, wherever constants say so."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod

import numpy as np
from numpy.typing import NDArray

from eyeshot.graph import Builder, Ref
from eyeshot.graph.graph import Shape
from eyeshot.graph.masks import cuts, cutting, masked, plain, with_cut
from eyeshot.relations import Pointwise


def mapped(ctx: Builder, x: Ref, *, zero_at_zero: bool = False, zero_at_minus_infinity: bool = False) -> Ref:
    """A function of each element; where that is 0 of 0 (of -inf), what is 0 (-inf) by construction is 0 after it."""
    if x.cut is not None and (zero_at_zero if x.zeroed else zero_at_minus_infinity):
        return x._replace(zeroed=True)
    return ctx.pointwise(x)


def add(ctx: Builder, terms: Sequence[tuple[Ref, float]], shape: Shape) -> Ref:
    """Each element reads all terms, given with their factors; a known -inf cuts the element out of the softmax to come."""
    out = ctx.pointwise(*(_opened(ref, shape) for ref, _ in terms), shape=shape)
    for ref, factor in terms:
        cut = (
            ref.cut
            if _waiting(ref, shape) or (ctx.is_constant(ref) and factor > 0 and not ref.zeroed)
            else None
        )
        if ref.known is not None and factor > 0:
            cut = cutting(ref.known)
        if cut is not None:
            out = with_cut(ctx, out, cut)
    return out


def multiply(ctx: Builder, x: Ref | float, y: Ref | float, shape: Shape) -> Ref:
    """Each element reads both factors, nothing where one is 0 by construction; a positive number keeps cuts."""
    out = divide(ctx, x, y, shape)
    for ref in (x, y):
        if isinstance(ref, Ref) and ref.known is not None and not ref.known.all():
            out = _zeroed(masked(ctx, out, ref.known != 0), ref.known != 0)
    return out


def divide(ctx: Builder, x: Ref | float, y: Ref | float, shape: Shape) -> Ref:
    """Each element reads both operands, nothing where ``x`` is 0 by construction; a positive number keeps cuts."""
    refs = [ref for ref in (x, y) if isinstance(ref, Ref)]
    number = y if isinstance(x, Ref) else x
    if isinstance(number, Ref) and number.known is not None and number.known.size == 1:
        number = float(number.known.item())
    if refs[0].cut is not None and refs[0].shape == shape and isinstance(number, int | float) and number > 0:
        return refs[0]
    nothing = refs[0].cut if refs[0].zeroed and refs[0] is x and x.shape == shape else None
    if nothing is not None:
        refs[0] = refs[0]._replace(cut=None, zeroed=False)
    out = ctx.pointwise(*refs, shape=shape)
    if nothing is not None and not ctx.is_constant(out):
        out = out._replace(cut=nothing, zeroed=True)
    return out


def where(ctx: Builder, condition: Ref, x: Ref, y: Ref, shape: Shape) -> Ref:
    """Each element reads the condition and both choices; a known condition leaves one choice an element."""
    if condition.known is None:
        hides = any(
            ref.known is not None and ref.known.size == 1 and cuts(ref.known.item()) for ref in (x, y)
        )
        return chosen(ctx, condition, [x, y], shape, hides=hides)
    if y.known is not None and y.known.size == 1 and cuts(y.known.item()):
        return filled(ctx, x, ~condition.known, float(y.known.item()), shape)
    if x.known is not None and x.known.size == 1 and cuts(x.known.item()):
        return filled(ctx, y, condition.known, float(x.known.item()), shape)
    if condition.known.all() or not condition.known.any():
        return ctx.broadcast(x if condition.known.any() else y, shape)
    choices = ((x, condition.known), (y, ~condition.known))
    parts = [masked(ctx, ctx.broadcast(ref, shape), mask) for ref, mask in choices]
    return ctx.pointwise(*parts, shape=shape)


def chosen(ctx: Builder, mask: Ref, choices: Sequence[Ref], shape: Shape, *, hides: bool) -> Ref:
    """Choices by a mask of unknown elements; where it ``hides`` what a softmax would read, that reads all still."""
    out = ctx.pointwise(mask, *choices, shape=shape)
    if not hides or ctx.is_constant(mask):
        return out
    return ctx.add(Pointwise(), (out,), out.shape, "data-dependent-mask")


def filled(ctx: Builder, x: Ref, mask: NDArray[np.bool_], value: float, shape: Shape) -> Ref:
    """``x`` with a constant where ``mask`` is set."""
    if not cuts(value):
        return masked(ctx, ctx.broadcast(x, shape), ~mask)
    wide = ctx.broadcast(x if _waiting(x, x.shape) else plain(ctx, x), shape)
    dead: NDArray[np.bool_] = np.logical_and.reduce(np.broadcast_to(mask, shape), axis=-1, keepdims=True)
    if value > -inf and dead.any():
        # A row filled whole with one finite number comes out of the softmax as one of equals.
        wide, mask = wide if _waiting(wide, shape) else masked(ctx, wide, ~dead), mask & ~dead
    return with_cut(ctx, wide, mask)


def triangle(ctx: Builder, x: Ref, diagonal: int = 0, *, lower: bool) -> Ref:
    """Elements of one triangle of the last two axes read themselves, the others are 0."""
    ones = np.ones(x.shape[-2:], bool)
    keep = np.tril(ones, diagonal) if lower else np.triu(ones, diagonal)
    return _zeroed(masked(ctx, x, keep), keep)


def _waiting(x: Ref, shape: Shape) -> bool:
    """Whether ``x`` is -inf in places and shaped as the result, which then is -inf there too."""
    return x.cut is not None and not x.zeroed and x.shape == shape


def _opened(x: Ref, shape: Shape) -> Ref:
    return x._replace(cut=None) if _waiting(x, shape) else x


def _zeroed(x: Ref, keep: NDArray[np.bool_]) -> Ref:
    """``x``, which is 0 outside ``keep``: a product to come needn't read there, where that is one matrix."""
    if len(x.shape) < 2 or prod(keep.shape[:-2]) > 1:
        return x
    wide = np.broadcast_to(keep, keep.shape[:-2] + x.shape[-2:]).reshape(x.shape[-2:])
    return x._replace(cut=~wide, zeroed=True)
