"""The part of the input that a region of a layer needs, so that running the model on it alone gives the same elements.

A crop that starts at a multiple of every stride on the way keeps all grids of units in step; the network then pads at the
true borders, and elsewhere only where no unit that counts looks. That holds for networks whose ops do not ask where, or in
how large an image, they are. Most of those that do are found here, for the masks of the whole and of the crop have to
agree; whoever runs the model compares the elements of one image, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm
from typing import TYPE_CHECKING, Any

import numpy as np

from eyeshot.errors import EyeshotError
from eyeshot.geometry import Box
from eyeshot.pipeline import analyze
from eyeshot.relations import Constant

if TYPE_CHECKING:
    from eyeshot.execution.target import Region, Target
    from eyeshot.fields import Field, Report


@dataclass(frozen=True, slots=True)
class Crop:
    """The ``window`` of the input that is run, and the target's ``index`` there.

    ``whole`` says why that is all of the input, where it is. ``activations`` are the bytes of all tensors that are
    computed on the way, for one image.
    """

    window: Box
    index: Region
    activations: int
    whole: str | None = None


class _NoCrop(Exception):  # noqa: N818 - a finding, no error
    """The whole input has to be run, for the reason given."""


def crop(part: Any, report: Report, target: Target) -> Crop:
    """The smallest aligned part of the report's input that the target needs.

    ``part`` is the model up to the target's layer, something that `eyeshot.analyze` reads.
    """
    try:
        return _crop(part, report, target)
    except _NoCrop as why:
        return uncropped(report, target, str(why))


def uncropped(report: Report, target: Target, why: str) -> Crop:
    """The whole input."""
    extents = tuple(report.input_shape[axis] for axis in report.spatial[report.input].axes)
    held = _activations(report, report[target.layer].node)
    return Crop(Box((0,) * len(extents), extents), target.index, held, why)


def _activations(report: Report, node: int) -> int:
    """Bytes of all tensors between the input and a node, for one image."""
    on_the_way = report.graph.ancestors([node])
    held = sum(tensor.cost.activation_bytes for tensor in report.tensors if tensor.node in on_the_way)
    return max(1, held // max(1, report.input_shape[0]))


def _crop(part: Any, report: Report, target: Target) -> Crop:
    field, axes = report[target.layer], report.spatial[report.input].axes
    extents = [report.input_shape[axis] for axis in axes]
    if len(report.graph.inputs) > 1:
        raise _NoCrop("the model has several inputs, which would have to be cut alike")
    needed = _needed(field, target.index)
    if all(stop - start == extent for start, stop, extent in zip(*needed, extents, strict=True)):
        raise _NoCrop("its field is the whole input")
    moving = sorted(axis for axis in field.source.moving(field.node) if axis)
    if len(moving) != len(axes):
        raise _NoCrop("its units do not move along the axes of the input one by one")
    start, stop = [], []
    for axis, (low, high, extent) in enumerate(zip(*needed, extents, strict=True)):
        step = _alignment(report, field, axis)
        start.append(low // step * step)
        stop.append(min(extent, -(-high // step) * step))
    window = Box(tuple(start), tuple(stop))
    index = list(target.index)
    for axis, layer_axis in enumerate(moving):
        stride = field.stride[axis]
        assert stride
        index[layer_axis - 1] = _moved(index[layer_axis - 1], int(start[axis] / stride))
    shape = list(report.input_shape)
    for axis, extent in zip(axes, window.size, strict=True):
        shape[axis] = extent
    inside = _read(part, report, shape)
    _check(report, target, inside, tuple(index), window)
    return Crop(window, tuple(index), _activations(inside, inside.outputs[0].node))


def _needed(field: Field, index: Region) -> tuple[list[int], list[int]]:
    """Union of the boxes of a region's units."""
    starts, stops, occupied = field.boxes()
    region = (0, *(slice(None) if place is None else place for place in index))
    seen = np.broadcast_to(occupied, field.shape)[region]
    if not seen.any():
        raise _NoCrop("it sees nothing of the input")
    low = [int(np.broadcast_to(start, field.shape)[region][seen].min()) for start in starts]
    return low, [int(np.broadcast_to(stop, field.shape)[region][seen].max()) for stop in stops]


def _alignment(report: Report, field: Field, axis: int) -> int:
    """The least common multiple of all strides between the input and a layer."""
    step = 1
    on_the_way = report.graph.ancestors([field.node])
    for node in {tensor.node for tensor in report.graph.tensors} & on_the_way:
        if isinstance(report.graph.nodes[node].relation, Constant):
            continue
        law = field.source.law(node, axis)
        if law.stride is None:
            name = next(tensor.name for tensor in report.graph.tensors if tensor.node == node)
            raise _NoCrop(f"{name} on its way has no stride")
        step = lcm(step, law.stride.numerator)
    return step


def _moved(place: int | slice | None, shift: int) -> int | slice | None:
    if isinstance(place, slice):
        return slice(place.start - shift, place.stop - shift, place.step)
    return None if place is None else place - shift


def _read(part: Any, report: Report, shape: list[int]) -> Report:
    try:
        return analyze(part, tuple(shape), layout=report.spatial[report.input].layout)
    except EyeshotError as error:
        raise _NoCrop(f"the model does not run on {tuple(shape)}") from error


def _check(report: Report, target: Target, part: Report, index: Region, window: Box) -> None:
    """Refuse a crop in which the target sees something else than in the whole."""
    whole = report[target.layer].mask(0, *target.index)
    try:
        inside = part.outputs[0].mask(0, *index)
    except EyeshotError as error:
        raise _NoCrop("the model computes something else on a part of the input") from error
    expected = np.zeros_like(whole)
    if inside.shape == window.size:
        expected[window.slices] = inside
    if not np.array_equal(whole, expected):
        raise _NoCrop("the model sees something else on a part of the input")
