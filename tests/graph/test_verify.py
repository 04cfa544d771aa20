"""What the verifier refuses, with the node and the rule, and how a graph reads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eyeshot.errors import GraphError
from eyeshot.graph import Builder, Graph, ModuleOutput, Node, Tensor
from eyeshot.graph.printer import show
from eyeshot.graph.verify import verify
from eyeshot.relations import (
    All,
    Along,
    Broadcast,
    Concat,
    Constant,
    Contract,
    Dense,
    Input,
    Permute,
    Pointwise,
    Prefix,
    Relation,
    Reshape,
    Suffix,
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
    builder.input("z", (1,))
    return builder.graph


def outside() -> Table:
    return Table.of_rows([[0], [8]], 8)


BROKEN: dict[str, tuple[Relation, tuple[int, ...], tuple[int, ...], str]] = {
    "a node that reads itself": (Pointwise(), (4,), (2, 8), "before the node"),
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
    "an axis counted from the end": (Along(((-1, All()),)), (0,), (2, 8), "does not exist"),
    "labels of two extents": (Contract(((0, 1), (1, 2)), (0, 2)), (0, 1), (2, 4), "has extents"),
    "an operand that does not exist": (Pointwise(), (-1,), (2, 8), "before the node"),
    "an operand too late": (Pointwise(), (0, 9), (2, 8), "before the node"),
    "an input with an operand": (Input("z"), (0,), (2, 8), "needs 0 operand"),
    "a constant with an operand": (Constant(), (0,), (2, 8), "needs 0 operand"),
    "two operands of a map": (Along(()), (0, 0), (2, 8), "needs 1 operand"),
    "two operands of a permutation": (Permute((0, 1)), (0, 0), (2, 8), "needs 1 operand"),
    "two operands of a broadcast": (Broadcast(), (0, 0), (2, 8), "needs 1 operand"),
    "a dense node of nothing": (Dense(), (), (2, 8), "needs an operand"),
    "one shape that differs": (Pointwise(), (0, 1, 0), (2, 4), "differ from the output's"),
    "an axis moved wrong": (Permute((1, 0)), (0,), (2, 8), "not a permutation"),
    "an axis lost": (Permute((0,)), (0,), (2,), "not a permutation"),
    "a broadcast to fewer axes": (Broadcast(), (0,), (8,), "does not broadcast"),
    "a broadcast of the wrong end": (Broadcast(), (0,), (2, 8, 3), "does not broadcast"),
    "a broadcast that shrinks": (Broadcast(), (0,), (2, 1), "does not broadcast"),
    "a rank that changes": (Along(((1, All()),)), (0,), (2, 8, 1), "rank changed"),
    "an extent that nothing changes": (
        Along(((1, All()),)),
        (0,),
        (3, 8),
        "axis 0: Identity keeps the extent",
    ),
    "a suffix that grows": (Along(((1, Suffix()),)), (0,), (2, 9), "axis 1: Suffix keeps the extent"),
    "a table of another input": (
        Along(((1, Table.of_rows([[0], [1]], 7)),)),
        (0,),
        (2, 2),
        "from 7 to 2 stands",
    ),
    "a table that reads before its axis": (
        Along(((1, Table.of_rows([[-1]], 8)),)),
        (0,),
        (2, 1),
        "outside its axis",
    ),
    "a window that stands": (Along(((1, Window(1, stride=0)),)), (0,), (2, 8), "not a window"),
    "a window that is flat": (Along(((1, Window(2, dilation=0)),)), (0,), (2, 8), "not a window"),
    "an input not spread": (Along(((1, Window(2, input_dilation=0)),)), (0,), (2, 8), "not a window"),
    "a concat of other ranks": (Concat(0), (0, 3), (4, 8), "different rank"),
    "a concat on no axis": (Concat(2), (0, 0), (2, 8), "no such axis"),
    "a concat on a negative axis": (Concat(-1), (0, 0), (2, 16), "no such axis"),
    "a concat of other extents": (Concat(0), (0, 1), (4, 8), "do not join"),
    "a concat into another extent": (Concat(0), (0, 0), (4, 7), "do not join"),
    "labels for fewer operands": (Contract(((0, 1),), (0,)), (0, 0), (2,), "do not fit the operands"),
    "labels for more operands": (Contract(((0, 1), (0, 1)), (0,)), (0,), (2,), "do not fit the operands"),
    "labels for fewer output axes": (Contract(((0, 1),), (0,)), (0,), (2, 8), "do not fit the operands"),
    "labels for fewer axes": (Contract(((0,),), (0,)), (0,), (2,), "one different label"),
    "a label twice": (Contract(((0, 0),), (0,)), (0,), (2,), "one different label"),
    "a label twice in the output": (Contract(((0, 1),), (0, 0)), (0,), (2, 2), "one different label"),
    "an output label of another extent": (
        Contract(((0, 1),), (0,)),
        (0,),
        (3,),
        "label 0 has extents 2 and 3",
    ),
    "a support of other rows": (
        Contract(((0, 1),), (0,), (0, 1, Table.of_rows([[0]], 8))),
        (0,),
        (2,),
        "support's table",
    ),
    "a support of other columns": (
        Contract(((0, 1),), (0,), (0, 1, Table.of_rows([[0], [0]], 7))),
        (0,),
        (2,),
        "support's table",
    ),
    "a support of labels that are not there": (
        Contract(((0, 1),), (0,), (0, 7, Table.of_rows([[0], [0]], 8))),
        (0,),
        (2,),
        "support's table",
    ),
}

LEGAL: list[tuple[Relation, tuple[int, ...], tuple[int, ...]]] = [
    (Constant(), (), ()),
    (Input("z"), (), (0,)),
    (Pointwise(), (0, 2), (2, 8)),
    (Along(()), (0,), (2, 8)),
    (Along(((0, All()), (1, Suffix()))), (0,), (5, 8)),
    (Along(((1, Table.of_rows([[], [0, 7]], 8)),)), (0,), (2, 2)),
    (Along(((1, Table.of_rows([[], []], 8)),)), (0,), (2, 2)),
    (Along(((1, Window(1, 1, 1, -9)),)), (0,), (2, 8)),
    (Reshape(), (0,), (4, 1, 4)),
    (Permute((1, 0)), (0,), (8, 2)),
    (Broadcast(), (3,), (2, 1)),
    (Broadcast(), (0,), (3, 2, 8)),
    (Concat(1), (0, 1), (2, 12)),
    (Concat(0), (0,), (2, 8)),
    (Contract(((0, 1), (0, 1)), (1,), (1, 0, Table.of_rows([[0]] * 8, 2))), (0, 2), (8,)),
    (Contract(((5,),), ()), (3,), ()),
    (Dense(), (0, 1, 3), (7,)),
]


def test_built_graphs_are_legal():
    verify(small())


@pytest.mark.parametrize(("relation", "operands", "shape"), LEGAL)
def test_what_keeps_the_rules_is_legal(relation, operands, shape):
    graph = small()
    graph.nodes.append(Node(relation, operands, shape))
    verify(graph)


@pytest.mark.parametrize(("relation", "operands", "shape", "rule"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_named(relation, operands, shape, rule):
    graph = small()
    graph.nodes.append(Node(relation, operands, shape))
    with pytest.raises(GraphError, match=f"^%{len(graph.nodes) - 1} .*{rule}"):
        verify(graph)


@pytest.mark.parametrize("number", [-1, 4])
def test_names_are_of_nodes_that_exist(number):
    graph = small()
    graph.tensors[0] = replace(graph.tensors[0], node=number)
    with pytest.raises(GraphError, match=f"'conv' names node {number}"):
        verify(graph)
    graph = small()
    graph.modules.append(ModuleOutput("block", "block", "Block", number, True, 0, 0, 0))
    with pytest.raises(GraphError, match=f"'block' names node {number}"):
        verify(graph)
    graph = small()
    graph.inputs["w"] = number
    with pytest.raises(GraphError, match=f"'w' names node {number}"):
        verify(graph)
    graph = small()
    graph.outputs["y"] = number
    with pytest.raises(GraphError, match=f"'y' names node {number}"):
        verify(graph)


def test_a_graph_reads_as_lines():
    assert show(small()).splitlines() == [
        "%0 [2, 8] input(x)",
        "%1 [2, 4] along(%0; 1: window 3 /2 +1)  # conv",
        "%2 [2, 8] concat(%1, %1; axis 1)",
        "%3 [1] input(z)",
    ]
