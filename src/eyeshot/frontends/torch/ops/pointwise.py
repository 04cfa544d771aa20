"""Ops whose output element reads the same element of every operand, after broadcasting."""

from __future__ import annotations

from typing import Any

from eyeshot.frontends.compounds import masking
from eyeshot.frontends.torch.context import Context, lowers, tensors_in
from eyeshot.graph import Ref
from eyeshot.graph.masks import cuts, masked

# Overload -> the ops that have it. Comparisons are here too: what they answer depends on what they compare.
POINTWISE = {
    "default": """
        _conj _conj_physical _copy_from _neg_view _prelu_kernel abs acos acosh addcdiv addcmul alias
        alias_copy alpha_dropout angle arctan2 asin asinh atan atan2 atanh bitwise_not ceil celu
        clamp clamp_max clamp_min complex conj conj_physical copysign cos cosh deg2rad detach
        digamma elu erf erfc erfinv exp exp2 expm1 fake_quantize_per_channel_affine_cachemask
        fake_quantize_per_tensor_affine fake_quantize_per_tensor_affine_cachemask
        feature_alpha_dropout feature_dropout fix floor floor_divide fmax fmin frac gcd gelu
        hardshrink hardsigmoid hardswish hardtanh hardtanh_backward heaviside hypot i0 igamma
        igammac imag isclose isfinite isinf isnan isneginf isposinf lcm ldexp leaky_relu lgamma lift
        lift_fresh lift_fresh_copy log log10 log1p log2 log_sigmoid log_sigmoid_forward logaddexp
        logaddexp2 logical_and logical_not logical_or logical_xor logit maximum minimum mish
        mvlgamma nan_to_num neg negative nextafter polar polygamma positive quantize_per_tensor
        rad2deg real reciprocal relu relu6 resolve_conj resolve_neg round rrelu rrelu_with_noise
        rsqrt selu sgn sigmoid sign signbit silu sin sinc sinh softplus softshrink special_airy_ai
        special_bessel_j0 special_bessel_j1 special_bessel_y0 special_bessel_y1
        special_chebyshev_polynomial_t special_chebyshev_polynomial_u special_chebyshev_polynomial_v
        special_chebyshev_polynomial_w special_entr special_erfcx special_hermite_polynomial_h
        special_hermite_polynomial_he special_i0e special_i1 special_i1e
        special_laguerre_polynomial_l special_legendre_polynomial_p special_log_ndtr
        special_modified_bessel_i0 special_modified_bessel_i1 special_modified_bessel_k0
        special_modified_bessel_k1 special_ndtri special_shifted_chebyshev_polynomial_t
        special_shifted_chebyshev_polynomial_u special_shifted_chebyshev_polynomial_v
        special_shifted_chebyshev_polynomial_w native_dropout_backward special_scaled_modified_bessel_k0
        special_scaled_modified_bessel_k1 special_spherical_bessel_j0 special_xlog1py special_zeta
        sqrt square tan tanh threshold trunc type_as
    """,
    "Tensor": """
        __and__ __lshift__ __or__ __rshift__ __xor__ bitwise_and bitwise_left_shift bitwise_or
        bitwise_right_shift bitwise_xor clamp clamp_max clamp_min copysign divide eq float_power
        floor_divide fmod ge gt ldexp le lerp lt ne pow remainder rsub true_divide xlogy
    """,
    "Scalar": """
        __and__ __lshift__ __or__ __rshift__ __xor__ add bitwise_and bitwise_or bitwise_xor copysign
        divide eq float_power floor_divide fmod ge gt le lerp lt ne pow remainder rsub sub
        true_divide where
    """,
    "Tensor_mode": "div divide",
    "Scalar_mode": "div divide",
    "Tensor_Scalar": "bitwise_left_shift bitwise_right_shift float_power pow",
    "Tensor_Tensor": "float_power pow",
    "Scalar_Tensor": """
        bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor remainder
    """,
    "ScalarSelf": "where",
    "ScalarOther": "where",
    "Scalar_Self": "xlogy",
    "Scalar_Other": "xlogy",
    "decimals": "round",
    "dtype_layout": "to",
    "device": "to",
    "other": "to",
    "self": "dequantize",
    "other_scalar": "special_xlog1py special_zeta",
    "self_scalar": "special_xlog1py special_zeta",
    "dtype": "to",
}
# Of one operand: which hand on that an element is 0, and which make it 0 where it is -inf.
ZERO_AT_ZERO = frozenset(
    "abs asinh atan erf expm1 gelu hardswish leaky_relu log1p nan_to_num neg relu relu6 silu sin sqrt square tanh".split()
)
ZERO_AT_MINUS_INFINITY = frozenset("exp exp2 hardsigmoid relu relu6 sigmoid softplus".split())
# What makes a mask of numbers; lowered for constants too, which may hold a learned bias that a mask is added to.
MASKING = frozenset(
    {"aten.add.Tensor", "aten.masked_fill.Scalar", "aten.masked_fill.Tensor", "aten.where.self"}
)
NAMES = [f"aten.{op}.{overload}" for overload, ops in POINTWISE.items() for op in ops.split()]


