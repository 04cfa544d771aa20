"""The command line: ``eyeshot``."""

from __future__ import annotations

import typer

app = typer.Typer(help="What any unit of a neural network can see of its input.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """What any unit of a neural network can see of its input."""


def main() -> None:
    """Run the command line on this process's arguments."""
    app()
