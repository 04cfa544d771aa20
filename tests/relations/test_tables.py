"""Constructors of axis maps against NumPy on an axis of its own indices, and their laws against their rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyeshot.errors import GraphError
from eyeshot.relations import (
    AxisMap,
    Identity,
    Periodic,
    Table,
    Window,
    compose,
    hull,
    summary,
    tables,
    tabulate,
)

SIZES = st.integers(1, 9)


def rows(amap: AxisMap, size: int, count: int) -> list[list[int]]:
    table = tabulate(amap, size, count)
    assert (table.input_size, table.output_size) == (size, count)
    return [table.row(y).tolist() for y in range(count)]


def check_law(amap: AxisMap, size: int, count: int) -> None:
    """Where the law's interval lies inside the axis, it is the row's; rows that read nothing inside are empty."""
    law = summary(amap)
    found = rows(amap, size, count)
    for y in range(count):
        q, phase = divmod(y, law.period)
        low, high = law.step * q + law.low[phase], law.step * q + law.high[phase]
        if low >= 0 and high <= size:
            assert found[y] == list(range(low, high))


@given(SIZES, st.data())
def test_picked_indices(size, data):
    picked = data.draw(st.lists(st.integers(-size, size - 1), max_size=6))
    table = tables.take(picked, size)
    assert rows(table, size, len(picked)) == [[i] for i in np.arange(size)[picked].tolist()]
    steps = set(np.diff(np.arange(size)[picked]).tolist())
    assert (table.law is None) == (not picked or len(steps) > 1)
    if table.law is not None:
        check_law(table, size, len(picked))
        assert table.law.at_size is (min(steps, default=0) < 0)
        first = picked[0] % size
        assert table.law == Periodic(min(steps, default=1), (first,), (first + 1,), table.law.at_size)


def test_steady_steps_have_a_law():
    assert tables.take([1], 3).law == Periodic(1, (1,), (2,))
    assert tables.take([0, 2], 3).law == Periodic(2, (0,), (1,))
    assert tables.take([2, 1, 0], 3).law == Periodic(-1, (2,), (3,), at_size=True)
    assert tables.take([1, 1], 3).law == Periodic(0, (1,), (2,))
    assert tables.take([0, 1, 0], 3).law is None
    assert tables.take([], 3).law is None


@given(st.lists(st.booleans(), max_size=6))
def test_admitted_indices(mask):
    table = tables.admitted(np.array(mask, bool))
    assert rows(table, len(mask), len(mask)) == [[i] if kept else [] for i, kept in enumerate(mask)]


@given(SIZES, st.data())
def test_slices(size, data):
    start = data.draw(st.integers(0, size - 1))
    step = data.draw(st.sampled_from([1, 2, 3, -1, -2]))
    found = np.arange(size)[start::step]
    count = data.draw(st.integers(1, len(found)))
    amap = tables.strided(start, step, count, size)
    assert rows(amap, size, count) == [[i] for i in found[:count].tolist()]
    assert isinstance(amap, Identity) == ((start, step, count) == (0, 1, size))
    law = summary(amap)
    assert (law.step, law.low, law.high) == (step, (start,), (start + 1,))
    assert law.at_size is (step < 0)


@given(SIZES, st.integers(-12, 12))
def test_flips_and_rolls(size, shift):
    axis = np.arange(size)
    assert rows(tables.flip(size), size, size) == [[i] for i in axis[::-1].tolist()]
    rolled = tables.roll(shift, size)
    assert rows(rolled, size, size) == [[i] for i in np.roll(axis, shift).tolist()]
    assert isinstance(rolled, Identity) == (shift % size == 0)
    assert isinstance(tables.roll(shift, 0), Identity)


@given(
    SIZES,
    st.integers(-4, 6),
    st.integers(-4, 6),
    st.sampled_from(["constant", "replicate", *tables.REFLECTIONS]),
)
def test_pads_and_crops(size, before, after, mode):
    count = size + before + after
    kept = size + min(0, before) + min(0, after)
    if kept < 1 or count < 1:
        return
    amap = tables.pad(before, after, size, mode)
    cropped = np.arange(size)[max(0, -before) : size + min(0, after)]
    grown = (max(0, before), max(0, after))
    if mode == "constant":
        expected = [[i] if i >= 0 else [] for i in np.pad(cropped, grown, constant_values=-1).tolist()]
    else:
        name = {"replicate": "edge"} | tables.REFLECTIONS
        expected = [[i] for i in np.pad(cropped, grown, mode=name[mode]).tolist()]
    assert rows(amap, size, count) == expected
    assert isinstance(amap, Identity) == (before == after == 0)
    check_law(amap, size, count)
    assert summary(amap) == (Periodic(1, (-before,), (1 - before,)))


@given(SIZES, st.integers(1, 4))
def test_repeats(size, times):
    axis = np.arange(size)
    tiled, stretched = tables.tile(times, size), tables.stretch(times, size)
    assert rows(tiled, size, times * size) == [[i] for i in np.tile(axis, times).tolist()]
    assert rows(stretched, size, times * size) == [[i] for i in np.repeat(axis, times).tolist()]
    assert isinstance(tiled, Identity) == isinstance(stretched, Identity) == (times == 1)
    check_law(stretched, size, times * size)
    assert summary(stretched) == Periodic(1, (0,) * times, (1,) * times)


@given(st.integers(1, 12), st.integers(1, 14))
def test_adaptive_pooling(size, count):
    amap = tables.adaptive(size, count)
    # floor(y n / m) and ceil((y + 1) n / m), with the ceiling as the floor of one less, plus one.
    expected = [list(range(y * size // count, ((y + 1) * size - 1) // count + 1)) for y in range(count)]
    assert rows(amap, size, count) == expected
    law = summary(amap)
    assert law.at_size is (size != count)
    for y in range(count):
        q, phase = divmod(y, law.period)
        reach = (law.step * q + law.low[phase], law.step * q + law.high[phase])
        assert reach == (expected[y][0], expected[y][-1] + 1)
    # One turn of the law is the least that both axes share.
    assert law.step * count == law.period * size
    assert np.gcd(law.step, law.period) == 1


def test_what_a_table_knows_of_itself():
    table = Table.of_rows([[1, 2], [], [0]], 3)
    assert table.occupied.tolist() == [True, False, True]
    assert table.starts.tolist() == [0, 2]
    assert not table.single
    whole = Table.of_rows([[1], [0]], 3)
    assert whole.occupied is None
    assert whole.starts.tolist() == [0, 1]
    assert whole.single
    assert not Table.of_rows([[1, 2], []], 3).single
    assert not Table.of_rows([[1, 2], [0]], 3).single
    nothing = Table.of_rows([], 3)
    assert (nothing.output_size, nothing.input_size, nothing.indices.dtype) == (0, 3, np.int64)
    assert Table.of_rows([[1]], 3, Periodic(1, (1,), (2,))).law == Periodic(1, (1,), (2,))


@pytest.mark.parametrize(
    "other", [Table.of_rows([[1], [2]], 4), Table.of_rows([[1, 2]], 3), Table.of_rows([[1], [0]], 3), None]
)
def test_tables_are_equal_by_all_they_hold(other):
    table = Table.of_rows([[1], [2]], 3)
    assert table == Table.of_rows([[1], [2]], 3)
    assert table != other


def test_hulls_of_rows_in_any_order():
    starts, stops = hull(Table.of_rows([[4, 1, 2], [], [3]], 5), 5, 3)
    assert starts.tolist() == [1, 0, 3]
    assert stops.tolist() == [5, 0, 4]
    starts, stops = hull(Table.of_rows([[], []], 5), 5, 2)
    assert starts.tolist() == stops.tolist() == [0, 0]


def test_compositions_between_axes_of_different_extents():
    # Pairs of 8 elements, then triples of those pairs, at stride 1.
    both = compose(Window(3), Window(2, stride=2), (8, 4, 2))
    assert rows(both, 8, 2) == [[0, 1, 2, 3, 4, 5], [2, 3, 4, 5, 6, 7]]
    assert compose(Identity(), Window(2), (8, 7, 7)) == Window(2)
    assert compose(Window(2), Identity(), (8, 8, 7)) == Window(2)
    empty = compose(Window(1, padding=1), Window(1, padding=1), (2, 4, 6))
    assert rows(empty, 2, 6) == [[], [], [0], [1], [], []]


def test_tables_of_axes_of_different_extents():
    assert rows(Window(2, stride=3, dilation=2), 9, 3) == [[0, 2], [3, 5], [6, 8]]
    turned = tabulate(Window(3, 2, 1, 1), 5, 3)
    assert rows(turned, 5, 3) == [[0, 1], [1, 2, 3], [3, 4]]
    assert turned.law == Periodic(2, (-1,), (2,))


def test_pads_by_hand():
    def read(mode, before, after, size=4):
        return tabulate(tables.pad(before, after, size, mode), size, size + before + after).indices.tolist()

    assert read("replicate", 2, 1) == [0, 0, 0, 1, 2, 3, 3]
    assert read("reflect", 2, 1) == [2, 1, 0, 1, 2, 3, 2]
    assert read("circular", 1, 2) == [3, 0, 1, 2, 3, 0, 1]
    assert read("symmetric", 2, 1) == [1, 0, 0, 1, 2, 3, 3]
    assert read("replicate", -1, 2) == [1, 2, 3, 3, 3]
    assert read("reflect", -1, 2) == [1, 2, 3, 2, 1]
    assert read("constant", -1, -1) == [1, 2]


def test_adaptive_pooling_by_hand():
    four = tables.adaptive(6, 4)
    assert rows(four, 6, 4) == [[0, 1], [1, 2], [3, 4], [4, 5]]
    assert four.law == Periodic(3, (0, 1), (2, 3), at_size=True)


@pytest.mark.parametrize("indices", [[3], [-4], [0, 1 << 40], [np.iinfo(np.int64).min]])
def test_indices_outside_of_the_axis(indices):
    with pytest.raises(GraphError, match="outside of an axis of 3"):
        tables.take(indices, 3)
    assert rows(tables.take([-3, 2], 3), 3, 2) == [[0], [2]]
