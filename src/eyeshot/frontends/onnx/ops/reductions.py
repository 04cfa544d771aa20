"""Ops that read all of some axes: sums, extrema, ranks, scans."""

from __future__ import annotations

from collections.abc import Sequence

from eyeshot.frontends.onnx.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.relations import All, AxisMap, Prefix, Suffix, Window

BY_ATTRIBUTE = """
ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare
""".split()


@lowers(*BY_ATTRIBUTE, "ReduceSum")
def reduce_axes(ctx: Context, x: Ref, *, axes: Sequence[int] | None = None, keepdims: int = 1) -> Ref:
    """Each element reads everything along the axes, all of them where none are named."""
    return _reduced(ctx, x, axes, keepdims, identity=False)


@lowers(*BY_ATTRIBUTE, since=18)
@lowers("ReduceSum", since=13)
def reduce_given(
    ctx: Context, x: Ref, axes: Ref | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> Ref:
    """As in older opsets, with the axes as an input; none at all may stand for no axis."""
    return _reduced(ctx, x, ctx.integers(1, "axes"), keepdims, identity=bool(noop_with_empty_axes))


def _reduced(ctx: Context, x: Ref, axes: Sequence[int] | None, keepdims: int, *, identity: bool) -> Ref:
    if not axes and identity:
        return ctx.pointwise(x)
    return ctx.reduce(x, axes or range(len(x.shape)), keep=bool(keepdims))


@lowers("ArgMax", "ArgMin", dtype="int64")
def place_of_extremum(ctx: Context, x: Ref, *, axis: int = 0, keepdims: int = 1) -> Ref:
    """The place of an extremum reads everything along its axis; of one element it is 0."""
    if not x.shape:
        return ctx.constant(())
    return ctx.reduce(x if x.shape[axis] != 1 else ctx.constant(x.shape), [axis], keep=bool(keepdims))


@lowers("TopK", dtype=(None, "int64"))
def topk_attribute(ctx: Context, x: Ref, *, k: int, axis: int = -1) -> list[Ref]:
    """Each rank reads the whole axis."""
    return _ranked(ctx, x, k, axis)


@lowers("TopK", since=10, dtype=(None, "int64"))
def topk(ctx: Context, x: Ref, count: Ref, *, axis: int = -1) -> list[Ref]:
    """Each rank reads the whole axis."""
    return _ranked(ctx, x, (ctx.integers(1, "K") or [0])[0], axis)


def _ranked(ctx: Context, x: Ref, count: int, axis: int) -> list[Ref]:
    out = ctx.along(x, {axis: (All(), count)})
    return [out, out if x.shape[axis] != 1 else ctx.constant(out.shape)]


@lowers("Hardmax")
def hardmax_flattened(ctx: Context, x: Ref, *, axis: int = 1) -> Ref:
    """1 at the first maximum of everything from ``axis`` on, else 0."""
    axis %= len(x.shape) or 1
    return _hardmax(ctx, x, range(axis, len(x.shape)))


@lowers("Hardmax", since=13)
def hardmax(ctx: Context, x: Ref, *, axis: int = -1) -> Ref:
    """1 at the first maximum of the axis, else 0; of one element it is 1."""
    return _hardmax(ctx, x, [axis])


def _hardmax(ctx: Context, x: Ref, axes: Sequence[int]) -> Ref:
    read = ctx.normalise(x, axes)
    return read if any(x.shape[axis] != 1 for axis in axes) else ctx.constant(x.shape)


@lowers("CumSum", "CumProd")
def scan(ctx: Context, x: Ref, axis: Ref, *, exclusive: int = 0, reverse: int = 0) -> Ref:
    """Each element reads itself (unless ``exclusive``) and all before it along the axis; after it with ``reverse``."""
    place = (ctx.integers(1, "axis") or [0])[0]
    if not x.shape:
        return ctx.constant(()) if exclusive else ctx.pointwise(x)
    extent = x.shape[place]
    amap: AxisMap = Suffix() if reverse else Prefix()
    out = ctx.along(x, {place: (amap, extent)})
    if not exclusive:
        return out
    return ctx.along(out, {place: (Window(1, padding=-1 if reverse else 1), extent)})


@lowers("Det")
def determinant(ctx: Context, x: Ref) -> Ref:
    """Each determinant reads its whole matrix."""
    return ctx.reduce(x, [-2, -1], keep=False, summarises=False)
