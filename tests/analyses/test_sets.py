"""Sets of random graphs against the dense interpreter, holes included."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from eyeshot.analyses.sets import Sets
from eyeshot.graph import Builder, Graph
from eyeshot.relations import All, Window
from eyeshot.relations.tables import take
from tests.dense import dependence
from tests.graphs import graphs


@given(graphs())
def test_one_flattened_axis_is_exact(graph: Graph) -> None:
    sets = Sets(graph, 0, None)
    for number in range(len(graph.nodes)):
        assert np.array_equal(sets.matrix(number), dependence(graph, number, "x"))


@given(graphs())
def test_shadows_are_the_projections_and_exact_products_the_field(graph: Graph) -> None:
    number = graph.outputs["y"]
    rank = len(graph.nodes[0].shape)
    sets = Sets(graph, 0, range(rank))
    reads = dependence(graph, number, "x")
    for unit in np.ndindex(*graph.nodes[number].shape):
        for axis, shadow in enumerate(sets.shadows(number, unit)):
            others = tuple(i for i in range(rank) if i != axis)
            assert np.array_equal(shadow, reads[unit].any(others))
        mask = sets.mask(number, unit)
        assert not (reads[unit] & ~mask).any()
        if sets.exact(number):
            assert np.array_equal(mask, reads[unit])


def test_a_cross_is_two_terms() -> None:
    builder = Builder()
    x = builder.input("x", (1, 1, 9, 9))
    wide = builder.along(x, {3: (Window(3, padding=1), 9)})
    tall = builder.along(x, {2: (Window(3, padding=1), 9)})
    cross = builder.pointwise(wide, tall)
    sets = Sets(builder.graph, 0, [2, 3])
    assert sets.exact(cross.node)
    found = np.argwhere(sets.mask(cross.node, (0, 0, 4, 4)))
    assert found.tolist() == [[3, 4], [4, 3], [4, 4], [4, 5], [5, 4]]


def test_dilation_leaves_holes() -> None:
    builder = Builder()
    x = builder.input("x", (1, 1, 9))
    y = builder.along(x, {2: (Window(3, dilation=2, padding=2), 9)})
    (shadow,) = Sets(builder.graph, 0, [2]).shadows(y.node, (0, 0, 4))
    assert np.flatnonzero(shadow).tolist() == [2, 4, 6]


def test_a_grid_of_patches_read_as_one_axis_is_a_product() -> None:
    builder = Builder()
    x = builder.input("x", (6, 6))
    patches = builder.along(x, {0: (Window(2, stride=2), 3), 1: (Window(2, stride=2), 3)})
    tokens = builder.reshape(patches, (9,))
    mixed = builder.along(builder.along(tokens, {0: (Window(1, padding=1), 10)}), {0: (All(), 1)})
    sets = Sets(builder.graph, 0, [0, 1])
    assert sets.exact(mixed.node)
    assert sets.mask(mixed.node, (0,)).all()


def test_a_scalar_has_a_matrix() -> None:
    builder = Builder()
    builder.input("x", ())
    assert Sets(builder.graph, 0, None).matrix(0).tolist() is True


@given(graphs())
def test_solid_fields_fill_their_boxes(graph: Graph) -> None:
    number = graph.outputs["y"]
    rank = len(graph.nodes[0].shape)
    sets = Sets(graph, 0, range(rank))
    reads = dependence(graph, number, "x")
    fills = True
    for unit in np.ndindex(*graph.nodes[number].shape):
        places = np.nonzero(reads[unit])
        if len(places[0]):
            fills &= len(places[0]) == np.prod([np.ptp(each) + 1 for each in places])
    if sets.exact(number):
        assert not sets.solid(number) or fills
        if len(sets.dependencies[number].terms) == 1:
            assert sets.solid(number) == fills


def test_channels_of_which_one_has_holes() -> None:
    builder = Builder()
    x = builder.input("x", (1, 12))
    parts = [builder.along(x, {1: (window, 9)}) for window in (Window(1), Window(3))]
    holes = builder.along(x, {1: (Window(2, dilation=3), 9)})
    solid = builder.concat(parts, 0)
    last, first = builder.concat([*parts, holes], 0), builder.concat([holes, *parts], 0)
    wide = builder.concat([builder.broadcast(part, (2, 9)) for part in parts], 0)
    sets = Sets(builder.graph, 0, [1])
    assert [len(sets.dependencies[y.node].terms) for y in (solid, last, first, wide)] == [2, 3, 3, 2]
    assert [sets.solid(y.node) for y in (solid, last, first, wide)] == [True, False, False, True]


def test_a_diagonal_is_no_product() -> None:
    builder = Builder()
    x = builder.input("x", (4, 4))
    diagonal = builder.along(builder.reshape(x, (16,)), {0: (take([0, 5, 10, 15], 16), 4)})
    pairs = builder.along(diagonal, {0: (Window(2), 3)})
    whole = builder.reduce(diagonal, [0])
    sets = Sets(builder.graph, 0, [0, 1])
    assert sets.exact(diagonal.node)
    for y in (pairs, whole):
        assert not sets.exact(y.node)
    assert np.argwhere(sets.mask(pairs.node, (1,))).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]
