"""Random numbers: they read the numbers that they are drawn by, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from eyeshot.frontends.onnx.context import Context, Value, lowers
from eyeshot.frontends.onnx.tensors import dtype_name
from eyeshot.graph import Ref
from eyeshot.relations import All


@lowers("RandomNormal", "RandomUniform")
def random_numbers(ctx: Context, *, shape: Sequence[int], dtype: int = 1) -> Value:
    """No element reads anything."""
    return ctx.typed(ctx.constant(tuple(shape)), dtype_name(dtype))


@lowers("RandomNormalLike", "RandomUniformLike")
def random_numbers_like(ctx: Context, x: Ref, *, dtype: int = 0) -> Value:
    """No element reads anything but the shape."""
    return ctx.typed(ctx.constant(x.shape), dtype_name(dtype) if dtype else ctx.dtype())


@lowers("Bernoulli")
def bernoulli(ctx: Context, x: Ref, *, dtype: int = 0) -> Value:
    """A draw reads its own probability."""
    return ctx.typed(ctx.pointwise(x), dtype_name(dtype) if dtype else ctx.dtype())


@lowers("Multinomial")
def multinomial(ctx: Context, x: Ref, *, dtype: int = 6, sample_size: int = 1) -> Value:
    """Each draw reads every probability of its row."""
    return ctx.typed(ctx.along(x, {-1: (All(), sample_size)}), dtype_name(dtype))


@lowers("EyeLike")
def eye_like(ctx: Context, x: Ref, *, dtype: int = 0) -> Value:
    """Ones on a diagonal: no element reads anything but the shape."""
    return ctx.typed(ctx.constant(x.shape), dtype_name(dtype) if dtype else ctx.dtype())
