"""Fields without clipping, for every input size at once: intervals that are affine along each factor, up to a phase.

Along a factor, index ``period * q + phase`` holds the interval ``bounds[phase] + step * q``. Bounds are held as in the
interval lattice, (first, -(one past last)), so that a union is a minimum. The period is the array's extent; the factor's
own extent appears nowhere, which is what makes the law free of the input's size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from math import lcm, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from eyeshot.analyses.lattices import FAR, rearrangement
from eyeshot.analyses.phases import LIMIT, phase_plan, read_phases
from eyeshot.relations import summary, tabulate

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from eyeshot.analyses.terms import Term
    from eyeshot.relations import AxisMap

    Mask = NDArray[np.bool_]

SIGNS = np.array([1, -1])


@dataclass(frozen=True, slots=True)
class LawSet:
    """Affine intervals over factors.

    ``steps`` is the advance over one period of each factor. ``grows`` tells whether the factor's extent grows with the
    input: True, False, or None where one size cannot tell. ``at_size`` marks numbers that hold at the captured size
    only, ``misaligned`` unions of intervals with different centers, ``unbounded`` fields that are the whole axis of any
    input. ``broken`` says why there is no law; steps are then only marks of what the field moves along.
    """

    bounds: NDArray[np.int64]
    steps: tuple[int, ...]
    grows: tuple[bool | None, ...]
    at_size: bool = False
    misaligned: bool = False
    unbounded: bool = False
    broken: str | None = None

    def but(
        self,
        bounds: NDArray[np.int64] | None = None,
        steps: tuple[int, ...] | None = None,
        grows: tuple[bool | None, ...] | None = None,
        at_size: bool = False,
    ) -> LawSet:
        """The same law with other bounds, steps or growth (``dataclasses.replace`` takes four times as long)."""
        return LawSet(
            self.bounds if bounds is None else bounds,
            self.steps if steps is None else steps,
            self.grows if grows is None else grows,
            self.at_size or at_size,
            self.misaligned,
            self.unbounded,
            self.broken,
        )

    @property
    def periods(self) -> tuple[int, ...]:
        """Number of phases along each factor."""
        return self.bounds.shape[1:]


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
        if law.broken:
            return True
        moving = tuple([grows for grows, step in zip(law.grows, law.steps, strict=True) if step])
        return law.bounds.shape, law.steps, moving, law.unbounded

    def settled(self, terms: list[Term]) -> list[Term]:
        """Where one term has no law on an axis, the sum of terms has none: let all say so, that they may unite."""
        out = list(terms)
        for axis in range(len(terms[0].sets)):
            why = {
                term.context: term.sets[axis].broken
                for term in terms
                if term.sets[axis].broken and not term.masks
            }
            for number, term in enumerate(out):
                law = term.sets[axis]
                if term.context in why and not (law.broken or law.unbounded or term.masks):
                    sets = _with(term.sets, axis, broken(law, why[term.context]))
                    out[number] = replace(term, sets=sets)
        return out

    def condensed(
        self,
        held: Sequence[tuple[tuple[LawSet, ...], dict[int, Mask]]],
        sizes: tuple[int, ...],
        *,
        forced: bool,
    ) -> tuple[LawSet, ...] | None:
        """Many terms as one: without a law, but with the marks of all; only where there is no other way."""
        del sizes
        if not forced:
            return None
        columns = zip(*(sets for sets, _ in held), strict=True)
        return tuple(
            next((law for law in column if law.unbounded), None)
            or reduce(_marked, [broken(law, "too many branches") for law in column])
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

    def union(self, one: LawSet, other: LawSet) -> LawSet:
        """The union of two laws with one key."""
        if one.unbounded:
            return one
        if one.broken:
            return _marked(one, other)
        difference = one.bounds - other.bounds
        apart = difference[0] != difference[1]
        return LawSet(
            np.minimum(one.bounds, other.bounds),
            one.steps,
            one.grows,
            one.at_size or other.at_size,
            one.misaligned or other.misaligned or bool(apart.any()),
        )

    # Axis maps

    def along(
        self, law: LawSet, position: int, amap: AxisMap, sizes: tuple[int, int], mask: Mask | None
    ) -> LawSet:
        """Read through an axis map; without a summary there is no law, unless the factor is fixed."""
        del mask
        if law.unbounded or law.broken:
            return law
        periodic = summary(amap)
        if periodic is None:
            if law.grows[position] is False:
                return self._tabulated(law, position, amap, sizes)
            return broken(law, f"{type(amap).__name__.lower()} without a law along a growing axis")
        period, step = law.bounds.shape[position + 1], law.steps[position]
        if period == periodic.period == 1:
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
        return law.but(bounds, _with(law.steps, position, new), at_size=periodic.at_size)

    def _tabulated(self, law: LawSet, position: int, amap: AxisMap, sizes: tuple[int, int]) -> LawSet:
        full = expand(law, position, sizes[0])
        table = tabulate(amap, *sizes)
        rows = [full.bounds.take(table.row(y), position + 1).min(position + 1) if len(table.row(y)) else None
                for y in range(sizes[1])]  # fmt: skip
        blank = np.full_like(full.bounds.take(0, position + 1), FAR)
        bounds = np.stack([blank if row is None else row for row in rows], position + 1)
        return full.but(bounds=bounds, steps=_with(law.steps, position, 0))

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
            law = law.but(bounds=bounds.min(axis, keepdims=True), steps=_with(law.steps, position, 0))
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
            step = outer
        if law.broken:
            # Without a law nothing tells the pieces of a growing axis apart: together they grow.
            step, grows = outer or inner, True if grows is None else grows
        return _joined(law, position, step, grows)

    def arrange(self, law: LawSet, order: Sequence[int | None]) -> LawSet:
        """Factors moved, added (None) and left out (read at 0)."""
        axes, index = rearrangement(tuple(order), len(law.steps))
        return LawSet(
            law.bounds.transpose(axes)[index],
            tuple(0 if position is None else law.steps[position] for position in order),
            tuple(False if position is None else law.grows[position] for position in order),
            law.at_size,
            law.misaligned,
            law.unbounded,
            law.broken,
        )

    def embed(self, law: LawSet, position: int, offset: int, sizes: tuple[int, int]) -> LawSet:
        """Place a factor inside a longer one: a law only where the factor is fixed."""
        if law.unbounded or law.broken:
            return law
        if law.grows[position] is not False:
            return broken(law, "pieces joined end to end along a growing axis")
        full = expand(law, position, sizes[0])
        axis = position + 1
        shape = [*full.bounds.shape[:axis], sizes[1], *full.bounds.shape[axis + 1 :]]
        bounds = np.full(shape, FAR)
        bounds[(slice(None),) * axis + (slice(offset, offset + sizes[0]),)] = full.bounds
        return full.but(bounds=bounds, steps=_with(full.steps, position, 0))


def broken(law: LawSet, why: str) -> LawSet:
    """No law; the steps keep marking what the field moves along."""
    marks = tuple(int(step != 0 or period != 1) for step, period in zip(law.steps, law.periods, strict=True))
    return replace(law, bounds=np.zeros((2, *(1 for _ in marks)), np.int64), steps=marks, broken=why)


def _marked(one: LawSet, other: LawSet) -> LawSet:
    """Two broken laws as one: it moves along what either moves along."""
    if one.steps == other.steps and one.grows == other.grows:
        return one
    kinds = [
        [grows for step, grows in ((a, g), (b, h)) if step]
        for a, b, g, h in zip(one.steps, other.steps, one.grows, other.grows, strict=True)
    ]
    grows = tuple(True if True in kind else None if None in kind else False for kind in kinds)
    return one.but(steps=tuple(int(bool(kind)) for kind in kinds), grows=grows)


def unbounded(law: LawSet) -> LawSet:
    """The whole axis, whatever its extent."""
    rank = len(law.steps)
    return LawSet(np.zeros((2, *(1,) * rank), np.int64), (0,) * rank, (False,) * rank, unbounded=True)


def expand(law: LawSet, position: int, period: int) -> LawSet:
    """The same law with ``period`` phases along a factor (a multiple of its own, or its whole extent)."""
    held, step = law.bounds.shape[position + 1], law.steps[position]
    if held == period:
        return law
    index = np.arange(period)
    dims = [1] * law.bounds.ndim
    dims[position + 1] = period
    sign = SIGNS.reshape(2, *(1 for _ in law.steps))
    bounds = law.bounds.take(index % held, position + 1) + sign * (step * (index // held)).reshape(dims)
    return law.but(bounds=bounds, steps=_with(law.steps, position, step * (period // held)))


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


def _with(values: tuple[Any, ...], position: int, value: Any) -> tuple[Any, ...]:
    return (*values[:position], value, *values[position + 1 :])
