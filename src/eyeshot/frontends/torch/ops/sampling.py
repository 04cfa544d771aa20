"""Sampling at computed positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eyeshot.frontends.compounds.indexing import DYNAMIC
from eyeshot.frontends.torch.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.relations import All, Pointwise


@lowers(
    "aten.grid_sampler.default",
    "aten.grid_sampler_2d.default",
    "aten.grid_sampler_3d.default",
    "aten._grid_sampler_2d_cpu_fallback.default",
    "aten.cudnn_grid_sampler.default",
)
def grid_sampler(ctx: Context, x: Ref, grid: Ref, *args: Any) -> Ref:
    """Each element reads its position in the grid, and any element of its channel."""
    n, *positions, _ = grid.shape
    where = ctx.reshape(ctx.reduce(grid, [-1], summarises=False), (n, 1, *positions))
    read = ctx.along(x, {a + 2: (All(), extent) for a, extent in enumerate(positions)}, reason=DYNAMIC)
    return ctx.pointwise(read, where, shape=ctx.output_shape)


@lowers("aten.affine_grid_generator.default")
def affine_grid(ctx: Context, theta: Ref, size: Sequence[int], align_corners: bool) -> Ref:
    """Each coordinate reads its row of the matrix; a coefficient on a middle line is 0, and counted still."""
    n, *positions, rank = ctx.output_shape
    rows = ctx.reshape(ctx.reduce(theta, [-1], summarises=False), (n, *(1 for _ in positions), rank))
    out = ctx.broadcast(rows, ctx.output_shape)
    if not any(np.asarray(positions) % 2):
        return out
    return ctx.add(Pointwise(), (out,), out.shape, "zero-coefficient")
