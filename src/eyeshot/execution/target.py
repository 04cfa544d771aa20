"""What a gradient is taken of: a number computed from one layer's output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from eyeshot.errors import QuestionError

if TYPE_CHECKING:
    from eyeshot.fields import Field, Report

Region = tuple[int | slice | None, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """A scalar for each image: the elements of a region of a layer's output, reduced.

    ``layer`` is a name of the report, ``index`` a region of its output without the batch axis (None: all of an axis).
    ``rectified`` drops negative elements first. ``function`` is a scalar of the user's own instead: it gets the region's
    elements for all images at once, (images, ...), and returns one number, the sum over images.
    """

    layer: str
    index: Region
    reduce: Literal["sum", "mean"] = "sum"
    rectified: bool = False
    function: Callable[[Any], Any] | None = None


def central(report: Report, layer: str, *, upper_left: bool = False) -> Region:
    """The central unit of a layer with all of its channels: index ``n // 2`` along the axes on which fields move.

    Where every unit sees everything, a map is known by the proportions of maps before it, and tokens are taken as the
    grid of patches that they came from, behind as many class tokens as there are more. ``upper_left`` takes
    ``(n - 1) // 2`` instead: of the four that share the middle of an even grid, the first.

    Raises
    ------
    QuestionError
        where the layer's units have no places on the input: a vector of logits.
    """
    field = report[layer]
    own = range(1, len(field.shape))
    moving = _moving(field)
    if len(moving) != len(report.axes):
        moving = _like_a_map_before(report, field)
    if moving:
        return tuple((field.shape[axis] - upper_left) // 2 if axis in moving else None for axis in own)
    axis = _tokens_before(report, field)
    for grid in _grids_before(report, field) if axis is not None else ():
        if axis is not None and field.shape[axis] >= prod(grid) > 1:
            middle = np.ravel_multi_index([(extent - upper_left) // 2 for extent in grid], grid)
            place = int(middle) + field.shape[axis] - prod(grid)
            return tuple(place if other == axis else None for other in own)
    raise QuestionError(
        f"units of {layer!r} {field.shape} have no places on the input: give unit= by its full index"
    )


def _like_a_map_before(report: Report, field: Field) -> list[int]:
    """Neighbouring axes, the last or those behind the batch, in the proportions of the last map before; none if none is."""
    rank = len(report.axes)
    if len(field.shape) != rank + 2:
        return []
    for grid in _grids_before(report, field):
        for first in (2, 1):
            extents = field.shape[first : first + rank]
            factors = {Fraction(whole, part or 1) for whole, part in zip(grid, extents, strict=True)}
            if len(factors) == 1 and (rank > 1 or factors == {1}):
                return list(range(first, first + rank))
    return []


def _tokens_before(report: Report, field: Field) -> int | None:
    """The axis of tokens: the one along which fields move in an earlier tensor of as many tokens."""
    on_the_way = report.graph.ancestors([field.node])
    for tensor in reversed(report.tensors):
        if len(tensor.shape) == len(field.shape) == 3 and tensor.node in on_the_way:
            moving = _moving(tensor)
            if len(moving) == 1 and tensor.shape[moving[0]] == field.shape[moving[0]]:
                return moving[0]
    return None


def _grids_before(report: Report, field: Field) -> Iterator[tuple[int, ...]]:
    """Extents of the tensors before a layer that have as many axes on which fields move as the input, the last first."""
    on_the_way = report.graph.ancestors([field.node])
    for tensor in reversed(report.tensors):
        moving = _moving(tensor) if tensor.node in on_the_way else []
        if len(moving) == len(report.axes):
            yield tuple(tensor.shape[axis] for axis in moving)


def _moving(field: Field) -> list[int]:
    return sorted(axis for axis in field.source.moving(field.node) if axis)
