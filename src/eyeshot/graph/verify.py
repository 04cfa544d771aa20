"""The rules that every graph keeps, checked after capture."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, assert_never

from eyeshot.errors import GraphError
from eyeshot.graph.printer import line
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
    Prefix,
    Reshape,
    Suffix,
    Table,
    Window,
)

if TYPE_CHECKING:
    from eyeshot.graph.graph import Graph, Node, Shape
    from eyeshot.relations import AxisMap


def verify(graph: Graph) -> None:
    """Check order, arity and shapes of every node.

    Raises
    ------
    GraphError
        naming the first node that breaks a rule, and the rule.
    """
    for number, node in enumerate(graph.nodes):
        if any(not 0 <= operand < number for operand in node.inputs):
            raise GraphError(f"{line(graph, number)}: operands must come before the node")
        problem = _problem(node, [graph.nodes[operand].shape for operand in node.inputs])
        if problem:
            raise GraphError(f"{line(graph, number)}: {problem}")
    named = [(tensor.name, tensor.node) for tensor in graph.tensors]
    named += [(module.name, module.node) for module in graph.modules]
    named += [*graph.inputs.items(), *graph.outputs.items()]
    for name, number in named:
        if not 0 <= number < len(graph.nodes):
            raise GraphError(f"{name!r} names node {number}, which does not exist")


def _problem(node: Node, shapes: list[Shape]) -> str | None:
    relation, shape = node.relation, node.shape
    arity = {Input: 0, Constant: 0, Along: 1, Reshape: 1, Permute: 1, Broadcast: 1}.get(type(relation))
    if arity is not None and len(shapes) != arity:
        return f"needs {arity} operand(s), has {len(shapes)}"
    if arity is None and not shapes:
        return "needs an operand"
    match relation:
        case Input() | Constant() | Dense():
            return None
        case Pointwise():
            return (
                None
                if all(other == shape for other in shapes)
                else f"operand shapes {shapes} differ from the output's"
            )
        case Along():
            return _along_problem(relation, shapes[0], shape)
        case Reshape():
            return None if prod(shapes[0]) == prod(shape) else "the numbers of elements differ"
        case Permute():
            legal = sorted(relation.axes) == list(range(len(shapes[0])))
            moved = tuple(shapes[0][axis] for axis in relation.axes) if legal else None
            return None if moved == shape else "axes are not a permutation that gives the output's shape"
        case Broadcast():
            tail = shape[len(shape) - len(shapes[0]) :]
            fits = len(shape) >= len(shapes[0]) and all(
                a in (1, b) for a, b in zip(shapes[0], tail, strict=True)
            )
            return None if fits else f"{shapes[0]} does not broadcast to the output"
        case Concat():
            return _concat_problem(relation, shapes, shape)
        case Contract():
            return _contract_problem(relation, shapes, shape)
        case _:
            assert_never(relation)


def _along_problem(relation: Along, before: Shape, after: Shape) -> str | None:
    if len(before) != len(after):
        return "rank changed"
    maps = dict(relation.maps)
    for axis, (old, new) in enumerate(zip(before, after, strict=True)):
        problem = _map_problem(maps.get(axis, Identity()), old, new)
        if problem:
            return f"axis {axis}: {problem}"
    return (
        None
        if all(0 <= axis < len(before) for axis in maps)
        else "an axis map on an axis that does not exist"
    )


def _map_problem(amap: AxisMap, old: int, new: int) -> str | None:
    match amap:
        case Identity() | Prefix() | Suffix():
            return None if old == new else f"{type(amap).__name__} keeps the extent, {old} became {new}"
        case Table():
            if (amap.input_size, amap.output_size) != (old, new):
                return f"a table from {amap.input_size} to {amap.output_size} stands between {old} and {new}"
            inside = not len(amap.indices) or (amap.indices.min() >= 0 and amap.indices.max() < old)
            return None if inside else "a table reads outside its axis"
        case Window():
            legal = amap.kernel >= 1 and amap.stride >= 1 and amap.dilation >= 1 and amap.input_dilation >= 1
            return None if legal else f"{amap} is not a window"
        case All():
            return None
        case _:
            assert_never(amap)


def _concat_problem(relation: Concat, shapes: list[Shape], shape: Shape) -> str | None:
    axis = relation.axis
    if not all(len(other) == len(shape) for other in shapes) or not 0 <= axis < len(shape):
        return "operands of different rank, or no such axis"
    rests = {(*other[:axis], *other[axis + 1 :]) for other in shapes}
    total = sum(other[axis] for other in shapes)
    fits = rests == {(*shape[:axis], *shape[axis + 1 :])} and total == shape[axis]
    return None if fits else f"operands {shapes} do not join to the output along axis {axis}"


def _contract_problem(relation: Contract, shapes: list[Shape], shape: Shape) -> str | None:
    if len(relation.operands) != len(shapes) or len(relation.output) != len(shape):
        return "labels do not fit the operands"
    extents: dict[int, int] = {}
    for labels, held in [*zip(relation.operands, shapes, strict=True), (relation.output, shape)]:
        if len(labels) != len(held) or len(set(labels)) != len(labels):
            return "one different label an axis is needed"
        for label, extent in zip(labels, held, strict=True):
            if extents.setdefault(label, extent) != extent:
                return f"label {label} has extents {extents[label]} and {extent}"
    if relation.support is not None:
        rows, columns, table = relation.support
        if (extents.get(columns), extents.get(rows)) != (table.input_size, table.output_size):
            return "the support's table does not fit its labels"
    return None
