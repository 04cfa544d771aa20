"""Boxes of input elements, and the field of a uniform stack: pure values."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from operator import index

from eyeshot.errors import InputError


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


MOST_LAYERS = 10_000


def receptive_field(
    num_layers: int = 3, kernel_size: int = 3, stride: int = 2, padding: int = 0, dilation: int = 1
) -> int:
    """Size of the field of a stack of equal layers, in input elements along one axis.

    With k = ``kernel_size``, s = ``stride``, d = ``dilation`` and L = ``num_layers``, the recurrence
    R <- s R + d (k - 1) + 1 - s from R = 1 has the closed form::

        R = 1 + d (k - 1) (1 + s + ... + s^(L - 1))
          = 1 + d (k - 1) (s^L - 1) / (s - 1)        (s = 1: 1 + d (k - 1) L)

    (Araujo, Norris & Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019). Padding moves the
    field and leaves its size; it is taken so that a layer's numbers can be passed as they are.

    Raises
    ------
    InputError
        for anything but whole numbers, or ones too small (k, s, d: 1; L and padding: 0) or too large (L: 10,000).

    Examples
    --------
    >>> eyeshot.receptive_field(num_layers=3, kernel_size=3, stride=2)
    15
    """
    given = {
        "num_layers": (num_layers, 0),
        "kernel_size": (kernel_size, 1),
        "stride": (stride, 1),
        "padding": (padding, 0),
        "dilation": (dilation, 1),
    }
    for name, (value, least) in given.items():
        if not hasattr(value, "__index__") or index(value) < least:
            raise InputError(f"{name}={value!r} is no layer's: it takes a whole number, {least} or more")
    if num_layers > MOST_LAYERS:
        raise InputError(f"num_layers={num_layers} is more than {MOST_LAYERS:,}; use the closed form")
    steps = num_layers if stride == 1 else (stride**num_layers - 1) // (stride - 1)
    return 1 + dilation * (kernel_size - 1) * steps
