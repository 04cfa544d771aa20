"""Ops that make a tensor and read nothing of their operands but the shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from eyeshot.frontends.torch.context import Context, lowers, tensors_in
from eyeshot.graph import Ref
from eyeshot.graph.masks import masked
from eyeshot.relations import All

LIKE = (
    "zeros_like ones_like empty_like full_like rand_like randn_like new_zeros new_ones new_empty new_full "
    "new_empty_strided uniform normal normal_functional exponential random geometric cauchy log_normal zero"
)


@lowers(
    *(f"aten.{name}.default" for name in LIKE.split()),
    "aten.fill.Scalar",
    "aten.randint_like.default",
    "aten.randint_like.low_dtype",
    "aten.bernoulli.p",
    "aten.bernoulli.float",
    "aten.random.from",
    "aten.random.to",
    "aten.eye.m",
)
def created(ctx: Context, *args: Any, **kwargs: Any) -> Ref:
    """No element reads anything."""
    return ctx.constant(ctx.output_shape)


@lowers("aten.fill.Tensor", "aten.copy.default")
def copy(ctx: Context, x: Ref, source: Ref, non_blocking: bool = False) -> Ref:
    """Each element reads the same element of the source, and nothing of what it overwrites."""
    return ctx.broadcast(source, ctx.output_shape)


@lowers(
    *(f"aten.{op}.Tensor_{end}" for op in ("linspace", "logspace") for end in ("Tensor", "Scalar")),
    *(f"aten.{op}.Scalar_Tensor" for op in ("linspace", "logspace")),
)
def spaced(ctx: Context, start: Ref | float, end: Ref | float, steps: int, *args: Any, **kwargs: Any) -> Ref:
    """Each step reads both ends; the first and the last read only their own."""
    number = np.arange(steps)
    sides = ((start, number < max(1, steps - 1)), (end, number > 0))
    parts = [masked(ctx, ctx.broadcast(ref, (steps,)), near) for ref, near in sides if isinstance(ref, Ref)]
    return ctx.pointwise(*parts, shape=(steps,))


@lowers("aten.multinomial.default")
def multinomial(ctx: Context, x: Ref, num_samples: int, *args: Any, **kwargs: Any) -> Ref:
    """Each draw reads every probability of its row."""
    return ctx.along(x, {-1: (All(), num_samples)})


@lowers(
    "aten.normal.Tensor_Tensor",
    "aten.normal.Tensor_float",
    "aten.normal.float_Tensor",
    "aten.poisson.default",
)
def drawn(ctx: Context, *args: Any, **kwargs: Any) -> Ref:
    """A draw reads its own parameters."""
    return ctx.pointwise(*tensors_in([args, kwargs]), shape=ctx.output_shape)
