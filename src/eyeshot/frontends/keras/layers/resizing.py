"""Resizing of images: interpolation between pixels whose centres lie at halves."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import Literal, cast

from eyeshot.errors import InputError
from eyeshot.frontends.keras.context import Context, bounded, lowers
from eyeshot.frontends.keras.layers.layout import Maps, image_axes
from eyeshot.graph import Ref
from eyeshot.relations import AxisMap, Table
from eyeshot.relations.resize import resize

MODES = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
LONGEST = 1 << 16  # pixels along an axis: places are worked out as fractions
PLAIN = {"nearest": "nearest-exact", "bilinear": "linear", "bicubic": "cubic"}


def resized(ctx: Context, x: Ref, extents: dict[int, int], mode: str, *, antialias: bool = False) -> Ref:
    """``x`` with the given axes resized to the given extents."""
    maps: Maps = {}
    for axis, extent in extents.items():
        count, size = (bounded(n, ctx.options.where, LONGEST) for n in (extent, x.shape[axis]))
        if not size or not count:
            raise InputError(f"{ctx.options.where} resizes an axis of {size} elements to {count}")
        maps[axis] = (_map(size, count, mode, antialias=antialias), count)
    return ctx.along(x, maps)


def _map(size: int, count: int, mode: str, *, antialias: bool) -> AxisMap:
    if mode.startswith("lanczos"):
        return lanczos(size, count, int(mode[-1]), antialias=antialias)
    plain = PLAIN[mode]
    if antialias and count < size and mode != "nearest":
        plain += "-aa"
    return resize(size, count, cast("Literal['linear']", plain))


def lanczos(size: int, count: int, reach: int, *, antialias: bool) -> AxisMap:
    """Output ``y`` reads what lies nearer than ``reach`` to its place, but not at another whole distance: zeros there.

    With ``antialias`` distances are counted in steps of the output, where those are longer.
    """
    scale = Fraction(size, count)
    step = max(scale, Fraction(1)) if antialias else Fraction(1)
    rows = []
    for y in range(count):
        place = scale * (y + Fraction(1, 2)) - Fraction(1, 2)
        near = range(max(0, ceil(place - reach * step)), min(size, floor(place + reach * step) + 1))
        away = {i: abs(i - place) / step for i in near}
        rows.append([i for i, d in away.items() if d < reach and (d == 0 or d.denominator != 1)])
    return Table.of_rows(rows, size)


@lowers("layers.Resizing")
def resizing(ctx: Context, x: Ref) -> Ref:
    """Each output reads the pixels that it is interpolated from, of what is left after cropping or padding."""
    options = ctx.options
    axes = image_axes(options, x.shape)
    size = options.whole("height"), options.whole("width")
    if options.flag("crop_to_aspect_ratio"):
        x = cropped(ctx, x, axes, size)
    elif options.flag("pad_to_aspect_ratio"):
        x = padded(ctx, x, axes, size)
    mode = options.choice("interpolation", "bilinear", *MODES)
    return resized(ctx, x, dict(zip(axes, size, strict=True)), mode, antialias=options.flag("antialias"))


def cropped(ctx: Context, x: Ref, axes: tuple[int, int], size: tuple[int, int]) -> Ref:
    """The middle of an image that has the proportions of ``size``."""
    height, width = (x.shape[axis] for axis in axes)
    kept = int(float(width * size[0]) / size[1]), int(float(height * size[1]) / size[0])
    for axis, extent in zip(axes, kept, strict=True):
        n = x.shape[axis]
        extent = max(min(n, extent), 1)  # noqa: PLW2901 - as Keras rounds it
        start = int(float(n - extent) / 2)
        x = ctx.slice(x, axis, start, start + extent)
    return x


def padded(ctx: Context, x: Ref, axes: tuple[int, int], size: tuple[int, int]) -> Ref:
    """An image in the middle of one that has the proportions of ``size``."""
    height, width = (x.shape[axis] for axis in axes)
    wanted = int(float(width * size[0]) / size[1]), int(float(height * size[1]) / size[0])
    before = [int(float(max(n, w) - n) / 2) for n, w in zip((height, width), wanted, strict=True)]
    return ctx.pad(x, {axis: (amount, amount) for axis, amount in zip(axes, before, strict=True)})


@lowers("layers.CenterCrop")
def center_crop(ctx: Context, x: Ref) -> Ref:
    """The middle of an image; of a smaller one what has these proportions, resized."""
    options = ctx.options
    axes = image_axes(options, x.shape)
    size = options.whole("height"), options.whole("width")
    before = [(x.shape[axis] - extent) // 2 for axis, extent in zip(axes, size, strict=True)]
    if min(before) < 0:
        return resized(ctx, cropped(ctx, x, axes, size), dict(zip(axes, size, strict=True)), "bilinear")
    for axis, start, extent in zip(axes, before, size, strict=True):
        x = ctx.slice(x, axis, start, start + extent)
    return x
