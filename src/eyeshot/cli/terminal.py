"""What commands share: consoles, progress, and errors that end in a message and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from eyeshot.errors import EyeshotError

if TYPE_CHECKING:
    from rich.console import RenderableType

PIPED = 160
"""Columns of a table that goes to a file or a pipe."""


_PLAIN = str.maketrans("≠≤†‡~├└│╴─·⋅×−←→…", "!<*#~|'|--|*x-=>:")


def look_here(model: str, *, trusted: bool = False) -> None:
    """Find the factory that a reference names in this folder too, as ``python -m`` does.

    For nothing else: beside a stranger's file there may be a stranger's ``numpy.py``.
    """
    scheme, colon, _ = model.partition(":")
    factory = colon and scheme not in {"spec", "timm", "torchvision"} and not Path(model).exists()
    if (factory or trusted) and sys.path[0] != str(Path.cwd()):
        sys.path.insert(0, str(Path.cwd()))


def page(renderable: RenderableType) -> str:
    """What stdout is to show, as wide as the terminal (or COLUMNS), a wide page in a pipe."""
    from rich.console import Console

    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED
    console = Console(width=wide, highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(renderable)
    text = "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"
    return text if "utf" in console.encoding else text.translate(_PLAIN)


@contextmanager
def progress(what: str) -> Iterator[None]:
    """A moving line with the seconds passed, on a terminal's stderr alone; gone afterwards."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        bar.add_task(what, total=None)
        yield


@contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time that is left, on a terminal's stderr alone; gives the function that takes (done, all)."""
    if not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, whole: bar.update(task, completed=done, total=whole)


@contextmanager
def errors_told(debug: bool) -> Iterator[None]:
    """Turn exceptions into one message on stderr and an exit code; with ``debug`` they pass."""
    try:
        yield
    except EyeshotError as error:
        if debug:
            raise
        _tell(type(error).__name__.removesuffix("Error"), str(error))
        raise typer.Exit(error.exit_code) from error
    except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
        raise
    except Exception as error:
        if debug:
            raise
        _tell(
            "Unexpected",
            f"{type(error).__name__}: {error}\n"
            "This is a defect of eyeshot. Please report it with what the same command prints with --debug.",
        )
        raise typer.Exit(1) from error


def _tell(kind: str, message: str) -> None:
    """A panel on a terminal; in a pipe the plain message, unbroken, so that it can be searched."""
    if not sys.stderr.isatty():
        typer.echo(f"eyeshot: {message}", err=True)
        return
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    console = Console(stderr=True)
    console.print(Panel(Text(message), title=kind, title_align="left", border_style="red"))
