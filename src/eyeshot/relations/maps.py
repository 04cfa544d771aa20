"""Axis maps: along one axis, which input indices an output index reads.

The set is closed: ``Identity``, ``Window``, ``Table``, ``Prefix``, ``Suffix``, ``All``. Everything else is a
constructor of these (:mod:`eyeshot.relations.tables`). A map knows nothing of the extents it is used between;
the relation that holds it does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, assert_never

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Indices = NDArray[np.int64]
    Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Periodic:
    """The size-free summary of an axis map: ``start`` and ``stop`` are affine, up to a phase.

    Output index ``y = period * q + phase`` reads inside ``[step * q + low[phase], step * q + high[phase])`` of an
    input axis taken as endless (unclipped), every ``gap``-th index from the first. A phase with ``low >= high`` reads
    nothing.

    ``at_size`` says that the numbers hold for the captured extents only (adaptive pooling, aligned corners, flips).
    """

    step: int
    low: tuple[int, ...]
    high: tuple[int, ...]
    at_size: bool = False
    gap: int = 1

    @property
    def period(self) -> int:
        """Number of phases."""
        return len(self.low)


@dataclass(frozen=True, slots=True)
class Identity:
    """Output index ``y`` reads input index ``y``."""


@dataclass(frozen=True, slots=True)
class Window:
    """A strided, dilated window over an input that is itself spread out by ``input_dilation``.

    Output ``y`` reads the positions ``stride * y - padding + dilation * k`` for ``k`` in ``range(kernel)``; a position
    ``v`` is input ``v / input_dilation`` where that is a whole number inside the axis, and nothing elsewhere.
    Negative padding crops. A transposed convolution (kernel k, stride s, padding p, dilation d) is
    ``Window(k, 1, d, d * (k - 1) - p, s)``.
    """

    kernel: int
    stride: int = 1
    dilation: int = 1
    padding: int = 0
    input_dilation: int = 1


@dataclass(frozen=True)
class Table:
    """A static, ragged map in compressed rows: output ``y`` reads ``indices[indptr[y]:indptr[y + 1]]``.

    ``law`` is the map's size-free summary where its constructor knows one.
    """

    indptr: Indices
    indices: Indices
    input_size: int
    law: Periodic | None = field(default=None)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Table)
            and self.input_size == other.input_size
            and np.array_equal(self.indptr, other.indptr)
            and np.array_equal(self.indices, other.indices)
        )

    def __repr__(self) -> str:
        return f"Table({self.output_size} rows, {len(self.indices)} entries, input_size={self.input_size})"

    @property
    def output_size(self) -> int:
        """Number of rows."""
        return len(self.indptr) - 1

    @cached_property
    def occupied(self) -> Mask | None:
        """Rows that read something; None where all do."""
        mask = self.indptr[1:] > self.indptr[:-1]
        return None if mask.all() else mask

    @cached_property
    def starts(self) -> Indices:
        """Where the rows that read something begin in ``indices``."""
        starts = self.indptr[:-1]
        return starts if self.occupied is None else starts[self.occupied]

    @cached_property
    def single(self) -> bool:
        """Every row reads exactly one index."""
        return len(self.indices) == self.output_size and self.occupied is None

    def row(self, y: int) -> Indices:
        """The input indices that output ``y`` reads."""
        return self.indices[self.indptr[y] : self.indptr[y + 1]]

    @staticmethod
    def of_rows(rows: Iterable[Iterable[int]], input_size: int, law: Periodic | None = None) -> Table:
        """A table from its rows."""
        listed = [np.asarray(list(row), np.int64) for row in rows]
        indptr = np.cumsum([0, *(len(row) for row in listed)], dtype=np.int64)
        indices = np.concatenate(listed) if listed else np.empty(0, np.int64)
        return Table(indptr, indices.astype(np.int64), input_size, law)


@dataclass(frozen=True, slots=True)
class Prefix:
    """Output ``y`` reads every index up to and including ``y`` (cumulative and causal ops)."""


@dataclass(frozen=True, slots=True)
class Suffix:
    """Output ``y`` reads ``y`` and every index after it."""


@dataclass(frozen=True, slots=True)
class All:
    """Every output reads every index of the axis."""


AxisMap = Identity | Window | Table | Prefix | Suffix | All


@lru_cache(maxsize=4096)
def tabulate(amap: AxisMap, input_size: int, output_size: int) -> Table:
    """Any axis map as a table between two extents."""
    match amap:
        case Table():
            return amap
        case Identity():
            indptr = np.arange(output_size + 1)
            return Table(indptr, indptr[:-1], input_size)
        case Window():
            return _tabulate_window(amap, input_size, output_size)
        case Prefix():
            lengths = np.arange(1, output_size + 1)
            return _ranges(np.zeros(output_size, np.int64), lengths, input_size)
        case Suffix():
            starts = np.arange(output_size)
            return _ranges(starts, input_size - starts, input_size)
        case All():
            starts = np.zeros(output_size, np.int64)
            return _ranges(starts, starts + input_size, input_size)
        case _:
            assert_never(amap)


def entries(amap: AxisMap, input_size: int, output_size: int) -> int:
    """How many indices `tabulate` writes down, at most; 0 for ``All``, which analyses never write down."""
    match amap:
        case Table():
            return len(amap.indices)
        case Identity():
            return output_size
        case Window():
            return amap.kernel * output_size
        case Prefix() | Suffix():
            return input_size * output_size // 2
        case All():
            return 0
        case _:
            assert_never(amap)


def summary(amap: AxisMap) -> Periodic | None:
    """The size-free summary of a map, None where it has none (``All``, ``Prefix``, ``Suffix``, most tables)."""
    match amap:
        case Identity():
            return Periodic(1, (0,), (1,))
        case Window():
            return _window_summary(amap)
        case Table():
            return amap.law
        case Prefix() | Suffix() | All():
            return None
        case _:
            assert_never(amap)


def compose(outer: AxisMap, inner: AxisMap, sizes: tuple[int, int, int]) -> AxisMap:
    """The map that reads through ``inner`` first: sizes are (input, between, output)."""
    if isinstance(inner, Identity):
        return outer
    if isinstance(outer, Identity):
        return inner
    first, second = tabulate(inner, sizes[0], sizes[1]), tabulate(outer, sizes[1], sizes[2])
    rows = (
        np.unique(np.concatenate([first.row(int(m)) for m in second.row(y)] or [np.empty(0, np.int64)]))
        for y in range(sizes[2])
    )
    return Table.of_rows(rows, sizes[0])


def transpose(amap: AxisMap, input_size: int, output_size: int) -> Table:
    """The map from inputs to the outputs that read them."""
    table = tabulate(amap, input_size, output_size)
    outputs = np.repeat(np.arange(output_size), np.diff(table.indptr))
    order = np.argsort(table.indices, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(np.bincount(table.indices, minlength=input_size))])
    return Table(indptr.astype(np.int64), outputs[order], output_size)


def hull(amap: AxisMap, input_size: int, output_size: int) -> tuple[Indices, Indices]:
    """First and one-past-last index that each output reads; an output that reads nothing gets ``(0, 0)``."""
    table = tabulate(amap, input_size, output_size)
    start, stop = np.zeros(output_size, np.int64), np.zeros(output_size, np.int64)
    rows = slice(None) if table.occupied is None else table.occupied
    if len(table.starts):
        start[rows] = np.minimum.reduceat(table.indices, table.starts)
        stop[rows] = np.maximum.reduceat(table.indices, table.starts) + 1
    return start, stop


def _ranges(starts: Indices, lengths: Indices, input_size: int) -> Table:
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    within = np.arange(indptr[-1]) - np.repeat(indptr[:-1], lengths)
    return Table(indptr, np.repeat(starts, lengths) + within, input_size)


def _tabulate_window(window: Window, input_size: int, output_size: int) -> Table:
    first = np.arange(output_size) * window.stride - window.padding
    taps = first[:, None] + np.arange(window.kernel) * window.dilation
    inside = (taps >= 0) & (taps < input_size * window.input_dilation)
    if window.input_dilation > 1:
        inside &= taps % window.input_dilation == 0
        taps //= window.input_dilation
    indptr = np.concatenate([[0], np.cumsum(inside.sum(1))])
    return Table(indptr, taps[inside], input_size, _window_summary(window))


@lru_cache(maxsize=4096)
def _window_summary(window: Window) -> Periodic:
    between = window.input_dilation
    common = int(np.gcd(window.stride, between))
    low, high = [], []
    for phase in range(between // common):
        first = phase * window.stride - window.padding
        taps = [first + window.dilation * k for k in range(window.kernel)] if between > 1 else []
        whole = [tap // between for tap in taps if tap % between == 0]
        if between == 1:
            whole = [first, first + window.dilation * (window.kernel - 1)]
        low.append(min(whole, default=0))
        high.append(max(whole, default=-1) + 1)
    gap = window.dilation // int(np.gcd(window.dilation, between))
    return Periodic(window.stride // common, tuple(low), tuple(high), gap=gap)
