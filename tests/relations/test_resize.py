"""Resizing: tables against the kernels' own formulas, laws against tables."""

from __future__ import annotations

from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyeshot.relations import Identity, Table, tabulate
from eyeshot.relations.resize import resize

MODES = ["nearest", "nearest-exact", "linear", "cubic", "linear-aa", "cubic-aa", "lanczos-aa"]
KERNELS = {
    # Keys 1981 with a = -1/2, and the windowed sinc; the names are those of Pillow's filters.
    "linear-aa": (1, lambda u: 1 - abs(u)),
    "cubic-aa": (2, lambda u: 1.5 * abs(u) ** 3 - 2.5 * u * u + 1 if abs(u) < 1 else _outer(abs(u))),
    "lanczos-aa": (3, lambda u: np.sinc(u) * np.sinc(u / 3)),
}


def _outer(u):
    return -0.5 * (u**3 - 5 * u**2 + 8 * u - 4)


def _weights(size, scale, mode, y, aligned=False):
    """Weights of one output by the textbook, in floating point, over the whole axis."""
    out = np.zeros(size)
    if mode in KERNELS:
        reach, kernel = KERNELS[mode]
        wide = max(scale, 1)
        for i in range(size):
            u = (i + 0.5 - scale * (y + 0.5)) / wide
            if abs(u) < reach - 1e-9:
                out[i] = kernel(u)
        return out
    place = scale * y if aligned else scale * (y + 0.5) - 0.5
    left = floor(place + 1e-9)
    t = place - left
    taps = {0: 1 - t, 1: t}
    if mode == "cubic":
        a = -0.75
        inner = {k: (a + 2) * abs(t - k) ** 3 - (a + 3) * abs(t - k) ** 2 + 1 for k in (0, 1)}
        outer = {k: a * (abs(t - k) ** 3 - 5 * abs(t - k) ** 2 + 8 * abs(t - k) - 4) for k in (-1, 2)}
        taps = inner | outer
    for k, weight in taps.items():
        out[min(max(left + k, 0), size - 1)] += weight
    return out


@given(
    size=st.integers(1, 24),
    count=st.integers(1, 40),
    mode=st.sampled_from(MODES[2:]),
    how=st.sampled_from(["extents", "aligned", 0.5, 1.25, 1.5, 2.0, 3.0]),
)
def test_tables_hold_the_nonzero_weights(size, count, mode, how):
    aligned = how == "aligned"
    factor = how if isinstance(how, float) else None
    count = max(1, floor(size * factor)) if factor else count
    amap = resize(size, count, mode, align_corners=aligned, factor=factor)
    table = tabulate(amap, size, count)
    assert isinstance(amap, Identity) == (size == count and (factor is None or mode != "cubic"))
    scale = (
        ((size - 1) / (count - 1) if count > 1 else 0) if aligned else 1 / factor if factor else size / count
    )
    for y in range(count):
        read = np.flatnonzero(abs(_weights(size, scale, mode, y, aligned)) > 1e-7)
        if isinstance(amap, Identity):
            assert table.row(y).tolist() == [y]
        else:
            assert table.row(y).tolist() == read.tolist()


@given(size=st.integers(1, 30), times=st.integers(1, 4), mode=st.sampled_from(MODES[:2]), by=st.booleans())
def test_nearest_by_whole_ratios(size, times, mode, by):
    up = tabulate(resize(size, times * size, mode, factor=float(times) if by else None), size, times * size)
    assert up.indices.tolist() == np.repeat(np.arange(size), times).tolist()
    down = tabulate(resize(times * size, size, mode, factor=1 / times if by else None), times * size, size)
    first = 0 if mode == "nearest" else times // 2
    assert down.indices.tolist() == list(range(first, times * size, times))
    assert up.single
    assert down.single


@pytest.mark.parametrize("mode", MODES[:2])
def test_nearest_by_a_ragged_factor(mode):
    # floor(y / 1.7) and floor((y + 1/2) / 1.7): far from every whole number, so no rounding matters.
    table = resize(10, 17, mode, factor=1.7)
    half = 0.5 if mode == "nearest-exact" else 0
    assert table.indices.tolist() == [floor((y + half) / 1.7) for y in range(17)]
    assert (table.law.period, table.law.step, table.law.at_size) == (17, 10, False)


def test_a_factor_holds_where_the_extent_stays():
    assert resize(4, 4, "nearest", factor=1.2).indices.tolist() == [0, 0, 1, 2]
    assert isinstance(resize(4, 4, "linear", factor=1.2), Identity)


def test_a_factor_that_is_none_counts_as_not_given():
    assert resize(4, 6, "linear", factor=0.0) == resize(4, 6, "linear")
    assert resize(4, 6, "nearest", factor=-1.0) == resize(4, 6, "nearest")


@given(
    size=st.integers(2, 60),
    count=st.integers(2, 90),
    mode=st.sampled_from(MODES),
    aligned=st.booleans(),
    factor=st.none() | st.sampled_from([0.5, 1.5, 1.7, 2.0, 2.3, 3.0, 4.0]),
)
def test_laws_hold_inside(size, count, mode, aligned, factor):
    if factor is not None:
        count = max(1, int(size * factor))
    aligned = aligned and "nearest" not in mode
    amap = resize(size, count, mode, align_corners=aligned, factor=factor)
    if isinstance(amap, Identity) or amap.law is None:
        return
    for y in range(count):
        q, phase = divmod(y, amap.law.period)
        low, high = (amap.law.step * q + bounds[phase] for bounds in (amap.law.low, amap.law.high))
        row = amap.row(y)
        assert low <= max(row.min(), low) <= high
        if low >= 0 and high <= size:
            if "nearest" in mode:
                assert low <= row[0] < high  # rounding may widen a phase by its neighbour
                assert high - low <= 2
            else:
                assert (low, high) == (row.min(), row.max() + 1)


