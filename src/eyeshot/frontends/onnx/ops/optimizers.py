"""One step of an optimizer (ai.onnx.preview.training): tensors in groups, each with its gradient and its moments."""

from __future__ import annotations

from collections.abc import Sequence

from eyeshot.frontends.onnx.context import Context, lowers
from eyeshot.graph import Ref

TRAINING = "ai.onnx.preview.training"


@lowers("Adagrad", domain=TRAINING)
def adagrad(ctx: Context, rate: Ref, count: Ref, *tensors: Ref, norm_coefficient: float = 0.0) -> list[Ref]:
    """A tensor reads itself, its gradient, the squares summed so far, and both scalars; the squares no scalar."""
    xs, slopes, squares = _groups(tensors, 3)
    sums = [
        ctx.pointwise(*_regularised(x, slope, norm_coefficient), square)
        for x, slope, square in zip(xs, slopes, squares, strict=True)
    ]
    new = [
        ctx.pointwise(x, each, rate, count, shape=x.shape)
        for x, each in zip(_both(ctx, xs, slopes), sums, strict=True)
    ]
    return [*new, *sums]


@lowers("Momentum", domain=TRAINING)
def momentum(ctx: Context, rate: Ref, count: Ref, *tensors: Ref, norm_coefficient: float = 0.0) -> list[Ref]:
    """A tensor reads itself, its gradient, its momentum, and both scalars; the momentum reads the count alone of these."""
    xs, slopes, moments = _groups(tensors, 3)
    moved = [
        ctx.pointwise(*_regularised(x, slope, norm_coefficient), moment, count, shape=x.shape)
        for x, slope, moment in zip(xs, slopes, moments, strict=True)
    ]
    new = [
        ctx.pointwise(x, each, rate, shape=x.shape)
        for x, each in zip(_both(ctx, xs, slopes), moved, strict=True)
    ]
    return [*new, *moved]


@lowers("Adam", domain=TRAINING)
def adam(ctx: Context, rate: Ref, count: Ref, *tensors: Ref, norm_coefficient: float = 0.0) -> list[Ref]:
    """A tensor reads itself, its gradient, both its moments, and both scalars; the moments no scalar."""
    xs, slopes, first, second = _groups(tensors, 4)
    moments = [
        [
            ctx.pointwise(*_regularised(x, slope, norm_coefficient), each)
            for x, slope, each in zip(xs, slopes, held, strict=True)
        ]
        for held in (first, second)
    ]
    new = [
        ctx.pointwise(x, one, two, rate, count, shape=x.shape)
        for x, one, two in zip(_both(ctx, xs, slopes), *moments, strict=True)
    ]
    return [*new, *moments[0], *moments[1]]


@lowers("Gradient", domain=TRAINING)
def gradient(ctx: Context, *tensors: Ref, xs: Sequence[str]) -> list[Ref]:
    """Slopes, one tensor for each that is named first: each may read everything that the differentiated value does."""
    return [ctx.dense(tensors, x.shape, "unknown-op") for x in tensors[: len(xs)]]


def _groups(tensors: tuple[Ref, ...], count: int) -> list[tuple[Ref, ...]]:
    """Tensors, gradients and so on, each as many."""
    each = len(tensors) // count
    return [tensors[k * each : (k + 1) * each] for k in range(count)]


def _regularised(x: Ref, slope: Ref, norm_coefficient: float) -> list[Ref]:
    """What a gradient with the slope of a squared norm reads."""
    return [slope, x] if norm_coefficient else [slope]


def _both(ctx: Context, xs: tuple[Ref, ...], slopes: tuple[Ref, ...]) -> list[Ref]:
    return [ctx.pointwise(x, slope) for x, slope in zip(xs, slopes, strict=True)]
