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
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Masks = dict[int, Mask]

FEW, JOINT, CAP, MANY = 4, 12, 96, 512
"""More terms than FEW (JOINT, where products count) are united where that is cheap, more than CAP always.

More than MANY groups of paths are made fewer by taking what is much alike for one.
"""


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
        self.joint = lattice.joint and len(extents) > 1
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
        if self.joint:
            # An inexact one that holds as much would win below.
            whole = next((term for term in terms if term.exact and self._saturated(term)), None)
            if whole is not None:
                return Dependency(cutting, [whole])
        joint = self.joint and (len(terms) <= 2 * FEW or self._exact(terms))
        kept: dict[Any, Term] = {}
        alike: dict[Any, list[Term]] = {}
        for term in lattice.settled(terms):
            key = (*_place(term), *map(lattice.key, term.sets))
            if joint:
                self._add_joint(kept, key, term)
            else:
                alike.setdefault(key, []).append(term)
        return self.beside(cutting, [*kept.values(), *map(self._united, alike.values())])

    def beside(self, cutting: Cutting, terms: list[Term]) -> Dependency:
        """Terms of which no two can be united set by set: what one holds already is dropped."""
        if len(terms) > 1 and not self.lattice.counting:
            terms = self._undominated(self._same(terms))
        return self._fitting(cutting, terms)

    def _counted(self, terms: list[Term]) -> list[Term]:
        """Equal terms as one, for as many paths as they were; past MANY of them, also those that are much alike."""
        kept = self._tallied(terms, self.lattice.key)
        if len(kept) <= MANY:
            return kept
        self.widened = True
        return self._tallied(kept, self.lattice.likeness)

    def _tallied(self, terms: list[Term], key: Callable[[Any], Hashable]) -> list[Term]:
        kept: dict[Any, list[Term]] = {}
        for term in terms:
            kept.setdefault((*_place(term), *map(key, term.sets)), []).append(term)
        return [
            alike[0]
            if len(alike) == 1
            else replace(self._united(alike), count=sum(term.count for term in alike))
            for alike in kept.values()
        ]

    def _united(self, terms: list[Term]) -> Term:
        """Terms with one key as one."""
        first = terms[0]
        if len(terms) == 1:
            return first
        columns = zip(*(term.sets for term in terms), strict=True)
        sets = tuple(
            self.lattice.union(list({id(one): one for one in column}.values())) for column in columns
        )
        return Term(sets, first.masks, first.context, not self.joint)

    def _exact(self, terms: list[Term]) -> bool:
        """Whether products count, and all terms' are exact yet: past that, projections alone are kept, which is quick."""
        return self.joint and all(term.exact for term in terms)

    def _few(self, terms: list[Term]) -> int:
        return JOINT if self._exact(terms) else FEW

    def _saturated(self, term: Term) -> bool:
        """Whether every unit sees everything, on every axis."""
        plain = not (term.masks or term.context)
        return plain and all(map(self.lattice.saturated, term.sets, self.extents))

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
        if self.lattice.counting or len(terms) <= self._few(terms):
            return Dependency(cutting, terms)
        return self._condensed(cutting, terms, forced=len(terms) > CAP)

    def _same(self, terms: list[Term]) -> list[Term]:
        """Terms with one and the same set for all units: present where either is, if that is one factor's mask or none."""
        if not any(term.masks for term in terms):
            return terms
        values = [self._value(term) for term in terms]
        everywhere = {value for value, term in zip(values, terms, strict=True) if value and not term.masks}
        kept: dict[Any, Term] = {}
        for number, (value, term) in enumerate(zip(values, terms, strict=True)):
            if not term.masks or value not in everywhere:
                key = (value, *term.masks) if value and len(term.masks) == 1 else number
                held = kept.get(key)
                kept[key] = term if held is None else _either(held, term)
        return list(kept.values())

    def _value(self, term: Term) -> Any:
        """What a term with one set for all units holds, None for others."""
        values = tuple(map(self.lattice.value, term.sets))
        return None if None in values else (term.context, values)

    def _undominated(self, terms: list[Term]) -> list[Term]:
        whole = next(filter(self._saturated, terms), None)
        return terms if whole is None else [whole]

    def _condensed(
        self, cutting: Cutting, terms: list[Term], *, forced: bool = False, pieces: int = 1
    ) -> Dependency:
        """One term for each context. Exact where the sets can say themselves where a term is absent."""
        sizes = flat(cutting)
        out: list[Term] = []
        for context in sorted({term.context for term in terms}):
            held = [term for term in terms if term.context == context]
            own = [(term.sets, term.masks) for term in held]
            sets = self.lattice.condensed(own, sizes, forced=forced, pieces=pieces)
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
        if not self.joint or not term.exact:
            return term.exact
        varies = self.lattice.varies
        for position in where:
            moving = [sets for sets in term.sets if varies(sets, position)]
            if len(moving) > 1 and not (whole and self.lattice.covers(term, position)):
                return False
        return True

    # Factors

    def to(self, dependency: Dependency, cutting: Cutting) -> Dependency:
        """The same dependency under another cutting of the same axes."""
        if dependency.cutting == cutting:
            return dependency
        return self.recut(dependency, between(dependency.cutting, cutting))

    def recut(self, dependency: Dependency, plan: Recut) -> Dependency:
        """The same dependency under the cutting that a plan leads to."""
        old = flat(dependency.cutting)
        if all(group.held == 1 and len(group.sizes) == 1 for group in plan.groups):
            return Dependency(plan.cutting, dependency.terms)
        terms = dependency.terms
        cut = self._cut_masks(terms, old, plan)
        total = sum(map(len, cut))
        if total > len(terms) and total > self._few(terms) and not self.lattice.counting:
            # Masks that would scatter are written into the sets before they do.
            terms = self._condensed(dependency.cutting, terms, pieces=total // len(terms)).terms
            cut = self._cut_masks(terms, old, plan)
        out = []
        for term, choices in zip(terms, cut, strict=True):
            sets = tuple(self._recut_sets(one, old, plan) for one in term.sets)
            out += [Term(sets, masks, term.context, term.exact, term.count) for masks in choices]
        return (
            self._fitting(plan.cutting, out)
            if len(out) > len(dependency.terms)
            else Dependency(plan.cutting, out)
        )

    def _cut_masks(self, terms: list[Term], old: tuple[int, ...], plan: Recut) -> list[list[Masks]]:
        """The masks of each term under a plan: a list of products whose union they are."""
        seen: dict[tuple[Any, ...], list[Masks]] = {(): [{}]}
        out = []
        for term in terms:
            key = tuple([(position, mask.tobytes()) for position, mask in term.masks.items()])
            if key not in seen:
                seen[key] = self._choices(term.masks, old, plan)
            out.append(seen[key])
        return out

    def _choices(self, masks: Masks, old: tuple[int, ...], plan: Recut) -> list[Masks]:
        choices: list[Masks] = [{}]
        position = 0
        for first, held, sizes in plan.groups:
            inside = [masks.get(i) for i in range(first, first + held)]
            if any(mask is not None for mask in inside):
                parts = cut_mask(inside, old[first : first + held], sizes)
                choices = [
                    choice | {position + i: mask for i, mask in part.items()}
                    for choice in choices
                    for part in parts
                ]
            position += len(sizes)
        return choices

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


def _place(term: Term) -> tuple[Hashable, ...]:
    """Where a term is present, and as what: what must agree for terms to be united."""
    return (term.context, *((position, mask.tobytes()) for position, mask in sorted(term.masks.items())))


def _either(one: Term, other: Term) -> Term:
    """One of two terms that differ in the mask of one factor alone, present where either is."""
    ((position, mask),) = other.masks.items()
    mask = mask | one.masks.get(position, True)
    return Term(one.sets, {} if mask.all() else {position: mask}, one.context, one.exact and other.exact)
