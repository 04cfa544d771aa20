"""``eyeshot analyze``: the fields of a model as a table, or as JSON."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from eyeshot.cli import options
from eyeshot.cli.terminal import errors_told, look_here, page, progress

if TYPE_CHECKING:
    from eyeshot.fields import Report
    from eyeshot.views.units import Unit


def analyze(
    model: options.Model,
    input_size: options.InputSize = None,
    depth: options.Depth = None,
    layers: options.Layers = None,
    unit: options.OneUnit = None,
    about: options.About = None,
    axes: options.Axes = "spatial",
    layout: options.Layout = None,
    view: options.Shown = options.View.full,
    weights: options.Weights = None,
    on_unknown: options.OnUnknown = options.Unknown.error,
    trust: options.Trust = False,
    json: options.Json = None,
    debug: options.Debug = False,
) -> None:
    """Find the field of every layer of MODEL: where it starts, how large it is, how far apart units look."""
    look_here(model, trusted=trust)
    with errors_told(debug):
        began = time.perf_counter()
        with progress(f"Reading {model}"):
            from eyeshot.pipeline import analyze as read

            report = read(
                model,
                options.sizes(input_size),
                input=about,
                axes=axes,
                layout=layout,
                on_unknown=on_unknown.value,
                weights=None if weights is None else str(weights),
                trust=trust,
            ).view(view.value)
        seconds = time.perf_counter() - began
        with progress("Finding the fields"):
            document = "" if json is None else _document(report, layers, unit)
            shown = document if json == "-" else _table(report, depth, layers, unit, seconds)
        if json not in (None, "-"):
            _save(document, json)
        typer.echo(shown, nl=False)


def _save(document: str, place: str) -> None:
    try:
        Path(place).write_text(document, encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"cannot write {place!r}: {error.strerror}", param_hint="--json") from error


def _table(report: Report, depth: int | None, layers: str | None, unit: Unit | None, seconds: float) -> str:
    from eyeshot.views.text import Summary
    from eyeshot.views.units import Units

    return page(Summary(report, depth, layers, seconds) if unit is None else Units(report, unit, layers))


def _document(report: Report, layers: str | None, unit: Unit | None) -> str:
    from json import dumps

    from eyeshot.views.rows import matching
    from eyeshot.views.units import Units

    document = report.to_dict()
    if layers is not None:
        names = {row.field.name for row in matching(report, layers)}
        for part in ("modules", "tensors"):
            document[part] = [each for each in document[part] if each["name"] in names]
    if unit is not None:
        document["units"] = Units(report, unit, layers).records()
    return dumps(document, indent=1) + "\n"
