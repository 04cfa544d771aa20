"""Matrix products."""

from __future__ import annotations

from math import prod

from eyeshot.errors import FileFormatError
from eyeshot.frontends.compounds import products
from eyeshot.frontends.onnx.context import Context, lowers
from eyeshot.graph import Ref


@lowers("MatMul")
def matmul(ctx: Context, x: Ref, y: Ref) -> Ref:
    """Row and column meet over all of the shared axis."""
    inner = y.shape[-2] if len(y.shape) > 1 else y.shape[-1]
    if x.shape[-1] != inner:
        raise FileFormatError(f"{ctx.label} multiplies shapes {x.shape} and {y.shape}")
    out = products.product(ctx, x, y)
    ctx.macs += prod(out.shape) * x.shape[-1]
    return out


@lowers("Gemm")
def gemm(
    ctx: Context,
    x: Ref,
    y: Ref,
    bias: Ref | None = None,
    *,
    transA: int = 0,
    transB: int = 0,
) -> Ref:
    """Row and column meet over all of the shared axis, either matrix turned first; the bias is added."""
    rows = ctx.permute(x, (1, 0)) if transA else x
    columns = ctx.permute(y, (1, 0)) if transB else y
    out = matmul(ctx, rows, columns)
    return out if bias is None else ctx.pointwise(out, bias, shape=out.shape)


@lowers("Einsum")
def einsum(ctx: Context, *tensors: Ref, equation: str) -> Ref:
    """Each element reads the operands where their labels agree with its own."""
    out = products.einsum(ctx, equation, tensors)
    ctx.macs += _met(equation, tensors) if len(tensors) > 1 else 0
    return out


def _met(equation: str, tensors: tuple[Ref, ...]) -> int:
    """Multiply-accumulates, all labels met at once."""
    sources = equation.replace(" ", "").partition("->")[0].split(",")
    extents: dict[str | int, int] = {}
    for term, ref in zip(sources, tensors, strict=True):
        before, dots, behind = term.partition("...")
        hidden = len(ref.shape) - len(before) - len(behind)
        labels = [*before, *(range(hidden, 0, -1) if dots else ()), *behind]
        for label, n in zip(labels, ref.shape, strict=True):
            extents[label] = max(n, extents.get(label, 1))
    return prod(extents.values())
