"""Where the results of commands that measure go: pictures, arrays, JSON, a page."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from eyeshot.cli.terminal import page
from eyeshot.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

PICTURES = (".png", ".pdf", ".svg")


def checked(output: Path | None) -> None:
    """Say before the work, not after it, that there is no way to write its result."""
    if output is not None and not output.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {str(output.parent)!r}", param_hint="--output")
    if output is not None and output.suffix not in (*PICTURES, ".npy"):
        raise typer.BadParameter(
            f"{output.name!r} is no picture ({', '.join(PICTURES)}) and no map (.npy)", param_hint="--output"
        )
    if output is not None and output.suffix != ".npy" and find_spec("matplotlib") is None:
        raise MissingExtraError(
            'pictures need matplotlib, which is not installed: pip install "eyeshot[plots]"'
        )


def drawn(output: Path, numbers: NDArray[Any], figure: Callable[[], Figure]) -> None:
    """Write the numbers (.npy), or a picture of them."""
    if output.suffix == ".npy":
        import numpy as np

        np.save(output, numbers)
    else:
        figure().savefig(output)


def told(place: str | None, document: Callable[[], Any], shown: Callable[[], Any]) -> str:
    """What stdout gets: a page, or JSON where that is asked for; a file of JSON is written beside the page."""
    if place is not None:
        text = dumps(document(), indent=1, default=str) + "\n"
        if place == "-":
            return text
        Path(place).write_text(text, encoding="utf-8")
    return page(shown())
