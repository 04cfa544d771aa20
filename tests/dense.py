"""A slow, plain interpreter of the ten relations as boolean matrices: an oracle of engine and lowerings.

It shares nothing with the analyses, nor with the tables of the axis maps: every map is spelt out once more.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import assert_never

import numpy as np

from eyeshot.graph import Graph, Node
from eyeshot.relations import (
    All,
    Along,
    AxisMap,
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


def dependence(graph: Graph, output_node: int, input_name: str) -> np.ndarray:
    """Which elements of the input each element of a node reads: booleans, output shape + input shape."""
    shape = graph.nodes[graph.inputs[input_name]].shape
    wanted = graph.ancestors([output_node])
    done: dict[int, np.ndarray] = {}
    for number, node in enumerate(graph.nodes[: output_node + 1]):
        if number in wanted:
            done[number] = _node(node, [done[i] for i in node.inputs], input_name, prod(shape))
            assert done[number].shape[:-1] == node.shape, (number, node, done[number].shape)
    return done[output_node].reshape(graph.nodes[output_node].shape + shape)


def _node(node: Node, operands: list[np.ndarray], input_name: str, size: int) -> np.ndarray:  # noqa: C901
    """One node's matrix: its shape, then one flattened input axis of ``size``."""
    relation = node.relation
    empty = np.zeros((*node.shape, size), bool)
    match relation:
        case Input(name):
            return np.eye(size, dtype=bool).reshape(empty.shape) if name == input_name else empty
        case Constant():
            return empty
        case Pointwise():
            assert {operand.shape[:-1] for operand in operands} == {node.shape}
            return np.logical_or.reduce(operands)
        case Along(maps):
            (out,) = operands
            for axis, amap in maps:
                out = _along(out, axis, amap, node.shape[axis])
            return out
        case Reshape():
            return operands[0].reshape(empty.shape)
        case Permute(axes):
            return operands[0].transpose(*axes, len(axes))
        case Broadcast():
            return np.broadcast_to(operands[0], empty.shape)
        case Concat(axis):
            assert 0 <= axis < len(node.shape)
            return np.concatenate(operands, axis)
        case Contract():
            return _contract(relation, operands, empty)
        case Dense():
            for operand in operands:
                empty |= operand.reshape(-1, size).any(0)
            return empty
        case _:
            assert_never(relation)


def reads(amap: AxisMap, y: int, size: int) -> list[int]:
    """The indices of an axis of ``size`` that output index ``y`` reads."""
    match amap:
        case Identity():
            return [y]
        case Window(kernel, stride, dilation, padding, between):
            positions = [stride * y - padding + dilation * k for k in range(kernel)]
            return [p // between for p in positions if p % between == 0 and 0 <= p // between < size]
        case Table():
            assert amap.input_size == size
            return [int(i) for i in amap.indices[amap.indptr[y] : amap.indptr[y + 1]]]
        case Prefix():
            return list(range(y + 1))
        case Suffix():
            return list(range(y, size))
        case All():
            return list(range(size))
        case _:
            assert_never(amap)


def _along(x: np.ndarray, axis: int, amap: AxisMap, extent: int) -> np.ndarray:
    if isinstance(amap, Table):
        assert amap.output_size == extent
    if isinstance(amap, Identity | Prefix | Suffix):
        assert extent == x.shape[axis]
    moved = np.moveaxis(x, axis, 0)
    out = np.zeros((extent, *moved.shape[1:]), bool)
    for y in range(extent):
        for i in reads(amap, y, len(moved)):
            assert i >= 0
            out[y] |= moved[i]
    return np.moveaxis(out, 0, axis)


def _contract(relation: Contract, operands: list[np.ndarray], out: np.ndarray) -> np.ndarray:
    extents = dict(zip(relation.output, out.shape, strict=False))
    for labels, operand in zip(relation.operands, operands, strict=True):
        extents.update(zip(labels, operand.shape, strict=False))
    summed = [label for label in extents if label not in relation.output]
    order = [*relation.output, *summed]
    for index in product(*(range(extents[label]) for label in order)):
        at = dict(zip(order, index, strict=True))
        if relation.support is not None:
            rows, columns, table = relation.support
            if at[columns] not in table.row(at[rows]):
                continue
        place = tuple(at[label] for label in relation.output)
        for labels, operand in zip(relation.operands, operands, strict=True):
            out[place] |= operand[tuple(at[label] for label in labels)]
    return out
