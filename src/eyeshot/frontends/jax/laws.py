"""The law of a table that was found in a program's own numbers: steady, but for its ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eyeshot.relations import AxisMap, Identity, Periodic, Table

Indices = NDArray[np.int64]

LONGEST_PERIOD = 64


def lawful(table: Table) -> AxisMap:
    """The table with a law, if its rows repeat every few outputs, a fixed step further on; `Identity` if it is one.

    Rows at the ends may be cut off by the axis. One size shows no more than what holds there, so the law is marked
    ``at_size`` until a reading at another size agrees.
    """
    size, count = table.input_size, table.output_size
    if table.law is not None or not count or table.occupied is not None:
        return table
    if count == size and table.single and (table.indices == np.arange(size)).all():
        return Identity()
    first = np.minimum.reduceat(table.indices, table.starts)
    last = np.maximum.reduceat(table.indices, table.starts)
    if (last - first + 1 != np.diff(table.indptr)).any():
        return table
    whole = (first > 0) & (last < size - 1)
    for period in range(1, min(LONGEST_PERIOD, int(whole.sum()) // 2) + 1):
        law = _law(first, last, whole, size, period)
        if law is not None:
            return Table(table.indptr, table.indices, size, law)
    return table


def _law(first: Indices, last: Indices, whole: NDArray[np.bool_], size: int, period: int) -> Periodic | None:
    """The law of this period, if all rows follow it; it is taken from one turn of rows that the ends don't cut."""
    runs = np.convolve(whole, np.ones(period + 1, np.int64), "valid")
    if not (runs > period).any():
        return None
    phases = int(np.argmax(runs > period)) + np.arange(period)
    step = int(first[phases[0] + period] - first[phases[0]])
    if step < 0 or (period == 1 and step < 1):
        return None
    turns, places = np.divmod(phases, period)
    low, high = np.empty(period, np.int64), np.empty(period, np.int64)
    low[places] = first[phases] - step * turns
    high[places] = last[phases] + 1 - step * turns
    turn, phase = np.divmod(np.arange(len(first)), period)
    begins = np.clip(step * turn + low[phase], 0, size - 1)
    ends = np.clip(step * turn + high[phase], 1, size)
    if (begins != first).any() or (ends != last + 1).any():
        return None
    return Periodic(step, tuple(low.tolist()), tuple(high.tolist()), at_size=True)
