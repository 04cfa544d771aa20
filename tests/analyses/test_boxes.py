"""Boxes of random graphs against the dense interpreter, unit by unit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from eyeshot.analyses import lattices
from eyeshot.analyses.boxes import Boxes
from eyeshot.analyses.lattices import Interval
from eyeshot.graph import Graph
from eyeshot.graph.verify import verify
from tests.dense import dependence
from tests.graphs import graphs


def hulls(reads: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """First and one-past-last True of the last axes' projection on one of them; 0, 0 where nothing is read."""
    shadow = reads.any(axis=tuple(i for i in range(reads.ndim) if i != axis)) if reads.ndim > 1 else reads
    places = np.flatnonzero(shadow)
    return (places[0], places[-1] + 1) if len(places) else (0, 0)


@given(graphs())
def test_boxes_are_the_hulls(graph: Graph) -> None:
    verify(graph)
    check(graph)


@given(graphs())
def test_boxes_of_large_tensors_are_the_hulls(graph: Graph) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lattices, "LARGE", 1)
        check(graph)


def test_what_was_merged_is_found_again() -> None:
    lattice, sizes = Interval(), (8, 40, 40)
    own = lattice.identity(sizes, 1)
    again = lattice.split(lattice.merge(own, 0, sizes), 0, sizes)
    assert np.array_equal(again, own)


def check(graph: Graph) -> None:
    """Compare the boxes of a graph's last node and output with the dense interpreter, unit by unit."""
    rank = len(graph.nodes[0].shape)
    boxes = Boxes(graph, 0, range(rank))
    for number in {len(graph.nodes) - 1, graph.outputs["y"]}:
        shape = graph.nodes[number].shape
        reads = dependence(graph, number, "x")
        starts, stops, occupied = boxes.arrays(number, shape)
        for unit in np.ndindex(*shape):
            found = boxes.at(number, unit)
            assert (
                (found is not None) == bool(reads[unit].any()) == bool(np.broadcast_to(occupied, shape)[unit])
            )
            for axis in range(rank):
                expected = hulls(reads[unit], axis)
                assert (found[axis] if found else (0, 0)) == expected
                if found:
                    assert (
                        np.broadcast_to(starts[axis], shape)[unit],
                        np.broadcast_to(stops[axis], shape)[unit],
                    ) == expected


@given(graphs())
def test_the_widest_box_is_the_widest_of_all_units(graph: Graph) -> None:
    rank = len(graph.nodes[0].shape)
    boxes = Boxes(graph, 0, range(rank))
    for number in {len(graph.nodes) - 1, graph.outputs["y"]}:
        shape = graph.nodes[number].shape
        reads = dependence(graph, number, "x")
        starts, stops, _ = boxes.arrays(number, shape, local=True)
        for axis in range(rank):
            hull = [hulls(reads[unit], axis) for unit in np.ndindex(*shape)]
            assert boxes.widest(number, axis) == max((stop - start for start, stop in hull), default=0)
            assert boxes.widest(number, axis, local=True) == (stops[axis] - starts[axis]).max(initial=0)


@given(graphs(steps=5))
def test_none_in_an_index_is_the_union(graph: Graph) -> None:
    number = graph.outputs["y"]
    shape = graph.nodes[number].shape
    rank = len(graph.nodes[0].shape)
    boxes = Boxes(graph, 0, range(rank))
    reads = dependence(graph, number, "x")
    for axis in range(len(shape)):
        index = [0] * len(shape)
        found = boxes.at(number, [None if i == axis else 0 for i in range(len(shape))])
        index[axis] = slice(None)
        union = reads[tuple(index)].any(0)
        assert (found is not None) == bool(union.any())
        if found:
            assert found == [hulls(union, i) for i in range(rank)]
