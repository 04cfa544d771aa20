"""Slices, their scatters, splits and joins."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from eyeshot.frontends.torch.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.relations import Window
from eyeshot.relations.tables import flip as flipped
from eyeshot.relations.tables import roll as rolled
from eyeshot.relations.tables import take


@lowers("aten.slice.Tensor", "aten.slice_copy.Tensor")
def slice_(
    ctx: Context, x: Ref, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Ref:
    """Python's slice along one axis: bounds may be negative or beyond the end."""
    first, stop, _ = slice(start, end, step).indices(x.shape[dim])
    return ctx.slice(x, dim, first, stop, step)


@lowers("aten.select.int", "aten.select_copy.int")
def select(ctx: Context, x: Ref, dim: int, index: int) -> Ref:
    """One index of an axis, which goes."""
    axis = dim % len(x.shape)
    place = index % x.shape[axis]
    kept = ctx.slice(x, axis, place, place + 1)
    return ctx.reshape(kept, (*x.shape[:axis], *x.shape[axis + 1 :]))


@lowers("aten.narrow.default", "aten.narrow_copy.default")
def narrow(ctx: Context, x: Ref, dim: int, start: int, length: int) -> Ref:
    """A range along one axis."""
    first = start + x.shape[dim] if start < 0 else start
    return ctx.slice(x, dim, first, first + length)


@lowers("aten.split_with_sizes.default", "aten.split_with_sizes_copy.default", "aten.split.sizes")
@lowers("aten.unsafe_split_with_sizes.default")
def split_with_sizes(ctx: Context, x: Ref, split_sizes: Sequence[int], dim: int = 0) -> list[Ref]:
    """Consecutive ranges along one axis."""
    stops = np.cumsum([0, *split_sizes]).tolist()
    return [ctx.slice(x, dim, a, b) for a, b in pairwise(stops)]


@lowers("aten.split.Tensor", "aten.split_copy.Tensor", "aten.unsafe_split.Tensor")
@lowers("aten.chunk.default", "aten.unsafe_chunk.default")
@lowers("aten.tensor_split.sections", "aten.tensor_split.indices")
def split(ctx: Context, x: Ref, size_or_count: object, dim: int = 0) -> list[Ref]:
    """Consecutive ranges along one axis, as long as the framework made them."""
    return split_with_sizes(ctx, x, [shape[dim] for shape in ctx.output_shapes], dim)


@lowers("aten.unbind.int", "aten.unbind_copy.int")
def unbind(ctx: Context, x: Ref, dim: int = 0) -> list[Ref]:
    """Every index of an axis, which goes."""
    return [select(ctx, x, dim, index) for index in range(x.shape[dim])]


@lowers("aten.cat.default", "aten.concat.default", "aten.concatenate.default")
def cat(ctx: Context, tensors: Sequence[Ref], dim: int = 0) -> Ref:
    """End to end along an axis; empty vectors, which ATen admits beside any shape, drop out."""
    return ctx.concat([x for x in tensors if x.shape != (0,)] or tensors[:1], dim)


@lowers("aten.stack.default")
def stack(ctx: Context, tensors: Sequence[Ref], dim: int = 0) -> Ref:
    """End to end along a new axis."""
    axis = dim % (len(tensors[0].shape) + 1)
    shape = (*tensors[0].shape[:axis], 1, *tensors[0].shape[axis:])
    return ctx.concat([ctx.reshape(x, shape) for x in tensors], axis)


@lowers("aten.slice_scatter.default")
def slice_scatter(
    ctx: Context,
    x: Ref,
    src: Ref,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Ref:
    """The slice of one axis read from ``src``, the rest from ``x``."""
    axis, size = dim % len(x.shape), x.shape[dim]
    places = range(*slice(start, end, step).indices(size))
    src = ctx.broadcast(src, (*x.shape[:axis], len(places), *x.shape[axis + 1 :]))
    if len(places) in {0, size}:
        return src if places else x
    if ctx.is_constant(x):
        spread = Window(1, padding=places.start, input_dilation=step)
        return ctx.along(src, {axis: (spread, size)})
    if step == 1:
        before, after = ctx.slice(x, axis, 0, places.start), ctx.slice(x, axis, places.stop, size)
        return ctx.concat([part for part in (before, src, after) if part.shape[axis]], axis)
    order = np.arange(size)
    order[list(places)] = size + np.arange(len(places))
    joined = ctx.concat([x, src], axis)
    return ctx.along(joined, {axis: (take(order, size + len(places)), size)})


@lowers("aten.select_scatter.default")
def select_scatter(ctx: Context, x: Ref, src: Ref, dim: int, index: int) -> Ref:
    """One index of an axis read from ``src``, the rest from ``x``."""
    axis = dim % len(x.shape)
    place = index % x.shape[axis]
    shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    return slice_scatter(ctx, x, ctx.reshape(src, shape), axis, place, place + 1)


@lowers("aten.flip.default", "aten.fliplr.default", "aten.flipud.default")
def flip(ctx: Context, x: Ref, dims: Sequence[int]) -> Ref:
    """Axes read backwards."""
    return ctx.along(x, {axis: (flipped(x.shape[axis]), x.shape[axis]) for axis in dims})


@lowers("aten.rot90.default")
def rot90(ctx: Context, x: Ref, k: int = 1, dims: Sequence[int] = (0, 1)) -> Ref:
    """A plane turned by k quarters: flips and, for odd k, a swap of its axes."""
    first, second = (axis % len(x.shape) for axis in dims)
    turned = flip(ctx, x, [[], [second], [first, second], [first]][k % 4])
    if k % 2 == 0:
        return turned
    order = list(range(len(x.shape)))
    order[first], order[second] = second, first
    return ctx.permute(turned, order)


@lowers("aten.roll.default")
def roll(ctx: Context, x: Ref, shifts: int | Sequence[int], dims: int | Sequence[int] = ()) -> Ref:
    """Axes turned; without axes the flattened tensor is."""
    by = [shifts] if isinstance(shifts, int) else list(shifts)
    axes = [dims] if isinstance(dims, int) else list(dims)
    flat = x if axes else ctx.reshape(x, (-1,))
    for axis, shift in zip(axes or [0], by, strict=True):
        size = flat.shape[axis]
        flat = ctx.along(flat, {axis: (rolled(shift, size), size)})
    return ctx.reshape(flat, x.shape)
