"""Laws that the answers obey among themselves, on random graphs."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eyeshot.analyses.boxes import Boxes
from eyeshot.analyses.law import Laws
from eyeshot.analyses.mask import Masks
from eyeshot.analyses.reach import Reach
from eyeshot.analyses.sets import Sets
from eyeshot.graph import Builder, Graph, Node
from eyeshot.relations import All, Along, Identity, Permute, Pointwise, Reshape, Window
from tests.graphs import graphs, steps


def some_units(graph: Graph, number: int) -> list[tuple[int, ...]]:
    """Every third unit of a node."""
    return list(np.ndindex(*graph.nodes[number].shape))[::3]


@given(graphs())
def test_the_box_is_the_hull_of_the_mask(graph: Graph) -> None:
    number = graph.outputs["y"]
    rank = len(graph.nodes[0].shape)
    boxes, masks = Boxes(graph, 0, range(rank)), Masks(graph)
    for unit in some_units(graph, number):
        mask, box = masks.at(number, unit, 0), boxes.at(number, unit)
        if box is None:
            assert not mask.any()
            continue
        inside = np.zeros_like(mask)
        inside[tuple(slice(start, stop) for start, stop in box)] = True
        assert not (mask & ~inside).any()
        assert box == [(places.min(), places.max() + 1) for places in np.nonzero(mask)]


@given(graphs())
def test_influence_is_the_transpose_of_the_mask(graph: Graph) -> None:
    number = graph.outputs["y"]
    masks = Masks(graph)
    units = some_units(graph, number)
    seen = [masks.at(number, unit, 0) for unit in units]
    for element in list(np.ndindex(*graph.nodes[0].shape))[::2]:
        reached = Reach(graph, 0, element).at(number)
        assert [mask[element] for mask in seen] == [reached[unit] for unit in units]


@given(graphs(steps=4), st.data())
def test_fields_compose_through_a_tensor_that_all_pass(graph: Graph, data: st.DataObject) -> None:
    middle = len(graph.nodes) - 1
    builder = Builder()
    builder.graph = graph
    shape = graph.nodes[middle].shape
    number = data.draw(steps(builder, middle, 4)).node
    masks = Masks(graph)
    for unit in some_units(graph, number):
        between = masks.at(number, unit, middle)
        assert between.shape == shape
        assert np.array_equal(masks.at(number, unit, 0), masks.at(middle, between, 0))


def roundabout(graph: Graph) -> Graph:
    """The same graph the long way: axes mapped one at a time, and views that undo each other behind every node."""
    out: list[Node] = []
    place: list[int] = []
    for node in graph.nodes:
        inputs = tuple(place[operand] for operand in node.inputs)
        shape = out[inputs[0]].shape if inputs else ()
        if isinstance(node.relation, Along):
            last = inputs[0]
            for axis, amap in reversed(node.relation.maps):
                shape = (*shape[:axis], node.shape[axis], *shape[axis + 1 :])
                out.append(Node(Along(((axis, amap),)), (last,), shape))
                last = len(out) - 1
        else:
            out.append(Node(node.relation, inputs, node.shape))
        rank = len(node.shape)
        for relation, shape in (
            (Pointwise(), node.shape),
            (Along(tuple((axis, Identity()) for axis in range(rank))), node.shape),
            (Reshape(), (1, *node.shape, 1)),
            (Permute((*range(rank, -1, -1), rank + 1)), (*node.shape[::-1], 1, 1)),
            (Permute((rank, *range(rank - 1, -1, -1), rank + 1)), (1, *node.shape, 1)),
            (Reshape(), node.shape),
        ):
            out.append(Node(relation, (len(out) - 1,), shape))
        place.append(len(out) - 1)
    return Graph(out, inputs={"x": 0}, outputs={"y": place[graph.outputs["y"]]})


@given(graphs())
def test_simplification_changes_nothing(graph: Graph) -> None:
    long = roundabout(graph)
    number, other = graph.outputs["y"], long.outputs["y"]
    rank = len(graph.nodes[0].shape)
    assert np.array_equal(Sets(graph, 0, None).matrix(number), Sets(long, 0, None).matrix(other))
    boxes, again = Boxes(graph, 0, range(rank)), Boxes(long, 0, range(rank))
    for unit in some_units(graph, number):
        assert boxes.at(number, unit) == again.at(other, unit)


@st.composite
def valid_and_same(draw: st.DrawFn) -> Graph:
    """Windows without holes that use up their input, padded on both sides alike or not at all, and skips.

    Where a stride leaves a rest, the graph does not allow the law: padding behind it stands for real elements.
    """
    builder = Builder()
    x = builder.input("x", (2, draw(st.integers(20, 50))))
    for _ in range(draw(st.integers(1, 6))):
        kernel = draw(st.sampled_from([1, 2, 3, 5]))
        stride = draw(st.integers(1, min(kernel, 2)))
        same = kernel % 2 and draw(st.booleans())
        padding = (kernel - 1) // 2 if same else 0
        extent, rest = divmod(x.shape[1] + 2 * padding - kernel, stride)
        extent += 1
        if extent < 3 or rest:
            continue
        y = builder.along(x, {0: (All(), 2), 1: (Window(kernel, stride, 1, padding), extent)})
        x = builder.pointwise(x, y) if y.shape == x.shape and draw(st.booleans()) else y
    builder.graph.outputs["y"] = x.node
    return builder.graph


@given(valid_and_same())
def test_clipped_is_unclipped_inside_the_input(graph: Graph) -> None:
    number = graph.outputs["y"]
    boxes, laws = Boxes(graph, 0, [1]), Laws(graph, 0, [1])
    extent = graph.nodes[0].shape[1]
    for y in range(graph.nodes[number].shape[1]):
        ideal = laws.at(number, (0, y), 0)
        assert ideal is not None
        assert boxes.at(number, (0, y)) == [(max(0, ideal[0]), min(extent, ideal[1]))]
