"""Reach: one chosen region of a tensor carried through a graph, exact on all axes at once.

The lattice is booleans: an element is reached or not. A region that is a product of one set an axis stays masks of one axis
each as long as the network lets it; only what is no product any more is held as an array.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import numpy as np

from eyeshot.analyses.engine import Engine, start
from eyeshot.analyses.factors import flat
from eyeshot.analyses.lattices import SetLattice
from eyeshot.analyses.masks import presence
from eyeshot.analyses.places import unfactored
from eyeshot.analyses.terms import Dependency, Term

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from eyeshot.graph import Graph

    Mask = NDArray[np.bool_]
    Region = Mask | Sequence[int | slice | None]
    """Booleans of the tensor's shape, or one place an axis: an index, a slice, or None for all of it."""

SMALL = 1 << 16
"""Cells of an array that several masks are written into without need."""


class Presence(SetLattice):
    """Reached or not; where a term's array is one cell, its masks say all."""

    ufunc = np.logical_or
    empty = False

    def singletons(self, extent: int) -> Mask:
        """Elements apart have no meaning here: a region starts as masks."""
        return np.ones((1, extent), np.bool_)

    def saturated(self, sets: Mask, extent: int) -> bool:
        """Whether every element is reached."""
        return sets.size == 1 and bool(sets.flat[0])

    def settled(self, terms: list[Term]) -> list[Term]:
        """Products of masks without those that are empty, or that another one holds."""
        kept: list[Term] = []
        for term in terms:
            if not term.sets[0].any():
                continue
            for place, other in enumerate(kept):
                if _holds(other, term):
                    break
                if _holds(term, other):
                    kept[place] = term
                    break
            else:
                kept.append(term)
        return kept

    def affordable(self, now: int, *, forced: bool) -> float:
        """One array for several regions is exact: there is nothing to spare but time."""
        return inf if forced else SMALL


def _holds(term: Term, other: Term) -> bool:
    """Whether a term's region contains another's, as far as masks tell."""
    if term.sets[0].size != 1 and term.sets[0] is not other.sets[0]:
        return False
    for position, mask in term.masks.items():
        held = other.masks.get(position)
        if held is None or (held & ~mask).any():
            return False
    return True


class Reach:
    """Where one region of a tensor gets to: forwards in a graph, backwards in its transposed."""

    def __init__(self, graph: Graph, node: int, region: Region) -> None:
        self._graph = graph
        self._engine = Engine(graph, Presence(), node, [1])
        self._dependencies = self._engine.run(_first(graph.nodes[node].shape, region))

    def at(self, node: int, axes: Collection[int] | None = None) -> Mask:
        """The elements of a tensor that are reached, as booleans over some of its axes: a union over the others."""
        shape = self._graph.nodes[node].shape
        dependency = self._dependencies[node]
        kept = range(len(shape)) if axes is None else axes
        for axis in range(len(shape)):
            if axis not in kept and dependency.terms:
                dependency = self._engine.all(dependency, axis, 1)
        shape = tuple(extent if axis in kept else 1 for axis, extent in enumerate(shape))
        sizes = flat(dependency.cutting)
        out = np.zeros(shape, np.bool_)
        for term in dependency.terms:
            there = term.sets[0] & presence(term.masks, len(sizes))
            out |= unfactored(there, dependency, shape)[0]
        return out.reshape([shape[axis] for axis in kept])


def _first(shape: tuple[int, ...], region: Region) -> Dependency:
    nothing = Dependency(tuple((extent,) for extent in shape))
    if isinstance(region, np.ndarray):
        return start(shape, (region.reshape(1, *shape),)) if region.any() else nothing
    masks = {}
    for axis, (place, extent) in enumerate(zip(region, shape, strict=True)):
        mask = np.zeros(extent, np.bool_)
        mask[slice(None) if place is None else place] = True
        if not mask.any():
            return nothing
        if not mask.all():
            masks[axis] = mask
    return start(shape, (np.ones((1,) * (len(shape) + 1), np.bool_),), masks)
