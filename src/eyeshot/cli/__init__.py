"""The command line: ``eyeshot``."""

from __future__ import annotations

from typing import Annotated

import typer
from typer.core import TyperGroup

from eyeshot.cli.analyze import analyze
from eyeshot.cli.effective import effective
from eyeshot.cli.explain import explain
from eyeshot.cli.occlude import occlude
from eyeshot.cli.verify import verify

ABOUT = (
    "What any unit of a neural network can see of its input. "
    "`eyeshot MODEL` is short for `eyeshot analyze MODEL`."
)


class _AnalyzeByDefault(TyperGroup):
    """Without a command, the words are a model to analyze and its options."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if args and args[0] not in {*self.commands, "--help", "--version"}:
            args = ["analyze", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_AnalyzeByDefault,
    help=ABOUT,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(analyze)
app.command()(effective)
app.command()(explain)
app.command()(occlude)
app.command()(verify)


def _version(wanted: bool) -> None:
    if wanted:
        from eyeshot import __version__

        typer.echo(f"eyeshot {__version__}")
        raise typer.Exit


@app.callback(help=ABOUT)
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options that stand before a command."""


def main() -> None:
    """Run the command line on this process's arguments."""
    app()
