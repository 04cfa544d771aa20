"""Normalisations: each element with the statistics that it is scaled by; the identity path survives."""

from __future__ import annotations

from string import ascii_lowercase
from typing import TYPE_CHECKING

from eyeshot.graph.masks import support

if TYPE_CHECKING:
    from eyeshot.graph import Builder, Ref


def scaled(ctx: Builder, x: Ref, *weights: Ref | None, axis: int | None = 1) -> Ref:
    """``x`` with weight and bias; computed ones lie along ``axis`` (None: the last axes)."""
    read = [w for w in weights if w is not None and not ctx.is_constant(w)]
    if axis is None:
        return ctx.pointwise(x, *read)
    rest = (1,) * (len(x.shape) - axis - 1)
    return ctx.pointwise(x, *(ctx.reshape(w, (*w.shape, *rest)) for w in read))


def grouped(ctx: Builder, x: Ref, groups: int) -> tuple[Ref, Ref]:
    """``x`` (N, C, ...) normalised over each group of channels and all positions, and the statistics that took."""
    split = ctx.reshape(x, (x.shape[0], groups, x.shape[1] // groups, *x.shape[2:]))
    summary = ctx.reduce(split, range(2, len(split.shape)))
    return ctx.reshape(ctx.pointwise(split, summary), x.shape), summary


def softmax(ctx: Builder, x: Ref, axis: int, *, log: bool = False) -> Ref:
    """Each element reads itself and a summary of its axis; cut elements stay out, and come out as 0 unless ``log``."""
    if not x.shape:
        return x
    if x.cut is None or x.zeroed or axis % len(x.shape) != len(x.shape) - 1:
        return ctx.normalise(x, [axis])
    cut = x.cut & ~x.cut.all(-1, keepdims=True)  # a row of minima comes out as one of equals
    opened = x._replace(cut=None)
    outer = ascii_lowercase[: len(x.shape) - 2]
    summary = ctx.contract(f"{outer}yz->{outer}y", opened, support=("y", "z", support(cut)))
    out = ctx.pointwise(opened, ctx.reshape(summary, (*x.shape[:-1], 1)))
    return out._replace(cut=cut, zeroed=not log)
