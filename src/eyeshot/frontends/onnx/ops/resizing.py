"""Resizing in every mode and alignment."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from eyeshot.errors import FileFormatError
from eyeshot.frontends.compounds.indexing import DYNAMIC
from eyeshot.frontends.onnx.context import Context, lowers
from eyeshot.frontends.onnx.ops.pointwise import axes_of
from eyeshot.graph import Ref
from eyeshot.relations import All, AxisMap, Table, tabulate
from eyeshot.relations.resize import FINEST
from eyeshot.relations.sampled import REACH, Kernel, nearest, sampled

ROUNDING: dict[str, Kernel] = {
    "round_prefer_floor": "half-down",
    "round_prefer_ceil": "half-up",
    "floor": "floor",
    "ceil": "ceil",
}
KERNELS: dict[str, Kernel] = {"linear": "linear", "cubic": "cubic"}


class Axis(NamedTuple):
    """How one axis is resized: extents, output elements an input element, region, and whether a scale was given."""

    size: int
    length: int
    scale: Fraction
    begin: Fraction = Fraction(0)
    end: Fraction = Fraction(1)
    by_scale: bool = False


class Mode(NamedTuple):
    """The attributes that decide what is read."""

    kernel: Kernel
    alignment: str
    antialias: bool = False
    exclude_outside: bool = False


@lowers("Upsample")
def upsample_attribute(
    ctx: Context,
    x: Ref,
    *,
    scales: Sequence[float] | None = None,
    width_scale: float = 1.0,
    height_scale: float = 1.0,
    mode: str = "nearest",
) -> Ref:
    """Scales of all axes, or in the first opset of the last two."""
    return _upsampled(ctx, x, scales or (1.0, 1.0, height_scale, width_scale), mode)


@lowers("Upsample", since=9)
def upsample(ctx: Context, x: Ref, scales: Ref, *, mode: str = "nearest") -> Ref:
    """As in older opsets, with the scales as an input."""
    return _resize_by(ctx, x, "nearest" if mode == "nearest" else "linear", 1)


@lowers("Resize", since=10)
def resize_by_scales(ctx: Context, x: Ref, scales: Ref, *, mode: str = "nearest") -> Ref:
    """As `upsample`; axes may shrink, and which neighbour is nearest then was not said."""
    return _resize_by(ctx, x, mode, 1)


def _resize_by(ctx: Context, x: Ref, mode: str, position: int) -> Ref:
    found = ctx.value(position)
    if found is None:
        raise ctx.unsettled(position, "scales")
    if ctx.known(position) is None:
        return _anywhere(ctx, x, _by_scales(ctx, x, found.tolist(), range(len(x.shape))))
    return _upsampled(ctx, x, found.tolist(), mode)


def _upsampled(ctx: Context, x: Ref, scales: Sequence[float], mode: str) -> Ref:
    axes = _by_scales(ctx, x, scales, range(len(x.shape)))
    shrinks = any(axis.scale < 1 for axis in axes.values())
    if mode != "nearest":
        return _resized(ctx, x, axes, Mode("linear", "asymmetric"))
    floor = Mode("floor", "asymmetric")
    return _resized(ctx, x, axes, floor, Mode("ceil", "asymmetric") if shrinks else None)


@lowers("Resize", since=11)
def resize(
    ctx: Context,
    x: Ref,
    roi: Ref | None = None,
    scales: Ref | None = None,
    sizes: Ref | None = None,
    *,
    mode: str = "nearest",
    coordinate_transformation_mode: str = "half_pixel",
    nearest_mode: str = "round_prefer_floor",
    antialias: int = 0,
    exclude_outside: int = 0,
    axes: Sequence[int] | None = None,
    keep_aspect_ratio_policy: str = "stretch",
) -> Ref:
    """Each output reads what the kernel weights around its position; the kernel is a product of axes."""
    kernel = ROUNDING.get(nearest_mode) if mode == "nearest" else KERNELS.get(mode)
    if kernel is None:
        raise FileFormatError(f"{ctx.label} has mode {mode!r}, nearest_mode {nearest_mode!r}")
    places = axes_of(ctx, range(len(x.shape)) if axes is None else axes, len(x.shape))
    factors = ctx.value(2) if scales is not None and scales.shape != (0,) else None
    if factors is not None:
        found = _by_scales(ctx, x, factors.tolist(), places)
    elif sizes is not None:
        found = _by_sizes(ctx, x, ctx.integers(3, "sizes") or [], places, keep_aspect_ratio_policy)
    else:
        raise ctx.unsettled(2, "scales")
    if coordinate_transformation_mode == "tf_crop_and_resize":
        region = ctx.value(1)
        if region is None:
            raise ctx.unsettled(1, "region")
        ends = [_fraction(number) for number in region.tolist()]
        for place, axis in enumerate(places):
            found[axis] = found[axis]._replace(begin=ends[place], end=ends[place + len(places)])
    elif roi is not None:
        roi = None
    if any(ref is not None and not ctx.is_constant(ref) for ref in (roi, scales, sizes)):
        return _anywhere(ctx, x, found)
    wanted = Mode(kernel, coordinate_transformation_mode, bool(antialias), bool(exclude_outside))
    return _resized(ctx, x, found, wanted)


def _fraction(number: float) -> Fraction:
    return Fraction(float(number)).limit_denominator(FINEST)


def _by_scales(ctx: Context, x: Ref, scales: Sequence[float], places: Sequence[int]) -> dict[int, Axis]:
    if len(scales) != len(places) or not all(0 < scale < 1 << 24 for scale in scales):
        raise FileFormatError(f"{ctx.label} scales {len(places)} axes by {list(scales)}")
    counts = [
        int(np.floor(np.float32(x.shape[a]) * np.float32(s))) for a, s in zip(places, scales, strict=True)
    ]
    ctx.bounded(counts)
    return {
        a: Axis(x.shape[a], n, _fraction(s), by_scale=True)
        for a, n, s in zip(places, counts, scales, strict=True)
    }


def _by_sizes(
    ctx: Context, x: Ref, sizes: Sequence[int], places: Sequence[int], policy: str
) -> dict[int, Axis]:
    if len(sizes) != len(places) or any(x.shape[a] == 0 != n for a, n in zip(places, sizes, strict=True)):
        raise FileFormatError(f"{ctx.label} resizes {len(places)} axes of {x.shape} to {list(sizes)}")
    ctx.bounded(sizes)
    ratios = [Fraction(n, x.shape[a] or 1) for a, n in zip(places, sizes, strict=True)]
    if policy == "stretch":
        return {a: Axis(x.shape[a], n, r) for a, n, r in zip(places, sizes, ratios, strict=True)}
    scale = min(ratios) if policy == "not_larger" else max(ratios)
    counts = [int(scale * x.shape[axis] + Fraction(1, 2)) for axis in places]
    return {a: Axis(x.shape[a], n, scale) for a, n in zip(places, ctx.bounded(counts), strict=True)}


def _anywhere(ctx: Context, x: Ref, axes: dict[int, Axis]) -> Ref:
    """Resized by numbers computed from data: everything along the axes that change may be read, and the numbers."""
    changed = {
        a: (All(), axis.length) for a, axis in axes.items() if axis.length != axis.size or axis.scale != 1
    }
    steering = [item.ref for item in ctx.inputs[1:] if item is not None and not isinstance(item, list)]
    read = [ctx.reduce(ref, [0], keep=False, summarises=False) for ref in steering if ref.shape]
    out = ctx.along(x, changed, reason=DYNAMIC)
    return ctx.pointwise(out, *read, shape=out.shape)


def _resized(ctx: Context, x: Ref, axes: dict[int, Axis], *modes: Mode | None) -> Ref:
    """One map an axis; where readings of the formula differ, what any of them reads."""
    maps: dict[int, tuple[AxisMap, int]] = {}
    reason = None
    for place, axis in axes.items():
        found = [
            amap for mode in modes if mode for each in _lengths(axis, mode) for amap in _maps(each, mode)
        ]
        if axis.size == axis.length and axis.scale == 1 and axis.begin == 0 and axis.end == 1:
            continue
        amap = found[0]
        for other in found[1:]:
            if tabulate(other, axis.size, axis.length) != tabulate(amap, axis.size, axis.length):
                amap, reason = _either(amap, other, axis), "kernels-differ"
        maps[place] = (amap, axis.length)
    return ctx.along(x, maps, reason=reason) if maps else x


def _lengths(axis: Axis, mode: Mode) -> list[Axis]:
    """The axis, and once more with its rounded extent where corners are aligned by another one.

    A scale gives an extent that is no whole number; ONNX's reference aligns by that, ONNX Runtime by the rounded one.
    """
    by_corners = mode.alignment in {"align_corners", "tf_crop_and_resize"}
    differs = by_corners and axis.by_scale and axis.scale * axis.size != axis.length
    return [axis, axis._replace(by_scale=False)] if differs else [axis]


def _either(one: AxisMap, other: AxisMap, axis: Axis) -> Table:
    first, second = tabulate(one, axis.size, axis.length), tabulate(other, axis.size, axis.length)
    rows = [sorted({*first.row(y).tolist(), *second.row(y).tolist()}) for y in range(axis.length)]
    return Table.of_rows(rows, axis.size, first.law)


def _maps(axis: Axis, mode: Mode) -> list[AxisMap]:
    """The map in fractions; where a nearest element is picked, also as single precision picks it."""
    half = Fraction(1, 2)
    step, start = 1 / axis.scale, Fraction(0)
    length = axis.scale * axis.size if axis.by_scale else Fraction(axis.length)
    at_size = not axis.by_scale and axis.scale.numerator != 1 != axis.scale.denominator
    match mode.alignment:
        case "half_pixel" | "pytorch_half_pixel":
            start = half * step - half
            if mode.alignment.startswith("pytorch") and axis.length == 1 and mode.kernel != "cubic":
                step, start, at_size = Fraction(0), Fraction(0), True
        case "half_pixel_symmetric":
            wide = Fraction(axis.size, 2) * (1 - axis.length / (axis.scale * (axis.size or 1)))
            start = wide + half * step - half
        case "tf_half_pixel_for_nn":
            start = half * step
        case "align_corners":
            step, at_size = Fraction(axis.size - 1) / (length - 1) if axis.length > 1 else Fraction(0), True
        case "tf_crop_and_resize":
            step, at_size = Fraction(0), True
            start = half * (axis.begin + axis.end) * (axis.size - 1)
            if axis.length > 1:
                step = (axis.end - axis.begin) * Fraction(axis.size - 1) / (length - 1)
                start = axis.begin * (axis.size - 1)
        case _:
            pass  # asymmetric
    blur = max(Fraction(1), 1 / axis.scale) if mode.antialias and mode.kernel in REACH else Fraction(1)
    outside = (
        "nothing" if mode.alignment == "tf_crop_and_resize" else "drop" if mode.exclude_outside else "clip"
    )
    exact = sampled(
        axis.size, axis.length, step, start, mode.kernel, blur=blur, outside=outside, at_size=at_size
    )
    if mode.kernel in REACH or outside == "nothing":
        return [exact]
    y = np.arange(axis.length, dtype=np.float32)
    scale = np.float32(axis.scale)
    rounded = y / scale if start == 0 else (y + np.float32(0.5)) / scale - np.float32(0.5)
    if mode.alignment in {"align_corners", "tf_half_pixel_for_nn", "half_pixel_symmetric"} or not step:
        rounded = np.float32(step) * y + np.float32(start)
    return [exact, nearest(axis.size, rounded, mode.kernel)]
