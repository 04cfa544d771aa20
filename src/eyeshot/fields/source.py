"""The tensor that fields are about, and the analyses from it, each run when first asked for."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from eyeshot.analyses.boxes import Boxes
from eyeshot.analyses.factors import positions
from eyeshot.analyses.law import Laws
from eyeshot.analyses.mask import Masks
from eyeshot.analyses.paths import Paths
from eyeshot.analyses.sets import Sets
from eyeshot.errors import EyeshotError
from eyeshot.jobs import uncollected
from eyeshot.relations import Along

if TYPE_CHECKING:
    from collections.abc import Callable

    from eyeshot.analyses.law import AxisLaw
    from eyeshot.fields.axes import InputAxes
    from eyeshot.graph import Graph

    Enlarged = Callable[[tuple[int, ...]], Graph]


LONGEST = 4096
"""Elements of an axis up to which the sets of every unit are held: a bit for each element and unit."""


class Source:
    """One input (or earlier tensor) of a graph with the axes asked about."""

    def __init__(
        self,
        graph: Graph,
        name: str,
        node: int,
        asked: InputAxes,
        enlarged: Enlarged | None = None,
    ) -> None:
        self._enlarged = enlarged
        self.graph = graph
        self.name = name
        self.node = node
        self.asked = asked
        self.axes = asked.axes
        self.shape = graph.nodes[node].shape
        self.extents = tuple(self.shape[axis] for axis in self.axes)

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

    @cached_property
    def sets(self) -> Sets | None:
        """The sets of every unit, holes included; None where an axis is too long to hold them (see `LONGEST`)."""
        if max(self.extents) > LONGEST:
            return None
        with uncollected():
            return Sets(self.graph, self.node, self.axes)

    @cached_property
    def paths(self) -> tuple[Paths, ...]:
        """The counted paths along each axis."""
        with uncollected():
            return tuple(Paths(self.graph, self.node, axis) for axis in self.axes)

    @cached_property
    def masks(self) -> Masks:
        """Fields of single units."""
        return Masks(self.graph)

    @cached_property
    def context(self) -> list[int]:
        """The summaries that are context on every way to them: nodes that the local view reads nothing through."""
        found = self.boxes.dependencies
        return [
            number
            for number, node in enumerate(self.graph.nodes)
            if isinstance(node.relation, Along)
            and node.relation.summarises
            and all(term.context for term in found[number].terms)
            and not all(term.context for term in found[node.inputs[0]].terms)
        ]

    @cached_property
    def local_masks(self) -> Masks:
        """Fields of single units, where nothing is read through context."""
        return Masks(self.graph, self.context)

    def solid(self, node: int, *, local: bool = False) -> bool | None:
        """Whether the field of every unit is its whole box; None where sets can not tell."""
        if self.sets is None or not self.sets.exact(node):
            return None
        return self.sets.solid(node, local=local)

    def law(self, node: int, axis: int, *, local: bool = False) -> AxisLaw:
        """The law of a tensor along one axis.

        A law that one size leaves open (``at_size``) holds at every size if it is the same at twice the extents, where
        the model takes them.
        """
        law = self.laws.axis(node, axis, local=local)
        if not law.at_size or self._twin is None:
            return law
        other = self._twin.axis(node, axis, local=local)
        return replace(law, at_size=replace(other, at_size=True) != law)

    def moving(self, node: int) -> set[int]:
        """The axes of a tensor along which boxes move."""
        dependency = self.boxes.dependencies[node]
        return {
            axis
            for axis in range(len(dependency.cutting))
            for position in positions(dependency.cutting, axis)
            if any(sets.shape[position + 1] != 1 for term in dependency.terms for sets in term.sets)
        }

    @cached_property
    def _twin(self) -> Laws | None:
        """The laws at twice the extents; None if the model refuses them or computes something else there."""
        if self._enlarged is None:
            return None
        try:
            with uncollected():
                graph = self._enlarged(self.axes)
        except EyeshotError:
            return None
        same = [type(node.relation) for node in graph.nodes] == [
            type(node.relation) for node in self.graph.nodes
        ]
        return Laws(graph, self.node, self.axes) if same else None

    def global_since(self, node: int, *, local: bool = False) -> str | None:
        """Where, on the way to a node, a field first became the whole input."""
        place = (self._local_globals if local else self._globals)[node]
        if place is None:
            return None
        tensor = self.graph.tensors[place]
        return tensor.module or tensor.name

    @cached_property
    def _globals(self) -> list[int | None]:
        return self._first_globals(local=False)

    @cached_property
    def _local_globals(self) -> list[int | None]:
        return self._first_globals(local=True)

    def _first_globals(self, *, local: bool) -> list[int | None]:
        """For every node the first tensor on the way to it that sees a whole axis at any size.

        A tensor that does not cuts the way: what made a gate global is not what makes a field without gates so.
        """
        axes = range(len(self.axes))
        own: dict[int, int | None] = {}
        for place, tensor in enumerate(self.graph.tensors):
            if tensor.node not in own:
                whole = any(self.laws.axis(tensor.node, axis, local=local).unbounded for axis in axes)
                own[tensor.node] = place if whole else None
        first: list[int | None] = []
        for number, node in enumerate(self.graph.nodes):
            places = [own.get(number), *(first[operand] for operand in node.inputs)]
            cut = number in own and own[number] is None
            first.append(None if cut else min((place for place in places if place is not None), default=None))
        return first
