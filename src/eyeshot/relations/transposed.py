"""Relations read backwards: which outputs an operand's elements reach, said in the same ten relations."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import numpy as np

from eyeshot.relations.maps import All, Identity, Prefix, Suffix, Table, Window, transpose
from eyeshot.relations.relations import (
    Along,
    Broadcast,
    Concat,
    Constant,
    Contract,
    Dense,
    Input,
    Permute,
    Pointwise,
    Reshape,
)
from eyeshot.relations.tables import admitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyeshot.relations.maps import AxisMap
    from eyeshot.relations.relations import Relation

    Shape = tuple[int, ...]
    Step = tuple[Relation, Shape]


def transposed(relation: Relation, shapes: Sequence[Shape], shape: Shape, number: int) -> list[Step]:
    """The steps from an output of ``shape`` back to operand ``number`` of ``shapes``: relations with their shapes."""
    back = shapes[number]
    match relation:
        case Input() | Constant():
            return []
        case Pointwise():
            return []
        case Along(maps):
            turned = tuple((axis, _map(amap, back[axis], shape[axis])) for axis, amap in maps)
            return [(Along(turned), back)]
        case Reshape():
            return [(Reshape(), back)]
        case Permute(axes):
            return [(Permute(tuple(int(axis) for axis in np.argsort(axes))), back)]
        case Broadcast():
            return _broadcast(back, shape)
        case Concat(axis):
            before = sum(other[axis] for other in shapes[:number])
            return [(Along(((axis, Window(1, padding=-before)),)), back)]
        case Contract():
            return _contract(relation, shape, back, relation.operands[number])
        case Dense():
            return [(Dense(), back)]
        case _:
            assert_never(relation)


def _map(amap: AxisMap, input_size: int, output_size: int) -> AxisMap:
    match amap:
        case Identity() | All():
            return amap
        case Prefix():
            return Suffix()
        case Suffix():
            return Prefix()
        case Window(kernel, stride, dilation, padding, between):
            # between * i = stride * y - padding + dilation * k, solved for y.
            return Window(kernel, between, dilation, dilation * (kernel - 1) - padding, stride)
        case Table():
            return transpose(amap, input_size, output_size)
        case _:
            assert_never(amap)


def _broadcast(back: Shape, shape: Shape) -> list[Step]:
    new = len(shape) - len(back)
    padded = (1,) * new + back
    repeated = tuple((axis, All()) for axis, (a, b) in enumerate(zip(padded, shape, strict=True)) if a != b)
    steps: list[Step] = [(Along(repeated), padded)] if repeated else []
    return [*steps, (Reshape(), back)] if new else steps


def _contract(relation: Contract, shape: Shape, back: Shape, labels: tuple[int, ...]) -> list[Step]:
    """Back to an operand's labels: labels it lacks are united, those that were summed are repeated."""
    output = relation.output
    if relation.support is None:
        return [(Contract((output,), labels), back)]
    rows, columns, table = relation.support
    axis = output.index(rows)
    if columns in labels and rows not in labels:
        read = tuple(columns if label == rows else label for label in output)
        turned_shape = (*shape[:axis], table.input_size, *shape[axis + 1 :])
        turned = transpose(table, table.input_size, table.output_size)
        return [(Along(((axis, turned),)), turned_shape), (Contract((read,), labels), back)]
    if columns in labels:
        kept = tuple(label for label in labels if label not in (rows, columns))
        extents = dict(zip(labels, back, strict=True))
        outer = tuple(extents[label] for label in kept)
        both = (*outer, table.output_size, table.input_size)
        pairs = _pairs(table)
        order = (*kept, rows, columns)
        return [
            (Contract((output,), order), both),
            (Reshape(), (*outer, len(pairs))),
            (Along(((len(kept), admitted(pairs)),)), (*outer, len(pairs))),
            (Reshape(), both),
            (Permute(tuple(order.index(label) for label in labels)), back),
        ]
    steps: list[Step] = []
    if table.occupied is not None:
        steps.append((Along(((axis, admitted(table.occupied)),)), shape))
    return [*steps, (Contract((output,), labels), back)]


def _pairs(table: Table) -> NDArray[np.bool_]:
    """A table as flattened booleans, rows first."""
    out = np.zeros(table.output_size * table.input_size, np.bool_)
    rows = np.repeat(np.arange(table.output_size), np.diff(table.indptr))
    out[rows * table.input_size + table.indices] = True
    return out
