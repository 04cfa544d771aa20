"""The algebra of axis maps, against sets of indices written down from the maps' definitions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyeshot.relations import (
    All,
    Identity,
    Prefix,
    Suffix,
    Table,
    Window,
    compose,
    hull,
    summary,
    tabulate,
    transpose,
)

BETWEEN = 7

windows = st.builds(
    Window,
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 3),
    padding=st.integers(-2, 4),
    input_dilation=st.integers(1, 3),
)


def tables(input_size: int):
    rows = st.lists(st.sets(st.integers(0, input_size - 1)), min_size=BETWEEN, max_size=BETWEEN)
    return rows.map(lambda found: Table.of_rows([sorted(row) for row in found], input_size))


def maps(input_size: int = BETWEEN):
    return st.one_of(
        windows, tables(input_size), *(st.just(each()) for each in (Identity, Prefix, Suffix, All))
    )


def window_reads(window: Window, input_size: int | None, y: int) -> set[int]:
    """What output ``y`` reads of an axis, or of an endless one (None)."""
    taps = [window.stride * y - window.padding + window.dilation * k for k in range(window.kernel)]
    places = {tap // window.input_dilation for tap in taps if tap % window.input_dilation == 0}
    return {place for place in places if input_size is None or 0 <= place < input_size}


def reads(amap, input_size: int, y: int) -> set[int]:
    match amap:
        case Identity():
            return {y}
        case Prefix():
            return set(range(y + 1))
        case Suffix():
            return set(range(y, input_size))
        case All():
            return set(range(input_size))
        case Table():
            return set(amap.row(y).tolist())
        case Window():
            return window_reads(amap, input_size, y)


@given(maps())
def test_tables_of_maps(amap):
    table = tabulate(amap, BETWEEN, BETWEEN)
    assert [set(table.row(y).tolist()) for y in range(BETWEEN)] == [
        reads(amap, BETWEEN, y) for y in range(BETWEEN)
    ]


@given(maps(), maps())
def test_a_composition_reads_through_both(outer, inner):
    both = compose(outer, inner, (BETWEEN, BETWEEN, BETWEEN))
    for y in range(BETWEEN):
        through = [reads(inner, BETWEEN, m) for m in reads(outer, BETWEEN, y)]
        assert reads(both, BETWEEN, y) == set().union(*through)


@given(maps())
def test_a_transpose_turns_reading_round(amap):
    turned = transpose(amap, BETWEEN, BETWEEN)
    pairs = {(y, x) for y in range(BETWEEN) for x in reads(amap, BETWEEN, y)}
    assert {(y, x) for x in range(BETWEEN) for y in turned.row(x).tolist()} == pairs


@given(maps())
def test_a_hull_is_first_and_last(amap):
    starts, stops = hull(amap, BETWEEN, BETWEEN)
    for y in range(BETWEEN):
        read = reads(amap, BETWEEN, y)
        assert (starts[y], stops[y]) == ((min(read), max(read) + 1) if read else (0, 0))


@given(windows, st.integers(-4, 4))
def test_a_window_is_affine_up_to_a_phase(window, turn):
    law = summary(window)
    for phase in range(law.period):
        read = window_reads(window, None, law.period * turn + phase)
        low, high = law.low[phase] + law.step * turn, law.high[phase] + law.step * turn
        assert (low < high) == bool(read)
        if read:
            assert (low, high) == (min(read), max(read) + 1)
            assert {place % law.gap for place in read} == {low % law.gap}


@pytest.mark.parametrize("amap", [All(), Prefix(), Suffix()])
def test_what_grows_with_the_input_has_no_summary(amap):
    assert summary(amap) is None


def test_gaps_of_spread_out_windows():
    # Taps 4 apart over an input spread out by 2 hit every second element; 3 apart, every third.
    assert summary(Window(3, dilation=4, input_dilation=2)).gap == 2
    assert summary(Window(3, dilation=3, input_dilation=2)).gap == 3
    assert summary(Window(3, dilation=3)).gap == 3
    assert summary(Window(3)).gap == 1
