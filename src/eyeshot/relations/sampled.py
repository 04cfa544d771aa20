"""Axis maps of sampling at evenly spaced positions, whatever convention lays them out.

Output ``y`` lies at ``start + step * y`` of the input, in fractions, so that a position that meets an element reads that
element however a framework rounds.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from eyeshot.relations.maps import AxisMap, Identity, Periodic, Table

Kernel = Literal["floor", "ceil", "half-down", "half-up", "linear", "cubic"]
"""The nearest element, by where a position is rounded to, or all that a kernel weights."""

REACH = {"linear": 1, "cubic": 2}
LONGEST_PERIOD = 4096
_LARGEST = 1 << 62


@lru_cache(maxsize=1024)
def sampled(
    size: int,
    count: int,
    step: Fraction,
    start: Fraction,
    kernel: Kernel,
    *,
    blur: Fraction = Fraction(1),
    outside: Literal["clip", "drop", "nothing"] = "clip",
    at_size: bool = False,
) -> AxisMap:
    """The map from an axis of ``size`` to one of ``count``.

    ``blur`` stretches a kernel (antialiasing). Elements beyond an end are the last one there ("clip"), or not read
    ("drop"); with "nothing" a position outside the axis reads nothing at all. ``at_size`` says that step and start follow
    from the extents.
    """
    if size == count and step == blur == 1 and start == 0:
        return Identity()
    taps, read = _taps(np.arange(count), step, start, kernel, blur)
    if outside == "clip":
        taps = np.clip(taps, 0, max(0, size - 1))
    else:
        read = read & (taps >= 0) & (taps < size)
    if outside == "nothing":
        y = np.arange(count)
        inside = [0 <= start + step * int(place) <= size - 1 for place in y]
        read = read & np.array(inside, bool).reshape(-1, 1)
    return _table(taps, read, size, _law(step, start, kernel, blur, at_size=at_size))


def nearest(size: int, positions: NDArray[Any], kernel: Kernel) -> Table:
    """The elements that rounded positions pick, for those that a framework computes in floating point."""
    rest = positions - np.floor(positions)
    up = {"floor": rest > 2, "ceil": rest > 0, "half-down": rest > 0.5, "half-up": rest >= 0.5}[kernel]
    picked = np.clip(np.floor(positions) + up, 0, max(0, size - 1)).astype(np.int64)
    return Table(np.arange(len(picked) + 1), picked, size)


def _taps(
    y: NDArray[np.int64], step: Fraction, start: Fraction, kernel: Kernel, blur: Fraction
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Unclipped input indices of every output, one row each, and which of them have a weight."""
    unit = step.denominator * start.denominator
    a, b = int(step * unit), int(start * unit)
    p, q = blur.numerator, blur.denominator
    furthest = (abs(a) * (int(y.max(initial=0)) + 1) + abs(b) + 4 * unit * (p // q + 2)) * q
    place = a * y.astype(object if furthest > _LARGEST else np.int64) + b
    if kernel not in REACH:
        whole, rest = np.divmod(place, unit)
        up = {"floor": rest < 0, "ceil": rest > 0, "half-down": 2 * rest > unit, "half-up": 2 * rest >= unit}[
            kernel
        ]
        picked = (whole + up.astype(np.int64)).astype(np.int64)[:, None]
        return picked, np.ones_like(picked, bool)
    reach = REACH[kernel] * p * unit  # distances are in units of 1 / (unit q)
    first = (place * q - reach) // (unit * q)
    taps = first[:, None] + np.arange(ceil(2 * REACH[kernel] * blur) + 2)
    distance = abs(taps * unit - place[:, None]) * q
    read = distance < reach
    if kernel == "cubic":
        read &= distance != p * unit
    return taps.astype(np.int64), read.astype(bool)


def _table(taps: NDArray[np.int64], read: NDArray[np.bool_], size: int, law: Periodic | None) -> Table:
    """Rows of taps, each element once."""
    taps = np.sort(np.where(read, taps, size), 1)
    fresh = taps < size
    fresh[:, 1:] &= taps[:, 1:] != taps[:, :-1]
    indptr = np.concatenate([[0], np.cumsum(fresh.sum(1))])
    return Table(indptr, taps[fresh], size, law)


def _law(
    step: Fraction, start: Fraction, kernel: Kernel, blur: Fraction, *, at_size: bool
) -> Periodic | None:
    """One period of the positions, on an endless axis."""
    period = step.denominator
    if not step or period > LONGEST_PERIOD:
        return None
    taps, read = _taps(np.arange(period), step, start, kernel, blur)
    far = int(abs(taps).max()) + 1
    low = np.where(read, taps, far).min(1)
    high = np.where(read, taps, -far).max(1) + 1
    return Periodic(step.numerator, tuple(low.tolist()), tuple(high.tolist()), at_size)
