"""Paths: how many ways lead from the input to a tensor, and how much each of them sees.

A path goes through one operand of every op on its way; residual networks have exponentially many (Veit, Wilber & Belongie,
"Residual Networks Behave Like Ensembles of Relatively Shallow Networks", NeurIPS 2016). They are counted by dynamic
programming: paths with one and the same law are one term with their number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from eyeshot.analyses.affine import SIGNS, LawSet, united
from eyeshot.analyses.engine import Engine
from eyeshot.analyses.lattices import FAR
from eyeshot.analyses.lawset import Law

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyeshot.analyses.affine import LawSet
    from eyeshot.graph import Graph


class Spectrum(Mapping[int | None, int]):
    """Field size along one axis -> number of paths, smallest first.

    The size None has the paths that no size describes: those that see the whole axis whatever its extent, and those without
    a law. Numbers are exact; ``reasons`` says why sizes may be too large (a network with very many kinds of paths).
    """

    def __init__(self, counts: Mapping[int | None, int], reasons: frozenset[str] = frozenset()) -> None:
        self.reasons = reasons
        self._counts = dict(sorted(counts.items(), key=lambda each: (each[0] is None, each[0])))

    def __getitem__(self, size: int | None) -> int:
        return self._counts[size]

    def __iter__(self) -> Iterator[int | None]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    def __repr__(self) -> str:
        return (
            f"Spectrum({self.total} paths, sizes {self.min} to {self.max}, mean {float(self.mean or 0):.1f})"
        )

    @property
    def _sizes(self) -> list[int]:
        return [size for size in self._counts if size is not None]

    @property
    def total(self) -> int:
        """The number of all paths."""
        return sum(self._counts.values())

    @property
    def min(self) -> int | None:
        """The smallest field of a path; None where no path has a size."""
        return min(self._sizes, default=None)

    @property
    def max(self) -> int | None:
        """The largest field of a path that has a size."""
        return max(self._sizes, default=None)

    @property
    def mean(self) -> Fraction | None:
        """The mean size over all paths that have one."""
        number = sum(self._counts[size] for size in self._sizes)
        return Fraction(sum(size * self._counts[size] for size in self._sizes), number) if number else None


class _Counting(Law):
    """Laws that are never united, only counted."""

    counting = True

    def key(self, law: LawSet) -> Hashable:
        """All that a size can come to depend on: not where a field starts, and nothing of one that has no size."""
        if law.unbounded or law.broken:
            return self._moves(law)
        bounds = _from_zero(law).bounds
        return bounds.tobytes(), bounds.shape, law.steps, law.grows

    def likeness(self, law: LawSet) -> Hashable:
        """What tells laws apart where there are very many: the largest size of all phases, not each phase's own."""
        if law.unbounded or law.broken:
            return self._moves(law)
        return _size(law), law.bounds.shape, law.steps, law.grows

    def union(self, laws: Sequence[LawSet]) -> LawSet:
        """One law for several with one key or likeness."""
        first = laws[0]
        return first if first.unbounded or first.broken else united([_from_zero(law) for law in laws])

    def _moves(self, law: LawSet) -> Hashable:
        return tuple(self.varies(law, position) for position in range(len(law.steps)))


def _from_zero(law: LawSet) -> LawSet:
    return law.but(law.bounds - SIGNS.reshape(2, *(1 for _ in law.steps)) * law.bounds[0].min())


class Paths:
    """The paths from one axis of a source to every node."""

    def __init__(self, graph: Graph, source: int, axis: int) -> None:
        _, self.dependencies = Engine.over(graph, _Counting(), source, [axis])

    def spectrum(self, node: int, *, local: bool = False) -> Spectrum:
        """How many paths to a node have each field size; ``local`` leaves out global context where there are others."""
        counts: Counter[int | None] = Counter()
        terms = self.dependencies[node].terms
        for term in [term for term in terms if not (local and term.context)] or terms:
            counts[_size(term.sets[0])] += term.count
        return Spectrum(counts, self.dependencies[node].reasons)


def _size(law: LawSet) -> int | None:
    """The largest extent over phases."""
    if law.unbounded or law.broken:
        return None
    low, high = law.bounds[0], -law.bounds[1]
    return int(np.where(low < FAR // 2, high - low, 0).max())
