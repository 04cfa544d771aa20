"""Routes: one way through a graph by which a chosen element gets to a chosen unit, element by element."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from eyeshot.analyses.mask import Masks
from eyeshot.analyses.reach import Reach
from eyeshot.graph.graph import Graph, Node
from eyeshot.relations import Constant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Index = tuple[int, ...]


class Step(NamedTuple):
    """One element on a route: the number of a node and a full index of its tensor."""

    node: int
    place: Index


def route(
    graph: Graph, source: int, element: Sequence[int], node: int, unit: Sequence[int | slice | None]
) -> list[Step]:
    """Steps from an element of ``source`` to a unit of ``node``, each reading the one before; empty if there are none.

    Places of ``unit`` may be None or slices: the route ends at the first unit among them that sees the element. Where ways
    part, it takes the one with fewest nodes.
    """
    reach = Reach(graph, source, element)
    ends = reach.at(node)
    among = np.zeros(ends.shape, np.bool_)
    among[tuple(slice(None) if place is None else place for place in unit)] = True
    if not (ends & among).any():
        return []
    distance = _distances(graph, source)
    steps = [Step(node, _first(ends & among))]
    while steps[-1].node != source:
        number, index = steps[-1]
        ways = [
            (distance[operand], operand, both)
            for operand, read in _read(graph, number, index)
            if (both := read & reach.at(operand)).any()
        ]
        _, operand, both = min(ways, key=lambda way: way[:2])
        steps.append(Step(operand, _first(both)))
    return steps[::-1]


def names_on(graph: Graph, steps: Sequence[Step]) -> tuple[str, ...]:
    """The route as users know it: the input, then the module (or op, outside of modules) of each step, without repeats."""
    owners = owners_of(graph)
    held = [owners[step.node] for step in steps if step.node < len(owners)]
    return tuple(name for place, name in enumerate(held) if not place or held[place - 1] != name)


def owners_of(graph: Graph) -> list[str]:
    """For every node, up to the last with a name, the input, or the module (else the op) that computes it."""
    last = -1
    owners: list[str] = []
    for tensor in graph.tensors:
        # What an op computes on the way to its tensor has the numbers up to it.
        owners += [tensor.module or tensor.name] * (tensor.node - last)
        last = max(last, tensor.node)
    for name, number in graph.inputs.items():
        if number < len(owners):
            owners[number] = name
    return owners


def _first(found: NDArray[np.bool_]) -> Index:
    return tuple(int(place) for place in np.unravel_index(int(found.argmax()), found.shape))


def _distances(graph: Graph, source: int) -> list[float]:
    """For every node the fewest nodes that lead to it."""
    out: list[float] = []
    for number, node in enumerate(graph.nodes):
        before = min((out[operand] for operand in node.inputs), default=inf)
        out.append(0 if number == source else before + 1)
    return out


def _read(graph: Graph, number: int, index: Index) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """The operands of a node, with the elements of each that one element of the node reads."""
    node = graph.nodes[number]
    operands = [Node(Constant(), (), graph.nodes[operand].shape) for operand in node.inputs]
    alone = Node(node.relation, tuple(range(len(operands))), node.shape)
    masks = Masks(Graph([*operands, alone]))
    for position, operand in enumerate(node.inputs):
        yield operand, masks.at(len(operands), index, position)
