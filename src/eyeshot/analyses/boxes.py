"""Boxes: the exact hull of every unit's field, cut to the input, for every tensor of a graph.

The hull of a union is the hull of the hulls, so intervals lose nothing that a box could show.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from eyeshot.analyses.engine import Engine
from eyeshot.analyses.factors import flat, positions
from eyeshot.analyses.lattices import FAR, Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyeshot.analyses.terms import Dependency, Term
    from eyeshot.graph import Graph

    Index = Sequence[int | None]


class Boxes:
    """The interval analysis of one graph from one source.

    ``local`` in the questions leaves out global context, at every unit that sees anything else.
    """

    def __init__(self, graph: Graph, source: int, axes: Sequence[int]) -> None:
        self.dependencies = Engine(graph, Interval(), source, axes).run()
        self.rank = len(axes)

    def at(self, node: int, index: Index, *, local: bool = False) -> list[tuple[int, int]] | None:
        """First and one-past-last input index on each axis for one unit; None if it reads nothing.

        None in a place of the index is the union over that axis.
        """
        dependency = self.dependencies[node]
        places = factor_places(dependency, index)
        found = [
            (term.context, [_pick(sets, term, places) for sets in term.sets])
            for term in dependency.terms
            if _present(term, places)
        ]
        found = [(context, sets) for context, sets in found if sets[0][0] != FAR]
        if not found:
            return None
        out = []
        for axis in range(self.rank):
            kept = [sets[axis] for context, sets in found if not (local and context >> axis & 1)]
            low, high = np.min(kept or [sets[axis] for _, sets in found], axis=0)
            out.append((int(low), -int(high)))
        return out

    def arrays(
        self, node: int, shape: tuple[int, ...], *, local: bool = False
    ) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]], NDArray[np.bool_]]:
        """Starts and stops on each axis and whether a unit reads anything, as arrays that broadcast to ``shape``."""
        dependency = self.dependencies[node]
        sizes = flat(dependency.cutting)
        occupied = np.zeros((1,) * len(sizes), np.bool_)
        best = [np.full((2, *(1,) * len(sizes)), FAR)] * self.rank
        context = list(best)
        for term in dependency.terms:
            present = _presence(term, sizes)
            occupied = occupied | (present & (term.sets[0][0] != FAR))
            for axis, sets in enumerate(term.sets):
                held = context if local and term.context >> axis & 1 else best
                held[axis] = np.minimum(held[axis], np.where(present, sets, FAR))
        both = [np.where(b[:1] == FAR, c, b) for b, c in zip(best, context, strict=True)]
        full = [_unfactor(array, dependency, shape) for array in both]
        taken = _unfactor(occupied[None], dependency, shape)[0]
        blank = [np.where(array == FAR, 0, array) for array in full]
        return [array[0] for array in blank], [-array[1] for array in blank], taken


def _unfactor(array: NDArray[Any], dependency: Dependency, shape: tuple[int, ...]) -> NDArray[Any]:
    """An array over factors as one over axes; axes it does not vary on keep extent 1."""
    dims: list[int] = []
    target: list[int] = []
    for axis, factors in enumerate(dependency.cutting):
        held = [array.shape[position + 1] for position in positions(dependency.cutting, axis)]
        varies = prod(held) != 1
        dims += factors if varies else held
        target.append(shape[axis] if varies else 1)
    return np.broadcast_to(array, (array.shape[0], *dims)).reshape(array.shape[0], *target)


def _presence(term: Term, sizes: tuple[int, ...]) -> NDArray[np.bool_]:
    present = np.ones((1,) * len(sizes), np.bool_)
    for position, mask in term.masks.items():
        dims = [1] * len(sizes)
        dims[position] = len(mask)
        present = present & mask.reshape(dims)
    return present


def factor_places(dependency: Dependency, index: Index) -> list[int | None]:
    """A unit's index as one index a factor."""
    places: list[int | None] = []
    for factors, given in zip(dependency.cutting, index, strict=True):
        if given is None:
            places += [None] * len(factors)
            continue
        held: list[int | None] = []
        for size in reversed(factors):
            held.append(given % size)
            given //= size  # noqa: PLW2901 - mixed-radix digits
        places += held[::-1]
    return places


def _present(term: Term, places: list[int | None]) -> bool:
    return all(
        bool(mask.any() if places[position] is None else mask[places[position]])
        for position, mask in term.masks.items()
    )


def _pick(sets: NDArray[np.int64], term: Term, places: list[int | None]) -> NDArray[np.int64]:
    """The union of the sets at the given places."""
    for position, place in reversed(list(enumerate(places))):
        axis = position + 1
        if sets.shape[axis] == 1:
            sets = sets.squeeze(axis)
        elif place is not None:
            sets = np.take(sets, place, axis)
        else:
            mask = term.masks.get(position)
            sets = (sets if mask is None else sets.compress(mask, axis)).min(axis)
    return sets
