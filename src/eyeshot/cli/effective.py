"""``eyeshot effective``: what a unit uses of what it may see, as numbers and as a picture."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from eyeshot.cli import options, results
from eyeshot.cli.terminal import counted, errors_told, look_here

RANDOM = 16
"""Random images where none are given."""


class Protocol(StrEnum):
    """How gradients become a map."""

    plain = "plain"
    replknet = "replknet"
    replknet_linear = "replknet-linear"
    vmamba = "vmamba"
    openerf = "openerf"
    luo2016 = "luo2016"


class Method(StrEnum):
    """How an effective field is estimated."""

    gradient = "gradient"
    analytic = "analytic"


_METHOD = "Average gradients over images, or propagate their moments (analytic; photographs calibrate it)."
_PICTURES = "Photographs or folders of them; without any, random ones."
_LAYER = "The layer; by default the last one whose units have places."
_UNIT = "A unit of it, * for all of an axis; by default the middle, all channels."
_PROTOCOL = "How gradients become a map, as published; figures of different protocols do not compare."
_IMAGES = f"How many images to use: the first of those given, or so many random ones ({RANDOM})."
_TOLERANCE = "Stop once the relative standard error is at most this."


def effective(
    model: options.Model,
    pictures: Annotated[list[Path] | None, typer.Argument(metavar="IMAGES", help=_PICTURES)] = None,
    layer: Annotated[str | None, typer.Option(help=_LAYER)] = None,
    unit: Annotated[Any, typer.Option(parser=options.unit_index, metavar="N,C,H,W", help=_UNIT)] = None,
    protocol: Annotated[Protocol, typer.Option(help=_PROTOCOL)] = Protocol.plain,
    method: Annotated[Method, typer.Option(help=_METHOD)] = Method.gradient,
    images: Annotated[int | None, typer.Option(min=1, help=_IMAGES)] = None,
    tolerance: Annotated[float | None, typer.Option(min=0, help=_TOLERANCE)] = None,
    seed: Annotated[int, typer.Option(help="What random images are drawn with.")] = 0,
    input_size: options.InputSize = None,
    weights: options.Loaded = None,
    memory: options.Memory = 2048,
    output: options.Output = None,
    json: options.Json = None,
    debug: options.Debug = False,
) -> None:
    """Measure what a unit of MODEL uses of what it may see, on IMAGES."""
    look_here(model)
    with errors_told(debug):
        results.checked(output)
        began = time.perf_counter()
        with counted(f"Measuring {model}") as advance:
            from eyeshot.effective import effective_field
            from eyeshot.effective.images import listed
            from eyeshot.views.effective import Effective
            from eyeshot.views.effective_plots import figure

            field = effective_field(
                model,
                listed(pictures)[:images] if pictures else images or RANDOM,
                layer,
                "center" if unit is None else unit,
                method=method.value,
                protocol=protocol.value,
                tolerance=tolerance,
                seed=seed,
                memory=memory << 20,
                progress=advance,
                input_size=options.sizes(input_size),
                weights=None if weights is None else str(weights),
            )
        seconds = time.perf_counter() - began
        if output is not None:
            results.drawn(output, field.map, lambda: figure(field))
        typer.echo(results.told(json, field.to_dict, lambda: Effective(field, seconds)), nl=False)
