"""Views and moves: reshapes, permutations, repetitions, slices, padding, joins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eyeshot.frontends.jax.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.graph.masks import masked
from eyeshot.relations import Window
from eyeshot.relations.tables import flip, tile


@lowers("reshape", "squeeze", "expand_dims")
def reshape(ctx: Context, x: Ref, *extents: Ref, dimensions: Any = None, **params: Any) -> Ref:
    """The same elements in the same order (of ``dimensions``, where reshaping gives one) under another shape."""
    if ctx.eqn.primitive.name == "reshape" and dimensions is not None:
        x = ctx.permute(x, dimensions)
    return ctx.reshape(x, ctx.output_shape)


@lowers("transpose")
def transpose(ctx: Context, x: Ref, *, permutation: Sequence[int]) -> Ref:
    """Axes in another order."""
    return ctx.permute(x, [int(axis) for axis in permutation])


@lowers("broadcast_in_dim")
def broadcast_in_dim(
    ctx: Context, x: Ref, *extents: Ref, broadcast_dimensions: Sequence[int], **params: Any
) -> Ref:
    """Axis i of the operand becomes axis ``broadcast_dimensions[i]``; the others repeat."""
    shape = ctx.output_shape
    wide = [1] * len(shape)
    for axis, place in enumerate(broadcast_dimensions):
        wide[place] = x.shape[axis]
    return ctx.broadcast(ctx.reshape(x, wide), shape)


@lowers("broadcast_to")
def broadcast_to(ctx: Context, x: Ref, *extents: Ref, **params: Any) -> Ref:
    """Axes of extent 1 repeated."""
    return ctx.broadcast(x, ctx.output_shape)


@lowers("tile")
def repeated(ctx: Context, x: Ref, *, reps: Sequence[int], **params: Any) -> Ref:
    """Whole axes repeated end to end."""
    shape = ctx.output_shape
    x = ctx.reshape(x, (1,) * (len(shape) - len(x.shape)) + x.shape)
    return ctx.along(
        x,
        {axis: (tile(n // x.shape[axis], x.shape[axis]), n) for axis, n in enumerate(shape) if x.shape[axis]},
    )


@lowers("slice")
def sliced(
    ctx: Context,
    x: Ref,
    *,
    start_indices: Sequence[int],
    limit_indices: Sequence[int],
    strides: Sequence[int] | None,
) -> Ref:
    """Each element reads the one at its start plus its stride times its place."""
    for axis, (start, stop) in enumerate(zip(start_indices, limit_indices, strict=True)):
        step = strides[axis] if strides else 1
        if (start, stop, step) != (0, x.shape[axis], 1):
            x = ctx.slice(x, axis, start, stop, step)
    return x


@lowers("rev")
def rev(ctx: Context, x: Ref, *, dimensions: Sequence[int]) -> Ref:
    """Axes read backwards."""
    return ctx.along(x, {axis: (flip(x.shape[axis]), x.shape[axis]) for axis in dimensions})


@lowers("pad")
def pad(ctx: Context, x: Ref, value: Ref, *, padding_config: Sequence[tuple[int, int, int]]) -> Ref:
    """Elements apart by the interior padding, behind the padding in front; around them all read the value."""
    shape = ctx.output_shape
    maps = {
        axis: (Window(1, padding=low, input_dilation=between + 1), shape[axis])
        for axis, (low, high, between) in enumerate(padding_config)
        if (low, high, between) != (0, 0, 0) and (x.shape[axis] != 1 or low or high)
    }
    out = ctx.along(x, maps)
    if not maps or ctx.is_constant(value):
        return out
    held = np.zeros(shape, np.bool_)
    held[
        np.ix_(*(_places(amount, x.shape[axis], shape[axis]) for axis, amount in enumerate(padding_config)))
    ] = True
    return ctx.pointwise(out, masked(ctx, ctx.broadcast(value, shape), ~held))


def _places(amount: tuple[int, int, int], size: int, extent: int) -> list[int]:
    """Where the elements of a padded axis come to stand."""
    low, _, between = amount
    places = (low + k * (between + 1) for k in range(size))
    return [place for place in places if 0 <= place < extent]


@lowers("concatenate")
def concatenate(ctx: Context, *operands: Ref, dimension: int) -> Ref:
    """Operands end to end."""
    return ctx.concat(operands, dimension)


@lowers("stack")
def stack(ctx: Context, *operands: Ref, axis: int = 0, **params: Any) -> Ref:
    """Operands side by side on a new axis."""
    wide = [ctx.reshape(x, (*x.shape[:axis], 1, *x.shape[axis:])) for x in operands]
    return ctx.concat(wide, axis)


@lowers("unstack")
def unstack(ctx: Context, x: Ref, *, axis: int = 0, **params: Any) -> list[Ref]:
    """Each output is one slice of the axis."""
    return [ctx.reshape(ctx.slice(x, axis, k, k + 1), shape) for k, shape in enumerate(ctx.output_shapes)]


@lowers("split")
def split(ctx: Context, x: Ref, *, sizes: Sequence[int], axis: int) -> list[Ref]:
    """Pieces of one axis."""
    outputs, start = [], 0
    for size in sizes:
        outputs.append(ctx.slice(x, axis, start, start + size))
        start += size
    return outputs
