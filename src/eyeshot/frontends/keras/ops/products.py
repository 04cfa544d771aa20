"""Products of tensors, and linear algebra."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from eyeshot.frontends.compounds import products
from eyeshot.frontends.keras.context import Context, lowers
from eyeshot.frontends.keras.layers.attention import attended, static_mask
from eyeshot.graph import Ref
from eyeshot.relations import All


@lowers("numpy.Matmul")
def matmul(ctx: Context, x1: Ref, x2: Ref) -> Ref:
    """Each element reads one row and one column."""
    out = products.product(ctx, x1, x2)
    ctx.call.macs += prod(out.shape) * x1.shape[-1]
    return out


@lowers("numpy.Dot", "numpy.Inner", "numpy.Tensordot", "numpy.Vdot")
def tensordot(ctx: Context, x1: Ref, x2: Ref) -> Ref:
    """Each element reads both operands along the axes that are summed."""
    if ctx.call.name == "numpy.Vdot":
        x1, x2 = (ctx.reshape(x, (prod(x.shape),)) for x in (x1, x2))
    if not x1.shape or not x2.shape:
        return ctx.pointwise(x1, x2)
    first, second = _summed(ctx, x1, x2)
    letters, others = "abcdefghijklm"[: len(x1.shape)], list("nopqrstuvwxyz"[: len(x2.shape)])
    for a, b in zip(first, second, strict=True):
        others[b] = letters[a]
    kept = [c for axis, c in enumerate(letters) if axis not in first]
    kept += [c for axis, c in enumerate(others) if axis not in second]
    out = products.einsum(ctx, f"{letters},{''.join(others)}->{''.join(kept)}", [x1, x2])
    ctx.call.macs += prod(out.shape) * prod(x1.shape[axis] for axis in first)
    return out


def _summed(ctx: Context, x1: Ref, x2: Ref) -> tuple[list[int], list[int]]:
    """The axes of either operand that a product sums over."""
    a, b = len(x1.shape), len(x2.shape)
    if ctx.call.name != "numpy.Tensordot":
        return [a - 1], [b - 1 if ctx.call.name == "numpy.Inner" else max(0, b - 2)]
    given = ctx.options.get("axes", 2)
    if isinstance(given, int):
        return list(range(a - given, a)), list(range(given))
    first, second = ([axes] if isinstance(axes, int) else axes for axes in given)
    return [axis % a for axis in first], [axis % b for axis in second]


@lowers("numpy.Outer")
def outer(ctx: Context, x1: Ref, x2: Ref) -> Ref:
    """Each element reads one element of either operand."""
    return ctx.contract("x,y->xy", *(ctx.reshape(x, (prod(x.shape),)) for x in (x1, x2)))


@lowers("numpy.Einsum")
def einsum(ctx: Context, *operands: Ref, **_: Any) -> Ref:
    """Each element reads the operands where their labels agree with its own."""
    return products.einsum(ctx, ctx.options.get("subscripts"), list(operands))


@lowers("nn.DotProductAttention")
def dot_product_attention(
    ctx: Context,
    query: Ref,
    key: Ref,
    value: Ref,
    bias: Ref | None = None,
    mask: Ref | None = None,
    scale: Any = None,
) -> Ref:
    """Each output reads its query, the keys that masks leave, and one feature of their values: (N, T, heads, C)."""
    q, k, v = (ctx.permute(x, (0, 2, 1, 3)) for x in (query, key, value))
    if k.shape[1] != q.shape[1]:  # fewer heads of keys, each for several of queries
        times = q.shape[1] // k.shape[1]
        k, v = (_repeated(ctx, x, times) for x in (k, v))
    static = static_mask(q.shape[-2], k.shape[-2], causal=ctx.options.flag("is_causal"), reach=None)
    masks = [ref for ref in (bias, mask) if ref is not None]
    if mask is not None and mask.known is not None and mask.known.ndim >= 2:
        whole = mask.known.astype(bool)
        shared = np.logical_or.reduce(whole.reshape(-1, *whole.shape[-2:]))
        static = shared if static is None else static & shared
        masks.remove(mask)
    out, _ = attended(ctx, q, k, v, static, masks)
    ctx.call.macs += prod(out.shape[:-1]) * k.shape[-2] * (q.shape[-1] + v.shape[-1])
    return ctx.permute(out, (0, 2, 1, 3))


def _repeated(ctx: Context, x: Ref, times: int) -> Ref:
    n, heads, steps, features = x.shape
    wide = ctx.broadcast(ctx.reshape(x, (n, heads, 1, steps, features)), (n, heads, times, steps, features))
    return ctx.reshape(wide, (n, heads * times, steps, features))


def _matrix(ctx: Context, x: Ref, rows: int, columns: int) -> Ref:
    """A matrix of which each element may read all of ``x``'s."""
    return ctx.along(x, {-2: (All(), rows), -1: (All(), columns)})


