"""Operators that ONNX Runtime's optimizers and PyTorch's exporters write into files: the domain com.microsoft.

Defined in https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md. What is not here is refused by name.
"""

from __future__ import annotations

from collections.abc import Sequence

from eyeshot.errors import FileFormatError
from eyeshot.frontends.onnx.context import Context, lowers
from eyeshot.frontends.onnx.ops.convolution import conv
from eyeshot.frontends.onnx.ops.norms import layer_norm
from eyeshot.frontends.onnx.ops.products import gemm, matmul
from eyeshot.frontends.onnx.ops.quantization import beside
from eyeshot.frontends.onnx.ops.windows import Numbers
from eyeshot.graph import Ref

MICROSOFT = "com.microsoft"


@lowers("BiasGelu", "FastGelu", "Gelu", "QuickGelu", domain=MICROSOFT)
def gelu(ctx: Context, x: Ref, bias: Ref | None = None) -> Ref:
    """Each element reads itself, and its bias."""
    return ctx.pointwise(x) if bias is None else ctx.pointwise(x, bias, shape=x.shape)


@lowers("FusedConv", domain=MICROSOFT)
def fused_conv(
    ctx: Context,
    x: Ref,
    weight: Ref,
    bias: Ref | None = None,
    added: Ref | None = None,
    *,
    strides: Numbers = None,
    pads: Numbers = None,
    dilations: Numbers = None,
    auto_pad: str = "NOTSET",
    group: int = 1,
) -> Ref:
    """A convolution with an activation, and another tensor added before that."""
    out = conv(
        ctx, x, weight, bias, strides=strides, pads=pads, dilations=dilations, auto_pad=auto_pad, group=group
    )
    return out if added is None else ctx.pointwise(out, added, shape=out.shape)


@lowers("FusedGemm", domain=MICROSOFT)
def fused_gemm(
    ctx: Context, x: Ref, y: Ref, bias: Ref | None = None, *, transA: int = 0, transB: int = 0
) -> Ref:
    """A product of matrices with an activation."""
    return gemm(ctx, x, y, bias, transA=transA, transB=transB)


@lowers("FusedMatMul", "TransposeMatMul", domain=MICROSOFT)
def fused_matmul(
    ctx: Context,
    x: Ref,
    y: Ref,
    *,
    transA: int = 0,
    transB: int = 0,
    transBatchA: int = 0,
    transBatchB: int = 0,
) -> Ref:
    """A product of matrices, either turned first."""
    if transBatchA or transBatchB:
        raise FileFormatError(f"{ctx.label} turns batches of matrices, which no lowering follows")
    turned = [_turned(ctx, ref) if turn else ref for ref, turn in ((x, transA), (y, transB))]
    return matmul(ctx, *turned)


def _turned(ctx: Context, x: Ref) -> Ref:
    if len(x.shape) < 2:
        return x
    return ctx.permute(x, [*range(len(x.shape) - 2), len(x.shape) - 1, len(x.shape) - 2])


@lowers("SkipLayerNormalization", "SkipSimplifiedLayerNormalization", domain=MICROSOFT)
def skip_layer_norm(ctx: Context, x: Ref, skip: Ref, scale: Ref, *biases: Ref) -> list[Ref]:
    """The sum of two tensors (and a bias), normalised over its last axis; that sum is the fourth output."""
    total = ctx.pointwise(x, skip, *biases[-1:], shape=x.shape)
    before = biases[0] if biases and not ctx.op.startswith("SkipSimplified") else None
    normal, mean, deviation = layer_norm(ctx, total, scale, before, axis=-1)
    return [normal, mean, deviation, total]


@lowers("SimplifiedLayerNormalization")
@lowers("SimplifiedLayerNormalization", domain=MICROSOFT)
def simplified_layer_norm(ctx: Context, x: Ref, scale: Ref, *, axis: int = -1) -> list[Ref]:
    """Each element reads itself and all axes from ``axis`` on; so does the deviation."""
    normal, _, deviation = layer_norm(ctx, x, scale, None, axis=axis)
    return [normal, deviation]


@lowers("QLinearAdd", "QLinearMul", domain=MICROSOFT)
def quantized_pair(
    ctx: Context,
    x: Ref,
    x_scale: Ref,
    x_zero: Ref | None,
    y: Ref,
    *numbers: Ref,
) -> Ref:
    """Each element reads the same element of both operands, and scales and zero points that are computed."""
    return _with_numbers(ctx, ctx.pointwise(x, y), [x_scale, x_zero, *numbers])


@lowers("QLinearSigmoid", "QLinearLeakyRelu", domain=MICROSOFT)
def quantized_unary(ctx: Context, x: Ref, *numbers: Ref) -> Ref:
    """Each element reads itself, and scales and zero points that are computed."""
    return _with_numbers(ctx, ctx.pointwise(x), numbers)


@lowers("QLinearGlobalAveragePool", domain=MICROSOFT)
def quantized_global_pool(ctx: Context, x: Ref, *numbers: Ref, channels_last: int = 0) -> Ref:
    """Each channel reads all of its positions."""
    axes = range(1, len(x.shape) - 1) if channels_last else range(2, len(x.shape))
    return _with_numbers(ctx, ctx.reduce(x, axes), numbers)


@lowers("QLinearConcat", domain=MICROSOFT)
def quantized_concat(ctx: Context, scale: Ref, zero: Ref, *triples: Ref, axis: int) -> Ref:
    """Tensors end to end; each comes with a scale and a zero point."""
    out = ctx.concat(triples[::3], axis)
    return _with_numbers(ctx, out, [scale, zero, *triples[1::3], *triples[2::3]])


def _with_numbers(ctx: Context, x: Ref, numbers: Sequence[Ref | None]) -> Ref:
    return ctx.pointwise(x, *beside(ctx, x, None, *numbers), shape=x.shape)
