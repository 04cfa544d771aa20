"""The local view: what is left of a network when the gates that gather a whole axis are taken out of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyeshot.analyses.boxes import Boxes
from eyeshot.analyses.law import Laws
from eyeshot.analyses.paths import Paths
from eyeshot.analyses.sets import Sets
from eyeshot.graph import Builder, Ref
from eyeshot.relations import All, Window, tables
from tests.dense import dependence

STEPS = st.one_of(
    st.tuples(st.just("conv"), st.sampled_from([(1, 1), (2, 1), (2, 2)])),  # axis, stride
    st.tuples(st.just("skip"), st.sampled_from([(1, 1), (2, 2)])),  # axis, dilation
    st.tuples(st.just("gate"), st.sampled_from([(1,), (2,), (1, 2)])),
)
Program = list[tuple[str, tuple[int, ...]]]
# Few terms, so that none of them are united: then the arrays of a gate of half the channels would vary along channels.
HALVES = st.tuples(
    st.lists(STEPS.filter(lambda step: step[0] != "gate"), max_size=3),
    st.just(("half", (1, 2))),
).map(lambda parts: [*parts[0], parts[1]])
PROGRAMS = st.one_of(st.lists(STEPS, min_size=1, max_size=5), HALVES)


def build(program: Program, without: int | None = None, head: tuple[int, ...] = ()) -> tuple[Builder, Ref]:
    """A network on (2, 6, 7) channels, rows and columns; gates that gather the axis ``without`` are left out."""
    b = Builder()
    x = b.input("x", (2, 6, 7))
    for kind, numbers in program:
        match kind:
            case "conv":
                axis, stride = numbers
                count = (x.shape[axis] - 1) // stride + 1
                x = b.along(x, {0: (All(), 2), axis: (Window(3, stride, 1, 1), count)})
            case "skip":
                axis, dilation = numbers
                x = b.pointwise(x, b.along(x, {axis: (Window(3, 1, dilation, dilation), x.shape[axis])}))
            case "gate" if without not in numbers:
                x = b.pointwise(x, gate(b, x, numbers))
            case "half" if without not in numbers:  # one of two channels is gated
                first, second = b.slice(x, 0, 0, 1), b.slice(x, 0, 1, 2)
                x = b.concat([b.pointwise(first, gate(b, second, numbers)), second], 0)
    return b, b.reduce(x, head) if head else x


def gate(b: Builder, x: Ref, axes: tuple[int, ...]) -> Ref:
    """A summary of some axes, mixed over channels, for every element."""
    pooled = b.along(x, {axis: (All(), 1) for axis in axes}, summarises=True)
    return b.broadcast(b.along(pooled, {0: (All(), x.shape[0])}), x.shape)


@given(PROGRAMS)
def test_local_is_the_network_without_its_gates(program: Program) -> None:
    b, y = build(program)
    boxes, sets = Boxes(b.graph, 0, [1, 2]), Sets(b.graph, 0, [1, 2])
    starts, stops, _ = boxes.arrays(y.node, y.shape, local=True)
    full = dependence(b.graph, y.node, "x")
    for place, axis in enumerate((1, 2)):
        bare, out = build(program, without=axis)
        others = tuple(3 + i for i in range(3) if i != axis)
        expected = dependence(bare.graph, out.node, "x").any(others)
        whole = full.any(others)
        widest = 0
        for unit in np.ndindex(*y.shape):
            read = np.flatnonzero(expected[unit])
            hull = (read[0], read[-1] + 1)
            widest = max(widest, hull[1] - hull[0])
            assert boxes.at(y.node, unit, local=True)[place] == hull
            assert np.broadcast_to(starts[place], y.shape)[unit] == hull[0]
            assert np.broadcast_to(stops[place], y.shape)[unit] == hull[1]
            assert np.array_equal(sets.shadows(y.node, unit, local=True)[place], expected[unit])
            assert np.array_equal(sets.shadows(y.node, unit)[place], whole[unit])
        assert boxes.widest(y.node, place, local=True) == widest


@given(st.lists(STEPS, min_size=1, max_size=4), st.sampled_from([(1, 2), (1,)]))
def test_a_pooled_head_has_no_local_view_but_the_full_one(program: Program, head: tuple[int, ...]) -> None:
    b, y = build(program, head=head)
    boxes, sets = Boxes(b.graph, 0, [1, 2]), Sets(b.graph, 0, [1, 2])
    full = dependence(b.graph, y.node, "x")
    for unit in np.ndindex(*y.shape):
        read = np.flatnonzero(full[unit].any((0, 2)))
        assert boxes.at(y.node, unit, local=True)[0] == (read[0], read[-1] + 1)
        assert np.array_equal(sets.shadows(y.node, unit, local=True)[0], full[unit].any((0, 2)))
    assert boxes.widest(y.node, 0, local=True) == 6


@given(PROGRAMS)
def test_the_local_law_is_the_law_without_gates(program: Program) -> None:
    b, y = build(program)
    laws = Laws(b.graph, 0, [1, 2])
    for place, axis in enumerate((1, 2)):
        bare, out = build(program, without=axis)
        alone = Laws(bare.graph, 0, [1, 2])
        found, expected = laws.axis(y.node, place, local=True), alone.axis(out.node, place)
        assert found == expected
        assert found.size is not None
        gated = any(axis in numbers for kind, numbers in program if kind in {"gate", "half"})
        assert laws.axis(y.node, place).unbounded == gated
        for unit in ((0, 0, 0), (1, 2, 3)):
            assert laws.at(y.node, unit, place, local=True) == alone.at(out.node, unit, place)
            assert (laws.at(y.node, unit, place) is None) == gated


@given(st.lists(STEPS, min_size=1, max_size=5))
def test_local_paths_are_the_paths_without_gates(program: Program) -> None:
    b, y = build(program)
    bare, out = build(program, without=2)
    expected = dict(Paths(bare.graph, 0, 2).spectrum(out.node))
    paths = Paths(b.graph, 0, 2)
    assert dict(paths.spectrum(y.node, local=True)) == expected
    full = dict(paths.spectrum(y.node))
    gathered = full.pop(None, 0)
    assert full == expected
    assert (gathered > 0) == any(2 in numbers for kind, numbers in program if kind == "gate")


@pytest.mark.parametrize(("summarises", "bounded"), [(True, True), (False, False)])
def test_only_summaries_are_context(summarises: bool, bounded: bool) -> None:
    b = Builder()
    x = b.input("x", (9,))
    whole = b.along(x, {0: (All(), 1)}, summarises=summarises)
    y = b.pointwise(x, b.broadcast(whole, (9,)))
    assert Laws(b.graph, 0, [0]).axis(y.node, 0, local=True).unbounded is not bounded
    assert Boxes(b.graph, 0, [0]).at(y.node, (4,), local=True) == ([(4, 5)] if bounded else [(0, 9)])


def test_a_pool_of_what_does_not_vary_is_no_new_context() -> None:
    b = Builder()
    x = b.input("x", (4, 9))
    window = b.along(x, {1: (Window(3), 7)})
    pooled = b.reduce(window, [0])
    y = b.pointwise(window, b.broadcast(pooled, window.shape))
    boxes = Boxes(b.graph, 0, [0, 1])
    assert boxes.at(y.node, (2, 3), local=True) == [(2, 3), (3, 6)]
    assert boxes.at(y.node, (2, 3)) == [(0, 4), (3, 6)]


def test_a_window_over_all_there_is_marks_context_too() -> None:
    b = Builder()
    x = b.input("x", (8,))
    whole = b.along(x, {0: (Window(8), 1)}, summarises=True)
    part = b.along(x, {0: (Window(4, stride=4), 2)}, summarises=True)
    gated = b.pointwise(x, b.broadcast(whole, (8,)))
    stretched = b.reshape(b.broadcast(b.reshape(part, (2, 1)), (2, 4)), (8,))
    seen = b.pointwise(x, stretched)
    boxes = Boxes(b.graph, 0, [0])
    assert boxes.at(gated.node, (5,)) == [(0, 8)]
    assert boxes.at(gated.node, (5,), local=True) == [(5, 6)]
    assert boxes.at(seen.node, (5,), local=True) == [(4, 8)]


def test_a_summary_of_blocks_is_no_context() -> None:
    b = Builder()
    x = b.input("x", (12,))
    blocks = b.reshape(x, (3, 4))
    seen = b.pointwise(blocks, b.broadcast(b.reduce(blocks, [1]), (3, 4)))
    assert Boxes(b.graph, 0, [0]).at(seen.node, (1, 2), local=True) == [(4, 8)]
    assert Laws(b.graph, 0, [0]).at(seen.node, (1, 2), 0, local=True) == (4, 8)


def test_what_has_no_law_is_context_when_all_of_it_is_pooled() -> None:
    b = Builder()
    x = b.input("x", (12,))
    blocks = b.reshape(b.along(x, {0: (tables.roll(5, 12), 12)}), (3, 4))
    inner = b.reduce(blocks, [1])
    pooled = b.reduce(inner, [0])
    y = b.pointwise(x, b.broadcast(b.reshape(pooled, (1,)), (12,)))
    law = Laws(b.graph, 0, [0])
    assert law.axis(y.node, 0, local=True).size == 1
    assert law.axis(blocks.node, 0).why


def test_what_attention_gathers_is_no_summary() -> None:
    b = Builder()
    x = b.input("x", (6, 2))
    scores = b.contract("id,kd->ik", x, x)
    y = b.pointwise(x, b.contract("ik,kd->id", scores, x))
    assert Boxes(b.graph, 0, [0]).at(y.node, (2, 0), local=True) == [(0, 6)]
    assert Laws(b.graph, 0, [0]).axis(y.node, 0, local=True).unbounded


def test_holes_that_context_fills() -> None:
    b = Builder()
    x = b.input("x", (9,))
    holes = b.along(x, {0: (Window(3, dilation=2), 5)})
    y = b.pointwise(holes, b.broadcast(b.reduce(x, [0]), (5,)))
    sets = Sets(b.graph, 0, [0])
    assert sets.solid(y.node)
    assert not sets.solid(y.node, local=True)
    assert not sets.solid(holes.node)