@lowers(*NAMES, "prims.convert_element_type.default")
def pointwise(ctx: Context, *args: Any, **kwargs: Any) -> Ref:
    """Each element reads the same element of every operand; what is 0 by construction may stay so."""
    refs = tensors_in([args, kwargs])
    if len(refs) == 1 and refs[0].cut is not None and refs[0].shape == ctx.output_shape:
        op = ctx.call.op.split(".")[1]
        return masking.mapped(
            ctx, refs[0], zero_at_zero=op in ZERO_AT_ZERO, zero_at_minus_infinity=op in ZERO_AT_MINUS_INFINITY
        )
    return ctx.pointwise(*refs, shape=ctx.output_shape)


@lowers("aten._to_copy.default", "aten.clone.default", "aten.dropout.default", "aten.native_dropout.default")
def same(ctx: Context, x: Ref, *args: Any, **kwargs: Any) -> Ref:
    """The tensor itself, with its cut: a cast, a copy, or a dropout, whose noise reads nothing."""
    return x


@lowers("aten.frexp.Tensor")
def frexp(ctx: Context, x: Ref) -> list[Ref]:
    """Mantissa and exponent read the same element."""
    return [ctx.pointwise(x)] * 2


@lowers("aten.glu.default")
def glu(ctx: Context, x: Ref, dim: int = -1) -> Ref:
    """Each element reads its own in the first half of the axis, and its gate in the second."""
    half = x.shape[dim] // 2
    return ctx.pointwise(ctx.slice(x, dim, 0, half), ctx.slice(x, dim, half, 2 * half))


@lowers("aten.bernoulli.default")
def bernoulli(ctx: Context, x: Ref, *args: Any, **kwargs: Any) -> Ref:
    """A draw reads its own probability."""
    return x


@lowers("aten.add.Tensor", "aten.sub.Tensor")
def add(ctx: Context, x: Ref | float, y: Ref | float, *, alpha: float = 1) -> Ref:
    """Each element reads both operands; a known -inf cuts the element out of the softmax to come."""
    sign = alpha if ctx.call.op == "aten.add.Tensor" else -alpha
    terms = [(ref, weight) for ref, weight in zip((x, y), (1, sign), strict=True) if isinstance(ref, Ref)]
    return masking.add(ctx, terms, ctx.output_shape)


@lowers("aten.mul.Tensor", "aten.mul.Scalar")
def multiply(ctx: Context, x: Ref | float, y: Ref | float) -> Ref:
    """Each element reads both operands, nothing where a factor is 0 by construction; a positive number keeps cuts."""
    return masking.multiply(ctx, x, y, ctx.output_shape)


@lowers("aten.div.Tensor", "aten.div.Scalar")
def divide(ctx: Context, x: Ref | float, y: Ref | float) -> Ref:
    """Each element reads both operands, nothing where what is divided is 0 by construction."""
    return masking.divide(ctx, x, y, ctx.output_shape)


@lowers("aten.where.self")
def where(ctx: Context, condition: Ref, x: Ref, y: Ref) -> Ref:
    """Each element reads the condition and both choices; a known condition leaves one choice an element."""
    return masking.where(ctx, condition, x, y, ctx.output_shape)


@lowers("aten.masked_fill.Scalar", "aten.masked_fill.Tensor")
def masked_fill(ctx: Context, x: Ref, mask: Ref, value: Ref | float) -> Ref:
    """Each element reads itself, or the value where the mask is set; -inf under a known mask cuts."""
    shape = ctx.output_shape
    filling = tensors_in([value])
    if filling and filling[0].known is not None:
        value = filling[0].known.item()
    if mask.known is None:
        return masking.chosen(ctx, mask, [x, *filling], shape, hides=cuts(value))
    if not filling or ctx.is_constant(filling[0]):
        return masking.filled(ctx, x, mask.known, value if isinstance(value, int | float) else 0.0, shape)
    kept = masked(ctx, ctx.broadcast(x, shape), ~mask.known)
    return ctx.pointwise(kept, masked(ctx, ctx.broadcast(filling[0], shape), mask.known), shape=shape)


@lowers("aten.tril.default", "aten.triu.default")
def triangle(ctx: Context, x: Ref, diagonal: int = 0) -> Ref:
    """Elements of one triangle read themselves, the others are 0."""
    return masking.triangle(ctx, x, diagonal, lower=ctx.call.op == "aten.tril.default")
