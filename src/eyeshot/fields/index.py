"""Full indices of tensors: what users may write for one unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyeshot.errors import QuestionError

if TYPE_CHECKING:
    from collections.abc import Sequence


def unit_index(index: Sequence[int | None], shape: tuple[int, ...], name: str) -> tuple[int | None, ...]:
    """A unit's index with no negative places; None stands for the union over an axis.

    Raises
    ------
    QuestionError
        for an index of the wrong length, outside the tensor, or of anything but whole numbers and None.
    """
    _fits(index, shape, name)
    return tuple(_place(place, axis, index, shape, name) for axis, place in enumerate(index))


def region_index(
    index: Sequence[int | slice | None], shape: tuple[int, ...], name: str
) -> tuple[int | slice | None, ...]:
    """As `unit_index`; a slice stands for the union over a part of an axis."""
    _fits(index, shape, name)
    return tuple(
        place if isinstance(place, slice) else _place(place, axis, index, shape, name)
        for axis, place in enumerate(index)
    )


def _fits(index: Sequence[object], shape: tuple[int, ...], name: str) -> None:
    if len(index) != len(shape):
        raise QuestionError(
            f"a unit of {name!r} has {len(shape)} indices (its shape is {shape}), got {tuple(index)}; "
            "None in a place means the union over that axis"
        )


def _place(
    place: int | None, axis: int, index: Sequence[object], shape: tuple[int, ...], name: str
) -> int | None:
    if place is None:
        return None
    if not hasattr(place, "__index__"):
        raise QuestionError(
            f"a unit of {name!r} takes whole numbers, or None for the union over an axis; got {tuple(index)}"
        )
    extent = shape[axis]
    if not -extent <= place < extent:
        raise QuestionError(
            f"unit {tuple(index)} is outside {name!r}: axis {axis} has extent {extent}, so {place} must be in "
            f"[{-extent}, {extent - 1}]"
        )
    return int(place) % extent
