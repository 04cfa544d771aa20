"""Matrix products, linear layers and linear algebra."""

from __future__ import annotations

from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from eyeshot.frontends.compounds.products import einsum as contracted
from eyeshot.frontends.compounds.products import linear_map, product
from eyeshot.frontends.torch.context import Context, lowers
from eyeshot.graph.masks import cutting, with_cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyeshot.graph import Ref


@lowers("aten.linear.default")
def linear(ctx: Context, x: Ref, weight: Ref, bias: Ref | None = None) -> Ref:
    """Each element reads all of the last axis."""
    if len(weight.shape) == 1:
        out = product(ctx, x, weight)
        return out if bias is None else ctx.pointwise(out, bias)
    return linear_map(ctx, x, weight, bias)


@lowers(
    "aten.mm.default",
    "aten.bmm.default",
    "aten.matmul.default",
    "aten.dot.default",
    "aten.mv.default",
    "aten.vdot.default",
    "aten.mm.dtype",
    "aten.bmm.dtype",
)
def matmul(ctx: Context, x: Ref, y: Ref, *args: Any) -> Ref:
    """Each element reads one row and one column."""
    return product(ctx, x, y)


@lowers("aten.addmm.default", "aten.baddbmm.default", "aten.addmv.default")
def addmm(ctx: Context, start: Ref, x: Ref, y: Ref, *, beta: float = 1, alpha: float = 1) -> Ref:
    """Each element reads one row, one column and the same element of the summand; a known -inf there cuts."""
    out = _summed(ctx, start, product(ctx, x, y), beta, alpha)
    cut = cutting(start.known) if start.known is not None and beta > 0 else None
    return out if cut is None or ctx.is_constant(out) else with_cut(ctx, out, cut)


@lowers("aten.addbmm.default")
def addbmm(ctx: Context, start: Ref, x: Ref, y: Ref, *, beta: float = 1, alpha: float = 1) -> Ref:
    """Each element reads one row and one column in every batch, and the summand."""
    return _summed(ctx, start, ctx.contract("bxy,byz->xz", x, y), beta, alpha)


def _summed(ctx: Context, start: Ref, out: Ref, beta: float, alpha: float) -> Ref:
    """A product and a summand; neither is read where its factor is 0."""
    parts = [ref for ref, factor in ((out, alpha), (start, beta)) if factor != 0]
    return ctx.pointwise(*parts, shape=out.shape) if parts else ctx.constant(out.shape)


@lowers("aten.outer.default", "aten.ger.default")
def outer(ctx: Context, x: Ref, y: Ref) -> Ref:
    """Each element reads one element of either vector."""
    return ctx.contract("x,y->xy", x, y)


@lowers("aten.addr.default")
def addr(ctx: Context, start: Ref, x: Ref, y: Ref, *, beta: float = 1, alpha: float = 1) -> Ref:
    """Each element reads one element of either vector and the summand."""
    return _summed(ctx, start, outer(ctx, x, y), beta, alpha)


@lowers("aten.einsum.default")
def einsum(ctx: Context, equation: str, tensors: Sequence[Ref], *, path: Any = None) -> Ref:
    """Each element reads the operands where their labels agree with its own."""
    return contracted(ctx, equation, tensors)


@lowers("aten.bilinear.default")
def bilinear(ctx: Context, x: Ref, y: Ref, weight: Ref, bias: Ref | None = None) -> Ref:
    """Each element reads the last axes of both inputs."""
    batch = ascii_lowercase[: len(x.shape) - 1]
    out = ctx.contract(f"{batch}x,{batch}y,zxy->{batch}z", x, y, weight)
    return out if bias is None else ctx.pointwise(out, bias)


@lowers("aten._trilinear.default")
def trilinear(
    ctx: Context,
    a: Ref,
    b: Ref,
    c: Ref,
    expand1: Sequence[int],
    expand2: Sequence[int],
    expand3: Sequence[int],
    sumdim: Sequence[int],
    unroll_dim: int = 1,
) -> Ref:
    """Three operands, each with axes of extent 1 put in, multiplied and summed over some axes."""
    rank = len(a.shape) + len(expand1)
    letters = ascii_lowercase[:rank]
    terms, operands = [], []
    for ref, expanded in zip((a, b, c), (expand1, expand2, expand3), strict=True):
        terms.append("".join(letter for axis, letter in enumerate(letters) if axis not in expanded))
        operands.append(ref)
    target = "".join(letter for axis, letter in enumerate(letters) if axis not in sumdim)
    return ctx.reshape(ctx.contract(f"{','.join(terms)}->{target}", *operands), ctx.output_shape)
