"""Axis maps that ops need often, as constructors of the closed set."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from eyeshot.errors import GraphError
from eyeshot.relations.maps import Identity, Periodic, Table, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyeshot.relations.maps import AxisMap

# The number of phases up to which a map has a law.
PHASES = 4096

REFLECTIONS = {"reflect": "reflect", "circular": "wrap", "symmetric": "symmetric"}


def take(indices: Sequence[int] | NDArray[np.integer], input_size: int) -> Table:
    """Output ``y`` reads input ``indices[y]`` (negative ones count from the end).

    Indices in steady steps keep a law; others have none.

    Raises
    ------
    GraphError
        where an index lies outside of the axis.
    """
    picked = np.asarray(indices, np.int64)
    picked = np.where(picked < 0, picked + input_size, picked)
    if len(picked) and (picked.min() < 0 or picked.max() >= input_size):
        raise GraphError(f"an index lies outside of an axis of {input_size} elements")
    law = None
    steps = np.unique(np.diff(picked))
    if len(picked) and len(steps) <= 1:
        step, start = (int(steps[0]) if len(steps) else 1), int(picked[0])
        law = Periodic(step, (start,), (start + 1,), at_size=step < 0)
    return Table(np.arange(len(picked) + 1), picked, input_size, law)


def admitted(mask: NDArray[np.bool_]) -> Table:
    """The identity where the mask is True; the other indices read nothing."""
    return Table(np.cumsum([0, *mask]), np.flatnonzero(mask), len(mask))


def strided(start: int, step: int, count: int, input_size: int) -> AxisMap:
    """A slice ``start : start + step * count : step``; ``start`` is not negative, ``step`` may be."""
    if start == 0 and step == 1 and count == input_size:
        return Identity()
    if step > 0:
        return Window(1, stride=step, padding=-start)
    law = Periodic(step, (start,), (start + 1,), at_size=True)
    return Table(np.arange(count + 1), start + step * np.arange(count), input_size, law)


def flip(input_size: int) -> AxisMap:
    """The axis read backwards."""
    return strided(input_size - 1, -1, input_size, input_size)


def roll(shift: int, input_size: int) -> AxisMap:
    """The axis turned by ``shift``: output ``y`` reads ``(y - shift) mod input_size``."""
    if not input_size or shift % input_size == 0:
        return Identity()
    return Table(np.arange(input_size + 1), (np.arange(input_size) - shift) % input_size, input_size)


def pad(before: int, after: int, input_size: int, mode: str = "constant") -> AxisMap:
    """Padding at both ends: constants are not input, the other modes read the axis again.

    ``mode`` is ``constant``, ``replicate`` or one of ``REFLECTIONS``. Negative amounts crop.
    """
    if before == after == 0:
        return Identity()
    if mode == "constant":
        return Window(1, padding=before)
    if mode == "replicate":
        read = np.clip(np.arange(-before, input_size + after), 0, input_size - 1)
    else:
        kept = np.arange(max(0, -before), input_size + min(0, after))
        read = np.pad(kept, (max(0, before), max(0, after)), mode=REFLECTIONS[mode])  # type: ignore[call-overload]
    return Table(np.arange(len(read) + 1), read, input_size, Periodic(1, (-before,), (1 - before,)))


def tile(times: int, input_size: int) -> AxisMap:
    """The axis repeated end to end: output ``y`` reads ``y mod input_size``."""
    if times == 1:
        return Identity()
    return Table(np.arange(times * input_size + 1), np.tile(np.arange(input_size), times), input_size)


def stretch(times: int, input_size: int) -> AxisMap:
    """Every element repeated in place: output ``y`` reads ``y // times``."""
    if times == 1:
        return Identity()
    law = Periodic(1, (0,) * times, (1,) * times)
    return Table(np.arange(times * input_size + 1), np.repeat(np.arange(input_size), times), input_size, law)


def adaptive(input_size: int, output_size: int) -> AxisMap:
    """Adaptive pooling: output ``y`` of m reads ``[floor(y n / m), ceil((y + 1) n / m))``.

    The law is the one at this size, since the step follows from the extents.
    """
    if input_size == output_size:
        return Identity()
    common = gcd(input_size, output_size)
    y = np.arange(output_size)
    starts = y * input_size // output_size
    stops = -((y + 1) * input_size // -output_size)
    period = output_size // common
    low, high = (tuple(ends[: min(period, PHASES)].tolist()) for ends in (starts, stops))
    law = Periodic(input_size // common, low, high, at_size=True) if period <= PHASES else None
    indptr = np.concatenate([[0], np.cumsum(stops - starts)])
    indices = np.arange(indptr[-1]) - np.repeat(indptr[:-1] - starts, stops - starts)
    return Table(indptr, indices, input_size, law)
