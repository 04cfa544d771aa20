"""What the output of a piece of a graph reads of an input, as far as it is a product: these axes alike, of the others all.

Loops are made of such forms: what a step hands to the next one is a composition of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from operator import mul
from typing import TYPE_CHECKING, assert_never

from eyeshot.relations import (
    All,
    Along,
    Broadcast,
    Concat,
    Constant,
    Contract,
    Dense,
    Identity,
    Input,
    Permute,
    Pointwise,
    Reshape,
    Table,
    tabulate,
)

if TYPE_CHECKING:
    from eyeshot.graph import Graph
    from eyeshot.graph.graph import Node, Shape
    from eyeshot.relations import AxisMap


@dataclass(frozen=True)
class Form:
    """Element ``o`` reads every element of the source whose index agrees with ``o`` on the ``aligned`` axes.

    ``aligned`` holds pairs of an axis of the output and one of the source, none of extent 1. Where it is not ``exact``,
    fewer of those elements may be read.
    """

    aligned: frozenset[tuple[int, int]]
    exact: bool = True


def identity(shape: Shape) -> Form:
    """Each element reads itself."""
    return Form(frozenset((axis, axis) for axis, extent in enumerate(shape) if extent != 1))


def merged(forms: Iterable[Form | None]) -> Form | None:
    """What any of several reads: exact if one of them holds all the others."""
    found = [form for form in forms if form is not None]
    if not found:
        return None
    shared = reduce(frozenset.intersection, (form.aligned for form in found))
    return Form(shared, any(form.exact and form.aligned == shared for form in found))


def composed(outer: Form | None, inner: Form | None) -> Form | None:
    """What is read of the source behind what is read."""
    if outer is None or inner is None:
        return None
    through = dict(inner.aligned)
    pairs = frozenset((axis, through[between]) for axis, between in outer.aligned if between in through)
    return Form(pairs, outer.exact and inner.exact)


def forms(graph: Graph, source: int) -> list[Form | None]:
    """For every node what it reads of one input."""
    found: list[Form | None] = []
    for number, node in enumerate(graph.nodes):
        form = (
            identity(node.shape) if number == source else _form(graph, node, [found[i] for i in node.inputs])
        )
        found.append(Form(form.aligned, False) if form is not None and node.reason else form)
    return found


def _form(graph: Graph, node: Node, given: Sequence[Form | None]) -> Form | None:
    shapes = [graph.nodes[operand].shape for operand in node.inputs]
    match node.relation:
        case Input() | Constant():
            return None
        case Pointwise():
            return merged(given)
        case Along(maps):
            return _along(given[0], dict(maps), shapes[0], node.shape)
        case Reshape():
            return _reshaped(given[0], shapes[0], node.shape)
        case Permute(axes):
            return _moved(given[0], {axis: place for place, axis in enumerate(axes)})
        case Broadcast():
            added = len(node.shape) - len(shapes[0])
            return _moved(given[0], {axis: axis + added for axis in range(len(shapes[0]))})
        case Concat(axis):
            form = merged(given)
            if form is None:
                return None
            same = all(other == form for other in given) and axis not in dict(form.aligned)
            return Form(frozenset(pair for pair in form.aligned if pair[0] != axis), form.exact and same)
        case Contract():
            return merged(
                _contracted(node.relation, labels, form)
                for labels, form in zip(node.relation.operands, given, strict=True)
            )
        case Dense():
            return None if merged(given) is None else Form(frozenset(), False)
        case _:
            assert_never(node.relation)


def _moved(form: Form | None, places: dict[int, int]) -> Form | None:
    if form is None:
        return None
    return Form(frozenset((places[axis], other) for axis, other in form.aligned), form.exact)


def _along(form: Form | None, maps: dict[int, AxisMap], before: Shape, after: Shape) -> Form | None:
    if form is None:
        return None
    exact = form.exact
    for axis, amap in maps.items():
        if isinstance(amap, Identity | All):
            continue
        whole = tabulate(amap, before[axis], after[axis]).occupied is None
        exact &= whole and axis not in dict(form.aligned)
    kept = (pair for pair in form.aligned if isinstance(maps.get(pair[0], Identity()), Identity))
    return Form(frozenset(kept), exact)


def _reshaped(form: Form | None, before: Shape, after: Shape) -> Form | None:
    if form is None:
        return None
    ends = {
        (end, n): axis
        for axis, (end, n) in enumerate(zip(accumulate(after, mul), after, strict=True))
        if n != 1
    }
    places = {
        axis: ends[end, n]
        for axis, (end, n) in enumerate(zip(accumulate(before, mul), before, strict=True))
        if (end, n) in ends
    }
    kept = frozenset((places[axis], other) for axis, other in form.aligned if axis in places)
    return Form(kept, form.exact and len(kept) == len(form.aligned))


def _contracted(relation: Contract, labels: Sequence[int], form: Form | None) -> Form | None:
    if form is None:
        return None
    places = {label: place for place, label in enumerate(relation.output)}
    kept = frozenset((places[labels[axis]], other) for axis, other in form.aligned if labels[axis] in places)
    exact = form.exact
    if relation.support is not None:
        _, columns, table = relation.support
        exact &= columns not in {labels[axis] for axis, _ in form.aligned} and _occupied(table)
    return Form(kept, exact)


def _occupied(table: Table) -> bool:
    return table.occupied is None
