"""Which units are asked about: the layer that is meant, its center, and what it may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eyeshot.errors import QuestionError
from eyeshot.execution.target import central
from eyeshot.geometry import Box

if TYPE_CHECKING:
    from eyeshot.execution.target import Region
    from eyeshot.fields import Field, Report


def last_spatial(report: Report) -> str:
    """The last module whose units have more than one place: before pooling, before logits.

    Raises
    ------
    QuestionError
        where no module's do.
    """
    for name in reversed(list(report)):
        field = report[name]
        if field.shape[:1] != report.input_shape[:1] or len(field.shape) < 3 or field.empty:
            continue
        try:
            index = central(report, name)
        except QuestionError:
            continue
        if all(field.shape[1 + axis] > 1 for axis, place in enumerate(index) if place is not None):
            return name
    raise QuestionError(
        f"no layer of {report.model} has units with places on the input: give layer= and unit="
    )


def central_of(report: Report, layer: str, *, upper_left: bool) -> Region:
    """The central unit with all of its channels.

    ``upper_left``, as openerf has it: of an even grid the first of the four in the middle, for tokens and for maps of
    networks that embed patches; other maps have their center at n // 2.
    """
    tokens = len(report[layer].shape) == 3 and len(report.axes) == 2
    return central(report, layer, upper_left=upper_left and (tokens or "patch_embed" in report))


def box_of(field: Field, index: Region) -> Box:
    """The theoretical field of a region of the first sample."""
    if not any(isinstance(place, slice) for place in index):
        return field.at(0, *(place for place in index if not isinstance(place, slice)))
    mask = field.mask(0, *index)
    spans = []
    for axis in range(mask.ndim):
        seen = np.flatnonzero(mask.any(tuple(other for other in range(mask.ndim) if other != axis)))
        spans.append((int(seen[0]), int(seen[-1]) + 1) if seen.size else (0, 0))
    return Box(tuple(start for start, _ in spans), tuple(stop for _, stop in spans))
