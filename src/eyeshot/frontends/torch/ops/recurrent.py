"""Recurrent layers, recorded whole: a step reads all steps before it (or after it) and every feature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eyeshot.frontends.torch.context import Context, lowers, tensors_in
from eyeshot.graph import Ref
from eyeshot.relations import All, Prefix, Suffix


@lowers("aten.lstm.input")
def lstm(
    ctx: Context,
    x: Ref,
    hx: Sequence[Ref],
    params: Sequence[Ref],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> list[Ref]:
    """Each step reads all steps up to it, every feature, and the first states."""
    out, last = _layers(ctx, x, hx, num_layers, bidirectional, batch_first)
    return [out, *(_resized(ctx, last, shape[-1]) for shape in ctx.output_shapes[1:])]


@lowers("aten.gru.input", "aten.rnn_tanh.input", "aten.rnn_relu.input")
def recurrent(
    ctx: Context,
    x: Ref,
    hx: Ref,
    params: Sequence[Ref],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> list[Ref]:
    """Each step reads all steps up to it, every feature, and the first state."""
    return list(_layers(ctx, x, [hx], num_layers, bidirectional, batch_first))


def _layers(
    ctx: Context,
    x: Ref,
    states: Sequence[Ref],
    layers: int,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Ref, Ref]:
    """The output of the last layer and the last states of all."""
    given = [(state, k > 0) for k, state in enumerate(states) if not ctx.is_constant(state)]
    time = 0 if not batch_first or len(x.shape) == 2 else 1
    directions = 2 if bidirectional else 1
    hidden = ctx.output_shape[-1] // directions
    lasts = []
    for layer in range(layers):
        sides = []
        for direction in range(directions):
            number = layer * directions + direction
            scan, end = (Suffix(), 0) if direction else (Prefix(), x.shape[time] - 1)
            read = ctx.along(x, {time: (scan, x.shape[time]), -1: (All(), hidden)})
            starts = [_start(ctx, s, number, time, read.shape, directions, own=own) for s, own in given]
            side = ctx.pointwise(read, *starts, shape=read.shape)
            sides.append(side)
            last = ctx.slice(side, time, end, end + 1)
            lasts.append(ctx.permute(last, [time, *(a for a in range(len(last.shape)) if a != time)]))
        x = ctx.concat(sides, -1)
    return x, ctx.concat(lasts, 0)


def _start(
    ctx: Context, state: Ref, number: int, time: int, shape: tuple[int, ...], directions: int, *, own: bool
) -> Ref:
    """One layer's first state, as every step reads it: all features; of a cell (``own``) at first one."""
    one = ctx.slice(state, 0, number, number + 1)
    moved = list(range(1, len(one.shape)))
    moved.insert(time, 0)
    one = ctx.permute(one, moved)
    mixed = ctx.along(one, {-1: (All(), shape[-1])})
    steps, backwards = shape[time], number % directions == 1
    if not own or one.shape != mixed.shape or ctx.is_constant(one):
        return mixed
    later = ctx.broadcast(mixed, tuple(steps - 1 if a == time else n for a, n in enumerate(mixed.shape)))
    return ctx.concat([later, one] if backwards else [one, later], time)


def _resized(ctx: Context, last: Ref, features: int) -> Ref:
    """A cell state is wider than a projected output; every feature of either reads the same."""
    return last if last.shape[-1] == features else ctx.along(last, {-1: (All(), features)})


@lowers("aten.lstm.data", "aten.gru.data", "aten.rnn_tanh.data", "aten.rnn_relu.data")
def packed(ctx: Context, *args: Any, **kwargs: Any) -> list[Ref]:
    """Each packed step may read every other: which sample it belongs to is not held in the tensor."""
    refs = tensors_in([args, kwargs])
    return [ctx.dense(refs, shape, "packed-sequence") for shape in ctx.output_shapes]
