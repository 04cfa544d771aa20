"""Sampling at computed positions, and the grids that name them."""

from __future__ import annotations

import numpy as np

from eyeshot.frontends.compounds.indexing import DYNAMIC
from eyeshot.frontends.onnx.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.relations import All


@lowers("GridSample")
def grid_sample(ctx: Context, x: Ref, grid: Ref) -> Ref:
    """Each element reads its position in the grid, and any element of its channel."""
    n, *positions, _ = grid.shape
    where = ctx.reshape(ctx.reduce(grid, [-1], summarises=False), (n, 1, *positions))
    read = ctx.along(x, {axis: (All(), extent) for axis, extent in enumerate(positions, 2)}, reason=DYNAMIC)
    return ctx.pointwise(read, where, shape=(*x.shape[:2], *positions))


@lowers("AffineGrid")
def affine_grid(ctx: Context, theta: Ref, size: Ref) -> Ref:
    """Each coordinate reads its row of the matrix; a coefficient on a middle line is 0, and counted still."""
    n, _, *positions = ctx.integers(1, "size") or []
    rank = len(positions)
    ones = (1,) * rank
    rows = ctx.reshape(ctx.reduce(theta, [-1], summarises=False), (n, *ones, rank))
    out = ctx.broadcast(rows, (n, *positions, rank))
    return ctx.flagged(out, "zero-coefficient") if any(np.asarray(positions) % 2) else out
