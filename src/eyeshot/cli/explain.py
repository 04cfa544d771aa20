"""``eyeshot explain``: how a field comes about."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, cast

import typer

from eyeshot.cli import options
from eyeshot.cli.terminal import errors_told, look_here, page, progress


class Format(StrEnum):
    """What the explanation is written in."""

    text = "text"
    markdown = "markdown"
    latex = "latex"


_LAYER = "The layer to explain; by default the first output."
_UNIT = "Follow this unit of it, and show where clipping sets in; * is all."
_FORMAT = "latex writes align* environments."


def explain(
    model: options.Model,
    layer: Annotated[str | None, typer.Option(metavar="NAME", help=_LAYER)] = None,
    unit: Annotated[Any, typer.Option(parser=options.unit_index, metavar="N,C,H,W", help=_UNIT)] = None,
    format: Annotated[Format, typer.Option(help=_FORMAT)] = Format.text,  # noqa: A002 - the option's name
    input_size: options.InputSize = None,
    about: options.About = None,
    axes: options.Axes = "spatial",
    layout: options.Layout = None,
    view: options.Shown = options.View.full,
    on_unknown: options.OnUnknown = options.Unknown.error,
    trust: options.Trust = False,
    debug: options.Debug = False,
) -> None:
    """Tell how the field of a layer of MODEL comes about: the recurrence, step by step, with the numbers put in."""
    look_here(model, trusted=trust)
    with errors_told(debug):
        with progress(f"Reading {model}"):
            from eyeshot.pipeline import analyze
            from eyeshot.views.explain import told
            from eyeshot.views.explained import Explanation
            from eyeshot.views.ways import Explained

            report = analyze(
                model,
                options.sizes(input_size),
                input=about,
                axes=axes,
                layout=layout,
                on_unknown=on_unknown.value,
                trust=trust,
            ).view(view.value)
        with progress("Following the fields"):
            explained = Explained(report, layer, unit)
            text = format is Format.text
            shown = page(Explanation(explained)) if text else told(explained, cast("Any", format.value))
        typer.echo(shown, nl=False)
