"""``eyeshot verify``: a report of a model, checked on the model itself."""

from __future__ import annotations

from typing import Annotated

import typer

from eyeshot.cli import options
from eyeshot.cli.terminal import errors_told, look_here, page, progress

DIFFERENT = 9
"""Exit status where something differs."""

_UNITS = "Random units to check by gradients."
_ELEMENTS = "Random places of the input to poison, beside one slab an axis and side."
_SEED = "What they are drawn with."


def verify(
    model: options.Model,
    input_size: options.InputSize = None,
    units: Annotated[int, typer.Option(min=0, help=_UNITS)] = 64,
    elements: Annotated[int, typer.Option(min=0, help=_ELEMENTS)] = 4,
    seed: Annotated[int, typer.Option(help=_SEED)] = 0,
    about: options.About = None,
    layout: options.Layout = None,
    weights: options.Weights = None,
    on_unknown: options.OnUnknown = options.Unknown.error,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    debug: options.Debug = False,
) -> None:
    """Check MODEL's fields on the model itself, by a NaN probe and linearised gradients. Exit status 9: they differ."""
    look_here(model)
    with errors_told(debug):
        path = None if weights is None else str(weights)
        with progress(f"Reading {model}"):
            from eyeshot.pipeline import analyze

            report = analyze(
                model,
                options.sizes(input_size),
                input=about,
                layout=layout,
                on_unknown=on_unknown.value,
                weights=path,
            )
        with progress("Running it"):
            from eyeshot.proof import verify as check

            proof = check(model, report, units, seed, elements=elements, weights=path)
        if json:
            from json import dumps

            shown = dumps(proof.to_dict(), indent=1) + "\n"
        else:
            from eyeshot.views.proofs import Checked

            shown = page(Checked(proof))
        typer.echo(shown, nl=False)
        if proof.mismatches:
            raise typer.Exit(DIFFERENT)
