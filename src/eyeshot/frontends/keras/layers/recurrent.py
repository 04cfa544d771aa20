"""Recurrent layers: a step reads all steps before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eyeshot.frontends.compounds.recurrent import recurrent
from eyeshot.frontends.keras.configuration import LayerEntry, entry
from eyeshot.frontends.keras.context import Context, lowers, tensors_in
from eyeshot.frontends.keras.options import Options
from eyeshot.graph import Ref
from eyeshot.relations import All
from eyeshot.relations.tables import flip

GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of one of the three kinds: its units, gates and states, and its parameters for so many features."""

    units: int
    gates: int
    biases: int

    @property
    def states(self) -> int:
        """How many states go from step to step."""
        return 2 if self.gates == GATES["LSTM"] else 1

    def weights(self, features: int) -> int:
        """Weights that each step multiplies with."""
        return self.gates * self.units * (features + self.units)

    def parameters(self, features: int) -> int:
        """Weights and biases."""
        return self.weights(features) + self.gates * self.units * self.biases


def cell(kind: str, options: Options) -> Cell:
    """The cell that a configuration describes; ``kind`` is "LSTM", "LSTMCell", ..."""
    gates = GATES[kind.removesuffix("Cell")]
    biases = options.flag("use_bias", default=True) * (
        2 if gates == GATES["GRU"] and options.flag("reset_after") else 1
    )
    return Cell(options.features("units"), gates, biases)


def cells(ctx: Context, data: Any) -> list[Cell]:
    """The cells of an RNN layer, inside out: one, or those of a stack.

    Raises
    ------
    FileFormatError, UnsupportedOpError
        for what is no cell; for a cell of the user's own.
    """
    described: LayerEntry = entry(data, ctx.options.where)
    options = Options(described.config, f"{ctx.call.path}.{described.name}")
    if described.kind == "layers.StackedRNNCells":
        return [one for part in options.get("cells") for one in cells(ctx, part)]
    return [cell(described.short, options)]


@lowers("layers.LSTM", "layers.GRU", "layers.SimpleRNN")
def layer(ctx: Context, x: Ref, initial_state: Any = None) -> Ref | list[Ref]:
    """Each step reads all steps up to it, every feature, and the first states."""
    return run(ctx, x, [cell(ctx.call.name.removeprefix("layers."), ctx.options)], initial_state)


@lowers("layers.RNN")
def custom(ctx: Context, x: Ref, initial_state: Any = None) -> Ref | list[Ref]:
    """Each step reads all steps up to it, every feature, and the first states."""
    return run(ctx, x, cells(ctx, ctx.options.get("cell")), initial_state)


def run(ctx: Context, x: Ref, stack: Sequence[Cell], initial_state: Any) -> Ref | list[Ref]:
    """Cells on top of one another over all steps, in the order that the layer goes through them."""
    x = masked(ctx, x)
    backwards = ctx.options.flag("go_backwards")
    given = tensors_in(initial_state)
    states: list[Ref] = []
    for one in stack:
        ctx.call.parameters += one.parameters(x.shape[-1])
        ctx.call.macs += x.shape[0] * x.shape[1] * one.weights(x.shape[-1])
        own, given = given[: one.states], given[one.states :]
        firsts = [ctx.reshape(state, (1, *state.shape)) for state in own]
        x, last = recurrent(ctx, x, firsts, hidden=one.units, directions=(backwards,), time=1)
        states += [ctx.reshape(last, last.shape[1:])] * one.states
    return returned(ctx, x, states, backwards=backwards)


def masked(ctx: Context, x: Ref) -> Ref:
    """Steps that a mask may skip read the mask, too."""
    if ctx.mask is None:
        return x
    return ctx.pointwise(
        x, ctx.reshape(ctx.mask, (*ctx.mask.shape, *[1] * (len(x.shape) - len(ctx.mask.shape))))
    )


def returned(ctx: Context, steps: Ref, states: Sequence[Ref], *, backwards: bool) -> Ref | list[Ref]:
    """What the layer was asked for: every step (in the order it went through them) or the last one, and the states."""
    count = steps.shape[1]
    if ctx.options.flag("return_sequences"):
        out = ctx.along(steps, {1: (flip(count), count)}) if backwards and count > 1 else steps
        ctx.call.output_masks = [ctx.mask]
    else:
        last = 0 if backwards else count - 1
        out = ctx.reshape(ctx.slice(steps, 1, last, last + 1), (steps.shape[0], *steps.shape[2:]))
        ctx.call.output_masks = [None]
    return [out, *states] if ctx.options.flag("return_state") else out


@lowers("layers.LSTMCell", "layers.GRUCell", "layers.SimpleRNNCell")
def one_step(ctx: Context, x: Ref, states: Any) -> list[Any]:
    """One step by itself: each feature reads all of the input and of the hidden state, and its own cell state."""
    one = cell(ctx.call.name.removeprefix("layers."), ctx.options)
    out, news = stepped(ctx, x, [one], [tensors_in(states)])
    return [out, news[0]]


@lowers("layers.StackedRNNCells")
def one_stacked_step(ctx: Context, x: Ref, states: Any) -> list[Any]:
    """One step of several cells on top of one another."""
    stack = [one for part in ctx.options.get("cells") for one in cells(ctx, part)]
    out, news = stepped(ctx, x, stack, [tensors_in(each) for each in states])
    return [out, news]


def stepped(
    ctx: Context, x: Ref, stack: Sequence[Cell], states: Sequence[Sequence[Ref]]
) -> tuple[Ref, list[list[Ref]]]:
    """The output and the states of each cell after one step."""
    news = []
    for one, own in zip(stack, states, strict=True):
        ctx.call.parameters += one.parameters(x.shape[-1])
        ctx.call.macs += x.shape[0] * one.weights(x.shape[-1])
        mixed = [ctx.along(ref, {-1: (All(), one.units)}) for ref in (x, own[0])]
        x = ctx.pointwise(*mixed, *own[1:])
        news.append([x] * one.states)
    return x, news
