"""Activations: as layers of their own, and at the end of others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eyeshot.frontends.keras.context import UNKNOWN, Context, lowers
from eyeshot.graph import Ref

POINTWISE = frozenset(
    "linear relu relu6 sigmoid sparse_sigmoid tanh softplus softsign silu swish squareplus log_sigmoid leaky_relu "
    "leakyrelu hard_sigmoid hard_silu hard_swish elu selu gelu celu tanh_shrink hard_tanh hard_shrink soft_shrink "
    "threshold exponential mish sparse_plus ReLU LeakyReLU ELU PReLU".split()
)
SUMMED = frozenset("softmax log_softmax sparsemax".split())
KNOWN = POINTWISE | SUMMED | {"glu"}


def activated(ctx: Context, x: Ref, key: str = "activation") -> Ref:
    """``x`` after the activation that the layer's configuration names."""
    given = ctx.options.get(key)
    name = activation_name(given)
    if name is None or name in POINTWISE:
        return x
    if name in SUMMED:
        return ctx.normalise(x, [-1])
    if name == "glu":
        return halved(ctx, x, -1)
    return ctx.dense([x], x.shape, UNKNOWN)


def activation_name(given: Any) -> str | None:
    """The name of an activation: a plain word, or that of a serialised function or layer."""
    if isinstance(given, Mapping):
        given = given.get("class_name") if given.get("class_name") != "function" else given.get("config")
    return given if given is None else str(given)


def halved(ctx: Context, x: Ref, axis: int) -> Ref:
    """A gated linear unit: each element reads itself in either half of the axis."""
    axis %= len(x.shape)
    half = x.shape[axis] // 2
    return ctx.pointwise(ctx.slice(x, axis, 0, half), ctx.slice(x, axis, half, 2 * half))


@lowers("layers.Activation", masks=True)
def activation(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself; with softmax also its last axis."""
    return activated(ctx, x)


@lowers("layers.PReLU", masks=True)
def parametric(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself; slopes are learned, and shared along some axes."""
    shape = list(x.shape[1:])
    for axis in ctx.options.axes("shared_axes", len(x.shape), ()):
        shape[axis - 1] = 1
    ctx.own(shape)
    return x


@lowers("layers.Softmax", masks=True)
def softmax(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself and all along the axes, but for what a mask leaves out."""
    out = ctx.normalise(x, ctx.options.axes("axis", len(x.shape), -1))
    if ctx.mask is None:
        return out
    mask = ctx.broadcast(ctx.mask, x.shape)
    out = ctx.pointwise(out, ctx.reduce(mask, ctx.options.axes("axis", len(x.shape), -1)), mask)
    return ctx.along(out, {}, reason="data-dependent-mask")
