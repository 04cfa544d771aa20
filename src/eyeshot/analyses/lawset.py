"""Fields without clipping, for every input size at once: the lattice of affine intervals."""

from __future__ import annotations

from functools import lru_cache
from math import lcm, prod
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from eyeshot.analyses.affine import LawSet, all_broken, broken, expand, unbounded, united, with_value, zipped
from eyeshot.analyses.lattices import rearrangement
from eyeshot.analyses.phases import LIMIT, phase_plan, read_phases
from eyeshot.relations import summary

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import NDArray

    from eyeshot.analyses.terms import Term
    from eyeshot.relations import AxisMap

    Mask = NDArray[np.bool_]


class Law:
    """The lattice of `LawSet`: what the engine needs, as for sets."""

    unclipped = True
    joint = False
    counting = False

    def identity(self, sizes: Sequence[int], position: int) -> LawSet:
        """Every unit's own index."""
        bounds = np.array([0, -1]).reshape(2, *(1 for _ in sizes))
        own = tuple(int(i == position) for i in range(len(sizes)))
        return LawSet(bounds, own, tuple(bool(step) for step in own))

    def key(self, law: LawSet) -> Hashable:
        """What must agree for two laws to unite without growing."""
        return law.key

    def settled(self, terms: list[Term]) -> list[Term]:
        """Terms before they are united.

        Where one term has no law on an axis, the sum of terms has none: all say so, that they may unite. And a law is
        about one axis alone: of all the products of laws that stand for each other, a few that name each law once do.
        """
        if any(law.broken for term in terms for law in term.sets):
            terms = all_broken(terms)
        plain: dict[int, list[Term]] = {}
        for term in terms:
            if not term.masks:
                plain.setdefault(term.context, []).append(term)
        if not any(len(group) > len(group[0].sets) > 1 for group in plain.values()):
            return terms
        few = [term for group in plain.values() for term in zipped(group)]
        return few + [term for term in terms if term.masks]

    def condensed(
        self,
        held: Sequence[tuple[tuple[LawSet, ...], dict[int, Mask]]],
        sizes: tuple[int, ...],
        *,
        forced: bool,
        pieces: int = 1,
    ) -> tuple[LawSet, ...] | None:
        """Many terms as one: without a law, but with the marks of all; only where there is no other way."""
        del sizes, pieces
        if not forced:
            return None
        columns = zip(*(sets for sets, _ in held), strict=True)
        return tuple(
            next((law for law in column if law.unbounded), None)
            or united([broken(law, "too many branches") for law in column])
            for column in columns
        )

    def varies(self, law: LawSet, position: int) -> bool:
        """Whether the field moves along a factor."""
        return law.steps[position] != 0 or law.bounds.shape[position + 1] != 1

    def value(self, law: LawSet) -> Hashable | None:
        """The one field of all units, None where it moves."""
        if not self.constant(law):
            return None
        return law.bounds.tobytes(), law.at_size, law.misaligned, law.unbounded, law.broken

    def constant(self, law: LawSet) -> bool:
        """Whether the field moves along nothing."""
        return law.bounds.size == 2 and not any(law.steps)

    def saturated(self, law: LawSet, extent: int) -> bool:
        """Unbounded fields hold every other."""
        del extent
        return law.unbounded

    def union(self, laws: Sequence[LawSet]) -> LawSet:
        """The union of laws with one key."""
        return united(laws)

    # Axis maps

    def along(
        self, law: LawSet, position: int, amap: AxisMap, sizes: tuple[int, int], mask: Mask | None
    ) -> LawSet:
        """Read through an axis map; without a summary there is no law. Only growing factors move a field."""
        del mask, sizes
        if law.unbounded or law.broken:
            return law
        periodic = summary(amap)
        if periodic is None:
            return broken(law, f"{type(amap).__name__.lower()} without a law along a growing axis")
        period, step = law.bounds.shape[position + 1], law.steps[position]
        if period == periodic.period == 1 and periodic.low < periodic.high:
            low, high = periodic.low[0] * step, (periodic.high[0] - 1) * step
            if step < 0:
                low, high = high, low
            shift = np.array([low, -high]).reshape(2, *(1 for _ in law.steps))
            bounds, new = law.bounds + shift, step * periodic.step
        else:
            plan = phase_plan(periodic, period)
            if plan is None:
                return broken(law, f"more than {LIMIT} phases")
            bounds, new = read_phases(law.bounds, position, step, plan)
        return law.but(bounds, with_value(law.steps, position, new), at_size=periodic.at_size)

    def everything(
        self, law: LawSet, where: Sequence[int], sizes: Sequence[int], masks: dict[int, Mask]
    ) -> LawSet:
        """The union along factors; over a growing one it has no bound."""
        if law.unbounded:
            return law
        moving = [position for position in where if law.steps[position]]
        if any(law.grows[position] for position in moving):
            return unbounded(law)
        if law.broken:
            left = tuple(0 if i in where else step for i, step in enumerate(law.steps))
            return law.but(steps=left)
        guessed = any(law.grows[position] is None for position in moving)
        for position in where:
            axis = position + 1
            if law.steps[position] or position in masks:
                law = expand(law, position, sizes[position])
                bounds = law.bounds if position not in masks else law.bounds.compress(masks[position], axis)
            else:
                bounds = law.bounds
            law = law.but(bounds=bounds.min(axis, keepdims=True), steps=with_value(law.steps, position, 0))
        return law.but(at_size=guessed)

    # Factors

    def split(self, law: LawSet, position: int, sizes: Sequence[int]) -> LawSet:
        """Cut one factor into several."""
        for size in reversed(sizes[1:]):
            law = self._split_last(law, position, size)
        return law

    def _split_last(self, law: LawSet, position: int, last: int) -> LawSet:
        """Cut a factor into (rest, last)."""
        period, step = law.bounds.shape[position + 1], law.steps[position]
        if last % period and period % last:
            law = expand(law, position, lcm(period, last))
            period, step = law.bounds.shape[position + 1], law.steps[position]
        shape = law.bounds.shape
        head, tail = shape[: position + 1], shape[position + 2 :]
        if last % period == 0:
            dims, steps = (1, period), (step * (last // period), 0 if last == period else step)
        else:
            dims, steps = (period // last, last), (step, 0)
        moves = step != 0 or period != 1
        grows = law.grows[position] if not moves or law.grows[position] is False else None
        return law.but(
            bounds=law.bounds.reshape(*head, *dims, *tail),
            steps=(*law.steps[:position], *steps, *law.steps[position + 1 :]),
            grows=(*law.grows[:position], grows, grows, *law.grows[position + 1 :]),
        )

    def merge(self, law: LawSet, position: int, sizes: Sequence[int]) -> LawSet:
        """Make one factor of several neighbours."""
        last = sizes[-1]
        for number in range(len(sizes) - 2, -1, -1):
            law = self._merge_two(law, position + number, last)
            last *= sizes[number]
        return law

    def _merge_two(self, law: LawSet, position: int, size: int) -> LawSet:
        """Merge the factor at ``position`` with the next, of extent ``size``."""
        (rows, columns), (outer, inner) = (
            law.periods[position : position + 2],
            law.steps[position : position + 2],
        )
        kinds = law.grows[position : position + 2]
        grows = True if True in kinds else None if None in kinds else False
        affine = rows == 1 and size % columns == 0 and outer == inner * (size // columns)
        if rows == columns == 1 and not outer and not inner:
            step = 0
        elif affine:
            step, grows = inner, True if grows is None else grows
        else:
            if size * rows > LIMIT:
                return _joined(broken(law, f"more than {LIMIT} phases"), position, outer, grows)
            if not law.broken:
                law = expand(law, position + 1, size) if inner else _repeat(law, position + 1, size)
                if inner and kinds[1]:
                    law = law.but(at_size=True)
            step = outer
        if law.broken:
            # Without a law nothing tells the pieces of a growing axis apart: together they grow.
            step, grows = outer or inner, True if grows is None else grows
        return _joined(law, position, step, grows)

    def arrange(self, law: LawSet, order: Sequence[int | None]) -> LawSet:
        """Factors moved, added (None) and left out (read at 0)."""
        order = tuple(order)
        if law.bounds.size == len(law.bounds):
            bounds = law.bounds.reshape(-1, *(1,) * len(order))
        else:
            axes, index = rearrangement(order, len(law.steps))
            bounds = law.bounds.transpose(axes)[index]
        pick = _picker(order)
        # An axis of extent 1 that a reshape drops may have been the one that grows.
        lost = any(step and position not in order for position, step in enumerate(law.steps))
        return LawSet(
            bounds,
            pick((*law.steps, 0)),
            pick((*law.grows, False)),
            law.at_size or lost,
            law.misaligned,
            law.unbounded,
            law.broken,
        )

    def embed(self, law: LawSet, position: int, offset: int, sizes: tuple[int, int]) -> LawSet:
        """Place a factor inside a longer one: there is no law along it any more. Only growing factors move a field."""
        del position, offset, sizes
        if law.unbounded or law.broken:
            return law
        return broken(law, "pieces joined end to end along a growing axis")


@lru_cache(maxsize=4096)
def _picker(order: tuple[int | None, ...]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """What takes the values at the places of an order; the last value stands for None."""
    places = [-1 if position is None else position for position in order]
    return itemgetter(*places) if len(places) > 1 else lambda values: tuple(values[i] for i in places)


def _repeat(law: LawSet, position: int, period: int) -> LawSet:
    if law.bounds.shape[position + 1] == 1:
        return law.but(law.bounds.repeat(period, position + 1))
    return expand(law, position, period)


def _joined(law: LawSet, position: int, step: int, grows: bool | None) -> LawSet:
    shape = law.bounds.shape
    dims = (*shape[: position + 1], prod(shape[position + 1 : position + 3]), *shape[position + 3 :])
    return law.but(
        bounds=law.bounds.reshape(dims),
        steps=(*law.steps[:position], step, *law.steps[position + 2 :]),
        grows=(*law.grows[:position], grows, *law.grows[position + 2 :]),
    )
