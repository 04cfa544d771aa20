"""Operators that move, join, cut and pad axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eyeshot.errors import FileFormatError
from eyeshot.frontends.compounds.indexing import DYNAMIC
from eyeshot.frontends.onnx.context import Context, lowers
from eyeshot.frontends.onnx.ops.pointwise import axes_of
from eyeshot.graph import Ref
from eyeshot.graph.masks import masked
from eyeshot.relations import All, Along, Window
from eyeshot.relations.tables import pad as padded
from eyeshot.relations.tables import roll

PADDING = {"constant": "constant", "edge": "replicate", "reflect": "reflect", "wrap": "circular"}


@lowers("Transpose")
def transpose(ctx: Context, x: Ref, *, perm: Sequence[int] | None = None) -> Ref:
    """Axes in another order, by default the opposite one."""
    order = range(len(x.shape))[::-1] if perm is None else perm
    if sorted(order) != list(range(len(x.shape))):
        raise FileFormatError(f"{ctx.label} turns {len(x.shape)} axes by {list(order)}")
    return ctx.permute(x, order)


@lowers("Concat")
def concat(ctx: Context, *parts: Ref, axis: int | None = None) -> Ref:
    """Operands end to end along an axis, which before opset 4 is 1 unless it is named."""
    if axis is None and ctx.opset >= 4:
        raise FileFormatError(f"{ctx.label} lacks its attribute 'axis'")
    axis = 1 if axis is None else axis
    rests = {(*ref.shape[: axis % len(ref.shape)], *ref.shape[axis % len(ref.shape) + 1 :]) for ref in parts}
    if len(rests) > 1:
        raise FileFormatError(f"{ctx.label} joins shapes {[ref.shape for ref in parts]} along axis {axis}")
    return _turned(ctx, parts, axis % len(parts[0].shape)) or ctx.concat(parts, axis)


def _turned(ctx: Context, parts: Sequence[Ref], axis: int) -> Ref | None:
    """``x[k:]`` before ``x[:k]``: the axis turned, as exporters spell it out."""
    pieces = [ctx.graph.nodes[ref.node] for ref in parts]
    if len(parts) != 2 or pieces[0].inputs != pieces[1].inputs or not pieces[0].inputs:
        return None
    whole = Ref(pieces[0].inputs[0], ctx.graph.nodes[pieces[0].inputs[0]].shape)
    start, extent = pieces[1].shape[axis], whole.shape[axis]
    slices = [Along(((axis, Window(1, padding=-begin)),)) for begin in (start, 0)]
    if [piece.relation for piece in pieces] != slices or start + pieces[0].shape[axis] != extent:
        return None
    return ctx.along(whole, {axis: (roll(-start, extent), extent)})


@lowers("Split")
def split(
    ctx: Context,
    x: Ref,
    given: Ref | None = None,
    *,
    axis: int = 0,
    split: Sequence[int] | None = None,
    num_outputs: int | None = None,
) -> list[Ref]:
    """Pieces of an axis, equal ones where their lengths aren't named; the last may be shorter then."""
    axis %= len(x.shape)
    extent = x.shape[axis]
    lengths = ctx.argument(split, 1, "split")
    if not lengths:
        count = num_outputs or ctx.outputs
        piece = -(-extent // count)
        lengths = [max(0, min(piece, extent - piece * place)) for place in range(count)]
    if sum(lengths) != extent or min(lengths) < 0:
        raise FileFormatError(f"{ctx.label} splits an axis of {extent} into {lengths}")
    stops = np.cumsum(lengths).tolist()
    return [ctx.slice(x, axis, stop - n, stop) for stop, n in zip(stops, lengths, strict=True)]


@lowers("Slice")
def slice_attributes(
    ctx: Context, x: Ref, *, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int] | None = None
) -> Ref:
    """Slices as in Python, along some axes."""
    return _sliced(ctx, x, starts, ends, axes, None, steady=True)


@lowers("Slice", since=10)
def slices(
    ctx: Context, x: Ref, starts: Ref, ends: Ref, axes: Ref | None = None, steps: Ref | None = None
) -> Ref:
    """As in older opsets, with steps, and all as inputs; of computed starts only how long the slices are is known."""
    first, last = ctx.integers(1, "starts") or [], ctx.integers(2, "ends") or []
    named, every = ctx.integers(3, "axes"), ctx.integers(4, "steps")
    moving = [ref for ref in (starts, ends, axes, steps) if ref is not None and not ctx.is_constant(ref)]
    out = _sliced(ctx, x, first, last, named, every, steady=not moving)
    if not moving:
        return out
    read = [ctx.reduce(ref, [0], summarises=False, keep=False) for ref in moving]
    return ctx.pointwise(out, *read, shape=out.shape)


