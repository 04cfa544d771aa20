"""Larger and smaller grids: interpolation, shuffles between channels and space, padding, cropping."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from eyeshot.frontends.spec.words import pairs, whole, word
from eyeshot.relations import tables
from eyeshot.relations.resize import resize

if TYPE_CHECKING:
    from eyeshot.frontends.spec.context import Context
    from eyeshot.frontends.spec.tree import Op
    from eyeshot.graph import Ref
    from eyeshot.relations import AxisMap

REFLECTING = ("reflect", "replicate")


@word("up", size="a factor", modes=("linear", "cubic", "corners"))
def up(ctx: Context, x: Ref, op: Op) -> Ref:
    """Interpolation to a multiple of the extents: nearest, linear in each axis, or cubic."""
    factors = whole(op.size, ctx.rank, 1)
    return _resized(ctx, x, op, [n * factor for n, factor in zip(ctx.spatial(x), factors, strict=True)])


@word("down", size="a factor", modes=("linear", "cubic", "corners"))
def down(ctx: Context, x: Ref, op: Op) -> Ref:
    """Interpolation to a fraction of the extents, without antialiasing: nearest reads every factor-th element."""
    factors = whole(op.size, ctx.rank, 1)
    extents = ctx.spatial(x)
    if any(n % factor for n, factor in zip(extents, factors, strict=True)):
        ctx.refuse(f"extents {_shown(extents)} do not divide by {_shown(factors)}")
    return _resized(ctx, x, op, [n // factor for n, factor in zip(extents, factors, strict=True)])


@word("shuffle", size="a factor")
def shuffle(ctx: Context, x: Ref, op: Op) -> Ref:
    """Depth to space (pixel shuffle): blocks of neighbours come from as many channels."""
    factors, extents = whole(op.size, ctx.rank, 1), ctx.spatial(x)
    block, (batch, channels) = prod(factors), x.shape[:2]
    if channels % block:
        ctx.refuse(f"{channels} channels do not divide into blocks of {block}")
    wide = [n * factor for n, factor in zip(extents, factors, strict=True)]
    for extent in wide:
        ctx.fits(extent)
    split = ctx.reshape(x, (batch, channels // block, *factors, *extents))
    order = [0, 1, *(place for axis in range(ctx.rank) for place in (2 + ctx.rank + axis, 2 + axis))]
    return ctx.reshape(ctx.permute(split, order), (batch, channels // block, *wide))


@word("unshuffle", size="a factor")
def unshuffle(ctx: Context, x: Ref, op: Op) -> Ref:
    """Space to depth: each block of neighbours becomes channels."""
    factors, extents = whole(op.size, ctx.rank, 1), ctx.spatial(x)
    if any(n % factor for n, factor in zip(extents, factors, strict=True)):
        ctx.refuse(f"extents {_shown(extents)} do not divide by {_shown(factors)}")
    short = [n // factor for n, factor in zip(extents, factors, strict=True)]
    pieces = [part for pair in zip(short, factors, strict=True) for part in pair]
    split = ctx.reshape(x, (*x.shape[:2], *pieces))
    order = [0, 1, *range(3, 3 + 2 * ctx.rank, 2), *range(2, 2 + 2 * ctx.rank, 2)]
    return ctx.reshape(ctx.permute(split, order), (x.shape[0], x.shape[1] * prod(factors), *short))


@word("pad", size="how many elements", modes=REFLECTING, pairs=True)
def pad(ctx: Context, x: Ref, op: Op) -> Ref:
    """Elements before and after each axis: zeros, or the axis again (reflected, or its ends repeated)."""
    mode = _one(ctx, op)
    maps: dict[int, tuple[AxisMap, int]] = {}
    for axis, (n, (low, high)) in enumerate(zip(ctx.spatial(x), pairs(op.size, ctx.rank), strict=True), 2):
        if mode == "reflect" and max(low, high) >= n:
            ctx.refuse(f"-reflect pads at most {n - 1} elements to an axis of {n}")
        ctx.fits(n + low + high)
        if mode:
            ctx.charge(2 * (n + low + high))
        maps[axis] = (tables.pad(low, high, n, mode or "constant"), n + low + high)
    return ctx.along(x, maps)


@word("crop", size="how many elements", pairs=True)
def crop(ctx: Context, x: Ref, op: Op) -> Ref:
    """Elements taken off before and after each axis."""
    amounts = pairs(op.size, ctx.rank)
    for n, (low, high) in zip(ctx.spatial(x), amounts, strict=True):
        if low + high >= n:
            ctx.refuse(f"nothing is left of an axis of {n}")
    return ctx.pad(x, {axis: (-low, -high) for axis, (low, high) in enumerate(amounts, 2)})


def _one(ctx: Context, op: Op) -> str:
    if len(op.modes) > 1:
        ctx.refuse(f"{' and '.join(f'-{mode}' for mode in op.modes)} exclude each other")
    return op.modes[0] if op.modes else ""


def _resized(ctx: Context, x: Ref, op: Op, extents: list[int]) -> Ref:
    chosen = [mode for mode in op.modes if mode != "corners"]
    corners = "corners" in op.modes
    if len(chosen) > 1 or (corners and not chosen):
        ctx.refuse("one of -linear and -cubic, or nearest without; -corners belongs to either")
    if chosen == ["cubic"] and ctx.rank != 2:
        ctx.refuse("cubic interpolation exists in 2d")
    mode: Any = chosen[0] if chosen else "nearest"
    maps: dict[int, tuple[AxisMap, int]] = {}
    for axis, (n, m) in enumerate(zip(ctx.spatial(x), extents, strict=True), 2):
        ctx.fits(m)
        ctx.charge(5 * m)
        maps[axis] = (resize(n, m, mode, align_corners=corners), m)
    return ctx.along(x, maps)


def _shown(extents: tuple[int, ...] | list[int]) -> str:
    return "x".join(map(str, extents))
