"""Linear algebra, Fourier transforms."""

from __future__ import annotations

from typing import Any

import numpy as np
from jax.lax import FftType

from eyeshot.frontends.jax.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.relations import All, Pointwise

FULL = "eig eigh svd schur hessenberg tridiagonal".split()
PARTIAL = """
    cholesky qr lu lu_pivots_to_permutation geqrf geqp3 householder_product ormqr
    symmetric_product cholesky_update
""".split()
VECTORS = {"lu_pivots_to_permutation": 0, "householder_product": 1, "ormqr": 1, "cholesky_update": 1}
"""Which operand is a vector a matrix."""


@lowers(*FULL)
def matrix_function(ctx: Context, *operands: Ref, **params: Any) -> list[Ref]:
    """Each element reads every element of its matrix."""
    return of_matrices(ctx, operands)


@lowers(*PARTIAL)
def triangular(ctx: Context, *operands: Ref, **params: Any) -> list[Ref]:
    """Each element reads its matrices and vectors; columns and triangles that it does not need are counted still."""
    op = ctx.eqn.primitive.name
    vector = VECTORS.get(op, -1)
    ranked = [ctx.reshape(x, (*x.shape, 1)) if place == vector else x for place, x in enumerate(operands)]
    return [
        out if ctx.is_constant(out) else ctx.add(Pointwise(), (out,), out.shape, "zero-coefficient")
        for out in of_matrices(ctx, ranked)
    ]


@lowers("triangular_solve")
def triangular_solve(ctx: Context, matrix: Ref, right: Ref, *, left_side: bool, **params: Any) -> Ref:
    """Each element reads its matrix, and its own column (or row) of the other side; half of both is counted still."""
    return _solved(ctx, [matrix], right, -2 if left_side else -1)


@lowers("tridiagonal_solve")
def tridiagonal_solve(ctx: Context, lower: Ref, middle: Ref, upper: Ref, right: Ref, **params: Any) -> Ref:
    """Each element reads the three diagonals, and its own column of the right side; their unused ends are counted still."""
    return _solved(ctx, [ctx.reshape(x, (*x.shape, 1)) for x in (lower, middle, upper)], right, -2)


def _solved(ctx: Context, matrices: list[Ref], right: Ref, axis: int) -> Ref:
    whole = [ctx.reduce(matrix, [-2, -1], summarises=False) for matrix in matrices]
    own = ctx.reduce(right, [axis], summarises=False)
    out = ctx.pointwise(*whole, own, shape=ctx.output_shape)
    return ctx.add(Pointwise(), (out,), out.shape, "zero-coefficient")


def of_matrices(ctx: Context, matrices: list[Ref] | tuple[Ref, ...]) -> list[Ref]:
    """Every output read from whole matrices, batch by batch."""
    sums = [ctx.reduce(ref, [-2, -1], summarises=False, keep=False) for ref in matrices]
    batch = len(np.broadcast_shapes(*(ref.shape for ref in sums)))
    return [
        ctx.pointwise(*(ctx.reshape(s, (*s.shape, *(1,) * (len(shape) - batch))) for s in sums), shape=shape)
        if all(shape)
        else ctx.constant(shape)
        for shape in ctx.output_shapes
    ]


@lowers("fft")
def fourier(ctx: Context, x: Ref, *, fft_type: Any, fft_lengths: Any, **params: Any) -> Ref:
    """Each coefficient reads everything along the transformed axes.

    Numbers from real coefficients are sums of cosines, of which some are 0, and counted still.
    """
    shape = ctx.output_shape
    out = ctx.along(
        x, {axis: (All(), shape[axis]) for axis in range(len(shape) - len(fft_lengths), len(shape))}
    )
    if FftType(fft_type) != FftType.IRFFT or x.node not in ctx.real:
        return out
    return ctx.add(Pointwise(), (out,), out.shape, "zero-coefficient")
