"""Masks: what chosen units see, exactly, on all axes at once, holes and crosses included."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from eyeshot.analyses.reach import Reach
from eyeshot.graph.transpose import transpose

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np
    from numpy.typing import NDArray

    from eyeshot.analyses.reach import Region
    from eyeshot.graph import Graph


class Masks:
    """The backward questions to one graph. Nodes in ``cut`` are looked at no further: what they read is left out."""

    def __init__(self, graph: Graph, cut: Collection[int] = ()) -> None:
        self._graph = graph
        self._cut = cut

    @cached_property
    def _transposed(self) -> tuple[Graph, list[int]]:
        return transpose(self._graph, self._cut)

    def of(self, node: int, region: Region) -> Reach:
        """All that a region of a node sees: ask it with the numbers that ``place`` gives."""
        graph, places = self._transposed
        return Reach(graph, places[node], region)

    def place(self, node: int) -> int:
        """The number of a node in the transposed graph."""
        return self._transposed[1][node]

    def at(
        self, node: int, region: Region, source: int, axes: Collection[int] | None = None
    ) -> NDArray[np.bool_]:
        """The elements of an earlier node that a region of ``node`` sees, over some of its axes (all by default)."""
        return self.of(node, region).at(self.place(source), axes)
