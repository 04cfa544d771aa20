"""From a report to a model that can be run: arguments of its own kind, on the device and in the dtype of its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from eyeshot.errors import InputError
from eyeshot.execution.running import Setup, swapped
from eyeshot.frontends.spec import frontend as spec
from eyeshot.frontends.torch.capture import named_inputs
from eyeshot.frontends.torch.modules import unwrap
from eyeshot.frontends.torch.zoo import as_given, load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eyeshot.fields import Report


def set_up(
    model: Any, report: Report, seed: int, inputs: Any, kwargs: Mapping[str, Any] | None, weights: str | None
) -> Setup:
    """The model with arguments of its own kind, on the device and in the dtype of its weights."""
    if spec.accepts(model):
        model = spec.load(model).build("torch", report.input_shape)
    loaded = load(model, weights, initialised=True) if isinstance(model, str) else as_given(model)
    module = unwrap(loaded.model)
    held = next(iter(module.parameters()), None)
    if held is not None and held.is_meta:
        raise InputError(
            f"{report.model} is on the meta device, without weights: a proof runs the model for real"
        )
    generator = torch.Generator().manual_seed(seed)
    args = (tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)) if inputs is not None else ()
    if inputs is None and len(report.graph.inputs) > len(kwargs or {}):
        args = loaded.arguments(torch.empty(_example(report, loaded.takes)))
    named = named_inputs(module, args, dict(kwargs or {}))
    if set(named) != set(report.graph.inputs) or report.input not in named:
        raise InputError(
            f"the report of {report.model} has the inputs {', '.join(report.graph.inputs)}: pass inputs= (and kwargs=) "
            "as to analyze, with real elements"
        )
    if inputs is None:
        drawn = {id(t): _drawn(t, held, generator) for t in named.values() if t.is_floating_point()}
        args = swapped(args, drawn)
        named = named_inputs(module, args, dict(kwargs or {}))
    x = named[report.input]
    if tuple(x.shape) != report.input_shape or x.is_meta:
        raise InputError(
            f"input {report.input!r} has shape {tuple(x.shape)}{' and no elements' if x.is_meta else ''}, the report "
            f"is about {report.input_shape}: pass inputs= as to analyze, with real elements"
        )
    return Setup(module, args, dict(kwargs or {}), x)


def _example(report: Report, takes: str) -> tuple[int, ...]:
    """The shape that the one input is made of: images of a detector come with a batch axis before them."""
    shape = report.input_shape
    return (len(report.graph.inputs), *shape) if takes == "images" and len(report.graph.inputs) > 1 else shape


def _drawn(tensor: Tensor, like: Tensor | None, generator: torch.Generator) -> Tensor:
    drawn = torch.rand(tensor.shape, generator=generator)
    return drawn if like is None or not like.is_floating_point() else drawn.to(like.device, like.dtype)
