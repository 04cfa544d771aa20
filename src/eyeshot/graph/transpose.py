"""A graph read backwards: from every tensor to what it reaches, as a graph of the same relations.

Its node for a tensor stands for the elements of that tensor that some chosen unit reads. So the question what a unit sees
is the question what it reaches, asked of this graph, by the same engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyeshot.graph.graph import Graph, Node
from eyeshot.relations import Constant, Pointwise
from eyeshot.relations.transposed import transposed

if TYPE_CHECKING:
    from collections.abc import Collection


def transpose(graph: Graph, cut: Collection[int] = ()) -> tuple[Graph, list[int]]:
    """The transposed graph, and the number of each node of ``graph`` in it. Nodes in ``cut`` lead no further back."""
    nodes: list[Node] = []
    readers: list[list[int]] = [[] for _ in graph.nodes]
    place = [0] * len(graph.nodes)

    def add(node: Node) -> int:
        nodes.append(node)
        return len(nodes) - 1

    for number in reversed(range(len(graph.nodes))):
        node = graph.nodes[number]
        found = readers[number]
        relation = Pointwise() if found else Constant()
        place[number] = add(Node(relation, tuple(found), node.shape))
        if number in cut:
            continue
        shapes = [graph.nodes[operand].shape for operand in node.inputs]
        for position, operand in enumerate(node.inputs):
            last = place[number]
            for step, shape in transposed(node.relation, shapes, node.shape, position):
                last = add(Node(step, (last,), shape, node.reason))
            readers[operand].append(last)
    return Graph(nodes), place
