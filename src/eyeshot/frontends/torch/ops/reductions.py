"""Ops that read all of some axes: sums, extrema, statistics, softmax, scans, sorts."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from eyeshot.frontends.compounds import norms as compounds
from eyeshot.frontends.torch.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.relations import All, Prefix

if TYPE_CHECKING:
    from collections.abc import Sequence

    Axes = int | Sequence[int] | None


def reduce(ctx: Context, x: Ref, axes: Axes, keep: bool) -> Ref:
    """Everything along the axes (all of them where None or empty) read at once."""
    if not x.shape:
        return x
    if axes is None or (not isinstance(axes, int) and not axes):
        axes = range(len(x.shape))
    return ctx.reduce(x, [axes] if isinstance(axes, int) else axes, keep=keep)


@lowers(
    *(f"aten.{op}.default" for op in "sum mean max min prod any all std var median nanmedian".split()),
    "aten.norm.Scalar",
    "aten.norm.ScalarOpt_dtype",
)
def whole(ctx: Context, x: Ref, *args: Any, **kwargs: Any) -> list[Ref]:
    """The scalar reads every element."""
    return [reduce(ctx, x, None, keep=False)] * len(ctx.output_shapes)


@lowers(
    *(f"aten.{op}.dim_IntList" for op in ("sum", "count_nonzero")),
    "aten.count_nonzero.default",
    "aten.nansum.default",
    *(f"aten.{op}.dim" for op in "mean any all max min median nanmedian std var var_mean std_mean".split()),
    *(f"aten.{op}.dims" for op in ("any", "all")),
    *(f"aten.{op}.default" for op in ("amax", "amin", "argmax", "argmin", "logsumexp", "hash_tensor")),
    "aten.prod.dim_int",
)
def along_axes(ctx: Context, x: Ref, dim: Axes = None, *args: Any, **kwargs: Any) -> list[Ref]:
    """Each element reads everything along the reduced axes."""
    return _sized(ctx, reduce(ctx, x, dim, keep=True))


@lowers("aten.mode.default")
def mode(ctx: Context, x: Ref, dim: int = -1, keepdim: bool = False) -> list[Ref]:
    """The most frequent value of one axis, by default the last, and its place."""
    return _sized(ctx, reduce(ctx, x, dim, keep=True))


@lowers(*(f"aten.{op}.correction" for op in ("var", "std", "var_mean", "std_mean")))
def moments(ctx: Context, x: Ref, dim: Axes = None, **kwargs: Any) -> list[Ref]:
    """Each statistic reads everything along the reduced axes."""
    return _sized(ctx, reduce(ctx, x, dim, keep=True))


@lowers(
    "aten.linalg_vector_norm.default",
    "aten.norm.ScalarOpt_dim",
    "aten.norm.ScalarOpt_dim_dtype",
    "aten.frobenius_norm.dim",
    "aten.linalg_norm.default",
    "aten.kthvalue.default",
)
def norm(ctx: Context, x: Ref, order: Any = 2, dim: Axes = None, *args: Any, **kwargs: Any) -> list[Ref]:
    """Each norm (or k-th value) reads everything along its axes."""
    if ctx.call.op == "aten.frobenius_norm.dim":
        dim = order
    return _sized(ctx, reduce(ctx, x, -1 if dim is None and "kthvalue" in ctx.call.op else dim, keep=True))


@lowers("aten.aminmax.default")
def aminmax(ctx: Context, x: Ref, *, dim: Axes = None, keepdim: bool = False) -> list[Ref]:
    """Both extrema read everything along the axis."""
    return _sized(ctx, reduce(ctx, x, dim, keep=True))


def _sized(ctx: Context, reduced: Ref) -> list[Ref]:
    """One result for every output, its axes of extent 1 dropped where the framework drops them."""
    return [ctx.reshape(reduced, shape) for shape in ctx.output_shapes]


@lowers(
    "aten._softmax.default",
    "aten._log_softmax.default",
    "aten.softmax.int",
    "aten.log_softmax.int",
    "aten._safe_softmax.default",
)
def softmax(ctx: Context, x: Ref, dim: int, *args: Any) -> Ref:
    """Each element reads itself and a summary of its axis; cut elements stay out, and come out as 0."""
    return compounds.softmax(ctx, x, dim, log="log" in ctx.call.op)


@lowers("aten._softmax_backward_data.default", "aten._log_softmax_backward_data.default")
def softmax_backward(ctx: Context, slopes: Ref, out: Ref, dim: int, *args: Any) -> Ref:
    """Each element reads itself and a summary of the slopes (and of what they multiply) along its axis."""
    if not out.shape:
        return ctx.pointwise(slopes, out)
    summed = [slopes] if "log" in ctx.call.op else [slopes, out]
    return ctx.pointwise(slopes, out, ctx.reduce(ctx.pointwise(*summed), [dim]))


@lowers(
    "aten.quantile.default", "aten.quantile.scalar", "aten.nanquantile.default", "aten.nanquantile.scalar"
)
def quantile(
    ctx: Context, x: Ref, q: Ref | float, dim: int | None = None, keepdim: bool = False, **kwargs: Any
) -> Ref:
    """Each quantile reads everything along the axis (all of them where None), and its own level."""
    out = reduce(ctx, x, dim, keep=keepdim)
    if not isinstance(q, Ref) or prod(out.shape) == prod(
        x.shape
    ):  # of one number, every quantile is that number
        return ctx.broadcast(out, ctx.output_shape)
    levels = ctx.reshape(q, (*q.shape, *(1,) * len(out.shape)))
    return ctx.pointwise(out, levels, shape=ctx.output_shape)


@lowers(
    *(f"aten.{op}.default" for op in ("cumsum", "cumprod", "logcumsumexp", "cummax", "cummin")),
    "aten._cummax_helper.default",
)
def scan(ctx: Context, x: Ref, dim: int, *args: Any, **kwargs: Any) -> list[Ref]:
    """Each element reads itself and all before it along the axis."""
    out = ctx.along(x, {dim: (Prefix(), x.shape[dim])}) if x.shape else x
    return [out] * len(ctx.output_shapes)


@lowers("aten.sort.default", "aten.topk.default", "aten.argsort.default", "aten.msort.default")
def sort(ctx: Context, x: Ref, *args: Any, **kwargs: Any) -> list[Ref]:
    """Each rank reads the whole axis."""
    return _ranked(ctx, x, *_axis(ctx.call.op, args, kwargs))


@lowers("aten.sort.stable", "aten.argsort.stable")
def stable_sort(
    ctx: Context, x: Ref, *, stable: bool = True, dim: int = -1, descending: bool = False
) -> list[Ref]:
    """Each rank reads the whole axis."""
    return _ranked(ctx, x, dim)


def _axis(op: str, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[int]:
    """The axis that is sorted, wherever the op's schema puts it."""
    place = {"aten.topk.default": 1, "aten.msort.default": 9}.get(op, 0)
    default = 0 if op == "aten.msort.default" else -1
    return (args[place] if len(args) > place else kwargs.get("dim", default),)


def _ranked(ctx: Context, x: Ref, dim: int) -> list[Ref]:
    if not x.shape:
        return [x] * len(ctx.output_shapes)
    out = ctx.along(x, {dim: (All(), ctx.output_shape[dim])})
    return [out] * len(ctx.output_shapes)
