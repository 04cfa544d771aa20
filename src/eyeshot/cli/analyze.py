"""``eyeshot analyze``: the fields of a model as a table, or as JSON."""

from __future__ import annotations

import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eyeshot.cli.terminal import errors_told, page, progress

if TYPE_CHECKING:
    from eyeshot.fields import Report
    from eyeshot.views.units import Unit


class View(StrEnum):
    """Which dependencies count."""

    full = "full"
    local = "local"


class OnUnknown(StrEnum):
    """What to do about ops without a lowering."""

    error = "error"
    dense = "dense"


def _shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        shape = (-1,)
    if min(shape) < 0:
        raise typer.BadParameter(f"{text!r} is no list of sizes such as 1,3,224,224")
    return shape


def _unit(text: str) -> Any:
    from eyeshot.views.units import parse

    try:
        return parse(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no unit such as 0,8,3,3 (or 0,*,3,3: * is all of an axis)"
        ) from None


def analyze(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="timm:NAME, torchvision:NAME (both take ?keyword=literal&...), package.module:factory "
            "or 'package.module:factory(1, depth=2)'.",
        ),
    ],
    input_size: Annotated[
        Any,
        typer.Option(
            parser=_shape, metavar="N,C,H,W", help="Shape of the input; many models know their own."
        ),
    ] = None,
    depth: Annotated[
        int | None, typer.Option(min=1, help="Levels of modules to show; by default what stays readable.")
    ] = None,
    layers: Annotated[
        str | None, typer.Option(metavar="GLOB", help="Show the modules (or else tensors) whose names fit.")
    ] = None,
    unit: Annotated[
        Any,
        typer.Option(
            parser=_unit,
            metavar="N,C,H,W",
            help="Show the box of this unit, in --layers or the outputs; * is all.",
        ),
    ] = None,
    about: Annotated[
        str | None, typer.Option("--input", metavar="NAME", help="The input that fields are about.")
    ] = None,
    layout: Annotated[str | None, typer.Option(help="Axis letters of that input, such as NHWC.")] = None,
    view: Annotated[View, typer.Option(help="local leaves out global context, such as gates.")] = View.full,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE.safetensors", help="Weights to load; fields do not depend on them."),
    ] = None,
    on_unknown: Annotated[
        OnUnknown,
        typer.Option(help="Refuse ops that have no lowering, or let them read everything, flagged."),
    ] = OnUnknown.error,
    json: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Write JSON there; with - print it instead of the table."),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Find the field of every layer of MODEL: where it starts, how large it is, how far apart units look."""
    if sys.path[0] != str(Path.cwd()):
        sys.path.insert(0, str(Path.cwd()))  # factories are looked for here, as python -m does
    with errors_told(debug):
        began = time.perf_counter()
        with progress(f"Reading {model}"):
            from eyeshot.pipeline import analyze as read

            report = read(
                model,
                input_size,
                input=about,
                layout=layout,
                on_unknown=on_unknown.value,
                weights=None if weights is None else str(weights),
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