@lowers("linalg.Cholesky", "linalg.CholeskyInverse", "linalg.Inv")
def whole_matrix(ctx: Context, x: Ref) -> Ref:
    """Each element may read all of its matrix."""
    return _matrix(ctx, x, *x.shape[-2:])


@lowers("linalg.Pinv")
def pseudo_inverse(ctx: Context, x: Ref) -> Ref:
    """Each element may read all of its matrix."""
    return _matrix(ctx, x, x.shape[-1], x.shape[-2])


@lowers("linalg.Det", "linalg.MatrixRank", "math.Logdet")
def of_matrix(ctx: Context, x: Ref) -> Ref:
    """One number a matrix."""
    return ctx.reduce(x, [-2, -1], keep=False, summarises=False)


@lowers("numpy.Slogdet")
def sign_and_logdet(ctx: Context, x: Ref) -> list[Ref]:
    """Two numbers a matrix."""
    out = ctx.reduce(x, [-2, -1], keep=False, summarises=False)
    return [out, out]


@lowers("linalg.Solve", "linalg.SolveTriangular")
def solve(ctx: Context, a: Ref, b: Ref) -> Ref:
    """Each element may read all of the matrix, and its own column."""
    columns = b.shape[-1] if len(b.shape) == len(a.shape) else None
    right = b if columns is not None else ctx.reshape(b, (*b.shape, 1))
    read = ctx.along(right, {-2: (All(), a.shape[-1])})
    out = ctx.pointwise(ctx.broadcast(_matrix(ctx, a, a.shape[-1], 1), read.shape), read)
    return out if columns is not None else ctx.reshape(out, out.shape[:-1])


@lowers("linalg.Eigh", "linalg.Qr")
def decomposed(ctx: Context, x: Ref) -> list[Ref]:
    """Each element of either factor may read all of its matrix."""
    rows, columns = x.shape[-2:]
    if ctx.call.name == "linalg.Eigh":
        whole = _matrix(ctx, x, rows, columns)
        return [ctx.reshape(_matrix(ctx, x, 1, rows), (*x.shape[:-2], rows)), whole]
    inner = rows if ctx.options.get("mode") == "complete" else min(rows, columns)
    return [_matrix(ctx, x, rows, inner), _matrix(ctx, x, inner, columns)]


@lowers("linalg.SVD")
def singular_values(ctx: Context, x: Ref) -> list[Ref] | Ref:
    """Each element of every factor may read all of its matrix."""
    rows, columns = x.shape[-2:]
    small = min(rows, columns)
    values = ctx.reshape(_matrix(ctx, x, 1, small), (*x.shape[:-2], small))
    if not ctx.options.flag("compute_uv", default=True):
        return values
    full = ctx.options.flag("full_matrices", default=True)
    return [
        _matrix(ctx, x, rows, rows if full else small),
        values,
        _matrix(ctx, x, columns if full else small, columns),
    ]
