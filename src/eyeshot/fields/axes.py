"""Which axes of a tensor a question is about, and the letters they go by."""

from __future__ import annotations

from dataclasses import dataclass

from eyeshot.errors import QuestionError

LAYOUTS = {1: "T", 2: "NT", 3: "NCT", 4: "NCHW", 5: "NCDHW"}
"""What the axes of a tensor are by default, by rank."""

NAMED = {"batch": "N", "channels": "C", "time": "TD", "tokens": "T"}
"""Axes with a name: the first letter that the layout has (the frames of a video are its depth)."""


@dataclass(frozen=True, slots=True)
class InputAxes:
    """The axes of one input that fields are about, with a letter for each ("H", "W").

    ``layout`` has the letters of all axes; None where the rank has no default.
    """

    axes: tuple[int, ...]
    letters: str
    layout: str | None = None


def input_axes(
    shape: tuple[int, ...], name: str, asked: str = "spatial", layout: str | None = None
) -> InputAxes:
    """The axes of a tensor that ``asked`` means, in the tensor's order.

    ``"spatial"`` are all but batch and channels, ``"batch"``, ``"channels"``, ``"time"`` and ``"tokens"`` one each,
    ``"all"`` every axis; letters of the layout ("CH") any others. The layout is by rank (T), (N, T), NCT, NCHW, NCDHW,
    unless one is given ("NHWC", "NTC").

    Raises
    ------
    QuestionError
        where the layout does not fit the rank, the rank has no default, or the layout has no such axis.
    """
    letters = _checked(shape, name, layout) if layout is not None else LAYOUTS.get(len(shape))
    if asked == "all":
        return InputAxes(tuple(range(len(shape))), letters or "?" * len(shape), letters)
    if letters is None:
        raise QuestionError(
            f"{name!r} has shape {shape}: no default says what its {len(shape)} axes are; pass layout= with a letter "
            "for each, such as NCDHW"
        )
    if asked == "spatial":
        wanted = "".join(letter for letter in letters if letter not in "NC")
    elif asked in NAMED:
        wanted = next((letter for letter in NAMED[asked] if letter in letters), "")
    else:
        wanted = asked.upper() if set(asked.upper()) <= set(letters) else ""
    if not wanted:
        raise QuestionError(
            f"{name!r} of shape {shape} has the axes {letters}, and none of them is {asked!r}: ask for spatial, "
            f"{', '.join(NAMED)}, all or letters of these, or pass layout= if the axes are others"
        )
    kept = tuple(axis for axis, letter in enumerate(letters) if letter in wanted)
    return InputAxes(kept, "".join(letters[axis] for axis in kept), letters)


def _checked(shape: tuple[int, ...], name: str, layout: str) -> str:
    letters = layout.upper()
    if len(letters) != len(shape) or len(set(letters)) != len(letters):
        raise QuestionError(
            f"layout {layout!r} does not fit {name!r} of shape {shape}: it needs one different letter an axis, "
            'N for the batch and C for channels, such as "NHWC"'
        )
    return letters