def _sliced(
    ctx: Context,
    x: Ref,
    starts: Sequence[int],
    ends: Sequence[int],
    axes: Sequence[int] | None,
    steps: Sequence[int] | None,
    *,
    steady: bool,
) -> Ref:
    places = axes_of(ctx, range(len(starts)) if axes is None else axes, len(x.shape))
    every = [1] * len(starts) if steps is None else steps
    if 0 in every:
        raise FileFormatError(f"{ctx.label} slices with a step of 0")
    for axis, start, end, step in zip(places, starts, ends, every, strict=True):
        inside = slice(start, end, step).indices(x.shape[axis])
        anywhere = {axis: (All(), len(range(*inside)))}
        x = ctx.slice(x, axis, *inside) if steady else ctx.along(x, anywhere, reason=DYNAMIC)
    return x


@lowers("Pad")
def pad_attributes(
    ctx: Context,
    x: Ref,
    *,
    pads: Sequence[int] | None = None,
    paddings: Sequence[int] | None = None,
    mode: str = "constant",
) -> Ref:
    """Padding before and behind every axis; constants are not input, the other modes read the axis again."""
    amounts = pads or paddings or []
    return _padded(ctx, x, amounts, range(len(x.shape)), mode)


@lowers("Pad", since=11)
def pad(
    ctx: Context,
    x: Ref,
    pads: Ref,
    value: Ref | None = None,
    axes: Ref | None = None,
    *,
    mode: str = "constant",
) -> Ref:
    """As in older opsets, with amounts (and axes) as inputs; the constant may be computed."""
    amounts, named = ctx.integers(1, "pads") or [], ctx.integers(3, "axes")
    places = axes_of(ctx, range(len(x.shape)) if named is None else named, len(x.shape))
    moving = [ref for ref in (pads, axes) if ref is not None and not ctx.is_constant(ref)]
    steady = _padded(ctx, x, amounts, places, mode)
    out = steady
    if moving:
        read = [ctx.reduce(ref, [0], summarises=False, keep=False) for ref in moving]
        whole = ctx.along(x, {axis: (All(), steady.shape[axis]) for axis in places}, reason=DYNAMIC)
        out = ctx.pointwise(whole, *read, shape=steady.shape)
    if value is None or mode != "constant" or ctx.is_constant(value):
        return out
    filling = ctx.broadcast(ctx.reshape(value, ()), out.shape)
    if moving:
        return ctx.pointwise(out, filling)
    around = _around(x.shape, amounts, places)
    inside = np.pad(np.ones(_cropped(x.shape, around), bool), [(max(0, a), max(0, b)) for a, b in around])
    return ctx.pointwise(out, masked(ctx, filling, ~inside))


def _around(shape: Sequence[int], amounts: Sequence[int], places: Sequence[int]) -> list[tuple[int, int]]:
    """Amounts before and behind each axis."""
    around = [(0, 0)] * len(shape)
    for place, axis in enumerate(places):
        around[axis] = amounts[place], amounts[place + len(places)]
    return around


def _cropped(shape: Sequence[int], around: Sequence[tuple[int, int]]) -> list[int]:
    return [n + min(0, a) + min(0, b) for n, (a, b) in zip(shape, around, strict=True)]


def _padded(ctx: Context, x: Ref, amounts: Sequence[int], places: Sequence[int], mode: str) -> Ref:
    if len(amounts) != 2 * len(places) or mode not in PADDING:
        raise FileFormatError(f"{ctx.label} pads {len(places)} axes by {list(amounts)}, mode {mode!r}")
    around = _around(x.shape, amounts, places)
    shape = ctx.bounded(n + a + b for n, (a, b) in zip(x.shape, around, strict=True))
    maps = {
        axis: (padded(a, b, x.shape[axis], PADDING[mode]), shape[axis])
        for axis, (a, b) in enumerate(around)
        if a or b
    }
    return ctx.along(x, maps) if maps else x
