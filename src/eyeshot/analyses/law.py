"""The law of a field: size, stride and offset on unclipped integers, whatever the input's size.

R, S and P follow Araujo, Norris & Sim, "Computing Receptive Fields of Convolutional Neural Networks" (Distill 2019),
with phases, fractional strides and disagreeing branches added.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING

import numpy as np

from eyeshot.analyses.affine import LawSet, broken, expand
from eyeshot.analyses.engine import Engine
from eyeshot.analyses.factors import flat, positions
from eyeshot.analyses.lattices import FAR
from eyeshot.analyses.lawset import Law
from eyeshot.analyses.phases import LIMIT
from eyeshot.analyses.places import factor_places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyeshot.analyses.terms import Dependency, Term
    from eyeshot.graph import Graph

Rational = int | Fraction


@dataclass(frozen=True, slots=True)
class AxisLaw:
    """The law along one input axis.

    ``size`` and ``offset`` are None where the field has no bound or no law (``why`` says which); ``stride`` is None where
    the field does not move. ``phases`` holds (offset, size) for each phase of the units; offsets are relative to
    ``stride * unit``. ``at_size`` says that the numbers hold at the captured size only.
    """

    size: int | None = None
    stride: Rational | None = None
    offset: Rational | None = None
    phases: tuple[tuple[Rational, int], ...] = ()
    at_size: bool = False
    misaligned: bool = False
    unbounded: bool = False
    why: str | None = None


NOTHING = AxisLaw(size=0, why="reads nothing of this input")


class Laws:
    """The symbolic analysis of one graph from one source."""

    def __init__(self, graph: Graph, source: int, axes: Sequence[int]) -> None:
        self._engine, self.dependencies = Engine.over(graph, Law(), source, axes)
        self._found: dict[tuple[int, int, bool], AxisLaw] = {}

    def axis(self, node: int, axis: int, *, local: bool = False) -> AxisLaw:
        """The law of a tensor along one of the axes asked about."""
        key = (node, axis, local)
        if key not in self._found:
            self._found[key] = self._axis(node, axis, local=local)
        return self._found[key]

    def _axis(self, node: int, axis: int, *, local: bool) -> AxisLaw:
        dependency = self.merged(node, axis)
        terms = [
            term for term in dependency.terms if not (local and term.context >> axis & 1)
        ] or dependency.terms
        if not terms:
            return NOTHING
        laws = [term.sets[axis] for term in terms]
        sizes = flat(dependency.cutting)
        moving = [law for law in laws if not law.unbounded]
        stride, position = _stride(moving, sizes)
        if len(moving) < len(laws):
            return AxisLaw(stride=stride, unbounded=True, why="the whole axis, at any size")
        whole = _united(laws, terms, dependency)
        if whole.broken:
            return AxisLaw(stride=stride, why=whole.broken)
        return _described(whole, stride, position)

    def merged(self, node: int, axis: int) -> Dependency:
        """The dependency of a node with whole tensor axes, where no other input axis is spread over the same one."""
        dependency = self.dependencies[node]
        for place, factors in enumerate(dependency.cutting):
            where = positions(dependency.cutting, place)
            if len(factors) > 1 and self._movers(dependency, where) == {axis}:
                dependency = self._engine.terms.single(dependency, place)
        return dependency

    def _movers(self, dependency: Dependency, where: range) -> set[int]:
        """The input axes along which a field moves with the factors ``where``."""
        lattice = self._engine.lattice
        return {
            axis
            for term in dependency.terms
            for axis, law in enumerate(term.sets)
            if any(lattice.varies(law, position) for position in where)
        }

    def at(
        self, node: int, index: Sequence[int | None], axis: int, *, local: bool = False
    ) -> tuple[int, int] | None:
        """The unclipped first and one-past-last index of one unit, None where there is no law."""
        dependency = self.dependencies[node]
        places = factor_places(dependency, index)
        sizes = flat(dependency.cutting)
        found = []
        for term in dependency.terms:
            law: LawSet = term.sets[axis]
            if local and term.context >> axis & 1:
                continue
            if law.unbounded or law.broken:
                return None
            if all(mask.any() if (p := places[i]) is None else mask[p] for i, mask in term.masks.items()):
                found.append(_evaluate(law, places, sizes))
        if not found:
            return None
        low, high = np.min(found, axis=0)
        return None if low >= FAR // 2 else (int(low), -int(high))


def _evaluate(law: LawSet, places: Sequence[int | None], sizes: Sequence[int]) -> tuple[int, int]:
    for position, size in enumerate(sizes):
        if places[position] is None and law.steps[position]:
            law = expand(law, position, size)
    bounds = law.bounds
    for position, place in reversed(list(enumerate(places))):
        axis = position + 1
        if place is None:
            bounds = bounds.min(axis)
            continue
        period = law.bounds.shape[axis]
        move = law.steps[position] * (place // period)
        bounds = bounds.take(place % period, axis)
        bounds = bounds + np.array([move, -move]).reshape(2, *(1,) * (bounds.ndim - 1))
    return int(bounds[0]), int(bounds[1])


def _stride(laws: Sequence[LawSet], sizes: Sequence[int]) -> tuple[Rational | None, int | None]:
    """The smallest advance of the field a unit, and the factor along which it happens."""
    found: dict[int, Fraction] = {}
    for law in laws:
        if law.broken:
            continue
        for position, step in enumerate(law.steps):
            if step and (sizes[position] != law.periods[position] or law.grows[position] is not False):
                found.setdefault(position, Fraction(step, law.periods[position]))
    if not found:
        return None, None
    position = min(found, key=lambda p: (sizes[p] == 1, abs(found[p])))
    return _whole(found[position]), position


def _whole(value: Fraction) -> Rational:
    return int(value) if value.denominator == 1 else value


def _united(laws: Sequence[LawSet], terms: Sequence[Term], dependency: Dependency) -> LawSet:
    """One law of several terms: unit by unit, where they move together."""
    first = laws[0]
    for law in laws:
        if law.broken:
            return law
    if len(laws) == 1:
        return first
    sizes = flat(dependency.cutting)
    aligned = list(laws)
    for position in range(len(sizes)):
        rates = {Fraction(law.steps[position], law.periods[position]) for law in aligned}
        period = lcm(*(law.periods[position] for law in aligned))
        moves = any(law.steps[position] for law in aligned)
        if moves or any(law.periods[position] not in (1, period) for law in aligned):
            if len(rates) > 1:
                return broken(first, "branches with different strides")
            if period > LIMIT:
                return broken(first, f"more than {LIMIT} phases")
            aligned = [expand(law, position, period) for law in aligned]
    return _merged(aligned, terms, sizes)


def _merged(laws: Sequence[LawSet], terms: Sequence[Term], sizes: Sequence[int]) -> LawSet:
    """The union of aligned laws, each where its masks admit it: once for each pattern of the masks."""
    bounds = None
    misaligned = any(law.misaligned for law in laws)
    masked = sorted({position for term in terms for position in term.masks})
    patterns = [
        _patterns([term.masks.get(position) for term in terms], sizes[position]) for position in masked
    ]
    grids = np.indices([len(p) for p in patterns]).reshape(len(patterns), -1).T if patterns else [()]
    for combination in grids:
        present = np.ones(len(terms), np.bool_)
        for pattern, number in zip(patterns, combination, strict=True):
            present &= pattern[number]
        here = [law.bounds for law, there in zip(laws, present, strict=True) if there]
        if not here:
            continue
        centers = [b[0] - b[1] for b in here]
        misaligned |= any(not np.array_equal(center, centers[0]) for center in centers[1:])
        union = here[0]
        for other in here[1:]:
            union = np.minimum(union, other)
        bounds = union if bounds is None else _wider(bounds, union)
    assert bounds is not None
    steps = tuple(max((law.steps[i] for law in laws), key=abs) for i in range(len(sizes)))
    grows = laws[0].grows
    return LawSet(bounds, steps, grows, any(law.at_size for law in laws), misaligned)


def _wider(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of two units that differ in an axis no one asks about, the lower offset and the larger size."""
    low = np.minimum(one[0], other[0])
    size = np.maximum(-one[1] - one[0], -other[1] - other[0])
    return np.stack([low, -(low + size)])


