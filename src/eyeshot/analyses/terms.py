"""Lists of terms: how they are re-cut, moved and united, for any lattice."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from eyeshot.analyses.factors import Cutting, Group, Recut, common, flat
from eyeshot.analyses.factors import recut as between
from eyeshot.analyses.masks import cut_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Masks = dict[int, Mask]

FEW, JOINT, CAP = 4, 32, 96
"""More terms than FEW (JOINT, where products count) are united where that is cheap, more than CAP always."""


@dataclass(slots=True)
class Term:
    """A product of sets, one an input axis, where all ``masks`` (by factor position) admit the unit.

    ``exact``: the product is the set itself, not just its projection on each axis (kept up by joint lattices alone).
    ``count``: how many paths through the network it stands for (kept up by counting lattices alone).
    """

    sets: tuple[Any, ...]
    masks: Masks = field(default_factory=dict)
    context: int = 0
    exact: bool = True
    count: int = 1


@dataclass(slots=True)
class Dependency:
    """What the units of one tensor read of the source."""

    cutting: Cutting
    terms: list[Term] = field(default_factory=list)
    reasons: frozenset[str] = frozenset()


class Terms:
    """The handling of terms over one lattice.

    ``widened`` tells that terms had to be united beyond what they hold: sound, no more exact.
    """

    def __init__(self, lattice: Any, extents: tuple[int, ...]) -> None:
        self.lattice = lattice
        self.extents = extents
        self.widened = False

    # Uniting

    def align(self, operands: Sequence[Dependency]) -> tuple[Cutting, Sequence[Dependency]]:
        """Bring operands of one shape to one cutting."""
        first = operands[0].cutting
        if all(operand.cutting == first for operand in operands):
            return first, operands
        cutting = common(tuple(operand.cutting for operand in operands))
        return cutting, [self.to(operand, cutting) for operand in operands]

    def fused(self, cutting: Cutting, terms: list[Term]) -> Dependency:
        """Unite the terms that do not grow by it, and drop those that a saturated one holds already."""
        if len(terms) <= 1:
            return Dependency(cutting, terms)
        lattice = self.lattice
        if lattice.counting:
            return Dependency(cutting, self._counted(terms))
        kept: dict[Any, Term] = {}
        alike: dict[Any, list[Term]] = {}
        for term in lattice.settled(terms):
            masks = tuple([(position, mask.tobytes()) for position, mask in sorted(term.masks.items())])
            key = (term.context, masks, tuple(map(lattice.key, term.sets)))
            if lattice.joint:
                self._add_joint(kept, key, term)
            else:
                alike.setdefault(key, []).append(term)
        fused = self._same([*kept.values(), *map(self._united, alike.values())])
        if len(fused) > 1:
            fused = self._undominated(fused)
        return self._fitting(cutting, fused)

    def _counted(self, terms: list[Term]) -> list[Term]:
        """Equal terms as one, for as many paths as they were; no other is touched."""
        kept: dict[Any, Term] = {}
        for term in terms:
            masks = tuple((position, mask.tobytes()) for position, mask in sorted(term.masks.items()))
            key = (term.context, masks, tuple(map(self.lattice.key, term.sets)))
            held = kept.get(key)
            kept[key] = term if held is None else replace(held, count=held.count + term.count)
        return list(kept.values())

    def _united(self, terms: list[Term]) -> Term:
        """Terms with one key as one."""
        first = terms[0]
        if len(terms) == 1:
            return first
        columns = zip(*(term.sets for term in terms), strict=True)
        sets = tuple(
            self.lattice.union(list({id(one): one for one in column}.values())) for column in columns
        )
        return Term(sets, first.masks, first.context)

    def _add_joint(self, kept: dict[Any, Term], key: Any, term: Term) -> None:
        """Unite a term with the first one with which it makes a product; beside them if there is none."""
        for copy in count():
            held = kept.get((key, copy))
            if held is None or held.sets is term.sets:
                kept[key, copy] = term
                return
            united = self.lattice.united(held, term)
            if united is not None:
                sets, exact = united
                kept[key, copy] = Term(sets, term.masks, term.context, exact)
                return

    def _fitting(self, cutting: Cutting, terms: list[Term]) -> Dependency:
        """Keep the number of terms in bounds, where that is cheap or unavoidable."""
        if self.lattice.counting or len(terms) <= (JOINT if self.lattice.joint else FEW):
            return Dependency(cutting, terms)
        return self._condensed(cutting, terms, forced=len(terms) > CAP)

    def _same(self, terms: list[Term]) -> list[Term]:
        """Terms with one and the same set for all units, present along one factor each: present where either is."""
        if sum(len(term.masks) == 1 for term in terms) <= 1:
            return terms
        kept: dict[Any, Term] = {}
        for number, term in enumerate(terms):
            values = [self.lattice.value(sets) for sets in term.sets] if len(term.masks) == 1 else [None]
            position, mask = next(iter(term.masks.items()), (-1, None))
            key = number if None in values else (term.context, position, tuple(values))
            held = kept.get(key)
            if held is None or mask is None:
                kept[key] = term
                continue
            either = mask if not held.masks else held.masks[position] | mask
            masks = {} if not held.masks or either.all() else {position: either}
            kept[key] = Term(term.sets, masks, term.context, held.exact and term.exact)
        return list(kept.values())

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
        for context in sorted({term.context for term in terms}):
            held = [term for term in terms if term.context == context]
            sets = self.lattice.condensed([(term.sets, term.masks) for term in held], sizes, forced=forced)
            if sets is not None:
                out.append(Term(sets, {}, context, exact=len(sets) == 1))
            elif not forced:
                out += held
            else:
                self.widened = True
                whole = (
                    [self.everything(one, range(len(sizes)), cutting, term.masks) for one in term.sets]
                    for term in held
                )
                out.append(
                    Term(
                        tuple(map(self.lattice.union, zip(*whole, strict=True))),
                        {},
                        context,
                        exact=False,
                    )
                )
        return Dependency(cutting, out)

    def everything(self, sets: Any, where: Sequence[int], cutting: Cutting, masks: Masks) -> Any:
        """The union of a term's sets along the factors ``where``, each kept with extent 1."""
        varying = [position for position in where if self.lattice.varies(sets, position)]
        return self.lattice.everything(sets, varying, flat(cutting), masks) if varying else sets

    def stays_exact(self, term: Term, where: Sequence[int], *, whole: bool = True) -> bool:
        """Whether the union of a term along the factors ``where`` (the whole of them, or parts) is a product still.

        It is along a factor on which one input axis alone varies, and where a lattice finds that all sets fill a grid.
        """
        if not self.lattice.joint or len(term.sets) == 1 or not term.exact:
            return term.exact
        return all(
            sum(self.lattice.varies(sets, position) for sets in term.sets) <= 1
            or (whole and self.lattice.covers(term, position))
            for position in where
        )

    # Factors

    def to(self, dependency: Dependency, cutting: Cutting) -> Dependency:
        """The same dependency under another cutting of the same axes."""
        return self.recut(dependency, between(dependency.cutting, cutting))

    def recut(self, dependency: Dependency, plan: Recut) -> Dependency:
        """The same dependency under the cutting that a plan leads to."""
        old = flat(dependency.cutting)
        if all(group.held == 1 and len(group.sizes) == 1 for group in plan.groups):
            return Dependency(plan.cutting, dependency.terms)
        terms = [out for term in dependency.terms for out in self._recut_term(term, old, plan)]
        return (
            self._fitting(plan.cutting, terms)
            if len(terms) > len(dependency.terms)
            else Dependency(plan.cutting, terms)
        )

    def _recut_term(self, term: Term, old: tuple[int, ...], plan: Recut) -> list[Term]:
        sets = tuple(self._recut_sets(one, old, plan) for one in term.sets)
        if not term.masks:
            return [Term(sets, {}, term.context, term.exact, term.count)]
        choices: list[Masks] = [{}]
        position = 0
        for group in plan.groups:
            inside = range(group.first, group.first + group.held)
            parts = cut_mask([term.masks.get(i) for i in inside], [old[i] for i in inside], group.sizes)
            if self.lattice.counting and len(parts) > 1:
                # Pieces of one path are not several paths: let it be everywhere along these factors.
                parts, self.widened = [{}], True
            choices = [
                masks | {position + i: mask for i, mask in part.items()}
                for masks in choices
                for part in parts
            ]
            position += len(group.sizes)
        return [Term(sets, masks, term.context, term.exact, term.count) for masks in choices]

    def _recut_sets(self, sets: Any, old: tuple[int, ...], plan: Recut) -> Any:
        """Cut anew what the sets vary along; the rest is only arranged."""
        lattice = self.lattice
        order: list[int | None] = []
        varying: list[Group] = []
        held = 0
        for group in plan.groups:
            first, count, sizes = group
            kept = len(sizes)
            if count == kept == 1:
                order.append(held)
                held += 1
            elif any(lattice.varies(sets, position) for position in range(first, first + count)):
                varying.append(group)
                order.extend(range(held, held + kept))
                held += max(1, kept)
            else:
                order.extend([None] * kept)
                held += count
        for first, count, sizes in reversed(varying):
            if count > 1:
                sets = lattice.merge(sets, first, old[first : first + count])
            if len(sizes) > 1:
                sets = lattice.split(sets, first, sizes)
        return sets if order == list(range(held)) else lattice.arrange(sets, order)

    def single(self, dependency: Dependency, axis: int) -> Dependency:
        """The same dependency with one factor on ``axis``."""
        factors = dependency.cutting[axis]
        if len(factors) == 1:
            return dependency
        cutting = (*dependency.cutting[:axis], (prod(factors),), *dependency.cutting[axis + 1 :])
        return self.to(dependency, cutting)

    def arranged(self, dependency: Dependency, order: Sequence[int | None], cutting: Cutting) -> Dependency:
        """Factors moved, added (None) and left out. Masks of factors that are left out must be gone."""
        places = {position: place for place, position in enumerate(order) if position is not None}
        terms = [
            Term(
                tuple(self.lattice.arrange(sets, order) for sets in term.sets),
                {places[position]: mask for position, mask in term.masks.items()},
                term.context,
                term.exact,
                term.count,
            )
            for term in dependency.terms
        ]
        return Dependency(cutting, terms)
