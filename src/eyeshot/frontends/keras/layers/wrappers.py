"""Layers around other layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eyeshot.errors import InputError
from eyeshot.frontends.keras.context import Context, lowers, tensors_in
from eyeshot.graph import Ref
from eyeshot.relations.tables import flip


@lowers("layers.TimeDistributed", masks=True)
def time_distributed(ctx: Context, x: Ref) -> Ref | list[Ref]:
    """Each step alone through the layer, as if steps were samples."""
    batch, steps = x.shape[:2]
    if len(x.shape) < 3:
        raise InputError(f"{ctx.options.where} needs steps of at least one feature, and was given {x.shape}")
    mask = ctx.mask
    if mask is not None:
        mask = ctx.reshape(mask, (-1, *mask.shape[2:]))
    out = ctx.inner(ctx.options.get("layer"), ctx.reshape(x, (batch * steps, *x.shape[2:])), mask=mask)
    parts = [ctx.reshape(part, (batch, steps, *part.shape[1:])) for part in tensors_in(out)]
    return parts if isinstance(out, list) else parts[0]


@lowers("layers.Bidirectional")
def bidirectional(ctx: Context, x: Ref, initial_state: Any = None) -> Ref | list[Ref]:
    """The layer forwards and backwards over all steps, side by side or summed."""
    forward, backward = ctx.options.get("layer"), ctx.options.get("backward_layer")
    if not isinstance(backward, Mapping):
        config = {**forward["config"], "go_backwards": not forward["config"].get("go_backwards")}
        backward = {**forward, "config": {**config, "name": f"backward_{config.get('name')}"}}
    states = tensors_in(initial_state)
    half = len(states) // 2
    sides, ends = [], []
    for data, own in ((forward, states[:half]), (backward, states[half:])):
        out = ctx.inner(data, x, mask=ctx.mask, **({"initial_state": own} if own else {}))
        sides.append(out[0] if isinstance(out, list) else out)
        ends += out[1:] if isinstance(out, list) else []
    inside = forward["config"]
    if inside.get("return_sequences"):
        sides[1] = ctx.along(sides[1], {1: (flip(x.shape[1]), x.shape[1])})
        ctx.call.output_masks = [ctx.mask]
    mode = ctx.options.get("merge_mode", "concat")
    if mode is None:
        outputs = sides
    elif mode == "concat":
        outputs = [ctx.concat(sides, -1)]
    else:
        outputs = [ctx.pointwise(*sides)]
    if not inside.get("return_state"):
        ends = []
    return [*outputs, *ends] if ends or mode is None else outputs[0]


@lowers("layers.SpectralNormalization")
def spectral_normalization(ctx: Context, x: Ref) -> Ref | list[Ref]:
    """The layer itself: only its weights are scaled."""
    result: Ref | list[Ref] = ctx.inner(ctx.options.get("layer"), x)
    ctx.own((tensors_in(result)[0].shape[-1],))
    return result


@lowers("layers.Pipeline")
def pipeline(ctx: Context, x: Ref) -> Ref:
    """One layer after another."""
    for data in ctx.options.get("layers"):
        x = ctx.inner(data, x)
    return x
