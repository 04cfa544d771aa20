"""Graphs as text that a person can read."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from eyeshot.relations import (
    All,
    Along,
    Concat,
    Contract,
    Identity,
    Input,
    Permute,
    Prefix,
    Suffix,
    Table,
    Window,
)

if TYPE_CHECKING:
    from eyeshot.graph.graph import Graph
    from eyeshot.relations import AxisMap, Relation


def show(graph: Graph) -> str:
    """One line a node: number, shape, relation, operands, and the names that users know it by."""
    return "\n".join(line(graph, number) for number in range(len(graph.nodes)))


def line(graph: Graph, number: int) -> str:
    """One node, as ``%5 [1, 64, 56, 56] along(%3; 2: window 3 /2 +1)  # layer1.conv``."""
    node = graph.nodes[number]
    named = [tensor.name for tensor in graph.tensors if tensor.node == number]
    operands = ", ".join(f"%{operand}" for operand in node.inputs)
    details = _details(node.relation)
    inside = "; ".join(part for part in (operands, details) if part)
    name = type(node.relation).__name__.lower()
    flag = f"  !{node.reason}" if node.reason else ""
    comment = f"  # {', '.join(named)}" if named else ""
    return f"%{number} {list(node.shape)} {name}({inside}){flag}{comment}"


def _details(relation: Relation) -> str:
    match relation:
        case Along():
            shown = ", ".join(f"{axis}: {axis_map(amap)}" for axis, amap in relation.maps)
            return f"{shown}, summary" if relation.summarises else shown
        case Permute():
            return " ".join(map(str, relation.axes))
        case Concat():
            return f"axis {relation.axis}"
        case Contract():
            return ", ".join(" ".join(map(str, labels)) for labels in (*relation.operands, relation.output))
        case Input():
            return relation.name
        case _:
            return ""


def axis_map(amap: AxisMap) -> str:
    """An axis map in a few words: ``window 3 /2 *1 +1`` is kernel 3, stride 2, dilation 1, padding 1."""
    match amap:
        case Window():
            parts = [f"window {amap.kernel}"]
            parts += [f"/{amap.stride}"] if amap.stride != 1 else []
            parts += [f"*{amap.dilation}"] if amap.dilation != 1 else []
            parts += [f"{amap.padding:+d}"] if amap.padding else []
            parts += [f"(input /{amap.input_dilation})"] if amap.input_dilation != 1 else []
            return " ".join(parts)
        case Table():
            return f"table {amap.input_size}->{amap.output_size}"
        case Identity() | Prefix() | Suffix() | All():
            return type(amap).__name__.lower()
        case _:
            assert_never(amap)