def _patterns(masks: Sequence[np.ndarray | None], size: int) -> list[np.ndarray]:
    """The distinct columns of several masks: which terms are present together."""
    rows = np.stack([np.ones(size, np.bool_) if mask is None else mask for mask in masks])
    changed = np.append(True, (rows[:, 1:] != rows[:, :-1]).any(0))
    return list({column.tobytes(): column for column in rows[:, changed].T}.values())


def _described(law: LawSet, stride: Rational | None, position: int | None) -> AxisLaw:
    low, high = law.bounds[0], -law.bounds[1]
    occupied = low < FAR // 2
    others = tuple(i for i in range(low.ndim) if i != position)
    sizes = np.where(occupied, high - low, 0).max(axis=others)
    lows = low.min(axis=others)
    pairs: list[tuple[Rational, int]] = []
    for phase, (start, size) in enumerate(zip(np.atleast_1d(lows), np.atleast_1d(sizes), strict=True)):
        moved = Fraction(int(start)) - (Fraction(stride) * phase if stride is not None else 0)
        pairs.append((_whole(moved), int(size)))
    seen = [pair for pair in pairs if pair[1]]
    if not seen:
        return NOTHING
    return AxisLaw(
        size=max(size for _, size in seen),
        stride=stride,
        offset=min(offset for offset, _ in seen),
        phases=tuple(pairs),
        at_size=law.at_size,
        misaligned=law.misaligned,
    )
