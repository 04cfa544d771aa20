"""Linear algebra: distances, traces, and functions of whole matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from eyeshot.frontends.torch.context import Context, lowers, tensors_in
from eyeshot.graph import Ref
from eyeshot.relations import Pointwise, Table

SECOND_IS_VECTOR = frozenset(
    f"aten.{op}.default"
    for op in "lu_unpack linalg_lu_solve linalg_ldl_solve linalg_householder_product ormqr".split()
)


@lowers("aten.trace.default")
def trace(ctx: Context, x: Ref) -> Ref:
    """The scalar reads the diagonal."""
    rows, columns = x.shape
    flat = ctx.reshape(x, (rows * columns,))
    diagonal = Table.of_rows([range(0, min(rows, columns) * (columns + 1), columns + 1)], rows * columns)
    return ctx.reshape(ctx.along(flat, {0: (diagonal, 1)}), ())


@lowers("aten.linalg_cross.default")
def cross(ctx: Context, x: Ref, y: Ref, *, dim: int = -1) -> Ref:
    """Each component reads the two others of both vectors."""
    others = Table.of_rows([[1, 2], [0, 2], [0, 1]], 3)
    wide = [ctx.broadcast(ref, ctx.output_shape) for ref in (x, y)]
    return ctx.pointwise(*(ctx.along(ref, {dim: (others, 3)}) for ref in wide))


@lowers("aten._cdist_forward.default", "aten.cdist.default", "aten._euclidean_dist.default")
def cdist(ctx: Context, x: Ref, y: Ref, *args: Any) -> Ref:
    """Each distance reads one whole row of either operand."""
    rows, columns = (ctx.reduce(ref, [-1], summarises=False) for ref in (x, y))
    across = ctx.reshape(columns, (*columns.shape[:-2], 1, columns.shape[-2]))
    return ctx.pointwise(rows, across, shape=ctx.output_shape)


@lowers("aten._pdist_forward.default", "aten.pdist.default")
def pdist(ctx: Context, x: Ref, *args: Any) -> Ref:
    """Distance number k reads the two whole rows of the k-th pair."""
    rows = ctx.reduce(x, [-1], keep=False, summarises=False)
    pairs = np.stack(np.triu_indices(x.shape[0], 1), 1)
    return ctx.along(rows, {0: (Table.of_rows(pairs, x.shape[0]), len(pairs))})


@lowers(
    *(
        f"aten.{op}.default"
        for op in """
    linalg_inv_ex linalg_eig linalg_matrix_exp linalg_matrix_sqrth linalg_polar _linalg_svd _linalg_eigh
""".split()
    ),
    *(f"aten.{op}.default" for op in "_linalg_det _linalg_slogdet linalg_pinv linalg_eigvals".split()),
    "aten.linalg_pinv.atol_rtol_tensor",
)
def matrix_function(ctx: Context, *args: Any, **kwargs: Any) -> list[Ref]:
    """Each element reads every element of its matrix, and the tolerances that some are given."""
    matrix, *tolerances = tensors_in([args, kwargs])
    outs = _of_matrices(ctx, [matrix])
    for ref in tolerances:
        each = ctx.reshape(ref, (*ref.shape, 1, 1))
        outs = [ctx.pointwise(out, each, shape=out.shape) for out in outs]
    return outs


@lowers(
    *(
        f"aten.{op}.default"
        for op in """
    linalg_cholesky_ex cholesky_inverse linalg_qr geqrf linalg_lu linalg_lu_factor_ex lu_unpack
    linalg_ldl_factor_ex linalg_lstsq linalg_solve_triangular triangular_solve cholesky_solve linalg_lu_solve
    linalg_ldl_solve linalg_householder_product ormqr
""".split()
    )
)
def triangular(ctx: Context, *args: Any, **kwargs: Any) -> list[Ref]:
    """Each element reads its matrices and vectors; columns and triangles that it does not need are counted still."""
    matrix, *others = tensors_in([args, kwargs])
    vector = ctx.call.op in SECOND_IS_VECTOR or (
        "lstsq" in ctx.call.op and others and others[0].shape == matrix.shape[:-1]
    )
    if vector:
        others[0] = ctx.reshape(others[0], (*others[0].shape, 1))
    return [
        out if ctx.is_constant(out) else ctx.add(Pointwise(), (out,), out.shape, "zero-coefficient")
        for out in _of_matrices(ctx, [matrix, *others])
    ]


def _of_matrices(ctx: Context, matrices: list[Ref]) -> list[Ref]:
    """Every output read from whole matrices, batch by batch."""
    sums = [ctx.reduce(ref, [-2, -1], summarises=False, keep=False) for ref in matrices]
    batch = len(np.broadcast_shapes(*(ref.shape for ref in sums)))
    return [
        ctx.pointwise(*(ctx.reshape(s, (*s.shape, *(1,) * (len(shape) - batch))) for s in sums), shape=shape)
        if all(shape)
        else ctx.constant(shape)
        for shape in ctx.output_shapes
    ]


@lowers("aten._linalg_solve_ex.default")
def solve(ctx: Context, matrix: Ref, right: Ref, *, left: bool = True, **kwargs: Any) -> list[Ref]:
    """Each element reads the whole matrix, and its own column (or row) of the other side."""
    whole = ctx.reduce(matrix, [-2, -1], summarises=False)
    vector = len(right.shape) == len(matrix.shape) - 1
    column = ctx.reshape(right, (*right.shape, 1)) if vector else right
    own = ctx.reduce(column, [-2 if left else -1], summarises=False)
    shape = (*ctx.output_shape, 1) if vector else ctx.output_shape
    return [
        ctx.reshape(ctx.pointwise(whole, own, shape=shape), ctx.output_shape),
        *_of_matrices(ctx, [matrix])[1:],
    ]
