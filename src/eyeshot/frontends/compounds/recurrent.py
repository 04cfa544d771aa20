"""Recurrent layers, whole: a step reads all steps before it (or after it) and every feature."""

from __future__ import annotations

from collections.abc import Sequence

from eyeshot.graph import Builder, Ref
from eyeshot.relations import All, Prefix, Suffix


def recurrent(
    ctx: Builder,
    x: Ref,
    states: Sequence[Ref],
    *,
    hidden: int,
    layers: int = 1,
    directions: Sequence[bool] = (False,),
    time: int = 0,
) -> tuple[Ref, Ref]:
    """The output of the last layer, (..., time, ..., directions x ``hidden``), and the last states of all.

    ``directions`` has one entry each, True backwards. First ``states`` are (layers x directions, ..., features), a cell's
    behind the hidden one; what is computed in them is read by every step. The last states lie one behind another on a
    new first axis.
    """
    given = [(state, k > 0) for k, state in enumerate(states) if not ctx.is_constant(state)]
    lasts = []
    for layer in range(layers):
        sides = []
        for direction, backwards in enumerate(directions):
            number = layer * len(directions) + direction
            scan, end = (Suffix(), 0) if backwards else (Prefix(), x.shape[time] - 1)
            read = ctx.along(x, {time: (scan, x.shape[time]), -1: (All(), hidden)})
            starts = [
                _start(ctx, state, number, time, read.shape, backwards=backwards, own=own)
                for state, own in given
            ]
            side = ctx.pointwise(read, *starts, shape=read.shape)
            sides.append(side)
            last = ctx.slice(side, time, end, end + 1)
            lasts.append(ctx.permute(last, [time, *(a for a in range(len(last.shape)) if a != time)]))
        x = ctx.concat(sides, -1)
    return x, ctx.concat(lasts, 0)


def _start(
    ctx: Builder, state: Ref, number: int, time: int, shape: tuple[int, ...], *, backwards: bool, own: bool
) -> Ref:
    """One layer's first state, as every step reads it: all features; of a cell (``own``) at first one."""
    one = ctx.slice(state, 0, number, number + 1)
    moved = list(range(1, len(one.shape)))
    moved.insert(time, 0)
    one = ctx.permute(one, moved)
    mixed = ctx.along(one, {-1: (All(), shape[-1])})
    if not own or one.shape != mixed.shape or ctx.is_constant(one):
        return mixed
    later = ctx.broadcast(
        mixed, tuple(shape[time] - 1 if a == time else n for a, n in enumerate(mixed.shape))
    )
    return ctx.concat([later, one] if backwards else [one, later], time)
