"""A field: what the units of one tensor see of one input."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Literal

import numpy as np

from eyeshot.fields.axes import input_axes
from eyeshot.fields.index import region_index, unit_index
from eyeshot.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyeshot.analyses.law import AxisLaw
    from eyeshot.cost import Cost
    from eyeshot.fields.source import Source

    Rational = int | Fraction

View = Literal["full", "local"]
Kind = Literal["hull", "sound", "exact", "shadow"]


@dataclass(frozen=True, eq=False, repr=False)
class Field:
    """What the units of one tensor see of one input, on its spatial axes.

    ``name``, ``op`` (a module's class, or the framework's op), ``shape`` and ``dtype`` are the tensor's, ``cost`` is its
    price, ``view`` says whether global context counts. ``node`` and ``source`` are where analyses find it.

    Tuples have one entry a spatial axis of the input. ``size``, ``stride``, ``offset``, ``phases`` and ``halo`` are the
    law on unclipped integers (R, S and -P of Araujo, Norris & Sim 2019); boxes are clipped to the input. An entry None
    means no bound. Where an axis has no law at all (``law[axis].why`` says why), ``size`` is the largest extent at this
    input size, and ``clipped`` says so. The law describes inner units: at borders, padding that reflects or wraps reads
    elsewhere.
    """

    name: str
    op: str
    shape: tuple[int, ...]
    node: int
    source: Source
    view: View
    cost: Cost
    dtype: str

    def __repr__(self) -> str:
        return (
            f"<Field {self.name!r} {self.op} {self.shape}: size {self.size}, stride {self.stride}, "
            f"offset {self.offset}, {self.kind}, {'clipped' if any(self.clipped) else 'unclipped'}, {self.view}>"
        )

    @property
    def input(self) -> str:
        """The name of the input (or earlier tensor) that the field is about."""
        return self.source.name

    @cached_property
    def law(self) -> tuple[AxisLaw, ...]:
        """The symbolic law along each axis."""
        axes = range(len(self.source.axes))
        return tuple(self.source.law(self.node, axis, local=self._local) for axis in axes)

    @cached_property
    def size(self) -> tuple[int | None, ...]:
        """Extent in input elements; the largest over phases; None where it has no bound."""
        return tuple(
            law.size
            if law.size is not None or law.unbounded
            else self.source.boxes.widest(self.node, axis, local=self._local)
            for axis, law in enumerate(self.law)
        )

    @property
    def clipped(self) -> tuple[bool, ...]:
        """Where ``size`` is the largest extent cut to this input, for want of a law."""
        return tuple(law.size is None and not law.unbounded for law in self.law)

    @property
    def stride(self) -> tuple[Rational | None, ...]:
        """Input elements the field moves a unit; a Fraction after upsampling; None where it does not move."""
        return tuple(law.stride for law in self.law)

    @property
    def offset(self) -> tuple[Rational | None, ...]:
        """First input index of unit 0, the smallest over phases; may be negative."""
        return tuple(law.offset for law in self.law)

    @property
    def phases(self) -> tuple[tuple[tuple[Rational, int], ...], ...]:
        """For each axis the (offset, size) of every phase."""
        return tuple(law.phases for law in self.law)

    @property
    def center(self) -> tuple[Rational | None, ...]:
        """The middle of unit 0's field (first phase), in pixel-index coordinates; it moves by ``stride``."""
        return tuple(_center(law) for law in self.law)

    @property
    def halo(self) -> tuple[tuple[Rational, Rational] | None, ...]:
        """Extra input (low, high) that an output tile [a, b) needs beyond [stride * a, stride * b); None: no bound."""
        return tuple(_halo(law) for law in self.law)

    @property
    def misaligned(self) -> bool:
        """Whether branches with different centers or strides meet in this field."""
        return any(law.misaligned or "strides" in (law.why or "") for law in self.law)

    @property
    def uniform(self) -> bool:
        """Whether one size, stride and offset describe every unit, at any input size."""
        return all(law.size is not None and len(set(law.phases)) == 1 and not law.at_size for law in self.law)

    @property
    def unbounded(self) -> bool:
        """Whether some axis is seen whole, whatever its extent."""
        return any(law.unbounded for law in self.law)

    @property
    def reasons(self) -> frozenset[str]:
        """Codes of the over-approximations on the way from the input (:mod:`eyeshot.graph.reasons`)."""
        return self.source.boxes.dependencies[self.node].reasons

    @property
    def kind(self) -> Kind:
        """How boxes stand to fields.

        ``exact``: they are equal; ``hull``: the exact hull of a field (with holes, if ``holes``); ``sound``: they contain
        it (see ``reasons``).
        """
        if self.reasons:
            return "sound"
        return "exact" if self._solid else "hull"

    @property
    def holes(self) -> bool:
        """Whether some unit is known not to see all of its box: dilation, crosses, phases."""
        return not self.reasons and self._solid is False

    @cached_property
    def _solid(self) -> bool | None:
        return self.source.solid(self.node, local=self._local)

    @property
    def empty(self) -> bool:
        """Whether no unit reads this input."""
        return not self.boxes()[2].any()

    @cached_property
    def share(self) -> float:
        """Share of the input inside the box of the central unit (clipped), all channels and samples together."""
        moving = self.source.moving(self.node)
        middle = tuple(n // 2 if axis in moving else None for axis, n in enumerate(self.shape))
        return self.at(*middle).volume / max(1, prod(self.source.extents)) if prod(self.shape) else 0.0

    @cached_property
    def global_since(self) -> str | None:
        """The module (or tensor) at which the field became the whole input; None if it did not."""
        return self.source.global_since(self.node, local=self._local) if self.unbounded else None

    def at(self, *index: int | None) -> Box:
        """The box of one unit, by its full index (n, c, h, w); None in a place is the union over that axis.

        Raises
        ------
        QuestionError
            for an index of the wrong length or outside the tensor. Negative ones count from the end.
        """
        unit = unit_index(index, self.shape, self.name)
        found = self.source.boxes.at(self.node, unit, local=self._local)
        axes = range(len(self.source.axes))
        if found is None:
            return Box((0,) * len(axes), (0,) * len(axes))
        ideal = [self.source.laws.at(self.node, unit, axis, local=self._local) for axis in axes]
        known = [pair for pair in ideal if pair is not None]
        return _box(found, _box(known) if len(known) == len(axes) else None)

    def boxes(self) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]], NDArray[np.bool_]]:
        """Every unit's box: starts and stops on each axis and whether it sees anything, broadcastable to ``shape``."""
        return self.source.boxes.arrays(self.node, self.shape, local=self._local)

    @property
    def _local(self) -> bool:
        return self.view == "local"

    def mask(self, *index: int | slice | None, axes: str | None = None) -> NDArray[np.bool_]:
        """What one unit sees: booleans over the input's spatial axes, holes and crosses included; exact.

        None in a place of the index is the union over that axis, a slice over a part of it. ``axes`` are other axes of
        the input ("channels", "batch", "all", letters of its layout), in its order. Where an op on the way was
        over-approximated (``reasons``), the mask contains the field.

        Raises
        ------
        QuestionError
            for an index of the wrong length or outside the tensor, or axes that the input has not.
        """
        source = self.source
        wanted = source.axes
        if axes is not None:
            wanted = input_axes(source.shape, source.name, axes, source.asked.layout).axes
        unit = region_index(index, self.shape, self.name)
        if self._local:
            local = source.local_masks.at(self.node, unit, source.node, wanted)
            if local.any():
                return local
        return source.masks.at(self.node, unit, source.node, wanted)

    def shadow(self, *index: int | None) -> tuple[NDArray[np.bool_], ...]:
        """The mask of one unit projected on each axis of the input: booleans, exact, and quick for many units.

        Raises
        ------
        QuestionError
            as for ``at``.
        """
        unit = unit_index(index, self.shape, self.name)
        if self.source.sets is None:
            mask = self.mask(*unit)
            axes = range(mask.ndim)
            return tuple(
                np.asarray(mask.any(tuple(other for other in axes if other != axis))) for axis in axes
            )
        return tuple(self.source.sets.shadows(self.node, unit, local=self._local))

    def covering(self, box: Box) -> NDArray[np.bool_]:
        """The units whose boxes hold all of a box on the input: booleans of the tensor's shape."""
        starts, stops, occupied = self.boxes()
        inside = occupied
        for start, stop, low, high in zip(starts, stops, box.start, box.stop, strict=True):
            inside = inside & (start <= low) & (stop >= high)
        return np.broadcast_to(inside, self.shape)


def _box(pairs: Sequence[tuple[int, int]], unclipped: Box | None = None) -> Box:
    return Box(tuple(start for start, _ in pairs), tuple(stop for _, stop in pairs), unclipped)


def _center(law: AxisLaw) -> Rational | None:
    if law.size is None or not law.phases:
        return None
    offset, size = law.phases[0]
    middle = Fraction(offset) + Fraction(size - 1, 2)
    return int(middle) if middle.denominator == 1 else middle


def _halo(law: AxisLaw) -> tuple[Rational, Rational] | None:
    if law.size is None or not law.phases or law.stride is None:
        return None
    seen = [(offset, size) for offset, size in law.phases if size]
    return max(-offset for offset, _ in seen), max(size - law.stride + offset for offset, size in seen)
