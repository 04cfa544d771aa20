"""Limits on terms cost exactness only where there is no room, and say so: random graphs under other limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyeshot.analyses import lattices, reach, terms
from eyeshot.analyses.boxes import Boxes
from eyeshot.analyses.mask import Masks
from eyeshot.analyses.sets import Sets
from eyeshot.graph import Builder, Graph
from eyeshot.relations import Table, Window
from tests.dense import dependence
from tests.graphs import graphs

ENDLESS = 1 << 40
ROOMY = [
    (ENDLESS, ENDLESS, 1),  # terms are never united
    (1, 1, 1),  # always
    (1, ENDLESS, ENDLESS),  # where that is cheap, and it is
    (1, ENDLESS, 0),  # and it is not
]


@contextmanager
def limits(few: int, cap: int, cheap: int, many: int = 1 << 21) -> Iterator[None]:
    with (
        patch.multiple(terms, FEW=few, JOINT=few, CAP=cap),
        patch.multiple(lattices, CHEAP=cheap, MANY=many, LARGE=1 if cheap == 1 else lattices.LARGE),
        patch.object(reach, "SMALL", cheap),
    ):
        yield


def hull(shadow: np.ndarray) -> tuple[int, int]:
    places = np.flatnonzero(shadow)
    return int(places[0]), int(places[-1]) + 1


@given(st.sampled_from(ROOMY), graphs())
def test_with_room_every_answer_is_exact(given_limits: tuple[int, int, int], graph: Graph) -> None:
    number = graph.outputs["y"]
    rank = len(graph.nodes[0].shape)
    reads = dependence(graph, number, "x")
    with limits(*given_limits):
        sets, boxes, masks = Sets(graph, 0, range(rank)), Boxes(graph, 0, range(rank)), Masks(graph)
        assert np.array_equal(Sets(graph, 0, None).matrix(number), reads)
        for unit in list(np.ndindex(*graph.nodes[number].shape))[::2]:
            shadows = [reads[unit].any(tuple(i for i in range(rank) if i != axis)) for axis in range(rank)]
            seen = bool(reads[unit].any())
            assert boxes.at(number, unit) == ([hull(shadow) for shadow in shadows] if seen else None)
            assert all(map(np.array_equal, sets.shadows(number, unit), shadows))
            assert np.array_equal(masks.at(number, unit, 0), reads[unit])
            held = sets.mask(number, unit)
            assert not (reads[unit] & ~held).any()
            assert np.array_equal(held, reads[unit]) or not sets.exact(number)
    assert "many-terms" not in sets.dependencies[number].reasons | boxes.dependencies[number].reasons


@given(graphs())
def test_without_room_answers_are_sound_and_say_so(graph: Graph) -> None:
    number = graph.outputs["y"]
    rank = len(graph.nodes[0].shape)
    reads = dependence(graph, number, "x")
    with limits(1, 1, 0, 0):
        sets, boxes, flat = Sets(graph, 0, range(rank)), Boxes(graph, 0, range(rank)), Sets(graph, 0, None)
    wide = "many-terms" in boxes.dependencies[number].reasons
    for unit in list(np.ndindex(*graph.nodes[number].shape))[::2]:
        box = boxes.at(number, unit)
        shadows = [reads[unit].any(tuple(i for i in range(rank) if i != axis)) for axis in range(rank)]
        held = sets.mask(number, unit)
        assert not (reads[unit] & ~held).any()
        assert np.array_equal(held, reads[unit]) or not sets.exact(number)
        if not reads[unit].any():
            assert box is None or wide
            continue
        assert box is not None
        for (start, stop), shadow in zip(box, shadows, strict=True):
            low, high = hull(shadow)
            assert start <= low
            assert high <= stop
            assert wide or (start, stop) == (low, high)
    matrix = flat.matrix(number)
    assert not (reads & ~matrix).any()
    assert np.array_equal(matrix, reads) or "many-terms" in flat.dependencies[number].reasons


def skewed(pieces: int) -> tuple[Graph, int]:
    """Pieces of an axis, each read through a window of its own, end to end."""
    b = Builder()
    x = b.input("x", (4 * pieces,))
    parts = [b.along(x, {0: (Window(1, stride=1 + i % 3, padding=-i), 2)}) for i in range(pieces)]
    out = b.concat(parts, 0)
    b.graph.outputs["y"] = out.node
    return b.graph, out.node


@pytest.mark.parametrize("count", [terms.FEW + 1, terms.CAP + 4])
def test_many_pieces_are_one_array(count: int) -> None:
    graph, node = skewed(count)
    boxes = Boxes(graph, 0, [0])
    assert len(boxes.dependencies[node].terms) == 1
    assert not boxes.dependencies[node].reasons
    for i in range(count):
        for k in range(2):
            first = i + k * (1 + i % 3)
            assert boxes.at(node, (2 * i + k,)) == [(first, first + 1)]


def test_few_pieces_stay_apart() -> None:
    graph, node = skewed(terms.FEW)
    assert len(Boxes(graph, 0, [0]).dependencies[node].terms) == terms.FEW


def test_what_a_saturated_term_holds_is_dropped() -> None:
    b = Builder()
    x = b.input("x", (4, 5))
    whole = b.broadcast(b.reduce(x, [0, 1], summarises=False), (4, 5))
    kept = b.along(x, {1: (Table.of_rows([[0], [], [1, 2], [], [4]], 5), 5)})
    both = b.pointwise(kept, whole)
    for axes in ([0, 1], [1]):
        boxes = Boxes(b.graph, 0, axes)
        (term,) = boxes.dependencies[both.node].terms
        assert term.exact
        assert boxes.at(both.node, (1, 2)) == [(0, (4, 5)[axis]) for axis in axes]
    # On one axis alone it is not all of both.
    rows = b.broadcast(b.reduce(x, [0], summarises=False), (4, 5))
    cross = b.pointwise(kept, rows)
    assert len(Boxes(b.graph, 0, [0, 1]).dependencies[cross.node].terms) == 2


def test_reasons_travel_with_what_they_are_about() -> None:
    b = Builder()
    x, z = b.input("x", (4,)), b.input("z", (4,))
    guessed = b.dense([x], (4,), "unknown-op")
    aside = b.dense([z], (4,), "data-dependent-index")
    both = b.pointwise(x, guessed, aside)
    after = b.along(both, {0: (Window(2), 3)})
    plain = b.along(x, {0: (Window(2), 3)})
    reasons = [dependency.reasons for dependency in Boxes(b.graph, 0, [0]).dependencies]
    assert reasons[guessed.node] == reasons[both.node] == reasons[after.node] == {"unknown-op"}
    assert not reasons[plain.node]
    assert not reasons[aside.node]
    assert not reasons[x.node]


def test_one_set_everywhere_and_somewhere_is_one_term() -> None:
    b = Builder()
    x = b.input("x", (4, 5))
    first = b.broadcast(b.slice(x, 1, 0, 1), (4, 5))
    some = b.along(first, {1: (Table.of_rows([[0], [], [2], [], [4]], 5), 5)})
    more = b.along(first, {1: (Table.of_rows([[], [1], [], [], [4]], 5), 5)})
    everywhere, either = b.pointwise(first, some), b.pointwise(some, more)
    boxes = Boxes(b.graph, 0, [1])
    (term,) = boxes.dependencies[everywhere.node].terms
    assert not term.masks
    (term,) = boxes.dependencies[either.node].terms
    assert term.masks[1].tolist() == [True, True, True, False, True]


def test_a_product_of_which_every_row_is_cut_reads_nothing() -> None:
    b = Builder()
    x = b.input("x", (3, 2))
    nothing = Table.of_rows([[], [], []], 3)
    out = b.contract("ik,kd->id", b.contract("id,kd->ik", x, x), x, support=("i", "k", nothing))
    assert Boxes(b.graph, 0, [0]).at(out.node, (1, 1)) is None
    assert not Sets(b.graph, 0, None).matrix(out.node).any()
    assert not Masks(b.graph).at(out.node, (1, 1), 0).any()


def test_a_row_that_is_cut_reads_nothing_of_any_operand() -> None:
    b = Builder()
    x = b.input("x", (3, 2))
    some = Table.of_rows([[0], [], [1, 2]], 3)
    out = b.contract("id,kd->id", x, x, support=("i", "k", some))
    expected = dependence(b.graph, out.node, "x")
    assert not expected[1].any()
    assert np.array_equal(Sets(b.graph, 0, None).matrix(out.node), expected)
    assert Boxes(b.graph, 0, [0, 1]).at(out.node, (1, 0)) is None
    masks = Masks(b.graph)
    for unit in np.ndindex(3, 2):
        assert np.array_equal(masks.at(out.node, unit, 0), expected[unit])


def test_terms_are_widened_only_where_there_is_no_other_way() -> None:
    graph, node = skewed(4)
    with limits(1, ENDLESS, 0):
        boxes = Boxes(graph, 0, [0])
    assert len(boxes.dependencies[node].terms) == 4
    assert not boxes.dependencies[node].reasons
    with limits(1, 1, 0, 0):
        boxes = Boxes(graph, 0, [0])
    assert len(boxes.dependencies[node].terms) == 1
    assert boxes.dependencies[node].reasons == {"many-terms"}
    assert {tuple(boxes.at(node, (unit,))[0]) for unit in range(8)} == {(0, 6)}
