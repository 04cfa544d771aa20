"""Reading affine intervals with phases through periodic axis maps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from eyeshot.analyses.lattices import FAR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyeshot.relations import Periodic

LIMIT = 4096
"""The largest number of phases that a law may have."""


@dataclass(frozen=True, slots=True)
class PhasePlan:
    """For every output phase the (phase, period count) pairs it reads; rows end to end."""

    phases: NDArray[np.int64]
    counts: NDArray[np.int64]
    starts: NDArray[np.int64]
    empty: NDArray[np.bool_]
    advance: int


@lru_cache(maxsize=1024)
def phase_plan(amap: Periodic, period: int) -> PhasePlan | None:
    """How to read a factor of ``period`` phases through a map; None where that takes more phases than LIMIT."""
    repeats = period // gcd(period, amap.step) if amap.step else 1
    if repeats * amap.period > LIMIT:
        return None
    rows = []
    for number in range(repeats):
        for low, high in zip(amap.low, amap.high, strict=True):
            start, stop = low + amap.step * number, high + amap.step * number
            # Only the first and the last taps of a long row, one a phase, can hold its ends.
            taps = range(start, stop, amap.gap)
            rows.append(sorted({*taps[:period], *taps[-period:]}))
    empty = np.array([not row for row in rows])
    read = np.concatenate([np.array(row or [0], np.int64) for row in rows])
    starts = np.cumsum([0, *(max(1, len(row)) for row in rows[:-1])])
    return PhasePlan(read % period, read // period, starts, empty, amap.step * repeats // period)


def read_phases(
    bounds: NDArray[np.int64], position: int, step: int, plan: PhasePlan
) -> tuple[NDArray[np.int64], int]:
    """Bounds read through a plan along a factor that advances by ``step`` a period, and their own advance."""
    axis = position + 1
    dims = [1] * bounds.ndim
    dims[axis] = len(plan.phases)
    sign = np.array([1, -1]).reshape(2, *(1,) * (bounds.ndim - 1))
    read = bounds.take(plan.phases, axis) + sign * (step * plan.counts).reshape(dims)
    out = np.minimum.reduceat(read, plan.starts, axis)
    if plan.empty.any():
        out[(slice(None),) * axis + (plan.empty,)] = FAR
    return out, step * plan.advance
