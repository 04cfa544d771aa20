"""Layers that mix features, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from eyeshot.errors import InputError
from eyeshot.frontends.compounds.products import einsum
from eyeshot.frontends.keras.context import Context, lowers
from eyeshot.frontends.keras.layers.activations import activated
from eyeshot.frontends.keras.options import WIDEST
from eyeshot.graph import Ref
from eyeshot.relations import All

UNCHANGED = (
    "Identity Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D GaussianDropout GaussianNoise AlphaDropout "
    "ActivityRegularization ReLU LeakyReLU ELU Rescaling Solarization"
)


@lowers(*(f"layers.{name}" for name in UNCHANGED.split()), masks=True)
def unchanged(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself: noise is no input."""
    return x


@lowers("layers.Dense", masks=True)
def dense(ctx: Context, x: Ref) -> Ref:
    """Each element reads all of the last axis."""
    units = ctx.options.features("units")
    ctx.own((x.shape[-1], units), *([(units,)] if ctx.options.flag("use_bias", default=True) else []))
    ctx.call.macs += prod(x.shape) * units
    return activated(ctx, ctx.along(x, {-1: (All(), units)}))


def projected(
    ctx: Context, x: Ref, equation: str, output_shape: Sequence[int | None], bias_axes: str | None
) -> Ref:
    """An einsum with one learned operand; ``output_shape`` is without the batch, its None are the input's extents."""
    source, _, target = equation.replace(" ", "").partition("->")
    term, _, kernel = source.partition(",")
    hidden = len(x.shape) - len(term.replace("...", ""))
    digits = "0123456789"[:hidden]
    term, target = term.replace("...", digits), target.replace("...", digits)
    extents = dict(zip(term, x.shape, strict=True))
    names = target[len(target) - len(output_shape) :]
    for label, n in zip(names, output_shape, strict=True):
        if n is not None and extents.setdefault(label, n) != n:
            raise InputError(
                f"{ctx.options.where} returns {n} elements along {label!r}, which has {extents[label]}"
            )
    weight = ctx.constant(tuple(extents[label] for label in kernel))
    ctx.own(weight.shape, *([[extents[label] for label in bias_axes]] if bias_axes else []))
    ctx.call.macs += prod(extents[label] for label in {*term, *kernel})
    return einsum(ctx, f"{term},{kernel}->{target}", [x, weight])


@lowers("layers.EinsumDense")
def einsum_dense(ctx: Context, x: Ref) -> Ref:
    """Each element reads the input where their labels agree."""
    options = ctx.options
    equation, bias = options.get("equation"), options.get("bias_axes")
    if not isinstance(equation, str) or equation.count(",") != 1 or equation.count("->") != 1:
        raise options.malformed("equation", "an einsum of two operands")
    given = options.get("output_shape")
    shape = [given] if isinstance(given, int) else given
    if not isinstance(shape, list | tuple) or not all(
        n is None or (isinstance(n, int) and 0 < n <= WIDEST) for n in shape
    ):
        raise options.malformed("output_shape", "extents, or None for the input's own")
    return activated(ctx, projected(ctx, x, equation, shape, bias))


@lowers("layers.Embedding")
def embedding(ctx: Context, x: Ref) -> Ref:
    """Each vector reads its own index; the mask, if there is one, too."""
    features = ctx.options.features("output_dim")
    ctx.own((ctx.options.features("input_dim"), features))
    if ctx.options.flag("mask_zero"):
        ctx.call.output_masks = [x]
    return ctx.broadcast(ctx.reshape(x, (*x.shape, 1)), (*x.shape, features))


@lowers("layers.ReversibleEmbedding")
def reversible_embedding(ctx: Context, x: Ref, reverse: bool = False) -> Ref:
    """Each vector reads its own index; reversed, each score reads a whole vector."""
    words, features = ctx.options.features("input_dim"), ctx.options.features("output_dim")
    if not reverse:
        if not ctx.options.flag("tie_weights", default=True):
            ctx.own((features, words))
        return embedding(ctx, x)
    ctx.call.macs += prod(x.shape) * words
    return ctx.along(x, {-1: (All(), words)})


@lowers("layers.Masking")
def masking(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself; where steps of another value than 0 are left out, which makes them 0, all of its step."""
    step = ctx.reduce(x, [-1], summarises=False)
    ctx.call.output_masks = [ctx.reshape(step, x.shape[:-1])]
    return ctx.pointwise(x, step) if ctx.options.get("mask_value") else x
