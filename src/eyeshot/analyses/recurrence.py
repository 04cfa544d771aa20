"""The recurrence of a field: one unit followed back to the input, layer by layer, with the numbers put in.

At a layer with kernel k, stride s, dilation d and padding p::

    k_eff = d (k - 1) + 1      R <- s R + k_eff - s      S <- s S      P <- s P + p

(Araujo, Norris & Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019), from R = 1, S = 1
and P = 0 at the unit itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING, Literal

from eyeshot.analyses.phases import LIMIT
from eyeshot.relations import Identity, Window, hull, summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyeshot.analyses.law import AxisLaw
    from eyeshot.relations import AxisMap, Periodic

    Span = tuple[int, int]

End = Literal["input", "global", "no law", "lost"]


@dataclass(frozen=True, slots=True)
class Join:
    """Branches that meet at a node: the one that sees most is followed.

    ``size`` and ``other`` are the sizes, on the input, of its field and of the next largest (None: unbounded); ``wider`` is
    by how much the union of all, whose middles may lie apart, is larger still.
    """

    node: int
    size: int | None
    other: int
    wider: int = 0

    @property
    def by(self) -> int | None:
        """By how much the branch that is followed sees more."""
        return None if self.size is None else self.size - self.other


@dataclass(frozen=True, slots=True)
class Step:
    """One layer of the walk.

    ``kernel``, ``stride``, ``dilation`` and ``padding`` are those of a window; ``kernel`` is None where units differ in
    phases (``phases`` of them: upsampling, transposed convolution), and all are where everything along the axis is read
    (``whole``). ``before`` and ``size`` are R on the layer's output and on its input, ``jump`` and ``offset`` are S and P
    there, ``extent`` is how long that input is. ``seen`` and ``clipped`` are the [start, stop) of the unit asked about,
    on an endless input and on this one.
    """

    node: int
    kernel: int | None
    stride: Fraction
    dilation: int
    padding: int
    span: int
    phases: int
    whole: bool
    before: int
    size: int
    jump: Fraction
    offset: Fraction
    extent: int
    seen: Span | None
    clipped: Span | None
    at_size: bool
    joins: tuple[Join, ...]


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A walk along one axis, from the layer to where it ends.

    ``end`` is the input, or the node (``last``) where the field becomes global, has no law (``why``), or is spread over
    axes that one recurrence cannot follow. ``joins`` are those behind the last step. ``law`` is the layer's own, ``units``
    how many units it has along the axis (None where they do not move along a whole one), ``place`` the one asked about.
    """

    steps: tuple[Step, ...]
    joins: tuple[Join, ...]
    end: End
    last: int
    why: str | None
    law: AxisLaw
    units: int | None
    place: int | None


@dataclass(frozen=True, slots=True)
class Link:
    """A node and the operand that is followed, with the axis map between what the field moves along in both."""

    node: int
    amap: AxisMap
    extents: tuple[int, int]
    joins: tuple[Join, ...]


class Spans:
    """The intervals that a few units see, on one tensor after the other."""

    def __init__(self, links: Sequence[Link], place: int | None) -> None:
        self._units = _units(links)
        self._spans: list[Span] = [(unit, unit + 1) for unit in range(self._units)]
        self._jump = Fraction(1)
        self._seen: Span | None = None if place is None else (place, place + 1)
        self._clipped = self._seen

    def step(self, link: Link, joins: tuple[Join, ...]) -> Step | None:
        """Go through one axis map; None where it changes nothing."""
        amap, (extent, _) = link.amap, link.extents
        periodic = summary(amap)
        whole = periodic is None
        if periodic == summary(Identity()):
            return None
        before = max(stop - start for start, stop in self._spans)
        if self._clipped is not None:
            self._clipped = _clipped(link, self._clipped)
        if periodic is None:
            self._spans, self._jump = [(0, extent)] * len(self._spans), Fraction(0)
            self._seen = self._seen and (0, extent)
        else:
            self._jump *= Fraction(periodic.step, periodic.period)
            self._spans = [_through(span, periodic) for span in self._spans]
            self._seen = self._seen and _through(self._seen, periodic)
        plain = periodic is not None and periodic.period == 1
        offset = -min(start - self._jump * unit for unit, (start, _) in enumerate(self._spans))
        window = amap if isinstance(amap, Window) and plain else None
        span = periodic.high[0] - periodic.low[0] if periodic is not None and plain else 0
        return Step(
            link.node,
            window.kernel if window else span if plain else None,
            Fraction(periodic.step, periodic.period) if periodic is not None else Fraction(0),
            window.dilation if window else 1,
            -periodic.low[0] if periodic is not None and plain else 0,
            span,
            periodic.period if periodic is not None else 1,
            whole,
            before,
            max(stop - start for start, stop in self._spans),
            self._jump,
            offset,
            extent,
            self._seen,
            self._clipped,
            periodic is not None and periodic.at_size,
            joins,
        )


def _units(links: Sequence[Link]) -> int:
    """How many neighbouring units meet every phase of every map on the way."""
    units, jump = 1, Fraction(1)
    for link in links:
        periodic = summary(link.amap)
        if periodic is None:
            break
        units = lcm(units, periodic.period * jump.denominator)
        jump *= Fraction(periodic.step, periodic.period)
    return min(units, LIMIT)


def _through(span: Span, periodic: Periodic) -> Span:
    """The hull of what an interval of outputs reads, on an endless axis."""
    start, stop = span
    ends = {
        *range(start, min(stop, start + periodic.period)),
        *range(max(start, stop - periodic.period), stop),
    }
    read = []
    for index in ends:
        turn, phase = divmod(index, periodic.period)
        if periodic.low[phase] < periodic.high[phase]:
            read.append(
                (periodic.step * turn + periodic.low[phase], periodic.step * turn + periodic.high[phase])
            )
    if not read:
        return (0, 0)
    return min(low for low, _ in read), max(high for _, high in read)


def _clipped(link: Link, span: Span) -> Span:
    """The hull of what an interval of outputs reads of an axis as long as it is."""
    starts, stops = hull(link.amap, *link.extents)
    start, stop = starts[slice(*span)], stops[slice(*span)]
    there = stop > start
    return (int(start[there].min()), int(stop[there].max())) if there.any() else (0, 0)
