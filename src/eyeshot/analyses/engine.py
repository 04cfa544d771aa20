"""The engine: carries dependencies through a graph, for any lattice of sets.

A dependency is a list of terms. A term holds, for each input axis asked about, one array of sets over the tensor's
factors (see :mod:`eyeshot.analyses.factors`); a unit reads the product of its sets. A term is present only at the units
that all its masks admit (1-D, one a factor): sets of present units are never empty. Every relation distributes over
terms, so each is written once, here, for all lattices.

A term is *context* for an input axis (a bit of ``context``) if a summary (pooling, a mean, a norm's statistics) left its
sets on that axis without any variation: global context, which the local view leaves out.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from eyeshot.analyses.factors import Cutting, common, flat, positions, reshaped
from eyeshot.analyses.masks import mapped_mask
from eyeshot.analyses.terms import Dependency, Term, Terms
from eyeshot.relations import (
    All,
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
    Table,
    tabulate,
)
from eyeshot.relations.tables import admitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyeshot.graph import Graph, Node
    from eyeshot.relations import AxisMap


class Engine:
    """Runs one lattice over a graph, from one source node."""

    def __init__(self, graph: Graph, lattice: Any, source: int, extents: Sequence[int]) -> None:
        self.graph = graph
        self.lattice = lattice
        self.source = source
        self.terms = Terms(lattice, tuple(extents))

    @staticmethod
    def over(graph: Graph, lattice: Any, source: int, axes: Sequence[int]) -> tuple[Engine, list[Dependency]]:
        """An engine, and the dependency of every node on some axes of the source: each element reads itself."""
        shape = graph.nodes[source].shape
        engine = Engine(graph, lattice, source, [shape[axis] for axis in axes])
        sets = tuple(lattice.identity(shape, axis) for axis in axes)
        return engine, engine.run(start(shape, sets))

    def run(self, first: Dependency) -> list[Dependency]:
        """One dependency a node, in the graph's order, where the source's own is ``first``."""
        done: list[Dependency] = []
        for number, node in enumerate(self.graph.nodes):
            if number == self.source:
                done.append(first)
                continue
            operands = [done[operand] for operand in node.inputs]
            if not any(operand.terms for operand in operands):
                done.append(Dependency(_plain(node.shape)))
                continue
            out = self._apply(node, operands)
            out.reasons = frozenset().union(*(operand.reasons for operand in operands if operand.terms))
            if node.reason:
                out.reasons |= {node.reason}
            if self.terms.widened:
                out.reasons |= {"many-terms"}
                self.terms.widened = False
            done.append(out)
        return done

    def _apply(self, node: Node, operands: list[Dependency]) -> Dependency:
        if not prod(node.shape):
            return Dependency(_plain(node.shape))
        relation = node.relation
        match relation:
            case Input() | Constant():
                return Dependency(_plain(node.shape))
            case Pointwise():
                return self._join(operands, node.shape)
            case Along():
                return self._along(operands[0], relation, node.shape)
            case Reshape():
                old = operands[0]
                return self.terms.recut(old, reshaped(flat(old.cutting), node.shape))
            case Permute():
                return self._permute(operands[0], relation.axes)
            case Broadcast():
                return self._broadcast(operands[0], node.shape)
            case Concat():
                extents = [self.graph.nodes[operand].shape[relation.axis] for operand in node.inputs]
                return self._concat(operands, relation.axis, extents)
            case Contract():
                return self._contract(operands, relation, node.shape)
            case Dense():
                return self._dense(operands, node.shape)
            case _:
                assert_never(relation)

    # Joins

    def _join(self, operands: Sequence[Dependency], shape: tuple[int, ...]) -> Dependency:
        operands = [operand for operand in operands if operand.terms]
        if not operands:
            return Dependency(_plain(shape))
        if len(operands) == 1:
            return Dependency(operands[0].cutting, operands[0].terms)
        cutting, aligned = self.terms.align(operands)
        return self.terms.fused(cutting, [term for operand in aligned for term in operand.terms])

    def _dense(self, operands: Sequence[Dependency], shape: tuple[int, ...]) -> Dependency:
        terms = []
        for operand in operands:
            sizes = flat(operand.cutting)
            for term in operand.terms:
                whole = (
                    self.terms.everything(sets, range(len(sizes)), operand.cutting, term.masks)
                    for sets in term.sets
                )
                sets = tuple(self.lattice.arrange(one, (None,) * len(shape)) for one in whole)
                terms.append(Term(sets, exact=False, count=term.count))
        return self.terms.fused(_plain(shape), terms)

    def _permute(self, old: Dependency, axes: tuple[int, ...]) -> Dependency:
        order = [position for axis in axes for position in positions(old.cutting, axis)]
        return self.terms.arranged(old, order, tuple(old.cutting[axis] for axis in axes))

    def _broadcast(self, old: Dependency, shape: tuple[int, ...]) -> Dependency:
        new = len(shape) - len(old.cutting)
        order: list[int | None] = [None] * new
        cutting: list[tuple[int, ...]] = [(extent,) for extent in shape[:new]]
        for axis, factors in enumerate(old.cutting):
            kept = prod(factors) == shape[new + axis]
            order += list(positions(old.cutting, axis)) if kept else [None]
            cutting.append(factors if kept else (shape[new + axis],))
        return self.terms.arranged(old, order, tuple(cutting))

    # Axis maps

    def _along(self, old: Dependency, relation: Along, shape: tuple[int, ...]) -> Dependency:
        out = old
        for axis, amap in relation.maps:
            if isinstance(amap, All):
                out = self.all(out, axis, shape[axis], marks=relation.summarises)
                if not relation.summarises:
                    out = self.terms.fused(out.cutting, out.terms)
            else:
                single = self.terms.single(out, axis)
                out = self._map(single, axis, amap, shape[axis], marks=relation.summarises)
        united = out is old or (isinstance(relation.maps[-1][1], All) and not relation.summarises)
        return out if united else self.terms.fused(out.cutting, out.terms)

    def _context(self, term: Term, sets: Sequence[Any], where: Sequence[int]) -> int:
        """The term's context after a summary: sets that varied along ``where`` and vary on nothing now are marked."""
        varies, constant = self.lattice.varies, self.lattice.constant
        bits = term.context
        for bit, (before, after) in enumerate(zip(term.sets, sets, strict=True)):
            if constant(after) and any(varies(before, position) for position in where):
                bits |= 1 << bit
        return bits

    def all(self, old: Dependency, axis: int, extent: int, *, marks: bool = False) -> Dependency:
        """The union along an axis, which becomes one factor of ``extent``."""
        where = positions(old.cutting, axis)
        cutting = (*old.cutting[:axis], (extent,), *old.cutting[axis + 1 :])
        terms = []
        for term in old.terms:
            sets = tuple(self.terms.everything(one, where, old.cutting, term.masks) for one in term.sets)
            masks = {position: mask for position, mask in term.masks.items() if position not in where}
            context = self._context(term, sets, where) if marks else term.context
            terms.append(Term(sets, masks, context, self.terms.stays_exact(term, where), term.count))
        if len(where) == 1:
            return Dependency(cutting, terms)
        total = len(flat(old.cutting))
        order = [*range(where[0]), None, *range(where[-1] + 1, total)]
        return self.terms.arranged(Dependency(old.cutting, terms), order, cutting)

    def _map(
        self, old: Dependency, axis: int, amap: AxisMap, extent: int, *, marks: bool = False
    ) -> Dependency:
        """Read one factor through a window, a table, a prefix or a suffix."""
        position = positions(old.cutting, axis)[0]
        sizes = (old.cutting[axis][0], extent)
        cutting = (*old.cutting[:axis], (extent,), *old.cutting[axis + 1 :])
        table = None if self.lattice.unclipped else tabulate(amap, *sizes)
        occupied = table and table.occupied
        single = table is None or len(table.starts) == len(table.indices)
        terms = []
        seen: dict[bytes, Any] = {}
        for term in old.terms:
            mask = term.masks.get(position)
            masks = term.masks
            if mask is not None or occupied is not None:
                same = b"" if mask is None else mask.tobytes()
                if same not in seen:
                    seen[same] = mapped_mask(amap, sizes, mask)
                present = seen[same]
                masks = {place: other for place, other in masks.items() if place != position}
                if not present.any():
                    continue
                if not present.all():
                    masks[position] = present
            sets = tuple(
                self.lattice.along(one, position, amap, sizes, mask)
                if self.lattice.varies(one, position)
                else one
                for one in term.sets
            )
            context = self._context(term, sets, [position]) if marks else term.context
            exact = term.exact if single else self.terms.stays_exact(term, [position], whole=False)
            terms.append(Term(sets, masks, context, exact, term.count))
        return Dependency(cutting, terms)

    # Concatenation and contraction

    def _concat(self, operands: Sequence[Dependency], axis: int, extents: Sequence[int]) -> Dependency:
        singles = [self.terms.single(operand, axis) for operand in operands]
        read = [number for number, operand in enumerate(singles) if operand.terms]
        # The joined axis differs in extent; every other one is brought to a common cutting.
        others = [(*singles[n].cutting[:axis], (1,), *singles[n].cutting[axis + 1 :]) for n in read]
        cutting = common(tuple(others))
        total = sum(extents)
        final = (*cutting[:axis], (total,), *cutting[axis + 1 :])
        terms: list[Term] = []
        for number in read:
            own = (*cutting[:axis], singles[number].cutting[axis], *cutting[axis + 1 :])
            operand = self.terms.to(singles[number], own)
            position = positions(own, axis)[0]
            offset = sum(extents[:number])
            terms += [
                self._placed(term, position, offset, (extents[number], total)) for term in operand.terms
            ]
        return self.terms.beside(final, terms)

    def _placed(self, term: Term, position: int, offset: int, sizes: tuple[int, int]) -> Term:
        sets = tuple(
            self.lattice.embed(one, position, offset, sizes) if self.lattice.varies(one, position) else one
            for one in term.sets
        )
        mask = np.zeros(sizes[1], np.bool_)
        mask[offset : offset + sizes[0]] = term.masks.get(position, True)
        masks = term.masks if mask.all() else term.masks | {position: mask}
        return Term(sets, masks, term.context, term.exact, term.count)

    def _contract(
        self, operands: Sequence[Dependency], relation: Contract, shape: tuple[int, ...]
    ) -> Dependency:
        extents = dict(zip(relation.output, shape, strict=True))
        parts = []
        for operand, labels in zip(operands, relation.operands, strict=True):
            if not operand.terms:
                continue
            part, held = operand, list(labels)
            support = relation.support
            if support is not None and support[1] in held:
                part, held = self._supported(part, held, support)
            for axis, label in enumerate(held):
                if label not in extents:
                    part = self.all(part, axis, 1)
            order: list[int | None] = []
            cutting: list[tuple[int, ...]] = []
            for label in relation.output:
                inside = label in held and prod(part.cutting[held.index(label)]) == extents[label]
                axis = held.index(label) if inside else -1
                order += list(positions(part.cutting, axis)) if inside else [None]
                cutting.append(part.cutting[axis] if inside else (extents[label],))
            part = self.terms.arranged(part, order, tuple(cutting))
            if support is not None and support[1] not in labels and support[2].occupied is not None:
                # A row that reads no column multiplies with nothing.
                axis = relation.output.index(support[0])
                part = self._map(
                    self.terms.single(part, axis), axis, admitted(support[2].occupied), shape[axis]
                )
            parts.append(part)
        return self._join(parts, shape)

    def _supported(
        self, old: Dependency, labels: list[int], support: tuple[int, int, Table]
    ) -> tuple[Dependency, list[int]]:
        """Read the summed label through the support; its axis becomes the rows' axis."""
        rows, columns, table = support
        axis = labels.index(columns)
        if rows not in labels:
            labels[axis] = rows
            return self._map(self.terms.single(old, axis), axis, table, table.output_size), labels
        # The operand has both: element (i, k) for k in row i. Bring i next to k and read the merged axis.
        row_axis = labels.index(rows)
        kept = [i for i in range(len(labels)) if i not in (axis, row_axis)]
        moved = self._permute(old, (*kept, row_axis, axis))
        joint = (*moved.cutting[:-2], (*moved.cutting[-2], *moved.cutting[-1]))
        merged = self.terms.single(Dependency(joint, moved.terms), len(kept))
        shift = np.repeat(np.arange(table.output_size) * table.input_size, np.diff(table.indptr))
        flat_table = Table(table.indptr, table.indices + shift, table.output_size * table.input_size)
        out = self._map(merged, len(kept), flat_table, table.output_size)
        return out, [*(labels[i] for i in kept), rows]


def start(shape: tuple[int, ...], sets: tuple[Any, ...], masks: dict[int, Any] | None = None) -> Dependency:
    """The dependency that a source starts from: one term over its axes."""
    return Dependency(_plain(shape), [Term(sets, masks or {})] if prod(shape) else [])


def _plain(shape: tuple[int, ...]) -> Cutting:
    return tuple((extent,) for extent in shape)
