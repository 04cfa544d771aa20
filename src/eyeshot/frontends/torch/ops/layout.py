"""Views and copies: reshapes, permutations, repetitions, diagonals, strides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eyeshot.frontends.torch.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.relations.tables import stretch, take


@lowers("aten.view.default", "aten.view_copy.default", "aten._unsafe_view.default")
@lowers("aten.reshape.default", "aten._reshape_alias.default", "aten._reshape_copy.default")
@lowers("aten.flatten.using_ints", "aten.unflatten.int")
@lowers("aten.squeeze.default", "aten.squeeze.dim", "aten.squeeze.dims")
@lowers("aten.squeeze_copy.default", "aten.squeeze_copy.dim", "aten.squeeze_copy.dims")
@lowers("aten.unsqueeze.default", "aten.unsqueeze_copy.default", "aten.view_as.default")
@lowers("aten.atleast_1d.default", "aten.atleast_2d.default", "aten.ravel.default")
def view(ctx: Context, x: Ref, *shape: object) -> Ref:
    """The same elements in the same order under another shape."""
    return ctx.reshape(x, ctx.output_shape)


@lowers("aten.permute.default", "aten.permute_copy.default")
def permute(ctx: Context, x: Ref, dims: Sequence[int]) -> Ref:
    """Axes in another order."""
    return ctx.permute(x, dims)


@lowers(
    "aten.transpose.int",
    "aten.transpose.default",
    "aten.transpose_copy.int",
    "aten.swapaxes.default",
    "aten.swapdims.default",
)
def transpose(ctx: Context, x: Ref, dim0: int, dim1: int) -> Ref:
    """Two axes swapped."""
    if not x.shape:
        return x
    order = list(range(len(x.shape)))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return ctx.permute(x, order)


@lowers("aten.t.default", "aten.t_copy.default", "aten.numpy_T.default", "aten.adjoint.default")
@lowers("aten.mT.default", "aten.mH.default", "aten.matrix_H.default")
def matrix_transpose(ctx: Context, x: Ref) -> Ref:
    """The last two axes swapped; a vector stays."""
    return x if len(x.shape) < 2 else transpose(ctx, x, -2, -1)


@lowers("aten.movedim.intlist", "aten.moveaxis.intlist")
def movedim(ctx: Context, x: Ref, source: Sequence[int], destination: Sequence[int]) -> Ref:
    """Some axes moved, the others in order."""
    return ctx.permute(x, np.moveaxis(np.empty(range(len(x.shape))), source, destination).shape)


@lowers("aten.expand.default", "aten.expand_copy.default", "aten.expand_as.default")
@lowers("aten.broadcast_to.default")
def expand(ctx: Context, x: Ref, *size: object, implicit: bool = False) -> Ref:
    """Axes of extent 1 repeated, and new axes in front."""
    return ctx.broadcast(x, ctx.output_shape)


@lowers("aten.repeat.default", "aten.tile.default")
def repeat(ctx: Context, x: Ref, repeats: Sequence[int]) -> Ref:
    """The tensor laid end to end ``repeats[i]`` times along every axis."""
    rank = max(len(repeats), len(x.shape))
    times = (1,) * (rank - len(repeats)) + tuple(repeats)
    extents = (1,) * (rank - len(x.shape)) + x.shape
    split = [part for n in extents for part in (1, n)]
    spread = tuple(part for r, n in zip(times, extents, strict=True) for part in (r, n))
    return ctx.reshape(ctx.broadcast(ctx.reshape(x, split), spread), ctx.output_shape)


@lowers("aten.repeat_interleave.self_int")
def repeat_interleave(
    ctx: Context, x: Ref, repeats: int, dim: int | None = None, *, output_size: int | None = None
) -> Ref:
    """Every element repeated in place."""
    flat = ctx.reshape(x, (-1,)) if dim is None else x
    size = flat.shape[dim or 0]
    return ctx.along(flat, {dim or 0: (stretch(repeats, size), repeats * size)})


@lowers("aten.diagonal.default", "aten.diagonal_copy.default")
def diagonal(ctx: Context, x: Ref, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Ref:
    """The diagonal of two axes, which go; it comes last."""
    flat, picked, kept = _diagonal(ctx, x, offset, dim1, dim2)
    read = ctx.along(flat, {-1: (take(picked, flat.shape[-1]), len(picked))})
    return ctx.reshape(read, (*kept, len(picked)))


@lowers("aten.diagonal_scatter.default")
def diagonal_scatter(ctx: Context, x: Ref, src: Ref, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Ref:
    """The diagonal of two axes read from ``src``, the rest from ``x``."""
    flat, picked, _ = _diagonal(ctx, x, offset, dim1, dim2)
    size = flat.shape[-1]
    order = np.arange(size)
    order[picked] = size + np.arange(len(picked))
    joined = ctx.concat([flat, src], -1)
    merged = ctx.along(joined, {-1: (take(order, joined.shape[-1]), size)})
    axes = _last_two(x, dim1, dim2)
    moved = ctx.reshape(merged, tuple(x.shape[axis] for axis in axes))
    return ctx.permute(moved, [int(place) for place in np.argsort(axes)])


@lowers("aten.diag_embed.default")
def diag_embed(ctx: Context, x: Ref, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Ref:
    """The last axis laid on the diagonal of a new plane of zeros."""
    zeros = ctx.constant(ctx.output_shape)
    return diagonal_scatter(ctx, zeros, x, offset, dim1, dim2)


@lowers("aten.block_diag.default")
def block_diag(ctx: Context, tensors: Sequence[Ref]) -> Ref:
    """Matrices along the diagonal of a plane of zeros."""
    width, rows, column = ctx.output_shape[1], [], 0
    for x in tensors:
        block = ctx.reshape(x, (1,) * (2 - len(x.shape)) + x.shape)
        after = width - column - block.shape[1]
        rows.append(ctx.pad(block, {1: (column, after)}))
        column += block.shape[1]
    return ctx.concat([row for row in rows if row.shape[0]], 0)


def _last_two(x: Ref, dim1: int, dim2: int) -> list[int]:
    """All axes, the given two behind."""
    pair = [dim1 % len(x.shape), dim2 % len(x.shape)]
    return [axis for axis in range(len(x.shape)) if axis not in pair] + pair


def _diagonal(
    ctx: Context, x: Ref, offset: int, dim1: int, dim2: int
) -> tuple[Ref, NDArray[np.int64], tuple[int, ...]]:
    """``x`` with the two axes merged behind, the diagonal's indices there, and the other extents."""
    moved = ctx.permute(x, _last_two(x, dim1, dim2))
    *kept, rows, columns = moved.shape
    row = np.arange(max(0, -offset), max(0, -offset, min(rows, columns - offset)))
    return ctx.reshape(moved, (*kept, rows * columns)), row * columns + row + offset, tuple(kept)
