"""The tensor that fields are about, and the analyses from it, each run when first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from eyeshot.analyses.boxes import Boxes
from eyeshot.analyses.law import Laws
from eyeshot.jobs import uncollected

if TYPE_CHECKING:
    from eyeshot.graph import Graph


class Source:
    """One input (or earlier tensor) of a graph with the axes asked about."""

    def __init__(self, graph: Graph, name: str, node: int, axes: tuple[int, ...], letters: str) -> None:
        self.graph = graph
        self.name = name
        self.node = node
        self.axes = axes
        self.letters = letters
        self.shape = graph.nodes[node].shape
        self.extents = tuple(self.shape[axis] for axis in axes)

    @cached_property
    def boxes(self) -> Boxes:
        """Clipped boxes of every unit."""
        with uncollected():
            return Boxes(self.graph, self.node, self.axes)

    @cached_property
    def laws(self) -> Laws:
        """The size-free law of every tensor."""
        with uncollected():
            return Laws(self.graph, self.node, self.axes)

    def global_since(self, node: int) -> str | None:
        """Where, on the way to a node, a field first became the whole input."""
        on_the_way = self.graph.ancestors([node])
        for tensor in self.graph.tensors:
            if tensor.node in on_the_way and any(
                self.laws.axis(tensor.node, axis).unbounded for axis in range(len(self.axes))
            ):
                return tensor.module or tensor.name
        return None
