"""Routes: every step is read by the next, by an interpreter that shares nothing with the analyses."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyeshot.analyses.route import names_on, route
from eyeshot.graph import Builder, Graph, Node
from eyeshot.graph.graph import Tensor
from eyeshot.relations import Input, Window
from tests.dense import dependence
from tests.graphs import graphs


def single(graph: Graph, node: int, operand: int) -> np.ndarray:
    """What a node reads of one of its operands, apart from the rest of its graph."""
    held = graph.nodes[node]
    inputs = [
        Node(Input("asked" if each == operand else f"other {i}"), (), graph.nodes[each].shape)
        for i, each in enumerate(held.inputs)
    ]
    alone = Graph([*inputs, Node(held.relation, tuple(range(len(inputs))), held.shape)])
    alone.inputs = {"asked": held.inputs.index(operand)}
    return dependence(alone, len(inputs), "asked")


@given(graphs(), st.data())
def test_every_step_reads_the_one_before(graph: Graph, data: st.DataObject) -> None:
    source, end = graph.inputs["x"], graph.outputs["y"]
    whole = dependence(graph, end, "x")
    element, unit = (
        tuple(data.draw(st.integers(0, n - 1)) for n in graph.nodes[node].shape) for node in (source, end)
    )
    steps = route(graph, source, element, end, unit)
    assert bool(steps) == whole[unit][element]
    if not steps:
        return
    assert (steps[0], steps[-1]) == ((source, element), (end, unit))
    for before, after in pairwise(steps):
        assert before.node in graph.nodes[after.node].inputs
        assert single(graph, after.node, before.node)[after.place][before.place]


def block() -> tuple[Graph, int, int]:
    """Two convolutions beside a skip, joined: the graph with the numbers of input and output."""
    builder = Builder()
    x = builder.input("x", (1, 9))
    convs = [x]
    for name in ("first", "second"):
        convs.append(builder.along(convs[-1], {1: (Window(3, padding=1), 9)}))
        builder.graph.tensors.append(Tensor(name, "conv", convs[-1].node, (1, 9), module=name))
    y = builder.pointwise(convs[-1], x)
    builder.graph.tensors.append(Tensor("add", "add", y.node, (1, 9)))
    return builder.graph, x.node, y.node


def test_the_way_with_fewest_nodes_that_leads_there() -> None:
    graph, x, y = block()
    short, long = (route(graph, x, (0, 4), y, unit) for unit in ((0, 4), (0, 6)))
    assert names_on(graph, short) == ("x", "add")
    assert names_on(graph, long) == ("x", "first", "second", "add")
    assert [step.place for step in long] == [(0, 4), (0, 5), (0, 6), (0, 6)]


@pytest.mark.parametrize(
    ("unit", "end"), [((0, None), (0, 2)), ((None, slice(5, None)), (0, 5)), ((0, 7), None)]
)
def test_regions_end_at_the_first_unit_that_sees_the_element(unit, end) -> None:
    graph, x, y = block()
    steps = route(graph, x, (0, 4), y, unit)
    assert (steps[-1].place if steps else None) == end


def test_the_short_way_may_have_been_computed_last() -> None:
    builder = Builder()
    x = builder.input("x", (9,))
    far = x
    for _ in range(3):
        far = builder.along(far, {0: (Window(3, padding=1), 9)})
    near = builder.along(x, {0: (Window(1), 9)})
    y = builder.pointwise(far, near)
    steps = route(builder.graph, x.node, (4,), y.node, (4,))
    assert [step.node for step in steps] == [x.node, near.node, y.node]
