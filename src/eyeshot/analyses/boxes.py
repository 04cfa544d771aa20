"""Boxes: the exact hull of every unit's field, cut to the input, for every tensor of a graph.

The hull of a union is the hull of the hulls, so intervals lose nothing that a box could show.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from eyeshot.analyses.engine import Engine
from eyeshot.analyses.factors import flat
from eyeshot.analyses.lattices import FAR, Interval
from eyeshot.analyses.masks import presence
from eyeshot.analyses.places import factor_places, picked, present, unfactored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyeshot.analyses.terms import Term
    from eyeshot.graph import Graph

    Index = Sequence[int | None]


class Boxes:
    """The interval analysis of one graph from one source.

    ``local`` in the questions leaves out global context, at every unit that sees anything else.
    """

    def __init__(self, graph: Graph, source: int, axes: Sequence[int]) -> None:
        _, self.dependencies = Engine.over(graph, Interval(), source, axes)
        self.rank = len(axes)

    def at(self, node: int, index: Index, *, local: bool = False) -> list[tuple[int, int]] | None:
        """First and one-past-last input index on each axis for one unit; None if it reads nothing.

        None in a place of the index is the union over that axis.
        """
        dependency = self.dependencies[node]
        places = factor_places(dependency, index)
        found = [
            (term.context, [picked(sets, term, places, np.minimum) for sets in term.sets])
            for term in dependency.terms
            if present(term, places)
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
            there = presence(term.masks, len(sizes))
            occupied = occupied | (there & (term.sets[0][0] != FAR))
            for axis, sets in enumerate(term.sets):
                held = context if local and term.context >> axis & 1 else best
                held[axis] = np.minimum(held[axis], np.where(there, sets, FAR))
        both = [np.where(b[:1] == FAR, c, b) for b, c in zip(best, context, strict=True)]
        full = [unfactored(array, dependency, shape) for array in both]
        taken = unfactored(occupied[None], dependency, shape)[0]
        blank = [np.where(array == FAR, 0, array) for array in full]
        return [array[0] for array in blank], [-array[1] for array in blank], taken

    def widest(self, node: int, axis: int, *, local: bool = False) -> int:
        """The largest extent of a unit's box on one axis.

        Widest are the hulls of some pair of terms (or of one), from the start of either to the stop of the other. So no
        array is made that varies along the factors of both, as a hull of queries and keys would.
        """
        dependency = self.dependencies[node]
        terms = [term for term in dependency.terms if not (local and term.context >> axis & 1)]
        if len(terms) not in (0, len(dependency.terms)):  # context counts at some units alone
            starts, stops, _ = self.arrays(node, tuple(map(prod, dependency.cutting)), local=True)
            return int((stops[axis] - starts[axis]).max(initial=0))
        if 0 in flat(dependency.cutting):
            return 0
        ends = [
            (int(low.min()), -int(high.min()), term)
            for term in dependency.terms
            for low, high in [term.sets[axis]]
        ]
        pairs = [(stop - start, one, other) for start, _, one in ends for _, stop, other in ends]
        best = 0
        for bound, one, other in sorted(pairs, key=lambda pair: -pair[0]):
            if bound <= best:
                break
            best = max(best, _span(one, other, axis))
        return best


def _span(one: Term, other: Term, axis: int) -> int:
    """The most from a start in one term to a stop in the other, at the units where both are present."""
    starts, stops = one.sets[axis][0], other.sets[axis][1]
    for position in range(starts.ndim):
        masks = [term.masks[position] for term in (one, other) if position in term.masks]
        if masks:
            there = np.logical_and.reduce(masks)
            if not there.any():
                return 0
            starts, stops = (
                ends if ends.shape[position] == 1 else ends.compress(there, position)
                for ends in (starts, stops)
            )
        if starts.shape[position] == 1:
            stops = stops.min(position, keepdims=True)
        elif stops.shape[position] == 1:
            starts = starts.min(position, keepdims=True)
    return -int((starts + stops).min())
