"""Elementwise ops: each output element reads the same element of every operand."""

from __future__ import annotations

from typing import Any

import numpy as np

from eyeshot.frontends.compounds.masking import chosen
from eyeshot.frontends.compounds.masking import where as selected
from eyeshot.frontends.keras.context import Context, lowers, tensors_in
from eyeshot.graph import Ref
from eyeshot.graph.builder import broadcast_shape

NUMPY = (
    "Absolute Abs Fabs Add Angle Arccos Arccosh Arcsin Arcsinh Arctan Arctan2 Arctanh Array View Heaviside BitwiseAnd "
    "BitwiseInvert BitwiseNot BitwiseOr BitwiseXor BitwiseLeftShift LeftShift BitwiseRightShift RightShift Cbrt Ceil "
    "Clip Conjugate Conj Copy Cos Cosh Deg2rad Rad2deg Digitize Equal Exp Exp2 Expm1 Floor Gcd Greater GreaterEqual "
    "Hypot Imag I0 Isclose Isfinite Isinf Isnan Isneginf Isposinf Isreal Lcm Ldexp Less LessEqual Log Log10 Log1p Log2 "
    "Logaddexp Logaddexp2 LogicalAnd LogicalNot LogicalOr LogicalXor Maximum Fmax Minimum Fmin Mod Fmod NanToNum "
    "NotEqual Real Reciprocal Round Sign Signbit Sin Sinc Sinh Subtract Multiply Divide DivideNoNan TrueDivide Power "
    "Negative Nextafter Square Sqrt Tan Tanh Trunc FloorDivide"
)
NN = (
    "Relu Relu6 Sigmoid SparseSigmoid Softplus Softsign SoftShrink SparsePlus Silu Squareplus LogSigmoid LeakyRelu "
    "HardSigmoid HardSilu Elu Selu Gelu Celu TanhShrink HardTanh HardShrink Threshold"
)
OTHERS = (
    "math.Rsqrt math.Erf math.Erfc math.Erfinv core.StopGradient core.Cast core.SaturateCast core.ConvertToTensor "
    "nn.Polar"
)
BOOLEAN = frozenset(
    "Equal NotEqual Greater GreaterEqual Less LessEqual Isclose Isfinite Isinf Isnan Isneginf Isposinf Isreal LogicalAnd "
    "LogicalNot LogicalOr LogicalXor Signbit".split()
)


@lowers(*(f"numpy.{name}" for name in NUMPY.split()), *(f"nn.{name}" for name in NN.split()), *OTHERS.split())
def pointwise(ctx: Context, *args: Any, **kwargs: Any) -> Ref:
    """The same element of every operand."""
    short = ctx.call.name.rpartition(".")[2]
    if short in BOOLEAN:
        ctx.call.dtype = "bool"
    elif isinstance(told := ctx.options.get("dtype"), str):
        ctx.call.dtype = told
    elif short == "Digitize":
        ctx.call.dtype = "int32"
        args = args[:1]
    return ctx.pointwise(*tensors_in([args, kwargs]))


@lowers("numpy.Where")
def where(ctx: Context, condition: Ref, x1: Any = None, x2: Any = None) -> Ref:
    """The condition and both choices; a known condition leaves one choice an element."""
    x, y = (_constant(ctx, value) for value in (x1, x2))
    condition = _constant(ctx, condition)
    shape = broadcast_shape(condition.shape, x.shape, y.shape)
    if condition.known is not None:
        condition = condition._replace(known=condition.known.astype(bool))
    return selected(ctx, condition, x, y, shape)


@lowers("numpy.Select")
def select(ctx: Context, condlist: list[Ref], choicelist: list[Any], default: Any = 0) -> Ref:
    """Every condition and every choice."""
    choices = [_constant(ctx, value) for value in (*choicelist, default)]
    shape = broadcast_shape(*(ref.shape for ref in (*condlist, *choices)))
    return chosen(ctx, ctx.pointwise(*condlist, shape=shape), choices, shape, hides=False)


@lowers("numpy.OnesLike", "numpy.ZerosLike", "numpy.EmptyLike", "numpy.FullLike", "numpy.Full")
def filled(ctx: Context, x: Any, fill_value: Any = None) -> Ref:
    """Constants; of a value that is computed, that value."""
    shape = (
        x.shape
        if isinstance(x, Ref) and ctx.call.name != "numpy.Full"
        else tuple(ctx.options.get("shape", ()))
    )
    value = x if ctx.call.name == "numpy.Full" else fill_value
    return ctx.broadcast(value, shape) if isinstance(value, Ref) else ctx.constant(shape)


def _constant(ctx: Context, value: Any) -> Ref:
    if isinstance(value, Ref):
        return value
    array = np.asarray(value)
    return ctx.constant(array.shape)._replace(known=array)
