"""Operators that give shapes, or the same elements under another shape."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from eyeshot.errors import FileFormatError
from eyeshot.frontends.compounds.indexing import SHAPELESS
from eyeshot.frontends.onnx.context import Context, Value, lowers
from eyeshot.frontends.onnx.elements import Elements
from eyeshot.frontends.onnx.ops.pointwise import axes_of
from eyeshot.graph import Ref
from eyeshot.graph.builder import broadcast_shape
from eyeshot.relations.tables import tile as tiled


@lowers("Shape", dtype="int64")
def shape(ctx: Context, x: Ref, *, start: int = 0, end: int | None = None) -> Value:
    """The extents are known, and read nothing; where data decides them, an upper bound stands for them."""
    return _counted(ctx, x, list(x.shape[start:end]))


@lowers("Size", dtype="int64")
def size(ctx: Context, x: Ref) -> Value:
    """As `shape`: how many elements there are."""
    return _counted(ctx, x, prod(x.shape))


def _counted(ctx: Context, x: Ref, extents: int | list[int]) -> Value:
    source = ctx.inputs[0]
    loose = isinstance(source, Value) and source.loose
    held = () if isinstance(extents, int) else (len(extents),)
    ref = ctx.dense([x], held, SHAPELESS) if loose else ctx.constant(held)
    return ctx.typed(ref, "int64", Elements.of(extents))


@lowers("Reshape")
def reshape_attribute(ctx: Context, x: Ref, *, shape: Sequence[int]) -> Ref:
    """The same elements; 0 keeps an extent, -1 is what remains."""
    return _reshaped(ctx, x, shape, allowzero=False)


@lowers("Reshape", since=5)
def reshape(ctx: Context, x: Ref, shape: Ref, *, allowzero: int = 0) -> Ref:
    """As `reshape_attribute`, with the shape as an input; with ``allowzero`` 0 is 0."""
    return _reshaped(ctx, x, ctx.integers(1, "shape") or [], allowzero=bool(allowzero))


def _reshaped(ctx: Context, x: Ref, shape: Sequence[int], *, allowzero: bool) -> Ref:
    wanted = [x.shape[axis] if n == 0 and not allowzero else n for axis, n in enumerate(shape)]
    if wanted.count(-1) > 1 or any(n < -1 for n in wanted):
        raise FileFormatError(f"{ctx.label} asks for shape {list(shape)}")
    if -1 in wanted:
        rest = prod(n for n in wanted if n != -1)
        wanted[wanted.index(-1)] = prod(x.shape) // rest if rest else 0
    return ctx.reshape(x, wanted)


@lowers("Flatten")
def flatten(ctx: Context, x: Ref, *, axis: int = 1) -> Ref:
    """Axes before ``axis`` merged, and those from it on."""
    axis = axis + len(x.shape) if axis < 0 else axis
    return ctx.reshape(x, (prod(x.shape[:axis]), prod(x.shape[axis:])))


@lowers("Squeeze")
def squeeze(ctx: Context, x: Ref, given: Ref | None = None, *, axes: Sequence[int] | None = None) -> Ref:
    """Axes of extent 1 dropped, all of them where none are named."""
    listed = ctx.argument(axes, 1, "axes")
    ones = [axis for axis, n in enumerate(x.shape) if n == 1]
    dropped = ones if listed is None else axes_of(ctx, listed, len(x.shape))
    return ctx.reshape(x, tuple(n for axis, n in enumerate(x.shape) if axis not in dropped))


@lowers("Unsqueeze")
def unsqueeze(ctx: Context, x: Ref, given: Ref | None = None, *, axes: Sequence[int] | None = None) -> Ref:
    """New axes of extent 1, counted in the result."""
    listed = ctx.argument(axes, 1, "axes") or []
    new = axes_of(ctx, listed, len(x.shape) + len(listed))
    extents = iter(x.shape)
    return ctx.reshape(
        x, tuple(1 if axis in new else next(extents) for axis in range(len(x.shape) + len(new)))
    )


@lowers("Expand")
def expand(ctx: Context, x: Ref, shape: Ref) -> Ref:
    """Axes of extent 1 repeated, on either side."""
    wanted = ctx.bounded(ctx.integers(1, "shape") or [])
    return ctx.broadcast(x, broadcast_shape(x.shape, wanted))


@lowers("Tile")
def tile_axis(ctx: Context, x: Ref, tiles: Ref, axis: Ref) -> Ref:
    """One axis repeated end to end."""
    times, along = ctx.integers(1, "tiles") or [1], ctx.integers(2, "axis") or [0]
    return _repeated(ctx, x, {along[0]: times[0]})


@lowers("Tile", since=6)
def tile(ctx: Context, x: Ref, repeats: Ref) -> Ref:
    """Every axis repeated end to end."""
    return _repeated(ctx, x, dict(enumerate(ctx.integers(1, "repeats") or [])))


def _repeated(ctx: Context, x: Ref, times: dict[int, int]) -> Ref:
    shape = ctx.bounded(n * times.get(axis, 1) for axis, n in enumerate(x.shape))
    changed = {
        axis: (tiled(count, x.shape[axis]), shape[axis]) for axis, count in times.items() if count != 1
    }
    return ctx.along(x, changed) if changed else x
