"""The engine: carries dependencies through a graph, for any lattice of sets.

A dependency is a list of terms. A term holds, for each input axis asked about, one array of sets over the tensor's
factors (see :mod:`eyeshot.analyses.factors`); a unit reads the product of its sets. A term is present only at the units
that all its masks admit (1-D, one a factor): sets of present units are never empty. Every relation distributes over
terms, so each is written once, here, for all lattices.

A term is *context* for an input axis (a bit of ``context``) if a summary (pooling, a mean, a norm's statistics) left its
sets on that axis without any variation: global context, which the local view leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from math import prod
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from eyeshot.analyses.factors import Cutting, Recut, common, flat, positions, recut, reshaped
from eyeshot.analyses.masks import cut_mask, mapped_mask
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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyeshot.graph import Graph, Node
    from eyeshot.relations import AxisMap

    Mask = NDArray[np.bool_]
    Masks = dict[int, Mask]


FEW, CAP = 8, 96
"""More terms than FEW are united where that is cheap, more than CAP always."""


@dataclass(slots=True)
class Term:
    """A product of sets, one an input axis, where all ``masks`` (by factor position) admit the unit."""

    sets: tuple[Any, ...]
    masks: Masks = field(default_factory=dict)
    context: int = 0


@dataclass(slots=True)
class Dependency:
    """What the units of one tensor read of the source."""

    cutting: Cutting
    terms: list[Term] = field(default_factory=list)
    reasons: frozenset[str] = frozenset()


class Engine:
    """Runs one lattice over a graph, from one source node and some of its axes."""

    def __init__(self, graph: Graph, lattice: Any, source: int, axes: Sequence[int]) -> None:
        self.graph = graph
        self.lattice = lattice
        self.source = source
        self.axes = tuple(axes)
        self.extents = tuple(graph.nodes[source].shape[axis] for axis in axes)

    def run(self) -> list[Dependency]:
        """One dependency a node, in the graph's order."""
        done: list[Dependency] = []
        for number, node in enumerate(self.graph.nodes):
            if number == self.source:
                done.append(self._identity(node.shape))
                continue
            operands = [done[operand] for operand in node.inputs]
            if not any(operand.terms for operand in operands):
                done.append(Dependency(_plain(node.shape)))
                continue
            out = self._apply(node, operands)
            out.reasons |= frozenset().union(*(operand.reasons for operand in operands if operand.terms))
            if node.reason:
                out.reasons |= {node.reason}
            done.append(out)
        return done

    def _identity(self, shape: tuple[int, ...]) -> Dependency:
        sets = tuple(self.lattice.identity(shape, axis) for axis in self.axes)
        return Dependency(_plain(shape), [Term(sets)] if prod(shape) else [])

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
                return self._recut(old, reshaped(flat(old.cutting), node.shape))
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
        cutting, aligned = self._align(operands)
        return self._fused(cutting, [term for operand in aligned for term in operand.terms])

    def _align(self, operands: Sequence[Dependency]) -> tuple[Cutting, Sequence[Dependency]]:
        """Bring operands of one shape to one cutting."""
        first = operands[0].cutting
        if all(operand.cutting == first for operand in operands):
            return first, operands
        cutting = common(tuple(operand.cutting for operand in operands))
        return cutting, [self._to(operand, cutting) for operand in operands]

    def _fused(self, cutting: Cutting, terms: list[Term]) -> Dependency:
        """Unite the terms that do not grow by it, and drop those that a saturated one holds already."""
        if len(terms) <= 1:
            return Dependency(cutting, terms)
        lattice = self.lattice
        kept: dict[Any, Term] = {}
        for term in lattice.settled(terms):
            masks = tuple((position, mask.tobytes()) for position, mask in sorted(term.masks.items()))
            key = (term.context, masks, tuple(lattice.key(sets) for sets in term.sets))
            held = kept.get(key)
            if held is None:
                kept[key] = term
            elif held.sets is not term.sets:
                pairs = zip(held.sets, term.sets, strict=True)
                kept[key] = Term(tuple(lattice.union(a, b) for a, b in pairs), term.masks, term.context)
        fused = list(kept.values())
        if len(fused) > 1:
            fused = self._undominated(fused)
        return self._fitting(cutting, fused)

    def _fitting(self, cutting: Cutting, terms: list[Term]) -> Dependency:
        """Keep the number of terms in bounds, where that is cheap or unavoidable."""
        if len(terms) <= FEW:
            return Dependency(cutting, terms)
        return self._condensed(cutting, terms, forced=len(terms) > CAP)

    def _undominated(self, terms: list[Term]) -> list[Term]:
        for term in terms:
            if term.masks or term.context:
                continue
            if all(map(self.lattice.saturated, term.sets, self.extents)):
                return [term]
        return terms

    def _condensed(self, cutting: Cutting, terms: list[Term], *, forced: bool) -> Dependency:
        """One term for each context. Exact where the sets can say themselves where a term is absent."""
        sizes = flat(cutting)
        out: list[Term] = []
        reasons: frozenset[str] = frozenset()
        for context in sorted({term.context for term in terms}):
            held = [term for term in terms if term.context == context]
            sets = self.lattice.condensed([(term.sets, term.masks) for term in held], sizes, forced=forced)
            if sets is not None:
                out.append(Term(sets, {}, context))
            elif not forced:
                out += held
            else:
                reasons = frozenset({"many-terms"})
                whole = ([self._everything(one, range(len(sizes)), cutting, term.masks) for one in term.sets] for term in held)
                out.append(Term(tuple(reduce(self.lattice.union, sets) for sets in zip(*whole, strict=True)), {}, context))
        return Dependency(cutting, out, reasons)

    def _dense(self, operands: Sequence[Dependency], shape: tuple[int, ...]) -> Dependency:
        terms = []
        for operand in operands:
            sizes = flat(operand.cutting)
            for term in operand.terms:
                whole = (self._everything(sets, range(len(sizes)), operand.cutting, term.masks) for sets in term.sets)
                terms.append(Term(tuple(self.lattice.arrange(sets, (None,) * len(shape)) for sets in whole)))
        return self._fused(_plain(shape), terms)

    # Factors

    def _to(self, dependency: Dependency, cutting: Cutting) -> Dependency:
        return self._recut(dependency, recut(dependency.cutting, cutting))

    def _recut(self, dependency: Dependency, plan: Recut) -> Dependency:
        old = flat(dependency.cutting)
        if all(group.count == 1 and len(group.sizes) == 1 for group in plan.groups):
            return Dependency(plan.cutting, dependency.terms)
        terms = [out for term in dependency.terms for out in self._recut_term(term, old, plan)]
        return self._fitting(plan.cutting, terms) if len(terms) > len(dependency.terms) else Dependency(plan.cutting, terms)

    def _recut_term(self, term: Term, old: tuple[int, ...], plan: Recut) -> list[Term]:
        sets = tuple(self._recut_sets(one, old, plan) for one in term.sets)
        if not term.masks:
            return [Term(sets, {}, term.context)]
        choices: list[Masks] = [{}]
        position = 0
        for group in plan.groups:
            inside = range(group.first, group.first + group.count)
            parts = cut_mask([term.masks.get(i) for i in inside], [old[i] for i in inside], group.sizes)
            choices = [
                masks | {position + i: mask for i, mask in part.items()} for masks in choices for part in parts
            ]
            position += len(group.sizes)
        return [Term(sets, masks, term.context) for masks in choices]

    def _recut_sets(self, sets: Any, old: tuple[int, ...], plan: Recut) -> Any:
        lattice = self.lattice
        order: list[int | None] = []
        held = 0
        for group in plan.groups:
            sizes = group.sizes
            if not group.count:
                order.extend([None] * len(sizes))
                continue
            if group.count > 1:
                sets = lattice.merge(sets, held, old[group.first : group.first + group.count])
            if len(sizes) > 1:
                sets = lattice.split(sets, held, sizes)
            order.extend(range(held, held + len(sizes)))
            held += max(1, len(sizes))
        return sets if order == list(range(held)) else lattice.arrange(sets, order)

    def single(self, dependency: Dependency, axis: int) -> Dependency:
        """The same dependency with one factor on ``axis``."""
        factors = dependency.cutting[axis]
        if len(factors) == 1:
            return dependency
        cutting = (*dependency.cutting[:axis], (prod(factors),), *dependency.cutting[axis + 1 :])
        return self._to(dependency, cutting)

    def _arranged(self, dependency: Dependency, order: Sequence[int | None], cutting: Cutting) -> Dependency:
        """Factors moved, added (None) and left out. Masks of factors that are left out must be gone."""
        places = {position: place for place, position in enumerate(order) if position is not None}
        terms = [
            Term(
                tuple(self.lattice.arrange(sets, order) for sets in term.sets),
                {places[position]: mask for position, mask in term.masks.items()},
                term.context,
            )
            for term in dependency.terms
        ]
        return Dependency(cutting, terms)

    def _permute(self, old: Dependency, axes: tuple[int, ...]) -> Dependency:
        order = [position for axis in axes for position in positions(old.cutting, axis)]
        return self._arranged(old, order, tuple(old.cutting[axis] for axis in axes))

    def _broadcast(self, old: Dependency, shape: tuple[int, ...]) -> Dependency:
        new = len(shape) - len(old.cutting)
        order: list[int | None] = [None] * new
        cutting: list[tuple[int, ...]] = [(extent,) for extent in shape[:new]]
        for axis, factors in enumerate(old.cutting):
            kept = prod(factors) == shape[new + axis]
            order += list(positions(old.cutting, axis)) if kept else [None]
            cutting.append(factors if kept else (shape[new + axis],))
        return self._arranged(old, order, tuple(cutting))

    # Axis maps

    def _along(self, old: Dependency, relation: Along, shape: tuple[int, ...]) -> Dependency:
        out = old
        for axis, amap in relation.maps:
            if isinstance(amap, All):
                out = self._all(out, axis, shape[axis])
            else:
                out = self._map(self.single(out, axis), axis, amap, shape[axis])
        if relation.summarises:
            mapped = [p for axis, _ in relation.maps for p in positions(old.cutting, axis)]
            out = self._mark(old, out, mapped)
        return out if out is old else self._fused(out.cutting, out.terms)

    def _mark(self, old: Dependency, new: Dependency, mapped: Sequence[int]) -> Dependency:
        """Mark the sets that varied along the mapped factors and vary on nothing now."""
        lattice = self.lattice
        if len(old.terms) != len(new.terms):
            return new
        terms = []
        for before, after in zip(old.terms, new.terms, strict=True):
            bits = after.context
            for bit, (one, other) in enumerate(zip(before.sets, after.sets, strict=True)):
                if any(lattice.varies(one, position) for position in mapped) and lattice.constant(other):
                    bits |= 1 << bit
            terms.append(after if bits == after.context else replace(after, context=bits))
        return Dependency(new.cutting, terms)

    def _everything(self, sets: Any, where: Sequence[int], cutting: Cutting, masks: Masks) -> Any:
        varying = [position for position in where if self.lattice.varies(sets, position)]
        return self.lattice.everything(sets, varying, flat(cutting), masks) if varying else sets

    def _all(self, old: Dependency, axis: int, extent: int) -> Dependency:
        where = positions(old.cutting, axis)
        cutting = (*old.cutting[:axis], (extent,), *old.cutting[axis + 1 :])
        terms = []
        for term in old.terms:
            sets = tuple(self._everything(one, where, old.cutting, term.masks) for one in term.sets)
            masks = {position: mask for position, mask in term.masks.items() if position not in where}
            terms.append(Term(sets, masks, term.context))
        if len(where) == 1:
            return Dependency(cutting, terms)
        total = len(flat(old.cutting))
        order = [*range(where[0]), None, *range(where[-1] + 1, total)]
        shrunk = Dependency(old.cutting, [Term(t.sets, t.masks, t.context) for t in terms])
        return self._arranged(shrunk, order, cutting)

    def _map(self, old: Dependency, axis: int, amap: AxisMap, extent: int) -> Dependency:
        """Read one factor through a window, a table, a prefix or a suffix."""
        position = positions(old.cutting, axis)[0]
        sizes = (old.cutting[axis][0], extent)
        cutting = (*old.cutting[:axis], (extent,), *old.cutting[axis + 1 :])
        occupied = None if self.lattice.unclipped else tabulate(amap, *sizes).occupied
        terms = []
        for term in old.terms:
            mask = term.masks.get(position)
            masks = term.masks
            if mask is not None or occupied is not None:
                present = mapped_mask(amap, sizes, mask)
                masks = {place: other for place, other in masks.items() if place != position}
                if not present.any():
                    continue
                if not present.all():
                    masks[position] = present
            sets = tuple(
                self.lattice.along(one, position, amap, sizes, mask) if self.lattice.varies(one, position) else one
                for one in term.sets
            )
            terms.append(Term(sets, masks, term.context))
        return Dependency(cutting, terms)

    # Concatenation and contraction

    def _concat(self, operands: Sequence[Dependency], axis: int, extents: Sequence[int]) -> Dependency:
        singles = [self.single(operand, axis) for operand in operands]
        read = [number for number, operand in enumerate(singles) if operand.terms]
        # The joined axis differs in extent; every other one is brought to a common cutting.
        others = [
            replace(singles[n], cutting=(*singles[n].cutting[:axis], (1,), *singles[n].cutting[axis + 1 :]))
            for n in read
        ]
        cutting = common(tuple(operand.cutting for operand in others))
        total = sum(extents)
        final = (*cutting[:axis], (total,), *cutting[axis + 1 :])
        terms: list[Term] = []
        for number in read:
            own = (*cutting[:axis], singles[number].cutting[axis], *cutting[axis + 1 :])
            operand = self._to(singles[number], own)
            position = positions(own, axis)[0]
            offset = sum(extents[:number])
            terms += [self._placed(term, position, offset, (extents[number], total)) for term in operand.terms]
        return self._fused(final, terms)

    def _placed(self, term: Term, position: int, offset: int, sizes: tuple[int, int]) -> Term:
        sets = tuple(
            self.lattice.embed(one, position, offset, sizes) if self.lattice.varies(one, position) else one
            for one in term.sets
        )
        mask = np.zeros(sizes[1], np.bool_)
        mask[offset : offset + sizes[0]] = term.masks.get(position, True)
        masks = term.masks if mask.all() else term.masks | {position: mask}
        return Term(sets, masks, term.context)

    def _contract(self, operands: Sequence[Dependency], relation: Contract, shape: tuple[int, ...]) -> Dependency:
        extents = dict(zip(relation.output, shape, strict=True))
        parts = []
        for operand, labels in zip(operands, relation.operands, strict=True):
            if not operand.terms:
                continue
            part, held = operand, list(labels)
            if relation.support is not None and relation.support[1] in held:
                part, held = self._supported(part, held, relation.support)
            for axis, label in enumerate(held):
                if label not in extents:
                    part = self._all(part, axis, 1)
            order: list[int | None] = []
            cutting: list[tuple[int, ...]] = []
            for label in relation.output:
                inside = label in held and prod(part.cutting[held.index(label)]) == extents[label]
                axis = held.index(label) if inside else -1
                order += list(positions(part.cutting, axis)) if inside else [None]
                cutting.append(part.cutting[axis] if inside else (extents[label],))
            parts.append(self._arranged(part, order, tuple(cutting)))
        return self._join(parts, shape)

    def _supported(
        self, old: Dependency, labels: list[int], support: tuple[int, int, Table]
    ) -> tuple[Dependency, list[int]]:
        """Read the summed label through the support; its axis becomes the rows' axis."""
        rows, columns, table = support
        axis = labels.index(columns)
        if rows not in labels:
            labels[axis] = rows
            return self._map(self.single(old, axis), axis, table, table.output_size), labels
        # The operand has both: element (i, k) for k in row i. Bring i next to k and read the merged axis.
        row_axis = labels.index(rows)
        kept = [i for i in range(len(labels)) if i not in (axis, row_axis)]
        moved = self._permute(old, (*kept, row_axis, axis))
        joint = (*moved.cutting[:-2], tuple((*moved.cutting[-2], *moved.cutting[-1])))
        merged = self.single(Dependency(joint, moved.terms), len(kept))
        shift = np.repeat(np.arange(table.output_size) * table.input_size, np.diff(table.indptr))
        flat_table = Table(table.indptr, table.indices + shift, table.output_size * table.input_size)
        out = self._map(merged, len(kept), flat_table, table.output_size)
        return out, [*(labels[i] for i in kept), rows]


def _plain(shape: tuple[int, ...]) -> Cutting:
    return tuple((extent,) for extent in shape)
