"""Building a graph: one method a relation, and the few compounds that every framework needs."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from eyeshot.errors import GraphError
from eyeshot.graph.graph import Graph, Node, Shape
from eyeshot.graph.masks import carried, plain
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
    Window,
)
from eyeshot.relations.tables import admitted, strided

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from eyeshot.relations import AxisMap, Relation, Table


class Ref(NamedTuple):
    """A node under construction, and what is known of its values.

    ``known`` holds the values of a constant where they are known; ``cut`` is True where the value is -inf (before a
    softmax), or 0 (after it; ``zeroed``), by construction, so that nothing is read there. It spans the last two axes.
    """

    node: int
    shape: Shape
    known: NDArray[Any] | None = None
    cut: NDArray[np.bool_] | None = None
    zeroed: bool = False


class Builder:
    """Appends nodes to a graph. Methods return a `Ref`; shapes follow from the operands wherever they can."""

    def __init__(self) -> None:
        self.graph = Graph()
        self._constants: dict[Shape, Ref] = {}

    def add(
        self, relation: Relation, operands: Iterable[Ref], shape: Shape, reason: str | None = None
    ) -> Ref:
        """Append one node as it is."""
        self.graph.nodes.append(Node(relation, tuple(ref.node for ref in operands), shape, reason))
        return Ref(len(self.graph.nodes) - 1, shape)

    def input(self, name: str, shape: Shape) -> Ref:
        """A tensor that the user hands in."""
        ref = self.add(Input(name), (), shape)
        self.graph.inputs[name] = ref.node
        return ref

    def constant(self, shape: Shape) -> Ref:
        """A tensor that reads no input; one node a shape."""
        if shape not in self._constants:
            self._constants[shape] = self.add(Constant(), (), shape)
        return self._constants[shape]

    def is_constant(self, x: Ref) -> bool:
        """Whether ``x`` is a constant node."""
        return isinstance(self.graph.nodes[x.node].relation, Constant)

    def pointwise(self, *operands: Ref, shape: Shape | None = None) -> Ref:
        """The same element of every operand, broadcast to a common shape; constants drop out."""
        common = shape if shape is not None else broadcast_shape(*(ref.shape for ref in operands))
        kept = [plain(self, ref, lost=True) for ref in operands if not self.is_constant(ref)]
        read = {ref.node: self.broadcast(ref, common) for ref in kept if not self.is_constant(ref)}
        if not read:
            return self.constant(common)
        if len(read) == 1:
            return next(iter(read.values()))
        return self.add(Pointwise(), read.values(), common)

    def along(
        self,
        x: Ref,
        maps: Mapping[int, tuple[AxisMap, int]],
        *,
        summarises: bool = False,
        reason: str | None = None,
    ) -> Ref:
        """An axis map on each given axis: ``{axis: (map, output extent)}``; negative axes count from the end."""
        x = plain(self, x, lost=any(not isinstance(amap, All) for amap, _ in maps.values()))
        shape = list(x.shape)
        kept: list[tuple[int, AxisMap]] = []
        for given, (amap, extent) in sorted((axis % len(x.shape), value) for axis, value in maps.items()):
            if not isinstance(amap, Identity):
                kept.append((given, amap))
            shape[given] = extent
        if self.is_constant(x):
            return self.constant(tuple(shape))
        if not kept and reason is None:
            return x
        return self.add(Along(tuple(kept), summarises), (x,), tuple(shape), reason)

    def reduce(self, x: Ref, axes: Iterable[int], *, keep: bool = True, summarises: bool = True) -> Ref:
        """Everything along ``axes`` read at once (sums, means, global pooling); extent 1 kept or dropped."""
        reduced = {axis % len(x.shape) for axis in axes}
        out = self.along(x, {axis: (All(), 1) for axis in reduced}, summarises=summarises)
        return out if keep else self.reshape(out, tuple(n for i, n in enumerate(x.shape) if i not in reduced))

    def normalise(self, x: Ref, axes: Iterable[int]) -> Ref:
        """Softmax and norms: each element with a summary of its axes; the identity path survives."""
        return self.pointwise(x, self.reduce(x, axes))

    def reshape(self, x: Ref, shape: Sequence[int]) -> Ref:
        """The same elements under another shape; one entry may be -1."""
        wanted = tuple(shape)
        if -1 in wanted:
            known = prod(n for n in wanted if n != -1)
            wanted = tuple(prod(x.shape) // known if n == -1 else n for n in wanted)
        if wanted == x.shape:
            return x
        if prod(wanted) != prod(x.shape):
            raise GraphError(f"cannot reshape {x.shape} to {wanted}: the numbers of elements differ")
        if x.cut is not None:
            if wanted[-2:] == x.shape[-2:]:
                return carried(x, self.reshape(x._replace(cut=None), wanted))
            x = plain(self, x, lost=True)
        return self.constant(wanted) if self.is_constant(x) else self.add(Reshape(), (x,), wanted)

    def permute(self, x: Ref, axes: Sequence[int]) -> Ref:
        """Output axis ``i`` is input axis ``axes[i]``."""
        order = tuple(axis % len(x.shape) for axis in axes)
        shape = tuple(x.shape[axis] for axis in order)
        if order == tuple(range(len(order))):
            return x
        if x.cut is not None:
            last = (len(order) - 2, len(order) - 1)
            if set(order[-2:]) == set(last):
                swapped = order[-2:] != last
                return carried(x, self.permute(x._replace(cut=None), order), transposed=swapped)
            x = plain(self, x, lost=True)
        return self.constant(shape) if self.is_constant(x) else self.add(Permute(order), (x,), shape)

    def broadcast(self, x: Ref, shape: Shape) -> Ref:
        """Axes of extent 1 repeated to ``shape``; new axes come in front."""
        if shape == x.shape:
            return x
        if x.cut is not None:
            if shape[-2:] == x.shape[-2:]:
                return carried(x, self.broadcast(x._replace(cut=None), shape))
            x = plain(self, x, lost=True)
        return self.constant(shape) if self.is_constant(x) else self.add(Broadcast(), (x,), shape)

    def concat(self, operands: Sequence[Ref], axis: int) -> Ref:
        """Operands end to end along ``axis``."""
        if len(operands) == 1:
            return operands[0]
        axis %= len(operands[0].shape)
        shape = list(operands[0].shape)
        shape[axis] = sum(ref.shape[axis] for ref in operands)
        if all(self.is_constant(ref) for ref in operands):
            return self.constant(tuple(shape))
        return self.add(Concat(axis), [plain(self, ref, lost=True) for ref in operands], tuple(shape))

    def contract(self, subscripts: str, *operands: Ref, support: tuple[str, str, Table] | None = None) -> Ref:
        """An einsum, ``"bik,bkj->bij"``. With ``support=("i", "k", table)`` row i reads only ``table.row(i)`` of k."""
        sources, target = subscripts.split("->")
        labels = {letter: number for number, letter in enumerate(sorted({*sources, *target} - {","}))}
        terms = [tuple(labels[letter] for letter in term) for term in sources.split(",")]
        extents = {label: n for term, ref in zip(terms, operands, strict=True)
                   for label, n in zip(term, ref.shape, strict=True)}  # fmt: skip
        shape = tuple(extents[labels[letter]] for letter in target)
        kept = [
            (term, plain(self, ref))
            for term, ref in zip(terms, operands, strict=True)
            if not self.is_constant(ref)
        ]
        if not kept:
            return self.constant(shape)
        output = tuple(labels[letter] for letter in target)
        static = support and (labels[support[0]], labels[support[1]], support[2])
        if static and all(static[1] not in term for term, _ in kept):
            # Only constants have these columns: what is left of the support are the rows that meet none.
            rows, _, table = static
            out = self.add(Contract(tuple(term for term, _ in kept), output), (ref for _, ref in kept), shape)
            occupied = table.occupied
            axis = output.index(rows)
            return out if occupied is None else self.along(out, {axis: (admitted(occupied), shape[axis])})
        relation = Contract(tuple(term for term, _ in kept), output, static)
        return self.add(relation, (ref for _, ref in kept), shape)

    def dense(self, operands: Sequence[Ref], shape: Shape, reason: str) -> Ref:
        """Every element may read every element of every operand; ``reason`` is the code that users see."""
        kept = [plain(self, ref) for ref in operands if not self.is_constant(ref)]
        return self.add(Dense(), kept, shape, reason) if kept else self.constant(shape)

    def slice(self, x: Ref, axis: int, start: int, stop: int, step: int = 1) -> Ref:
        """``x[start:stop:step]`` along one axis; bounds as in Python, already inside the axis."""
        count = len(range(start, stop, step))
        return self.along(x, {axis: (strided(start, step, count, x.shape[axis]), count)})

    def pad(self, x: Ref, amounts: Mapping[int, tuple[int, int]]) -> Ref:
        """Constant padding ``{axis: (before, after)}``; negative amounts crop."""
        return self.along(
            x,
            {
                axis: (Window(1, padding=low) if low or high else Identity(), x.shape[axis] + low + high)
                for axis, (low, high) in amounts.items()
            },
        )


def broadcast_shape(*shapes: Shape) -> Shape:
    """NumPy's common shape of several.

    Raises
    ------
    GraphError
        where two extents differ and neither is 1.
    """
    first = shapes[0]
    if all(shape == first for shape in shapes):
        return first
    rank = max(map(len, shapes))
    out = []
    for extents in zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True):
        other = {n for n in extents if n != 1}
        if len(other) > 1:
            raise GraphError(
                f"shapes {', '.join(map(str, shapes))} do not broadcast: extents {sorted(other)} meet"
            )
        out.append(other.pop() if other else 1)
    return tuple(out)
