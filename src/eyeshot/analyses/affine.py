"""Intervals that are affine along each factor, up to a phase: the values of the law.

Along a factor, index ``period * q + phase`` holds the interval ``bounds[phase] + step * q``. Bounds are held as in the
interval lattice, (first, -(one past last)), so that a union is a minimum. The period is the array's extent; the factor's
own extent appears nowhere, which is what makes the law free of the input's size.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from eyeshot.analyses.terms import Term

SIGNS = np.array([1, -1])


@dataclass(slots=True, eq=False)
class LawSet:
    """Affine intervals over factors; never changed once made (a frozen dataclass takes three times as long to make).

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
    _key: Hashable = field(default=None, init=False, repr=False)

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

    @property
    def key(self) -> Hashable:
        """What must agree for two laws to unite without growing."""
        if self._key is None:
            moving = [(i, self.grows[i]) for i, step in enumerate(self.steps) if step]
            self._key = bool(self.broken) or (self.bounds.shape, self.steps, *moving, self.unbounded)
        return self._key


def broken(law: LawSet, why: str) -> LawSet:
    """No law; the steps keep marking what the field moves along."""
    marks = tuple(int(step != 0 or period != 1) for step, period in zip(law.steps, law.periods, strict=True))
    return replace(law, bounds=np.zeros((2, *(1 for _ in marks)), np.int64), steps=marks, broken=why)


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
    return law.but(bounds=bounds, steps=with_value(law.steps, position, step * (period // held)))


def united(laws: Sequence[LawSet]) -> LawSet:
    """The union of laws with one key."""
    first = laws[0]
    if len(laws) == 1 or first.unbounded:
        return first
    if first.broken:
        return reduce(_marked, laws)
    if len(laws) == 2:
        one, other = first.bounds, laws[1].bounds
        bounds, shift = np.minimum(one, other), one - other
        apart = np.count_nonzero(shift[0] != shift[1])
    else:
        every = np.concatenate([law.bounds for law in laws]).reshape(len(laws), *first.bounds.shape)
        bounds, centers = np.minimum.reduce(every), every[:, 0] - every[:, 1]
        apart = np.count_nonzero(centers != centers[0])
    misaligned = bool(apart) or any(law.misaligned for law in laws)
    at_size = any(law.at_size for law in laws)
    return LawSet(bounds, first.steps, first.grows, at_size, misaligned)


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


def all_broken(terms: list[Term]) -> list[Term]:
    """Terms present everywhere without a law wherever one of them has none."""
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
                out[number] = replace(term, sets=with_value(term.sets, axis, broken(law, why[term.context])))
    return out


def zipped(terms: list[Term]) -> list[Term]:
    """Terms present everywhere as few that have the same laws on each axis."""
    alike = []
    for column in zip(*(term.sets for term in terms), strict=True):
        kinds: dict[Hashable, list[LawSet]] = {}
        for law in column:
            # What moves along different factors stays apart, for a summary of one of them to be told from the rest.
            kinds.setdefault((law.key, law.steps), []).append(law)
        alike.append(kinds.values())
    count = max(map(len, alike))
    if count == len(terms):
        return terms
    columns = []
    for axis, groups in enumerate(alike):
        # A term unbounded on all axes would hold all others: on the first axis such laws come first, on others last.
        laws = sorted(map(united, groups), key=lambda law: law.unbounded is (axis != 0))
        more = count - len(laws)
        columns.append(laws + laws[-1:] * more if axis == 0 else laws[:1] * more + laws)
    rows = list(zip(*columns, strict=True))
    if any(all(law.unbounded for law in row) for row in (*rows, *(term.sets for term in terms))):
        return terms
    return [replace(terms[0], sets=row) for row in rows]


def with_value(values: tuple[Any, ...], position: int, value: Any) -> tuple[Any, ...]:
    """A tuple with another value in one place."""
    return (*values[:position], value, *values[position + 1 :])
