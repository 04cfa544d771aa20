"""``eyeshot occlude``: what covering parts of an image takes from a logit or a unit."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from eyeshot.cli import options, results
from eyeshot.cli.terminal import counted, errors_told, look_here

_IMAGE = "A photograph."
_CLASS = "The logit to watch; by default the largest."
_LAYER = "Watch a unit of this layer instead (--unit)."
_UNIT = "The unit, * for all of an axis."
_WINDOW = "Extent of a window: a number, or one for each axis."
_STRIDE = "Steps between windows."
_BASELINE = "What covers: a number, one for each channel (0.1,0.2,0.3), mean, blur or noise."


def _sizes(text: str) -> Any:
    sizes = options.extents(text)
    return sizes[0] if len(sizes) == 1 else sizes


def _baseline(text: str) -> Any:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return text
    return numbers[0] if len(numbers) == 1 else numbers


def occlude(
    model: options.Model,
    picture: Annotated[Path, typer.Argument(metavar="IMAGE", help=_IMAGE)],
    logit: Annotated[int | None, typer.Option("--class", help=_CLASS)] = None,
    layer: Annotated[str | None, typer.Option(help=_LAYER)] = None,
    unit: Annotated[Any, typer.Option(parser=options.unit_index, metavar="N,C,H,W", help=_UNIT)] = None,
    window: Annotated[Any, typer.Option(parser=_sizes, metavar="H,W", help=_WINDOW)] = "16",
    stride: Annotated[Any, typer.Option(parser=_sizes, metavar="H,W", help=_STRIDE)] = "8",
    baseline: Annotated[Any, typer.Option(parser=_baseline, metavar="BASELINE", help=_BASELINE)] = "mean",
    seed: Annotated[int, typer.Option(help="What noise is drawn with.")] = 0,
    weights: options.Loaded = None,
    memory: options.Memory = 2048,
    output: options.Output = None,
    json: options.Json = None,
    debug: options.Debug = False,
) -> None:
    """Cover one window of IMAGE after the other, and see what that takes from a logit or a unit of MODEL."""
    look_here(model)
    if (layer is None) != (unit is None):
        raise typer.BadParameter("--layer and --unit go together", param_hint="--unit")
    with errors_told(debug):
        results.checked(output)
        began = time.perf_counter()
        with counted(f"Covering {picture.name}") as advance:
            from eyeshot.effective import occlude as run
            from eyeshot.views.occlusion import Occluded, figure

            found = run(
                model,
                picture,
                logit if layer is None else (layer, unit),
                window,
                stride,
                baseline,
                seed=seed,
                memory=memory << 20,
                progress=advance,
                weights=None if weights is None else str(weights),
            )
        seconds = time.perf_counter() - began
        if output is not None:
            results.drawn(output, found.effects, lambda: figure(found))
        typer.echo(results.told(json, found.to_dict, lambda: Occluded(found, seconds)), nl=False)
