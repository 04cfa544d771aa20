"""Static masks: which elements of a tensor are constant by construction, and what that spares its readers.

A `Ref` with ``cut`` is -inf (``zeroed``: 0) where ``cut`` is True. ``cut`` always has two axes, the last two
of the tensor, and is the same along all others. It waits there for the softmax or the product it was
made for. The builder's views carry it on while those axes stay together; its other methods take the
tensor through `plain`.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from eyeshot.relations import Pointwise, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyeshot.graph.builder import Builder, Ref

    Mask = NDArray[np.bool_]

LARGEST_TABLE = 1 << 18


def cutting(values: NDArray[Any]) -> Mask | None:
    """Where an additive mask removes an element: -inf, or the dtype's minimum; None where nowhere.

    The minima of a row of nothing else remove nothing: its softmax is that of any constant row.
    """
    if values.dtype.kind != "f":
        return None
    cut: Mask = values <= np.finfo(values.dtype).min
    if values.ndim:
        cut &= ~cut.all(-1, keepdims=True) | np.isneginf(values)
    return cut if cut.any() else None


def cuts(value: object) -> bool:
    """Whether a fill value removes elements from a softmax: -inf, or the minimum of some floating dtype."""
    return isinstance(value, int | float) and value <= float(np.finfo(np.float16).min)


def with_cut(ctx: Builder, x: Ref, cut: Mask) -> Ref:
    """``x`` that is -inf where ``cut`` is; what is not cut along all of the leading axes is not cut."""
    if len(x.shape) < 2:
        return masked(ctx, x, ~cut)
    whole = np.broadcast_to(cut, np.broadcast_shapes(cut.shape, x.shape[-2:]))
    flat = whole.reshape(-1, *whole.shape[-2:])
    shared: Mask = np.logical_and.reduce(flat)
    if not (flat == shared).all() and not ctx.is_constant(x):
        x = ctx.add(Pointwise(), (x,), x.shape, "mask-varies")._replace(cut=x.cut, zeroed=x.zeroed)
    if x.cut is not None and not x.zeroed:
        shared = shared | x.cut
    return x._replace(cut=shared if shared.any() else None, zeroed=False)


def carried(x: Ref, out: Ref, *, transposed: bool = False) -> Ref:
    """``out``, a view of ``x`` with the same last two axes (swapped where ``transposed``), with its cut."""
    assert x.cut is not None
    return out._replace(cut=x.cut.T if transposed else x.cut, zeroed=x.zeroed)


def plain(ctx: Builder, x: Ref, *, lost: bool = False) -> Ref:
    """``x`` for a reader that knows nothing of cuts: the cut elements read nothing.

    Where a cut is ``lost`` before the softmax that it was made for, that one will read too much; a reason says so.
    """
    if x.cut is None:
        return x
    out = masked(ctx, x._replace(cut=None, zeroed=False), ~x.cut)
    if x.zeroed or not lost or ctx.is_constant(out):
        return out
    return ctx.add(Pointwise(), (out,), out.shape, "lost-mask")


def support(cut: Mask) -> Table:
    """Row by row the columns that are left."""
    rows, columns = np.nonzero(~cut)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(cut)))])
    return Table(indptr, columns, cut.shape[1])


def masked(ctx: Builder, x: Ref, keep: Mask) -> Ref:
    """``x`` where ``keep`` (broadcast to its shape), and a constant elsewhere."""
    keep = np.broadcast_to(keep, x.shape)
    if keep.all():
        return x
    if not keep.any():
        return ctx.constant(x.shape)
    varying = [a for a in range(keep.ndim) if (keep != keep.take([0], a)).any()]
    others = [tuple(b for b in range(keep.ndim) if b != a) for a in range(keep.ndim)]
    sides: list[Mask] = [np.logical_or.reduce(keep, axis=axes) for axes in others]
    if keep.sum() == prod(int(side.sum()) for side in sides):
        return ctx.along(x, {a: (_kept(sides[a]), x.shape[a]) for a in varying})
    if prod(x.shape[a] for a in varying) > LARGEST_TABLE:
        return ctx.add(Pointwise(), (x,), x.shape, "large-static-mask")
    order = [a for a in range(keep.ndim) if a not in varying] + varying
    moved = ctx.permute(x, order)
    rest = len(order) - len(varying)
    flat = ctx.reshape(moved, (*moved.shape[:rest], -1))
    mask: Mask = keep.transpose(order).reshape(-1, flat.shape[-1])[0]
    picked = ctx.along(flat, {rest: (_kept(mask), len(mask))})
    return ctx.permute(ctx.reshape(picked, moved.shape), [order.index(a) for a in range(keep.ndim)])


def _kept(mask: Mask) -> Table:
    """The axis map that reads each index where ``mask`` is True, and nothing elsewhere."""
    return Table(np.concatenate([[0], np.cumsum(mask)]), np.flatnonzero(mask), len(mask))
