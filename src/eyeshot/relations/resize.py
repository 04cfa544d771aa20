"""Axis maps of resizing (interpolation): the input indices whose weight is not zero by construction.

The scale is input extent / output extent, or 1 / scale factor, or (n - 1) / (m - 1) where corners are
aligned. Output ``y`` lies at ``scale * (y + 1/2) - 1/2`` of the input, or at ``scale * y`` where corners are
aligned or the mode is ``nearest``. Positions are fractions, so that an aligned position reads one element
however a framework rounds. Only the nearest modes follow PyTorch's rounding, which decides what is read.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from eyeshot.relations.maps import AxisMap, Identity, Periodic, Table

Mode = Literal["nearest", "nearest-exact", "linear", "cubic", "linear-aa", "cubic-aa", "lanczos-aa"]
Taps = NDArray[np.int64]

# Half the support of each antialiasing filter, in elements of the coarser grid.
REACH = {"linear-aa": 1, "cubic-aa": 2, "lanczos-aa": 3}
SAME_SIZE_COPIES = {"linear", *REACH}  # whatever the scale factor
LONGEST_PERIOD = 4096
FINEST = 1 << 20  # scale factors are taken as fractions with at most this denominator


@lru_cache(maxsize=1024)
def resize(
    size: int,
    count: int,
    mode: Mode,
    *,
    align_corners: bool = False,
    factor: float | None = None,
) -> AxisMap:
    """The map from an axis of ``size`` to one of ``count``.

    ``factor`` is the scale factor where one was given and kept. The law holds at this size only where corners
    are aligned, or where the extents alone set a scale that is no whole ratio; a period above 4096 has none.
    """
    if size == count and (factor is None or mode in SAME_SIZE_COPIES):
        return Identity()
    scale = _scale(size, count, align_corners, factor)
    y = np.arange(count)
    if mode in {"nearest", "nearest-exact"}:
        picked = _rounded(size, count, mode, factor)
        table = Table(np.arange(count + 1), np.clip(picked, 0, size - 1), size)
    else:
        table = _table(*_taps(y, scale, mode, align_corners), size, clip=mode not in REACH)
    law = _law(scale, mode, align_corners)
    if law is None:
        return table
    if mode in {"nearest", "nearest-exact"}:
        law = _widened(law, table)
    whole = 1 in {scale.numerator, scale.denominator}
    at_size = align_corners or (factor is None and not whole)
    return Table(table.indptr, table.indices, size, Periodic(law.step, law.low, law.high, at_size))


def _scale(size: int, count: int, align_corners: bool, factor: float | None) -> Fraction:
    """Input steps per output step."""
    if align_corners:
        return Fraction(size - 1, count - 1) if count > 1 else Fraction(0)
    if factor is not None and factor > 0:
        return 1 / Fraction(factor).limit_denominator(FINEST)
    return Fraction(size, count)


def _rounded(size: int, count: int, mode: Mode, factor: float | None) -> Taps:
    """The nearest modes in single precision, in the steps in which PyTorch takes them."""
    scale = (
        np.float32(1 / factor) if factor is not None and factor > 0 else np.float32(size) / np.float32(count)
    )
    place = np.arange(count, dtype=np.float32) + np.float32(0.5 if mode == "nearest-exact" else 0)
    picked: Taps = np.floor(place * scale).astype(np.int64)
    return picked


def _taps(y: Taps, scale: Fraction, mode: Mode, align_corners: bool) -> tuple[Taps, NDArray[np.bool_]]:
    """Unclipped input indices of every output, one row each, and which of them have a weight."""
    a, b = scale.numerator, scale.denominator
    if mode in REACH:
        return _filtered(y, a, b, mode)
    if mode == "nearest":
        whole = (a * y // b)[:, None]
        return whole, np.ones_like(whole, bool)
    if mode == "nearest-exact":
        whole = (a * (2 * y + 1) // (2 * b))[:, None]
        return whole, np.ones_like(whole, bool)
    place, unit = (a * y, b) if align_corners else (a * (2 * y + 1) - b, 2 * b)
    whole, rest = np.divmod(place, unit)
    offsets = np.arange(2) if mode == "linear" else np.arange(-1, 3)
    return whole[:, None] + offsets, (rest != 0)[:, None] | (offsets == 0)


def _filtered(y: Taps, a: int, b: int, mode: Mode) -> tuple[Taps, NDArray[np.bool_]]:
    """Antialiased: elements within a filter's reach of ``scale * (y + 1/2)``, but for the filter's zeros."""
    reach = REACH[mode] * max(a, b)
    first = (a * (2 * y + 1) - 2 * reach) // (2 * b) - 1
    taps = first[:, None] + np.arange(2 * reach // b + 4)
    distance = b * (2 * taps + 1) - (a * (2 * y + 1))[:, None]  # in units of 1 / 2b
    read = abs(distance) < 2 * reach
    if mode != "linear-aa":
        read &= (distance % (2 * max(a, b)) != 0) | (distance == 0)
    return taps, read


def _table(taps: Taps, read: NDArray[np.bool_], size: int, *, clip: bool) -> Table:
    """Rows of taps as a table; those outside the axis move to its ends, or drop out."""
    if clip:
        taps = np.clip(taps, 0, size - 1)
    else:
        read = read & (taps >= 0) & (taps < size)
    taps = np.sort(np.where(read, taps, size), 1)
    fresh = taps < size
    fresh[:, 1:] &= taps[:, 1:] != taps[:, :-1]
    indptr = np.concatenate([[0], np.cumsum(fresh.sum(1))])
    return Table(indptr, taps[fresh], size)


def _law(scale: Fraction, mode: Mode, align_corners: bool) -> Periodic | None:
    """One period of the exact positions."""
    period = scale.denominator
    if not scale or period > LONGEST_PERIOD:
        return None
    taps, read = _taps(np.arange(period), scale, mode, align_corners)
    far = int(abs(taps).max()) + 1
    low = np.where(read, taps, far).min(1)
    high = np.where(read, taps, -far).max(1) + 1
    return Periodic(scale.numerator, tuple(low.tolist()), tuple(high.tolist()))


def _widened(law: Periodic, table: Table) -> Periodic:
    """The law with the rows where rounding picked a neighbour of the exact position."""
    turn, phase = np.divmod(np.arange(table.output_size), law.period)
    exact = law.step * turn + np.array(law.low)[phase]
    inside = exact < table.input_size
    low, high = np.array(law.low), np.array(law.high)
    relative = (table.indices - law.step * turn)[inside]
    np.minimum.at(low, phase[inside], relative)
    np.maximum.at(high, phase[inside], relative + 1)
    return Periodic(law.step, tuple(low.tolist()), tuple(high.tolist()))
