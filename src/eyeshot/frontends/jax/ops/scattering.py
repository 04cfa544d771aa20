"""Writing to positions held by other tensors: exact where they are known, else sound with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from eyeshot.frontends.compounds.indexing import DYNAMIC, flagged
from eyeshot.frontends.jax.context import Context, lowers
from eyeshot.frontends.jax.ops.indexing import placed, window_places
from eyeshot.frontends.jax.places import write
from eyeshot.graph import Ref
from eyeshot.relations import All


@lowers("scatter", "scatter-add", "scatter-sub", "scatter-mul", "scatter-min", "scatter-max")
def scatter(
    ctx: Context,
    x: Ref,
    indices: Ref,
    updates: Ref,
    *,
    dimension_numbers: Any,
    update_jaxpr: Any,
    mode: Any,
    **params: Any,
) -> Ref:
    """Each element reads what was written there, or else itself; both where it is added, or the place is computed."""
    if 0 in updates.shape:
        return x
    numbers = SimpleNamespace(
        offset_dims=dimension_numbers.update_window_dims,
        collapsed_slice_dims=dimension_numbers.inserted_window_dims,
        start_index_map=dimension_numbers.scatter_dims_to_operand_dims,
        operand_batching_dims=dimension_numbers.operand_batching_dims,
        start_indices_batching_dims=dimension_numbers.scatter_indices_batching_dims,
    )
    gone = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
    windows = iter(numbers.offset_dims)
    sizes = [1 if axis in gone else updates.shape[next(windows)] for axis in range(len(x.shape))]
    if indices.known is None:
        return _scatter_dynamic(ctx, x, indices, updates, numbers, sizes)
    adds = ctx.eqn.primitive.name != "scatter" or update_jaxpr is not None
    places, inside = window_places(indices.known, numbers, sizes, x.shape, len(updates.shape))
    kept = np.ones_like(inside) if mode.name == "CLIP" else inside
    return write(ctx, x, updates, places, kept, adds=adds)


def _scatter_dynamic(
    ctx: Context, x: Ref, indices: Ref, updates: Ref, numbers: Any, sizes: Sequence[int]
) -> Ref:
    shape = x.shape
    batch = [axis for axis in range(len(updates.shape)) if axis not in numbers.offset_dims]
    shared = [batch[axis] for axis in numbers.start_indices_batching_dims]
    everywhere = [axis for axis in batch if axis not in shared]
    sent = ctx.along(updates, dict.fromkeys(everywhere, (All(), 1)), reason=DYNAMIC)
    target = dict(zip(shared, numbers.operand_batching_dims, strict=True))
    gone = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
    windows = iter(numbers.offset_dims)
    for axis, size in enumerate(sizes):
        if axis in gone:
            continue
        own = next(windows)
        target[own] = axis
        if size < shape[axis]:
            steered = axis in numbers.start_index_map
            sent = (
                ctx.along(sent, {own: (All(), 1)})
                if steered
                else ctx.pad(sent, {own: (0, shape[axis] - size)})
            )
    order = sorted(target)
    sent = ctx.reshape(sent, [sent.shape[axis] for axis in order])
    sent = placed(ctx, sent, [target[axis] for axis in order], shape)
    mixed = [a for a in range(len(indices.shape)) if a not in numbers.start_indices_batching_dims]
    where = ctx.reduce(indices, mixed, keep=False, summarises=False)
    ranked = np.argsort(np.argsort(numbers.start_indices_batching_dims)).tolist()
    axes = [numbers.operand_batching_dims[ranked.index(place)] for place in range(len(ranked))]
    where = placed(ctx, where, axes, shape)
    return flagged(ctx, ctx.pointwise(x, sent, where), updates)
