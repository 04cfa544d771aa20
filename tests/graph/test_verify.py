"""What the verifier refuses, with the node and the rule, and how a graph reads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eyeshot.errors import GraphError
from eyeshot.graph import Builder, Graph, Node, Tensor
from eyeshot.graph.printer import show
from eyeshot.graph.verify import verify
from eyeshot.relations import (
    All,
    Along,
    Broadcast,
    Concat,
    Contract,
    Permute,
    Pointwise,
    Prefix,
    Relation,
    Reshape,
    Table,
    Window,
)


def small() -> Graph:
    """A window of 3 at stride 2 on an axis of 8, joined with itself."""
    builder = Builder()
    x = builder.input("x", (2, 8))
    seen = builder.along(x, {1: (Window(3, stride=2, padding=1), 4)})
    joined = builder.concat([seen, seen], 1)
    builder.graph.outputs["y"] = joined.node
    builder.graph.tensors.append(Tensor("conv", "aten.conv", seen.node, seen.shape))
    return builder.graph


def outside() -> Table:
    return Table.of_rows([[0], [8]], 8)


BROKEN: dict[str, tuple[Relation, tuple[int, ...], tuple[int, ...], str]] = {
    "a node that reads itself": (Pointwise(), (3,), (2, 8), "before the node"),
    "no operand": (Pointwise(), (), (2, 8), "needs an operand"),
    "two operands for one": (Reshape(), (0, 0), (16,), "needs 1 operand"),
    "shapes that differ": (Pointwise(), (0, 1), (2, 8), "differ from the output's"),
    "elements lost": (Reshape(), (0,), (15,), "numbers of elements"),
    "an axis twice": (Permute((0, 0)), (0,), (2, 2), "not a permutation"),
    "a broadcast of 2 to 3": (Broadcast(), (0,), (3, 8), "does not broadcast"),
    "a concat too long": (Concat(1), (1, 1), (2, 9), "do not join"),
    "a prefix that grows": (Along(((1, Prefix()),)), (0,), (2, 9), "keeps the extent"),
    "a table of other extents": (Along(((1, outside()),)), (0,), (2, 3), "stands between"),
    "a table that reads outside": (Along(((1, outside()),)), (0,), (2, 2), "outside its axis"),
    "an empty window": (Along(((1, Window(0)),)), (0,), (2, 8), "not a window"),
    "an axis too many": (Along(((2, All()),)), (0,), (2, 8), "does not exist"),
    "labels of two extents": (Contract(((0, 1), (1, 2)), (0, 2)), (0, 1), (2, 4), "has extents"),
}


def test_built_graphs_are_legal():
    verify(small())


@pytest.mark.parametrize(("relation", "operands", "shape", "rule"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_named(relation, operands, shape, rule):
    graph = small()
    graph.nodes.append(Node(relation, operands, shape))
    with pytest.raises(GraphError, match=f"^%{len(graph.nodes) - 1} .*{rule}"):
        verify(graph)


def test_names_are_of_nodes_that_exist():
    graph = small()
    graph.tensors[0] = replace(graph.tensors[0], node=9)
    with pytest.raises(GraphError, match="'conv' names node 9"):
        verify(graph)
    graph = small()
    graph.outputs["z"] = 7
    with pytest.raises(GraphError, match="'z' names node 7"):
        verify(graph)


def test_a_graph_reads_as_lines():
    assert show(small()).splitlines() == [
        "%0 [2, 8] input(x)",
        "%1 [2, 4] along(%0; 1: window 3 /2 +1)  # conv",
        "%2 [2, 8] concat(%1, %1; axis 1)",
    ]
