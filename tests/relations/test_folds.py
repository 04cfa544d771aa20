"""Unfolding and folding against the windows written out, and their laws against the tables."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eyeshot.relations.folds import fold, unfold

WINDOWS = st.tuples(
    st.integers(1, 12),  # axis
    st.integers(1, 6),  # windows
    st.integers(1, 4),  # kernel
    st.integers(1, 5),  # stride
    st.integers(1, 3),  # dilation
    st.integers(0, 3),  # padding
)


def _place(w, k, stride, dilation, padding):
    return w * stride + k * dilation - padding


@given(WINDOWS)
def test_unfold_reads_its_place(given_windows):
    size, windows, kernel, *steps = given_windows
    table = unfold(*given_windows)
    assert table.output_size == windows * kernel
    for w in range(windows):
        for k in range(kernel):
            place = _place(w, k, *steps)
            assert table.row(w * kernel + k).tolist() == ([place] if 0 <= place < size else [])


@given(WINDOWS)
def test_fold_reads_every_window_that_holds_it(given_windows):
    size, windows, kernel, *steps = given_windows
    table = fold(*given_windows)
    assert (table.output_size, table.input_size) == (size, windows * kernel)
    for y in range(size):
        holding = [w * kernel + k for w in range(windows) for k in range(kernel) if _place(w, k, *steps) == y]
        assert table.row(y).tolist() == holding


@given(WINDOWS)
def test_laws_hold_where_all_windows_are_present(given_windows):
    size, windows, kernel, stride, dilation, padding = given_windows
    law = unfold(*given_windows).law
    table = fold(*given_windows)
    for y in range(size):
        q, phase = divmod(y, table.law.period)
        low, high = (table.law.step * q + bounds[phase] for bounds in (table.law.low, table.law.high))
        row = table.row(y)
        if low >= high:
            assert not len(row)
        elif low >= 0 and high <= windows * kernel:
            assert (low, high) == (row.min(), row.max() + 1)
            assert set(np.diff(row).tolist()) <= {table.law.gap}
    assert (law.step, law.period) == (stride, kernel)
    assert law.low == tuple(k * dilation - padding for k in range(kernel))
    assert law.high == tuple(low + 1 for low in law.low)


def test_windows_lie_side_by_side_unless_told_otherwise():
    assert unfold(6, 3, 2, 2) == unfold(6, 3, 2, stride=2, dilation=1, padding=0)
    assert fold(4, 3, 2) == fold(4, 3, 2, stride=1, dilation=1, padding=0)
    assert unfold(4, 3, 2).indices.tolist() == [0, 1, 1, 2, 2, 3]
    assert [fold(4, 3, 2).row(y).tolist() for y in range(4)] == [[0], [1, 2], [3, 4], [5]]
    assert unfold(4, 2, 0).law is None
