"""Fourier transforms, and complex numbers as pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eyeshot.frontends.torch.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.relations import All


@lowers("aten._fft_r2c.default", "aten._fft_c2c.default", "aten._fft_c2r.default")
def fourier(ctx: Context, x: Ref, dim: Sequence[int], *args: Any) -> Ref:
    """Each coefficient reads everything along the transformed axes."""
    return ctx.along(x, {axis: (All(), ctx.output_shape[axis]) for axis in dim})


@lowers("aten.view_as_real.default", "aten.view_as_real_copy.default")
def view_as_real(ctx: Context, x: Ref) -> Ref:
    """Both parts read the complex number."""
    return ctx.broadcast(ctx.reshape(x, (*x.shape, 1)), (*x.shape, 2))


@lowers("aten.view_as_complex.default", "aten.view_as_complex_copy.default")
def view_as_complex(ctx: Context, x: Ref) -> Ref:
    """A complex number reads both parts."""
    return ctx.reduce(x, [-1], keep=False, summarises=False)
