"""Recurrent layers, recorded whole: a step reads all steps before it (or after it) and every feature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eyeshot.frontends.compounds.recurrent import recurrent as layered
from eyeshot.frontends.torch.context import Context, lowers, tensors_in
from eyeshot.graph import Ref
from eyeshot.relations import All


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
    directions = (False, True) if bidirectional else (False,)
    hidden = ctx.output_shape[-1] // len(directions)
    time = 0 if not batch_first or len(x.shape) == 2 else 1
    return layered(ctx, x, states, hidden=hidden, layers=layers, directions=directions, time=time)


def _resized(ctx: Context, last: Ref, features: int) -> Ref:
    """A cell state is wider than a projected output; every feature of either reads the same."""
    return last if last.shape[-1] == features else ctx.along(last, {-1: (All(), features)})


@lowers("aten.lstm.data", "aten.gru.data", "aten.rnn_tanh.data", "aten.rnn_relu.data")
def packed(ctx: Context, *args: Any, **kwargs: Any) -> list[Ref]:
    """Each packed step may read every other: which sample it belongs to is not held in the tensor."""
    refs = tensors_in([args, kwargs])
    return [ctx.dense(refs, shape, "packed-sequence") for shape in ctx.output_shapes]
