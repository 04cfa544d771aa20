"""Where two fields differ: their laws, the boxes of all units, and the masks of some."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eyeshot.proof.evidence import Breach, extreme, reads, seen_by, unit_where

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from eyeshot.fields import Field, Report
    from eyeshot.proof.evidence import Unit

LAWS = ("size", "stride", "offset", "phases")


def differs(first: Field, second: Field, units: int) -> Breach | None:
    """What differs between two fields, with a unit of one that sees an element which the same unit of the other does not.

    Laws are compared always, boxes of all units where the tensors have one shape, masks of ``units`` units (the corners and
    the middle first, then drawn with a fixed seed) where the inputs have the same extents.
    """
    measured = unlike(first, second)
    if measured is None and first.kind == second.kind == "exact" and first.shape == second.shape:
        return None
    if first.source.extents == second.source.extents:
        for one, other in _pairs(first, second, units):
            breach = _apart(first, second, one, other, measured)
            if breach is not None:
                return breach
    return (
        None
        if measured is None
        else Breach(measured, notes=("no unit that was looked at shows it at this input size",))
    )


def first_unlike(first: Report, second: Report) -> str | None:
    """The first module, in order of execution, that both have by name and whose laws or boxes differ; what differs."""
    for name in first:
        if name in second:
            difference = unlike(first[name], second[name])
            if difference is not None:
                return difference
    return None


def unlike(first: Field, second: Field) -> str | None:
    """How laws or boxes differ."""
    if len(first.source.axes) != len(second.source.axes):
        return _said("axes of the input", len(first.source.axes), len(second.source.axes), first, second)
    for law in LAWS:
        one, other = getattr(first, law), getattr(second, law)
        if one != other:
            return _said(law, one, other, first, second)
    if first.shape == second.shape and first.source.extents == second.source.extents:
        different = _boxes_differ(first, second)
        if different.any():
            unit = unit_where(different, len(first.shape))
            one, other = (_interval(field.at(*unit)) for field in (first, second))
            return _said(f"the box of unit {unit}", one, other, first, second)
    return None


def _said(what: str, one: object, other: object, first: Field, second: Field) -> str:
    return f"{what} is {one} for {first.name} of the first, and {other} for {second.name} of the second"


def _interval(box: object) -> str:
    return f"{getattr(box, 'start', None)} to {getattr(box, 'stop', None)}"


def _boxes_differ(first: Field, second: Field) -> NDArray[np.bool_]:
    (starts, stops, seen), (others, ends, known) = first.boxes(), second.boxes()
    different = seen != known
    for one, other in zip((*starts, *stops), (*others, *ends), strict=True):
        different = different | (seen & known & (one != other))
    return np.asarray(different)


def _pairs(first: Field, second: Field, units: int) -> Iterator[tuple[Unit, Unit]]:
    """Units that stand at the same place of two tensors; None on axes that say nothing of the place, if shapes differ."""
    if first.shape == second.shape:
        different = _boxes_differ(first, second)
        if different.any():
            unit = unit_where(different, len(first.shape))
            yield unit, unit
    sides = [list(range(len(field.shape))) for field in (first, second)]
    if first.shape != second.shape:
        sides = [sorted(field.source.moving(field.node)) for field in (first, second)]
        if len(sides[0]) != len(sides[1]):
            sides = [[], []]
    extents = np.array([min(first.shape[i], second.shape[j]) for i, j in zip(*sides, strict=True)], np.int64)
    if not extents.all():
        return
    rng = np.random.default_rng(0)
    drawn = [
        extents // 2,
        extents * 0,
        extents - 1,
        *(rng.integers(0, extents) for _ in range(max(units - 3, 0))),
    ]
    for places in drawn[:units]:
        yield _placed(first, sides[0], places), _placed(second, sides[1], places)


def _placed(field: Field, axes: list[int], places: NDArray[np.int64]) -> Unit:
    at = dict(zip(axes, places.tolist(), strict=True))
    return tuple(at.get(axis) for axis in range(len(field.shape)))


def _apart(first: Field, second: Field, one: Unit, other: Unit, measured: str | None) -> Breach | None:
    """A difference between the masks of two units."""
    masks = [first.mask(*one), second.mask(*other)]
    different = masks[0] != masks[1]
    if not different.any():
        return None
    place = unit_where(different, different.ndim)
    held = bool(masks[0][place])
    field, unit, which = (first, one, "first") if held else (second, other, "second")
    mask = seen_by(field, unit)
    at = np.zeros_like(mask)
    index: list[int | slice] = [slice(None)] * mask.ndim
    for axis, position in zip(field.source.axes, place, strict=True):
        index[axis] = position
    at[tuple(index)] = True
    example = reads(field, unit, extreme(mask & at, 0, last=False))
    shape = {axis: i for i, axis in enumerate(field.source.axes)}
    shown = ", ".join(str(place[shape[axis]]) if axis in shape else ":" for axis in range(mask.ndim))
    lacking, twin, name = (second, other, "second") if held else (first, one, "first")
    unit_shown = ", ".join(":" if i is None else str(i) for i in twin)
    note = f"that is the {which}; {lacking.name}[{unit_shown}] of the {name} does not read {lacking.input}[{shown}]"
    return Breach(
        measured or f"{first.name} of the first and {second.name} of the second see different elements",
        example,
        (note,),
    )
