"""Sets: which indices every unit of every tensor reads, holes included.

Over several input axes the sets of one axis are exact for any graph (projection commutes with union), and products of them
are the field itself where ``exact`` says so. Over one flattened axis of all input elements they always are.
"""

from __future__ import annotations

from functools import reduce
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from eyeshot.analyses.bitsets import Bitset, Run, members, runs
from eyeshot.analyses.engine import Engine, start
from eyeshot.analyses.factors import flat
from eyeshot.analyses.masks import presence
from eyeshot.analyses.places import factor_places, picked, present, unfactored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyeshot.analyses.terms import Term
    from eyeshot.graph import Graph

    Index = Sequence[int | None]
    Mask = NDArray[np.bool_]


class Sets:
    """The bitset analysis of one graph from one source, over some of its axes or (``axes=None``) all of them as one."""

    def __init__(self, graph: Graph, source: int, axes: Sequence[int] | None) -> None:
        shape = graph.nodes[source].shape
        lattice = Bitset()
        if axes is None:
            self.extents: tuple[int, ...] = (prod(shape),)
            first = start(shape, (lattice.flat_identity(shape),))
            self.dependencies = Engine(graph, lattice, source, self.extents).run(first)
        else:
            self.extents = tuple(shape[axis] for axis in axes)
            _, self.dependencies = Engine.over(graph, lattice, source, axes)
        self._graph = graph
        self._source = source

    def shadows(self, node: int, index: Index, *, local: bool = False) -> list[Mask]:
        """The indices that one unit reads on each axis; None in a place of the index is the union over that axis."""
        dependency = self.dependencies[node]
        places = factor_places(dependency, index)
        found = [
            (term.context, [picked(sets, term, places, np.bitwise_or) for sets in term.sets])
            for term in dependency.terms
            if present(term, places)
        ]
        out = []
        for axis, extent in enumerate(self.extents):
            kept = [sets[axis] for context, sets in found if not (local and context >> axis & 1)]
            held = [sets for sets in kept if sets.any()] or [sets[axis] for _, sets in found]
            out.append(members(np.bitwise_or.reduce(held), extent) if held else np.zeros(extent, np.bool_))
        return out

    def exact(self, node: int) -> bool:
        """Whether the field of every unit is the union of its terms' products."""
        return all(term.exact for term in self.dependencies[node].terms)

    def solid(self, node: int, *, local: bool = False) -> bool:
        """Whether every unit reads all of its box: on each axis a run of indices, which some one term holds whole."""
        dependency = self.dependencies[node]
        terms = [term for term in dependency.terms if not (local and term.context)] or dependency.terms
        if len(terms) <= 1:
            return not terms or all(
                runs(sets, extent).whole for sets, extent in zip(terms[0].sets, self.extents, strict=True)
            )
        sizes = flat(dependency.cutting)
        places = [_representatives(terms, position) for position in range(len(sizes))]
        spans = [
            [runs(_at(sets, places), extent) for sets, extent in zip(term.sets, self.extents, strict=True)]
            for term in terms
        ]
        there = [
            _at(presence(term.masks, len(sizes))[None], places)[0] & (each[0].count > 0)
            for term, each in zip(terms, spans, strict=True)
        ]
        hulls = [reduce(Run.hull, map(Run.where, axis, there)) for axis in zip(*spans, strict=True)]
        whole = ~reduce(np.logical_or, there)
        for present_at, each in zip(there, spans, strict=True):
            same = (own.fills(hull) for own, hull in zip(each, hulls, strict=True))
            whole = whole | reduce(np.logical_and, same, present_at)
        return bool(whole.all())

    def mask(self, node: int, index: Sequence[int]) -> Mask:
        """What one unit reads, over the axes asked about; holds the field, and is it where ``exact``."""
        dependency = self.dependencies[node]
        places = factor_places(dependency, index)
        out = np.zeros(self.extents, np.bool_)
        for term in dependency.terms:
            if present(term, places):
                each = [
                    members(picked(sets, term, places, np.bitwise_or), extent)
                    for sets, extent in zip(term.sets, self.extents, strict=True)
                ]
                out |= reduce(np.logical_and.outer, each)
        return out

    def matrix(self, node: int) -> Mask:
        """The whole dependence over one flattened axis: booleans of the node's shape, then the source's."""
        shape = self._graph.nodes[node].shape
        dependency = self.dependencies[node]
        sizes = flat(dependency.cutting)
        out = np.zeros((*shape, *self._graph.nodes[self._source].shape), np.bool_)
        for term in dependency.terms:
            words = np.where(presence(term.masks, len(sizes)), term.sets[0], 0)
            held = members(unfactored(words, dependency, shape), self.extents[0])
            out |= held.reshape((*held.shape[:-1], *self._graph.nodes[self._source].shape))
        return out


def _representatives(terms: Sequence[Term], position: int) -> NDArray[np.int64] | None:
    """One index for each pattern of masks along a factor on which no sets vary; None: all of them."""
    if any(sets.shape[position + 1] != 1 for term in terms for sets in term.sets):
        return None
    masks = [term.masks[position] for term in terms if position in term.masks]
    return np.unique(np.stack(masks), axis=1, return_index=True)[1] if masks else None


def _at(array: NDArray[Any], places: Sequence[NDArray[np.int64] | None]) -> NDArray[Any]:
    """An array (payload first) at chosen indices of its factors."""
    for position, place in enumerate(places):
        if place is not None and array.shape[position + 1] != 1:
            array = array.take(place, position + 1)
    return array
