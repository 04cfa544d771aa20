"""The way back from a node to the input, along the branches that see most, as axis maps one after the other.

The maps come from the graph alone; the symbolic law (:mod:`eyeshot.analyses.law`) only says, where branches meet,
which one sees most. So the numbers that :mod:`eyeshot.analyses.recurrence` makes of the maps check the law's.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Literal

from eyeshot.analyses.factors import flat, positions
from eyeshot.analyses.lawset import Law
from eyeshot.analyses.recurrence import Join, Link, Recurrence, Spans
from eyeshot.relations import (
    All,
    Along,
    Broadcast,
    Concat,
    Contract,
    Identity,
    Permute,
    Pointwise,
    Reshape,
    Window,
)
from eyeshot.relations.tables import stretch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eyeshot.analyses.law import AxisLaw, Laws
    from eyeshot.analyses.recurrence import End
    from eyeshot.graph import Graph
    from eyeshot.relations import AxisMap, Relation


@dataclass(frozen=True, slots=True)
class _Part:
    """What a field moves along: index ``(i // inner) % extent`` of a tensor axis."""

    axis: int
    inner: int
    extent: int


class Walk:
    """The way back from a node along one axis of the source; ``local`` leaves out global context."""

    def __init__(self, graph: Graph, laws: Laws, source: int, axis: int, *, local: bool = False) -> None:
        self._graph, self._laws, self._source, self._axis, self._local = graph, laws, source, axis, local
        self._why: str | None = None

    def recurrence(self, node: int, unit: Sequence[int | None] | None = None) -> Recurrence:
        """The walk from a node, with the numbers put in; ``unit`` is the one whose intervals are wanted."""
        links: list[Link] = []
        end, last = self._follow(node, links)
        joins: list[Join] = []
        part = self._part(node)
        place = units = None
        if isinstance(part, _Part):
            whole = part.extent == self._graph.nodes[node].shape[part.axis]
            units = part.extent if whole else None
            given = None if unit is None else unit[part.axis]
            place = None if given is None else given // part.inner % part.extent
        steps = []
        spans = Spans(links, place)
        for link in links:
            joins += link.joins
            step = spans.step(link, tuple(joins))
            if step is not None:
                steps.append(step)
                joins = []
        law = self._laws.axis(node, self._axis, local=self._local)
        return Recurrence(tuple(steps), tuple(joins), end, last, self._why, law, units, place)

    def _follow(self, node: int, links: list[Link]) -> tuple[End, int]:
        """The links from a node on; where they can not be followed, it still looks for where a field became global."""
        lost: int | None = None
        while node != self._source:
            law = self._law(node)
            operands = self._operands(node)
            ways = [self._law(operand) for operand in operands]
            if law.unbounded and not any(way.unbounded for way in ways):
                return "global", node
            if law.size is None and not law.unbounded and all(way.size is not None for way in ways):
                self._why = law.why
                return "no law", node
            chosen = max(range(len(ways)), key=lambda place: _weight(ways[place]))
            amap = self._between(node, operands[chosen])
            if amap is None and not law.unbounded:
                return "lost", node
            lost = node if amap is None and lost is None else lost
            if amap is not None and lost is None:
                extents = self._extent(operands[chosen]), self._extent(node)
                links.append(Link(node, amap, extents, tuple(_join(node, law, ways, chosen))))
            node = operands[chosen]
        return ("input", node) if lost is None else ("lost", lost)

    def _extent(self, node: int) -> int:
        part = self._part(node)
        return part.extent if isinstance(part, _Part) else 1

    def _law(self, node: int) -> AxisLaw:
        return self._laws.axis(node, self._axis, local=self._local)

    def _operands(self, node: int) -> list[int]:
        """The operands that see something, in the local view those that see more than context."""
        dependencies = self._laws.dependencies
        seeing = [operand for operand in self._graph.nodes[node].inputs if dependencies[operand].terms]
        near = [
            operand
            for operand in seeing
            if self._local and any(not term.context >> self._axis & 1 for term in dependencies[operand].terms)
        ]
        return list(dict.fromkeys(near or seeing))

    def _part(self, node: int) -> _Part | Literal["fixed", "spread"]:
        """What the field of a node moves along: nothing, one part of one axis, or several."""
        dependency = self._laws.merged(node, self._axis)
        laws = [
            term.sets[self._axis]
            for term in dependency.terms
            if not (self._local and term.context >> self._axis & 1) and not term.sets[self._axis].unbounded
        ]
        sizes, lattice = flat(dependency.cutting), Law()
        moving = [place for place in range(len(sizes)) if any(lattice.varies(law, place) for law in laws)]
        if not moving:
            return "fixed"
        axis = next(
            a for a in range(len(dependency.cutting)) if moving[0] in positions(dependency.cutting, a)
        )
        held = positions(dependency.cutting, axis)
        if moving[-1] not in held or moving != list(range(moving[0], moving[-1] + 1)):
            return "spread"
        inner = prod(sizes[place] for place in held if place > moving[-1])
        return _Part(axis, inner, prod(sizes[place] for place in moving))

    def _between(self, node: int, operand: int) -> AxisMap | None:
        """The axis map between what the fields of a node and its operand move along; None where there is no single one."""
        part, before = self._part(node), self._part(operand)
        if part == "spread" or before == "spread":
            return None
        if before == "fixed":
            return Identity()
        assert isinstance(before, _Part)
        relation = self._graph.nodes[node].relation
        shape, inside = self._graph.nodes[node].shape, self._graph.nodes[operand].shape
        if part == "fixed":
            return _gathered(relation, before, inside)
        assert isinstance(part, _Part)
        if isinstance(relation, Reshape):
            return _recut(part, before, shape, inside)
        if isinstance(relation, Along):
            amap = dict(relation.maps).get(part.axis, Identity())
            return _mapped(amap, part, before, shape, inside)
        same = part.extent == before.extent and self._same(node, operand, part, before)
        return Identity() if same else None

    def _same(self, node: int, operand: int, part: _Part, before: _Part) -> bool:
        """Whether a relation that moves nothing along an axis reads the same axis of its operand."""
        relation, operands = self._graph.nodes[node].relation, self._graph.nodes[node].inputs
        match relation:
            case Pointwise():
                return part == before
            case Broadcast():
                ranks = len(self._graph.nodes[node].shape), len(self._graph.nodes[operand].shape)
                return part.axis - ranks[0] == before.axis - ranks[1]
            case Permute():
                return relation.axes[part.axis] == before.axis
            case Concat():
                return part == before and relation.axis != part.axis
            case Contract():
                places = [place for place, number in enumerate(operands) if number == operand]
                label = relation.output[part.axis]
                return any(relation.operands[place][before.axis] == label for place in places)
            case _:
                return False


def _gathered(relation: Relation, before: _Part, inside: Sequence[int]) -> AxisMap | None:
    """Where units stop moving: all that is summed, or whatever one element is taken from a whole axis."""
    if isinstance(relation, Contract):
        return All()
    amap = dict(relation.maps).get(before.axis) if isinstance(relation, Along) else None
    return amap if isinstance(amap, All) or before.extent == inside[before.axis] else None


def _mapped(
    amap: AxisMap, part: _Part, before: _Part, shape: Sequence[int], inside: Sequence[int]
) -> AxisMap | None:
    """An axis map, where whole axes move along it."""
    if isinstance(amap, Identity):
        return amap if part == before else None
    whole = before.axis == part.axis and (before.extent, part.extent) == (inside[part.axis], shape[part.axis])
    return amap if whole else None


def _recut(part: _Part, before: _Part, shape: Sequence[int], inside: Sequence[int]) -> AxisMap | None:
    """Through a reshape: the same part, one of blocks (``i // r``), or blocks of it as a whole (``r i`` and on)."""
    step, older = (
        each.inner * prod(held[each.axis + 1 :]) for each, held in ((part, shape), (before, inside))
    )
    if (step, part.extent) == (older, before.extent):
        return Identity()
    times = part.extent // before.extent
    if part.extent == before.extent * times and older == step * times:
        return stretch(times, before.extent)
    times = before.extent // part.extent
    if before.extent == part.extent * times and step == older * times:
        return Window(times, stride=times)
    return None


def _weight(law: AxisLaw) -> tuple[bool, bool, int, Fraction]:
    return law.unbounded, law.size is None, law.size or 0, -Fraction(law.offset or 0)


def _join(node: int, law: AxisLaw, ways: Sequence[AxisLaw], chosen: int) -> Iterator[Join]:
    """What there is to say where branches meet: nothing, if they see alike."""
    others = [way for place, way in enumerate(ways) if place != chosen]
    if not others:
        return
    other, best = max(way.size or 0 for way in others), ways[chosen]
    if best.unbounded:
        if not all(way.unbounded for way in others):
            yield Join(node, None, other)
        return
    wider = 0 if law.size is None or best.size is None else law.size - best.size
    if best.size is not None and (best.size > other or wider):
        yield Join(node, best.size, other, wider)
