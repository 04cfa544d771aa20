"""Sums, means and their kind; what runs along an axis."""

from __future__ import annotations

from typing import Any

from eyeshot.frontends.keras.context import Context, lowers, tensors_in
from eyeshot.frontends.keras.layers.activations import halved
from eyeshot.graph import Ref
from eyeshot.relations import All, Prefix, Window

SUMMARIES = (
    "Mean Average Amax Amin Max Min Median Std Var Quantile Percentile Ptp Nanmax Nanmin Nanmean Nanmedian Nanstd Nanvar "
    "Nanquantile Nanpercentile"
)
SUMS = "Sum Prod All Any CountNonzero Nansum Nanprod"
PLACES = "Argmax Argmin Nanargmax Nanargmin"


def axes_of(ctx: Context, x: Ref, key: str = "axis") -> list[int]:
    """The axes that an op names; all of them where it names none."""
    if ctx.options.get(key) is None:
        return list(range(len(x.shape)))
    return list(ctx.options.axes(key, len(x.shape)))


@lowers(
    *(f"numpy.{name}" for name in f"{SUMMARIES} {SUMS} {PLACES}".split()), "math.Logsumexp", "linalg.Norm"
)
def reduction(ctx: Context, x: Ref, *others: Any) -> Ref:
    """Everything along the axes; a mean also its weights."""
    short = ctx.call.name.rpartition(".")[2]
    if short in {"All", "Any"}:
        ctx.call.dtype = "bool"
    elif short in PLACES.split() or short == "CountNonzero":
        ctx.call.dtype = "int32"
    axes, keep = axes_of(ctx, x), ctx.options.flag("keepdims")
    weights = tensors_in(others)
    if weights and short == "Average":
        own = weights[0]
        if own.shape != x.shape:
            own = ctx.reshape(own, tuple(n if axis in axes else 1 for axis, n in enumerate(x.shape)))
        return ctx.reduce(ctx.pointwise(x, own), axes, keep=keep)
    out = ctx.reduce(x, axes, keep=keep, summarises=short not in f"{SUMS} {PLACES}".split())
    if weights:  # several quantiles come first
        asked = ctx.reduce(weights[0], range(len(weights[0].shape)), keep=False)
        out = ctx.pointwise(out, asked)
        if weights[0].shape:
            out = ctx.broadcast(ctx.reshape(out, (1, *out.shape)), (*weights[0].shape, *out.shape))
    return out


@lowers("nn.Moments")
def moments(ctx: Context, x: Ref) -> list[Ref]:
    """Mean and variance, each of everything along the axes."""
    out = ctx.reduce(x, axes_of(ctx, x, "axes"), keep=ctx.options.flag("keepdims"))
    return [out, out]


@lowers("numpy.Cumsum", "numpy.Cumprod", "numpy.Nancumsum", "numpy.Nancumprod")
def cumulative(ctx: Context, x: Ref) -> Ref:
    """Each element reads those up to it; of all axes, as they lie in memory."""
    if ctx.options.get("axis") is None:
        x = ctx.reshape(x, (-1,))
        return ctx.along(x, {0: (Prefix(), x.shape[0])})
    axis = ctx.options.axis("axis", len(x.shape))
    return ctx.along(x, {axis: (Prefix(), x.shape[axis])})


@lowers("numpy.Diff")
def diff(ctx: Context, a: Ref) -> Ref:
    """Differences of neighbours, taken ``n`` times."""
    axis, times = ctx.options.axis("axis", len(a.shape)), ctx.options.whole("n", 1, low=0)
    return ctx.along(a, {axis: (Window(times + 1), a.shape[axis] - times)})


@lowers("numpy.Trapezoid")
def trapezoid(ctx: Context, y: Ref) -> Ref:
    """Everything along one axis."""
    return ctx.reduce(y, [ctx.options.axis("axis", len(y.shape))], keep=False, summarises=False)


