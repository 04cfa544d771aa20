"""Arguments and options that commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class View(StrEnum):
    """Which dependencies count."""

    full = "full"
    local = "local"


class Unknown(StrEnum):
    """What to do about ops without a lowering."""

    error = "error"
    dense = "dense"


def extents(text: str) -> tuple[int, ...]:
    """Whole numbers, such as 1,3,224,224."""
    try:
        shape = tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        shape = (-1,)
    if min(shape) < 0:
        raise typer.BadParameter(f"{text!r} is no list of sizes such as 1,3,224,224")
    return shape


def _size(text: str) -> tuple[str, tuple[int, ...]]:
    name, named, shape = text.rpartition("=")
    return (name if named else "", extents(shape))


def sizes(given: list[tuple[str, tuple[int, ...]]] | None) -> Any:
    """What `eyeshot.analyze` takes as input_size: one shape, or shapes by name."""
    if not given:
        return None
    named = dict(given)
    if len(given) == 1 and "" in named:
        return named[""]
    if "" in named or len(named) < len(given):
        raise typer.BadParameter("several inputs take a NAME=N,C,H,W each", param_hint="--input-size")
    return named


def unit_index(text: str) -> Any:
    """A unit's index, ``0,*,3,3``."""
    from eyeshot.views.units import parse

    try:
        return parse(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no unit such as 0,8,3,3 (or 0,*,3,3: * is all of an axis)"
        ) from None


_MODEL = (
    "A file (.onnx, .pt2, .keras, .yaml), 'spec:conv3s2 > conv3', timm:NAME, torchvision:NAME "
    "(both take ?keyword=literal&...), package.module:factory or 'package.module:factory(1, depth=2)'."
)
_INPUT_SIZE = "Shape of the input; many models know their own. NAME= where there are several, once each."
_DEPTH = "Levels of modules to show; by default what stays readable."
_LAYERS = "Show the modules (or else tensors) whose names fit."
_UNIT = "Show the box of this unit, in --layers or the outputs; * is all."
_UNKNOWN = "Refuse ops that have no lowering, or let them read everything, flagged."
_JSON = "Write JSON there; with - print it instead of the table."
_TRUST = "Open files that run code when opened (pickles, TorchScript), in a child; no limits on other files."
_WEIGHTS = "Weights to load; fields do not depend on them."

Model = Annotated[str, typer.Argument(metavar="MODEL", help=_MODEL)]
InputSize = Annotated[
    list[Any] | None, typer.Option(parser=_size, metavar="[NAME=]N,C,H,W", help=_INPUT_SIZE)
]
Depth = Annotated[int | None, typer.Option(min=1, help=_DEPTH)]
Layers = Annotated[str | None, typer.Option(metavar="GLOB", help=_LAYERS)]
OneUnit = Annotated[Any, typer.Option(parser=unit_index, metavar="N,C,H,W", help=_UNIT)]
About = Annotated[
    str | None, typer.Option("--input", metavar="NAME", help="The input that fields are about.")
]
_AXES = "Axes of the input that fields are about: spatial, channels, batch, time, tokens, all, or letters."
Axes = Annotated[str, typer.Option(metavar="AXES", help=_AXES)]
Layout = Annotated[str | None, typer.Option(metavar="AXES", help="Axis letters of that input, such as NHWC.")]
Shown = Annotated[View, typer.Option(help="local leaves out global context, such as gates.")]
Weights = Annotated[Path | None, typer.Option(metavar="FILE.safetensors", help=_WEIGHTS)]
OnUnknown = Annotated[Unknown, typer.Option(help=_UNKNOWN)]
Json = Annotated[str | None, typer.Option(metavar="PATH", help=_JSON)]
Trust = Annotated[bool, typer.Option("--trust", help=_TRUST)]
_MEMORY = "MiB that images and activations may take."
_OUTPUT = "Draw a picture there (.png, .pdf, .svg), or write the numbers (.npy)."
_LOADED = "Weights to load into a reference; without them they are random."
Memory = Annotated[int, typer.Option(min=1, metavar="MIB", help=_MEMORY)]
Output = Annotated[Path | None, typer.Option(metavar="PATH", help=_OUTPUT)]
Loaded = Annotated[Path | None, typer.Option("--weights", metavar="FILE.safetensors", help=_LOADED)]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
