"""Pieces of an axis: reduced one by one, or cut in equal numbers and joined."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from eyeshot.frontends.compounds.indexing import DYNAMIC
from eyeshot.frontends.torch.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.relations import All, Table


@lowers("aten.segment_reduce.default")
def segment_reduce(
    ctx: Context,
    x: Ref,
    reduce: str,
    *,
    lengths: Ref | None = None,
    indices: Ref | None = None,
    offsets: Ref | None = None,
    axis: int = 0,
    **kwargs: Any,
) -> Ref:
    """Each segment reads the elements between its offset and the next, everything along the axis if that is computed."""
    count, given = ctx.output_shape[axis], lengths if offsets is None else offsets
    assert given is not None
    if given.known is None:
        chosen = ctx.reduce(given, range(len(given.shape)), keep=False, summarises=False)
        return ctx.pointwise(ctx.along(x, {axis: (All(), count)}, reason=DYNAMIC), chosen)
    known = given.known.reshape(prod(x.shape[:axis]), -1)
    edges = np.cumsum(np.pad(known, ((0, 0), (1, 0))), 1) if offsets is None else known
    rows = [
        batch * x.shape[axis] + np.arange(first, last)
        for batch, own in enumerate(edges)
        for first, last in pairwise(own[: count + 1])
    ]
    flat = ctx.reshape(x, (-1, *x.shape[axis + 1 :]))
    return ctx.reshape(
        ctx.along(flat, {0: (Table.of_rows(rows, flat.shape[0]), len(rows))}), ctx.output_shape
    )


@lowers("aten._chunk_cat.default")
def chunk_cat(ctx: Context, tensors: Sequence[Ref], dim: int, num_chunks: int) -> Ref:
    """Each tensor, padded, is cut into as many chunks; chunks of one number lie end to end, all else flattened."""
    pieces = []
    for ref in tensors:
        axis = dim % len(ref.shape)
        padded = ctx.pad(ref, {axis: (0, -ref.shape[axis] % num_chunks)})
        pieces.append(ctx.reshape(padded, (*ref.shape[:axis], num_chunks, -1)))
    return ctx.concat(pieces, -1)