@pytest.mark.parametrize(
    ("size", "count", "kwargs", "at_size"),
    [
        (8, 16, {}, False),
        (16, 8, {}, False),
        (8, 12, {}, True),
        (8, 12, {"factor": 1.5}, False),
        (8, 15, {"align_corners": True}, True),
    ],
)
def test_laws_of_ragged_ratios_are_at_this_size(size, count, kwargs, at_size):
    table = resize(size, count, "linear", **kwargs)
    assert isinstance(table, Table)
    assert table.law.at_size is at_size


def test_linear_by_two():
    # Output y lies at y / 2 - 1/4: 0 at -1/4, 1 at 1/4, 2 at 3/4 ...
    table = resize(4, 8, "linear")
    assert [table.row(y).tolist() for y in range(8)] == [
        [0],
        [0, 1],
        [0, 1],
        [1, 2],
        [1, 2],
        [2, 3],
        [2, 3],
        [3],
    ]
    assert (table.law.step, table.law.low, table.law.high) == (1, (-1, 0), (1, 2))


def test_linear_by_three_reads_one_element_where_aligned():
    # Output 3q + 1 lies at q exactly, though a third rounds in binary.
    table = resize(50, 150, "linear")
    assert all(table.row(3 * q + 1).tolist() == [q] for q in range(50))


def test_nearest_rounds_as_pytorch_does():
    # Output 81 lies at 30 exactly; 1 / 2.7 in single precision falls short of it. The law admits both.
    table = resize(64, 172, "nearest", factor=2.7)
    assert table.row(81).tolist() == [29]
    assert (table.law.low[0], table.law.high[0]) == (-1, 1)


def test_a_long_period_has_no_law():
    assert resize(5000, 4999, "linear").law is None
    assert resize(4095, 4096, "nearest").law.period == 4096
    assert resize(4098, 4097, "nearest").law is None
    assert resize(5, 1, "linear", align_corners=True).law is None


@pytest.mark.parametrize(
    ("mode", "count", "low", "high"),
    [
        # Halving: output y lies at 2 y + 1/2 between two elements; a filter of reach r spans 2 r on each side of 2 y + 1.
        ("linear", 5, (0,), (2,)),
        ("cubic", 5, (-1,), (3,)),
        ("linear-aa", 5, (-1,), (3,)),
        ("cubic-aa", 5, (-3,), (5,)),
        ("lanczos-aa", 5, (-5,), (7,)),
        # Doubling: a quarter before and after every element.
        ("linear", 20, (-1, 0), (1, 2)),
        ("cubic", 20, (-2, -1), (2, 3)),
        ("linear-aa", 20, (-1, 0), (1, 2)),
        ("cubic-aa", 20, (-2, -1), (2, 3)),
        ("lanczos-aa", 20, (-3, -2), (3, 4)),
    ],
)
def test_laws_of_two(mode, count, low, high):
    law = resize(10, count, mode).law
    assert (law.step, law.low, law.high) == (2 if count == 5 else 1, low, high)


def test_a_law_admits_the_neighbour_that_rounding_picks():
    table = resize(64, 172, "nearest", factor=2.7)
    law = table.law
    for y in range(172):
        q, phase = divmod(y, law.period)
        if law.step * q + law.low[phase] < 63:
            assert law.step * q + law.low[phase] <= table.row(y)[0] < law.step * q + law.high[phase]
    assert max(high - low for low, high in zip(law.low, law.high, strict=True)) == 2


@pytest.mark.parametrize(
    ("mode", "size", "count", "rows"),
    [
        # A filter of reach r spans r * max(1, size / count) on each side of (y + 1/2) * size / count.
        ("linear-aa", 9, 3, [[0, 1, 2, 3], [2, 3, 4, 5, 6], [5, 6, 7, 8]]),
        ("linear-aa", 8, 2, [[0, 1, 2, 3, 4, 5], [2, 3, 4, 5, 6, 7]]),
        ("cubic-aa", 9, 3, [[0, 1, 2, 3, 5, 6], [0, 2, 3, 4, 5, 6, 8], [2, 3, 5, 6, 7, 8]]),
        ("linear-aa", 2, 6, [[0], [0], [0, 1], [0, 1], [1], [1]]),
        ("cubic-aa", 2, 6, [[0, 1], [0], [0, 1], [0, 1], [1], [0, 1]]),
    ],
)
def test_antialiased_by_hand(mode, size, count, rows):
    table = resize(size, count, mode)
    assert [table.row(y).tolist() for y in range(count)] == rows


def test_aligned_corners_by_hand():
    def rows(size, count):
        table = resize(size, count, "linear", align_corners=True)
        return [table.row(y).tolist() for y in range(count)]

    assert rows(5, 3) == [[0], [2], [4]]
    assert rows(3, 2) == [[0], [2]]
    assert rows(4, 3) == [[0], [1, 2], [3]]
    assert rows(4, 1) == [[0]]
    assert rows(2, 3) == [[0], [0, 1], [1]]


@pytest.mark.parametrize(("mode", "middle"), [("nearest", 0), ("nearest-exact", 1)])
def test_laws_of_nearest_by_whole_ratios(mode, middle):
    up, down = resize(5, 10, mode).law, resize(12, 4, mode).law
    assert (up.step, up.low, up.high) == (1, (0, 0), (1, 1))
    assert (down.step, down.low, down.high) == (3, (middle,), (middle + 1,))
