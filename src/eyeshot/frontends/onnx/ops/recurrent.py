"""Recurrent layers: a step reads all steps before it (or after it) and every feature."""

from __future__ import annotations

from math import prod

from eyeshot.frontends.compounds import recurrent as compounds
from eyeshot.frontends.onnx.context import Context, lowers
from eyeshot.graph import Ref

DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}


@lowers("RNN", "GRU")
def recurrent(
    ctx: Context,
    x: Ref,
    weight: Ref,
    recurrence: Ref,
    bias: Ref | None = None,
    lengths: Ref | None = None,
    first: Ref | None = None,
    *,
    direction: str = "forward",
    layout: int = 0,
) -> list[Ref]:
    """Each step reads all steps up to it, every feature, and the first state."""
    given = [weight, recurrence, bias]
    return _layer(ctx, x, given, lengths, [first], direction, layout)[:2]


@lowers("LSTM")
def lstm(
    ctx: Context,
    x: Ref,
    weight: Ref,
    recurrence: Ref,
    bias: Ref | None = None,
    lengths: Ref | None = None,
    first: Ref | None = None,
    first_cell: Ref | None = None,
    peepholes: Ref | None = None,
    *,
    direction: str = "forward",
    layout: int = 0,
) -> list[Ref]:
    """As `recurrent`, with a cell."""
    given = [weight, recurrence, bias, peepholes]
    return _layer(ctx, x, given, lengths, [first, first_cell], direction, layout)


def _layer(
    ctx: Context,
    x: Ref,
    weights: list[Ref | None],
    lengths: Ref | None,
    states: list[Ref | None],
    direction: str,
    layout: int,
) -> list[Ref]:
    """All steps (time, directions, batch, hidden), and the last states (directions, batch, hidden) of output and cell."""
    if layout:
        x = ctx.permute(x, (1, 0, 2))
        states = [state and ctx.permute(state, (1, 0, 2)) for state in states]
    recurrence = weights[1]
    assert recurrence is not None
    directions, hidden = recurrence.shape[0], recurrence.shape[-1]
    ctx.macs += x.shape[0] * x.shape[1] * sum(prod(w.shape) for w in weights[:2] if w is not None)
    shape = (directions, x.shape[1], hidden)
    read = [ctx.constant(shape) if state is None else state for state in states]
    out, last = compounds.recurrent(ctx, x, read, hidden=hidden, directions=DIRECTIONS[direction])
    steps = ctx.permute(ctx.reshape(out, (*out.shape[:2], directions, hidden)), (0, 2, 1, 3))
    learned = [
        ctx.flagged(ctx.reduce(w, range(len(w.shape)), keep=False, summarises=False), "computed-weights")
        for w in weights
        if w is not None and not ctx.is_constant(w)
    ]
    if lengths is not None and not _full(ctx, x.shape[0]):
        learned.append(ctx.reshape(lengths, (lengths.shape[0], 1)))
        steps, last = _any_length(ctx, steps, last)
    steps = ctx.pointwise(steps, *learned, shape=steps.shape)
    last = ctx.pointwise(last, *learned, shape=last.shape)
    if layout:
        steps, last = ctx.permute(steps, (2, 0, 1, 3)), ctx.permute(last, (1, 0, 2))
    return [steps, last, last]


def _full(ctx: Context, steps: int) -> bool:
    """Whether every sample is known to have all steps."""
    known = ctx.known(4)
    return known is not None and bool((known == steps).all())


def _any_length(ctx: Context, steps: Ref, last: Ref) -> tuple[Ref, Ref]:
    """Samples that end early leave steps out, and their last state is an earlier one: all steps count."""
    whole = ctx.reduce(steps, [0], keep=False, summarises=False)
    reason = "data-dependent-shape"
    return ctx.flagged(steps, reason), ctx.flagged(ctx.pointwise(last, whole), reason)
