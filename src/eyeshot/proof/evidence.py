"""From a field and one of its units to a counterexample, and what of a report is certain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from eyeshot.analyses.route import names_on, route
from eyeshot.errors import QuestionError
from eyeshot.fields import Report
from eyeshot.proof.broken import Counterexample
from eyeshot.relations import Constant

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from eyeshot.fields import Field
    from eyeshot.graph import Graph

    Unit = Sequence[int | slice | None]


@dataclass(frozen=True, slots=True)
class Breach:
    """How a promise is broken: what was measured, and one example. ``notes`` are lines of help.

    ``confirmed`` is False where a box breaks it, and the exact mask of the same unit does not.
    """

    measured: str
    example: Counterexample | None = None
    notes: tuple[str, ...] = ()
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """The axis of a tensor that goes with an input axis: unit y stands for the inputs [stride * y, stride * (y + 1))."""

    axis: int
    stride: Fraction


def without(graph: Graph, nodes: Collection[int]) -> Graph:
    """The graph in which these nodes read nothing."""
    held = [
        replace(node, relation=Constant(), inputs=()) if number in nodes else node
        for number, node in enumerate(graph.nodes)
    ]
    return replace(graph, nodes=held)


def certain(report: Report) -> Report:
    """The report without ops that over-approximate: what it says is seen is seen for sure."""
    doubtful = {number for number, node in enumerate(report.graph.nodes) if node.reason is not None}
    if not doubtful:
        return report
    return Report(
        without(report.graph, doubtful),
        report.model,
        report.spatial,
        input_=report.input,
        view=report.shown,
        provenance=report.provenance,
    )


def placed(field: Field, which: int, axis: int | None = None) -> Place:
    """Which axis of a field's tensor goes with an axis of its input (by number among those asked about), and how fast.

    It is the axis along which the field moves there, or any for a field that does not move; of several that which has the
    same extent, then that at the same position. The stride is the law's, or the rounded ratio of the extents.

    Raises
    ------
    QuestionError
        where there is no such axis, or several.
    """
    source = field.source
    given = source.axes[which]
    letter = source.asked.letters[which]
    if axis is None:
        starts, stops, _ = field.boxes()
        moving = [
            i
            for i, pair in enumerate(zip(starts[which].shape, stops[which].shape, strict=True))
            if max(pair) > 1
        ]
        extent = source.shape[given]
        alike = [i for i, n in enumerate(field.shape) if n == extent]
        found = moving or alike
        for fewer in (alike, [given]):
            if len(found) > 1:
                found = [i for i in found if i in fewer] or found
        if len(found) != 1:
            several = f"several ({', '.join(map(str, found))})" if found else "none"
            raise QuestionError(
                f"no one axis of {field.name!r} of shape {field.shape} goes with the axis {letter} of {field.input!r} of "
                f"shape {source.shape}: found {several}; name the layer to look at (layer=), or its axis (output_axis=)"
            )
        (axis,) = found
    elif not -len(field.shape) <= axis < len(field.shape):
        raise QuestionError(f"output_axis={axis} is outside {field.name!r} of shape {field.shape}")
    axis %= len(field.shape)
    stride = field.law[which].stride
    return Place(
        axis, Fraction(stride) if stride and stride > 0 else _ratio(source.shape[given], field.shape[axis])
    )


def all_placed(field: Field) -> list[Place]:
    """A place for every axis of a field's input.

    Raises
    ------
    QuestionError
        also where two of them go with one axis of the tensor, as in tokens.
    """
    places = [placed(field, which) for which in range(len(field.source.axes))]
    if len({place.axis for place in places}) < len(places):
        raise QuestionError(
            f"several axes of {field.input!r} go with one axis of {field.name!r} of shape {field.shape}: its units have no "
            "place along each; name a layer that keeps them apart (layer=)"
        )
    return places


def unit_where(wanted: NDArray[np.bool_], rank: int) -> tuple[int, ...]:
    """The first unit in an array that broadcasts to a tensor's shape."""
    found = np.unravel_index(int(wanted.argmax()), wanted.shape) if rank else ()
    return tuple(int(place) for place in found)


def seen_by(field: Field, unit: Unit) -> NDArray[np.bool_]:
    """What a unit sees of the whole input."""
    return field.mask(*unit, axes="all")


def way(field: Field, element: tuple[int, ...], unit: Unit) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The modules by which a unit (the first among those with None in a place) sees an element, and the unit."""
    source = field.source
    graphs = [source.graph]
    if field.view == "local":
        graphs.insert(0, without(source.graph, set(source.context)))
    for graph in graphs:
        steps = route(graph, source.node, element, field.node, unit)
        if steps:
            return names_on(graph, steps), steps[-1].place
    raise AssertionError(f"{unit} of {field.name} does not see {element} of {field.input}")


def reads(field: Field, unit: Unit, element: tuple[int, ...]) -> Counterexample:
    """The counterexample of a unit that sees an element."""
    path, one = way(field, element, unit)
    return Counterexample(field.name, one, field.input, element, path=path)


def extreme(mask: NDArray[np.bool_], axis: int, *, last: bool) -> tuple[int, ...]:
    """The element of a mask that is last (or first) along an axis."""
    found = np.argwhere(mask)
    places = found[:, axis]
    row = found[places.argmax() if last else places.argmin()]
    return tuple(int(place) for place in row)


def _ratio(size: int, units: int) -> Fraction:
    if not size or not units:
        return Fraction(1)
    return Fraction(round(size / units)) if size >= units else Fraction(1, round(units / size))
