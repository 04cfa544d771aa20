"""The projective field: which units of every tensor see a chosen element of an input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np

from eyeshot.analyses.reach import Reach
from eyeshot.errors import QuestionError
from eyeshot.fields.axes import LAYOUTS
from eyeshot.fields.index import region_index
from eyeshot.geometry import Box
from eyeshot.jobs import uncollected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyeshot.fields.field import Field
    from eyeshot.fields.report import Report


class Influence(Mapping[str, "NDArray[np.bool_]"]):
    """Name of a module or tensor -> booleans over its spatial axes: which of its units see the element; exact.

    ``element`` is where it starts: a full index of the report's input with None or slices for parts, or a `Box` on the
    report's axes. A global tensor (a pooled vector) has one boolean for each element of its last axis.
    """

    def __init__(self, report: Report, element: tuple[int | slice | Box | None, ...]) -> None:
        self._report = report
        self.element = self._region(element)

    def _region(self, element: tuple[int | slice | Box | None, ...]) -> tuple[int | slice | None, ...]:
        report = self._report
        shape, axes = report.input_shape, report.spatial[report.input].axes
        first = element[0] if len(element) == 1 else None
        if isinstance(first, Box):
            if len(first.start) != len(axes):
                raise QuestionError(f"a box on {report.input!r} has {len(axes)} axes, got {first}")
            region: list[int | slice | None] = [None] * len(shape)
            for axis, part in zip(axes, first.slices, strict=True):
                region[axis] = part
            return tuple(region)
        places = cast("tuple[int | slice | None, ...]", element)
        return region_index(places, shape, report.input)

    @cached_property
    def _reach(self) -> Reach:
        with uncollected():
            return Reach(self._report.graph, self._report.graph.inputs[self._report.input], self.element)

    def at(self, name: str, *, axes: tuple[int, ...] | None = None) -> NDArray[np.bool_]:
        """The units of a tensor that see the element, over chosen axes of it; all of them by default."""
        return self._reach.at(self._report[name].node, axes)

    def __getitem__(self, name: str) -> NDArray[np.bool_]:
        field = self._report[name]
        return self._reach.at(field.node, moving_axes(field))

    def __iter__(self) -> Iterator[str]:
        return iter(self._report)

    def __len__(self) -> int:
        return len(self._report)

    def __contains__(self, name: object) -> bool:
        return name in self._report


def moving_axes(field: Field) -> tuple[int, ...]:
    """The spatial axes of a tensor: those of its rank (tokens (N, T, C) of an image: T), or along which fields move.

    Fields know best: where they move along an axis that the rank calls batch or channels, those along which they move.
    """
    rank = len(field.shape)
    moving = tuple(sorted(field.source.moving(field.node)))
    layout = LAYOUTS.get(rank, "")
    if rank == 3 and len(field.source.shape) > 3:
        layout = "NTC"
    usual = tuple(axis for axis, letter in enumerate(layout) if letter not in "NC")
    if usual and set(moving) <= set(usual):
        return usual
    return moving or tuple(range(rank))
