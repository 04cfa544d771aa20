"""Convolutional LSTMs: what a step sees of an earlier one grows with every step between them."""

from __future__ import annotations

from math import prod
from typing import Any

from eyeshot.frontends.keras.context import Context, lowers, tensors_in
from eyeshot.frontends.keras.layers.convolution import window, windows
from eyeshot.frontends.keras.layers.layout import Maps
from eyeshot.frontends.keras.layers.pooling import named
from eyeshot.frontends.keras.layers.recurrent import masked, returned
from eyeshot.graph import Ref
from eyeshot.relations import All, Prefix

MOST_STEPS = 64
"""Steps that are written out one by one; more are taken to see all of space at every earlier step."""


@lowers(*named("ConvLSTM{}D"))
def conv_lstm(ctx: Context, x: Ref, initial_state: Any = None) -> Ref | list[Ref]:
    """Each step reads a window of its own frame, and a window of what the step before it put out."""
    options, rank = ctx.options, len(x.shape) - 3
    x = masked(ctx, x)
    filters = options.features("filters")
    frame = (x.shape[0], *x.shape[2:])
    like = ctx.constant(frame)
    maps, kernel = windows(ctx, like, rank, padding=options.choice("padding", "valid", "same"))
    channel = next(axis for axis in range(1, rank + 2) if axis not in maps)
    ctx.own((*kernel, frame[channel], 4 * filters), (*kernel, filters, 4 * filters))
    ctx.call.parameters += 4 * filters * options.flag("use_bias", default=True)
    given = tensors_in(initial_state)
    backwards = options.flag("go_backwards")
    inputs = ctx.along(
        x, {channel + 1: (All(), filters), **{axis + 1: value for axis, value in maps.items()}}
    )
    out_shape = (inputs.shape[0], *inputs.shape[2:])
    places = prod(out_shape) // out_shape[channel]
    ctx.call.macs += x.shape[1] * places * prod(kernel) * (frame[channel] + filters) * 4 * filters
    back: Maps = {axis: window(out_shape[axis], k, 1, 1, "same", options.where)
                  for axis, k in zip(maps, kernel, strict=True)}  # fmt: skip
    back[channel] = (All(), filters)
    if x.shape[1] > MOST_STEPS:
        return _whole(ctx, inputs, maps, backwards=backwards)
    carried, state = (*given, None, None)[:2]
    order = range(x.shape[1] - 1, -1, -1) if backwards else range(x.shape[1])
    steps: dict[int, Ref] = {}
    for step in order:
        gates = [ctx.reshape(ctx.slice(inputs, 1, step, step + 1), out_shape)]
        if carried is not None:
            gates.append(ctx.along(carried, back))
        state = ctx.pointwise(*gates, *([state] if state is not None else []))
        carried = steps[step] = state
    every = ctx.concat(
        [ctx.reshape(steps[step], (out_shape[0], 1, *out_shape[1:])) for step in sorted(steps)], 1
    )
    last = steps[order[-1]]
    return returned(ctx, every, [last, last], backwards=backwards)


def _whole(ctx: Context, inputs: Ref, maps: Maps, *, backwards: bool) -> Ref | list[Ref]:
    """Too many steps to write out: all of space at every step before (behind, where it goes backwards)."""
    from eyeshot.relations import Suffix

    count = inputs.shape[1]
    spread: Maps = {axis + 1: (All(), inputs.shape[axis + 1]) for axis in maps}
    scan = Suffix() if backwards else Prefix()
    every = ctx.along(inputs, {1: (scan, count), **spread}, reason="many-steps")
    at = 0 if backwards else count - 1
    last = ctx.reshape(ctx.slice(every, 1, at, at + 1), (every.shape[0], *every.shape[2:]))
    return returned(ctx, every, [last, last], backwards=backwards)
