"""Boxes of input elements: pure values."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod


@dataclass(frozen=True, slots=True)
class Box:
    """A product of half-open intervals on the spatial axes of an input, cut to the input.

    ``unclipped`` is the same field on an endless input, None where no law says it (see ``Field.law``).
    An empty box has no elements and all its bounds are 0.
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]
    unclipped: Box | None = None

    @property
    def slices(self) -> tuple[slice, ...]:
        """One slice an axis: ``image[(..., *box.slices)]``."""
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))

    @property
    def size(self) -> tuple[int, ...]:
        """Extent on each axis, in input elements."""
        return tuple(b - a for a, b in zip(self.start, self.stop, strict=True))

    @property
    def volume(self) -> int:
        """Number of input elements inside."""
        return prod(self.size)

    @property
    def empty(self) -> bool:
        """Whether it holds nothing."""
        return self.volume == 0

    @property
    def center(self) -> tuple[float, ...]:
        """The middle on each axis, in pixel-index coordinates: the center of [0, 1) is 0.0."""
        return tuple((a + b - 1) / 2 for a, b in zip(self.start, self.stop, strict=True))

    def __contains__(self, index: tuple[int, ...]) -> bool:
        return all(a <= i < b for a, i, b in zip(self.start, index, self.stop, strict=True))
