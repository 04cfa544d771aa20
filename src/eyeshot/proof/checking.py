"""`verify`: random units of a report, checked on the user's own model."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from eyeshot.errors import InputError, QuestionError
from eyeshot.fields.proof import Proof
from eyeshot.frontends.torch.capture import named_inputs
from eyeshot.frontends.torch.modules import unwrap
from eyeshot.frontends.torch.zoo import as_given, load
from eyeshot.proof.blind import spots
from eyeshot.proof.compare import GRADIENT, NAN, Comparison, Tally
from eyeshot.proof.gradient import record
from eyeshot.proof.running import Setup, explained, swapped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eyeshot.fields import Report


def verify(
    model: Any,
    report: Report,
    units: int = 64,
    seed: int = 0,
    *,
    elements: int = 4,
    inputs: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    weights: str | None = None,
) -> Proof:
    """As `eyeshot.proof.verify`, which documents it and needs no framework to be imported."""
    began = perf_counter()
    if report.shown != "full":
        raise QuestionError(
            "a proof is about full fields, not those without global context: pass report.view('full')"
        )
    if units < 0 or elements < 0:
        raise QuestionError(f"units={units} and elements={elements} are numbers of things to check, from 0")
    setup = _setup(model, report, seed, inputs, kwargs, weights)
    with setup.unchanged(seed):
        with explained(report.model):
            recording = record(setup)
        comparison = Comparison(report, setup, recording, seed)
        gradient = comparison.gradients(units)
        nan = Tally(NAN)
        if setup.x.is_floating_point() and not recording.scalars:
            nan = comparison.nan(elements)
    tallies = (nan, gradient)
    return Proof(
        model=report.model,
        input=report.input,
        seed=seed,
        units=units,
        elements=elements,
        oracles=tuple(tally.done() for tally in tallies),
        mismatches=tuple(each for tally in tallies for each in tally.mismatches),
        blind_spots={NAN: spots(comparison, nan, NAN), GRADIENT: spots(comparison, gradient, GRADIENT)},
        seconds=perf_counter() - began,
    )


def _setup(
    model: Any, report: Report, seed: int, inputs: Any, kwargs: Mapping[str, Any] | None, weights: str | None
) -> Setup:
    """The model with arguments of its own kind, on the device and in the dtype of its weights."""
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
