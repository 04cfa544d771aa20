"""Primitives whose output element reads the same element of every operand."""

from __future__ import annotations

from typing import Any

import numpy as np
from jax import numpy as jnp

from eyeshot.frontends.compounds import masking
from eyeshot.frontends.jax.context import Context, lowers
from eyeshot.graph import Ref

# Comparisons are here too: what they answer depends on what they compare.
POINTWISE = """
    abs acos acosh and asin asinh atan atan2 atanh bessel_i0e bessel_i1e cbrt ceil clamp clz complex conj
    cos cosh delay digamma eq eq_to erf erf_inv erfc exp exp2 expm1 floor ge gt igamma igamma_grad_a igammac imag
    is_finite le le_to lgamma log log1p logistic lt lt_to mulhi ne neg nextafter not or
    polygamma population_count pow random_gamma_grad real reciprocal regularized_incomplete_beta rem round rsqrt
    shift_left shift_right_arithmetic shift_right_logical sign sin sinh sqrt square tan tanh xor zeta
""".split()
ZERO_AT_ZERO = frozenset(
    "abs asin asinh atan cbrt ceil conj erf expm1 floor imag log1p neg real round sign sin sqrt square tan tanh".split()
)
ZERO_AT_MINUS_INFINITY = frozenset("exp exp2 logistic".split())
SAME = "copy stop_gradient reduce_precision device_put optimization_barrier".split()


@lowers(*POINTWISE)
def pointwise(ctx: Context, *operands: Ref, **params: Any) -> Ref:
    """Each element reads the same element of every operand; what is 0 by construction may stay so."""
    if len(operands) == 1:
        op = ctx.eqn.primitive.name
        return masking.mapped(
            ctx,
            operands[0],
            zero_at_zero=op in ZERO_AT_ZERO,
            zero_at_minus_infinity=op in ZERO_AT_MINUS_INFINITY,
        )
    return ctx.pointwise(*operands, shape=ctx.output_shape)


@lowers("integer_pow")
def integer_pow(ctx: Context, x: Ref, *, y: int) -> Ref:
    """Each element reads its own; of a power of 0 nothing is read."""
    return masking.mapped(ctx, x, zero_at_zero=y > 0) if y else ctx.constant(x.shape)


@lowers(*SAME, "layout_constraint", "sharding_constraint", "mesh_cast", "reshard", "pvary", "pbroadcast")
def same(ctx: Context, *operands: Ref, **params: Any) -> list[Ref]:
    """The tensors themselves, with what is known of them."""
    return list(operands)


@lowers("convert_element_type")
def convert(ctx: Context, x: Ref, *, new_dtype: Any, **params: Any) -> Ref:
    """The tensor itself, with what is known of it."""
    given = ctx.eqn.invars[0].aval.dtype
    if jnp.issubdtype(new_dtype, np.complexfloating) and not jnp.issubdtype(given, np.complexfloating):
        ctx.real.add(x.node)
    return x


@lowers("add", "add_any")
def add(ctx: Context, x: Ref, y: Ref, **params: Any) -> Ref:
    """Each element reads both operands; a known -inf cuts the element out of the softmax to come."""
    return masking.add(ctx, [(x, 1), (y, 1)], ctx.output_shape)


@lowers("sub")
def sub(ctx: Context, x: Ref, y: Ref, **params: Any) -> Ref:
    """Each element reads both operands; what is -inf stays so."""
    return masking.add(ctx, [(x, 1), (y, -1)], ctx.output_shape)


@lowers("mul")
def mul(ctx: Context, x: Ref, y: Ref, **params: Any) -> Ref:
    """Each element reads both operands, nothing where a factor is 0 by construction."""
    if y.cut is not None and y.zeroed and x.cut is None:
        x, y = y, x
    return masking.multiply(ctx, x, y, ctx.output_shape)


@lowers("div")
def div(ctx: Context, x: Ref, y: Ref, **params: Any) -> Ref:
    """Each element reads both operands, nothing where the first is 0 by construction."""
    return masking.divide(ctx, x, y, ctx.output_shape)


@lowers("max", "min")
def extremum(ctx: Context, x: Ref, y: Ref, **params: Any) -> Ref:
    """Each element reads both operands; the larger of something and -inf is the something."""
    for one, other in ((x, y), (y, x)):
        if (
            ctx.eqn.primitive.name == "max"
            and other.known is not None
            and (other.known == float("-inf")).all()
        ):
            return ctx.broadcast(one, ctx.output_shape)
    return ctx.pointwise(x, y, shape=ctx.output_shape)


@lowers("select_n")
def select_n(ctx: Context, which: Ref, *cases: Ref, **params: Any) -> Ref:
    """Each element reads the selector and every case; a known selector leaves one case an element."""
    shape = ctx.output_shape
    if len(cases) == 2:
        other, chosen = map(_scalar, cases)
        if which.known is None:
            return masking.where(ctx, which, chosen, other, shape)
        picked = which.known.astype(bool)
        for x, kept, rest in ((chosen, picked, other), (other, ~picked, chosen)):
            if rest.known is not None and not rest.known.any():
                return masking.multiply(ctx, x, which._replace(known=kept), shape)
        return masking.where(ctx, which._replace(known=picked), chosen, other, shape)
    if which.known is None:
        return ctx.pointwise(which, *cases, shape=shape)
    parts = [
        masking.filled(ctx, case, which.known != number, 0.0, shape) for number, case in enumerate(cases)
    ]
    return ctx.pointwise(*parts, shape=shape)


def _scalar(x: Ref) -> Ref:
    """A constant that holds one number everywhere, as that number."""
    if x.known is not None and x.known.size and (x.known == x.known.flat[0]).all():
        return x._replace(known=x.known.reshape(-1)[:1])
    return x


@lowers("rng_uniform")
def drawn(ctx: Context, *operands: Ref, **params: Any) -> Ref:
    """A draw reads its own bounds."""
    return ctx.pointwise(*operands, shape=ctx.output_shape)


@lowers("bitcast_convert_type")
def bitcast(ctx: Context, x: Ref, **params: Any) -> Ref:
    """Each element reads the one that its bits come from: a wider one is split, or narrower ones joined, behind."""
    shape = ctx.output_shape
    if len(shape) > len(x.shape):
        return ctx.broadcast(ctx.reshape(x, (*x.shape, 1)), shape)
    if len(shape) < len(x.shape):
        return ctx.reduce(x, [-1], keep=False, summarises=False)
    return ctx.pointwise(x)
