"""Masks and influence of random graphs against the dense interpreter: every unit, every element, holes included."""

from __future__ import annotations

from math import prod

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eyeshot.analyses.boxes import Boxes
from eyeshot.analyses.mask import Masks
from eyeshot.analyses.reach import Reach
from eyeshot.graph import Builder, Graph
from eyeshot.graph.transpose import transpose
from eyeshot.graph.verify import verify
from eyeshot.relations import Table
from eyeshot.relations.tables import flip
from tests.dense import dependence
from tests.graphs import graphs


@given(graphs())
def test_the_mask_of_every_unit(graph: Graph) -> None:
    number = graph.outputs["y"]
    verify(transpose(graph)[0])
    masks = Masks(graph)
    reads = dependence(graph, number, "x")
    for unit in np.ndindex(*graph.nodes[number].shape):
        assert np.array_equal(masks.at(number, unit, 0), reads[unit])


@given(graphs())
def test_the_influence_of_every_element(graph: Graph) -> None:
    number = graph.outputs["y"]
    reads = dependence(graph, number, "x")
    for element in np.ndindex(*graph.nodes[0].shape):
        expected = reads[(..., *element)]
        assert np.array_equal(Reach(graph, 0, element).at(number), expected)


@given(graphs(), st.data())
def test_regions_and_unions_over_axes(graph: Graph, data: st.DataObject) -> None:
    number = graph.outputs["y"]
    shape = graph.nodes[number].shape
    extents = graph.nodes[0].shape
    reads = dependence(graph, number, "x")
    kept = sorted(data.draw(st.sets(st.integers(0, len(extents) - 1))))
    others = tuple(axis for axis in range(len(extents)) if axis not in kept)
    masks = Masks(graph)

    bits = data.draw(st.lists(st.booleans(), min_size=prod(shape), max_size=prod(shape)))
    region = np.array(bits, bool).reshape(shape)
    assert np.array_equal(masks.at(number, region, 0, kept), reads[region].any(0).any(others))

    places = [
        data.draw(st.one_of(st.none(), st.integers(0, n - 1), st.just(slice(1, n)), st.just(slice(0, n, 2))))
        for n in shape
    ]
    region = np.zeros(shape, bool)
    region[tuple(slice(None) if place is None else place for place in places)] = True
    assert np.array_equal(masks.at(number, places, 0, kept), reads[region].any(0).any(others))
    assert masks.of(number, places).at(masks.place(0), ()) == reads[region].any()


def test_a_row_that_attends_to_nothing_sees_nothing() -> None:
    builder = Builder()
    x = builder.input("x", (3, 2))
    support = Table.of_rows([[0], [], [0, 2]], 3)
    scores = builder.contract("id,kd->ik", x, x)
    out = builder.contract("ik,kd->id", scores, x, support=("i", "k", support))
    masks = Masks(builder.graph)
    assert not masks.at(out.node, (1, 0), 0).any()
    assert np.argwhere(masks.at(out.node, (2, 0), 0, [0])).ravel().tolist() == [0, 2]


def test_a_branch_that_a_region_misses_hides_no_other() -> None:
    # Seen from the last third alone, the norm's way back carries nothing at all.
    builder = Builder()
    x = builder.input("x", (2, 3))
    y = builder.normalise(x, [0, 1])
    out = builder.concat([y, y, x], 0)
    region = np.zeros((6, 3), bool)
    region[4, 1] = True
    assert np.argwhere(Masks(builder.graph).at(out.node, region, 0)).tolist() == [[0, 1]]


def test_regions_of_two_elements_hold_no_more_than_they_do() -> None:
    builder = Builder()
    x = builder.input("x", (2,))
    y = builder.pointwise(x, builder.along(x, {0: (flip(2), 2)}))
    assert Reach(builder.graph, 0, np.array([True, False])).at(y.node).tolist() == [True, True]
    assert Masks(builder.graph).at(y.node, np.array([False, True]), 0).tolist() == [True, True]


def test_presence_stays_on_its_own_axis_through_views() -> None:
    builder = Builder()
    x = builder.input("x", (4, 3, 1))
    kept = builder.along(x, {1: (Table.of_rows([[0], [], [2]], 3), 3)})
    y = builder.reshape(kept, (2, 2, 3, 1))
    reached = Reach(builder.graph, 0, (None, None, None)).at(y.node)
    assert reached[..., 0].all((0, 1)).tolist() == reached[..., 0].any((0, 1)).tolist() == [True, False, True]
    boxes = Boxes(builder.graph, 0, [0, 1])
    assert [boxes.at(y.node, (1, 0, place, 0)) for place in range(3)] == [
        [(2, 3), (0, 1)],
        None,
        [(2, 3), (2, 3)],
    ]


def test_two_elements_of_which_one_is_reached_are_not_all() -> None:
    builder = Builder()
    x = builder.input("x", (2,))
    moved = builder.pad(builder.slice(x, 0, 0, 1), {0: (1, 0)})
    y = builder.pointwise(x, moved)
    assert Reach(builder.graph, 0, np.array([True, False])).at(y.node).tolist() == [True, True]
    assert Reach(builder.graph, 0, np.array([False, True])).at(y.node).tolist() == [False, True]
