"""The ten relations: how the elements of an op's output depend on the elements of its operands.

A relation says nothing about values; it is the same for every framework. Shapes are held by the graph's nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eyeshot.relations.maps import AxisMap, Table


@dataclass(frozen=True, slots=True)
class Input:
    """A tensor that the user hands to the network."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor that depends on no input: parameters, buffers, literals. It may still have operands (shapes)."""


@dataclass(frozen=True, slots=True)
class Pointwise:
    """Every element reads the same element of every operand; all shapes are equal."""


@dataclass(frozen=True, slots=True)
class Along:
    """The product of an axis map on each named axis; the other axes are read at the same index.

    ``summarises`` marks a summary (pooling, a mean, the statistics of a norm): where it leaves nothing of a field's
    variation, what follows is context (see the engine).
    """

    maps: tuple[tuple[int, AxisMap], ...]
    summarises: bool = False


@dataclass(frozen=True, slots=True)
class Reshape:
    """The same elements in the same row-major order under another shape."""


@dataclass(frozen=True, slots=True)
class Permute:
    """Output axis ``i`` is input axis ``axes[i]``."""

    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Axes of extent 1 repeated, and new axes in front, as in NumPy."""


@dataclass(frozen=True, slots=True)
class Concat:
    """Operands end to end along ``axis``."""

    axis: int


@dataclass(frozen=True, slots=True)
class Contract:
    """A product summed over shared labels (matmul, einsum, attention): one label an axis, as in einsum.

    Output ``o`` reads every element of an operand whose labels agree with ``o`` on the labels they share. No operand
    repeats a label. With ``support`` (rows, columns, table), row index ``i`` of the output label ``rows`` reads only the
    indices ``table.row(i)`` of the summed label ``columns``.
    """

    operands: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]
    support: tuple[int, int, Table] | None = None


@dataclass(frozen=True, slots=True)
class Dense:
    """Every element may read every element of every operand: sound, and flagged by the node's reason."""


Relation = Input | Constant | Pointwise | Along | Reshape | Permute | Broadcast | Concat | Contract | Dense
