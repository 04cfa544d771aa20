"""Fourier transforms, and complex numbers as pairs."""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm, prod
from typing import Any

import numpy as np

from eyeshot.frontends.torch.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.graph.masks import support
from eyeshot.relations import All, Pointwise


@lowers("aten._fft_r2c.default", "aten._fft_c2c.default", "aten._fft_c2r.default")
def fourier(ctx: Context, x: Ref, dim: Sequence[int], *args: Any) -> Ref:
    """Each coefficient reads everything along the transformed axes."""
    return ctx.along(x, {axis: (All(), ctx.output_shape[axis]) for axis in dim})


LARGEST = 1 << 22
"""Pairs of a number and a coefficient that are looked at one by one."""


@lowers("aten.fft_irfft.default", "aten.fft_hfft.default")
def to_real(ctx: Context, x: Ref, n: int | None = None, dim: int = -1, norm: str | None = None) -> Ref:
    """Each number reads all coefficients used; of real ones those whose cosine is not 0."""
    return _to_real(ctx, x, [dim % len(x.shape)])


@lowers("aten.fft_irfft2.default", "aten.fft_hfft2.default")
def to_real_plane(
    ctx: Context,
    x: Ref,
    s: Sequence[int] | None = None,
    dim: Sequence[int] = (-2, -1),
    norm: str | None = None,
) -> Ref:
    """As on one axis; the angles of the axes add up."""
    return _to_real(ctx, x, [axis % len(x.shape) for axis in dim])


@lowers("aten.fft_irfftn.default", "aten.fft_hfftn.default")
def to_real_volume(
    ctx: Context,
    x: Ref,
    s: Sequence[int] | None = None,
    dim: Sequence[int] | None = None,
    norm: str | None = None,
) -> Ref:
    """As on one axis; the angles of the axes add up."""
    rank = len(x.shape)
    axes = range(rank if s is None else len(s)) if dim is None else dim
    first = 0 if s is None or dim is not None else rank - len(s)
    return _to_real(ctx, x, [(first + axis) % rank for axis in axes])


def _to_real(ctx: Context, x: Ref, axes: list[int]) -> Ref:
    """A transform whose last axis holds half of a spectrum: the number at n is a sum of Re(x_k exp(2πi Σ k n / N))."""
    shape = ctx.output_shape
    for axis in axes:
        used = shape[axis] // 2 + 1 if axis == axes[-1] else shape[axis]
        x = ctx.slice(x, axis, 0, min(used, x.shape[axis]))
    before, after = ([each[axis] for axis in axes] for each in (x.shape, shape))
    real = "complex" not in ctx.call.args[0].dtype
    if not real or prod(before) * prod(after) > LARGEST:
        out = ctx.along(x, {axis: (All(), shape[axis]) for axis in axes})
        unsure = real and not ctx.is_constant(out)
        return ctx.add(Pointwise(), (out,), out.shape, "zero-coefficient") if unsure else out
    turn = 4 * lcm(*after)
    places = (np.indices(extents).reshape(len(axes), -1) for extents in (after, before))
    angles = sum(
        np.multiply.outer(n, k) * (turn // extent) for n, k, extent in zip(*places, after, strict=True)
    )
    gone = angles % (turn // 2) == turn // 4
    rest = [axis for axis in range(len(shape)) if axis not in axes]
    order = [*rest, *axes]
    moved = ctx.permute(x, order)
    outer = moved.shape[: len(rest)]
    read = ctx.along(ctx.reshape(moved, (*outer, prod(before))), {len(rest): (support(gone), prod(after))})
    return ctx.permute(ctx.reshape(read, (*outer, *after)), [order.index(axis) for axis in range(len(shape))])


@lowers("aten.view_as_real.default", "aten.view_as_real_copy.default")
def view_as_real(ctx: Context, x: Ref) -> Ref:
    """Both parts read the complex number."""
    return ctx.broadcast(ctx.reshape(x, (*x.shape, 1)), (*x.shape, 2))


@lowers("aten.view_as_complex.default", "aten.view_as_complex_copy.default")
def view_as_complex(ctx: Context, x: Ref) -> Ref:
    """A complex number reads both parts."""
    return ctx.reduce(x, [-1], keep=False, summarises=False)