@lowers("numpy.Sort", "numpy.Argsort", "numpy.Argpartition")
def sort(ctx: Context, x: Ref) -> Ref:
    """Each element may be any of the axis."""
    if ctx.call.name != "numpy.Sort":
        ctx.call.dtype = "int32"
    if ctx.options.get("axis", -1) is None:
        x = ctx.reshape(x, (-1,))
    axis = ctx.options.axis("axis", len(x.shape)) if len(x.shape) > 1 else 0
    return ctx.along(x, {axis: (All(), x.shape[axis])})


@lowers("math.TopK")
def top_k(ctx: Context, x: Ref) -> list[Ref]:
    """Values and places, each of any element of the last axis."""
    out = ctx.along(x, {-1: (All(), ctx.options.whole("k"))})
    return [out, out]


@lowers("math.InTopK")
def in_top_k(ctx: Context, targets: Ref, predictions: Ref) -> Ref:
    """The class asked about, and all scores of its sample."""
    ctx.call.dtype = "bool"
    return ctx.pointwise(targets, ctx.reduce(predictions, [-1], keep=False, summarises=False))


@lowers("nn.Softmax", "nn.LogSoftmax", "nn.Sparsemax", "nn.Normalize")
def softmax(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself and all along the axes."""
    return ctx.normalise(x, ctx.options.axes("axis", len(x.shape), -1) if x.shape else ())


@lowers("nn.RMSNorm", "nn.LayerNorm")
def norm(ctx: Context, x: Ref, *weights: Ref, **named: Ref) -> Ref:
    """Each element reads itself and all along the axes, and weights that are computed."""
    axes = ctx.options.axes("axis", len(x.shape), -1)
    shape = tuple(n if axis in axes else 1 for axis, n in enumerate(x.shape))
    return ctx.pointwise(
        ctx.normalise(x, axes), *(ctx.reshape(w, shape) for w in tensors_in([weights, named]))
    )


@lowers("nn.BatchNorm")
def batch_norm(ctx: Context, x: Ref, *statistics: Ref, **named: Ref) -> Ref:
    """Each element reads itself, and statistics that are computed."""
    axis = ctx.options.axis("axis", len(x.shape))
    shape = tuple(n if other == axis else 1 for other, n in enumerate(x.shape))
    return ctx.pointwise(x, *(ctx.reshape(ref, shape) for ref in tensors_in([statistics, named])))


@lowers("nn.Glu")
def glu(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself in either half of the axis."""
    return halved(ctx, x, ctx.options.axis("axis", len(x.shape)))


@lowers("nn.BinaryCrossentropy", "nn.CategoricalCrossentropy")
def crossentropy(ctx: Context, target: Ref, output: Ref) -> Ref:
    """Each loss reads both of its operands; of categories, all along the axis."""
    both = ctx.pointwise(target, output)
    if ctx.call.name == "nn.BinaryCrossentropy":
        return both
    return ctx.reduce(both, [ctx.options.axis("axis", len(both.shape))], keep=False, summarises=False)


@lowers("nn.OneHot")
def one_hot(ctx: Context, x: Ref) -> Ref:
    """Each number reads the index that it stands for."""
    rank, count = len(x.shape), ctx.options.features("num_classes")
    ctx.call.dtype = "float32"
    axis = ctx.options.axis("axis", rank + 1)
    wide = ctx.reshape(x, (*x.shape[:axis], 1, *x.shape[axis:]))
    return ctx.broadcast(wide, (*x.shape[:axis], count, *x.shape[axis:]))


@lowers("nn.MultiHot")
def multi_hot(ctx: Context, inputs: Ref) -> Ref:
    """Each number reads every index of its sample."""
    ctx.call.dtype = "float32"
    axis = 1 if len(inputs.shape) > 1 else 0
    count = ctx.options.features("num_classes" if "num_classes" in ctx.options else "num_tokens")
    return ctx.along(inputs, {axis if len(inputs.shape) < 3 else len(inputs.shape) - 1: (All(), count)})
