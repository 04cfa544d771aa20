"""Resizing in every mode and alignment."""

from __future__ import annotations

from collections.abc import Sequence

from eyeshot.frontends.torch.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.relations import AxisMap, Table, tabulate
from eyeshot.relations.resize import Mode, resize

NEAREST: dict[str, Mode] = {
    **{f"aten.upsample_nearest{rank}d": "nearest" for rank in (1, 2, 3)},
    **{f"aten._upsample_nearest_exact{rank}d": "nearest-exact" for rank in (1, 2, 3)},
}
SMOOTH: dict[str, Mode] = {
    "aten.upsample_linear1d": "linear",
    "aten.upsample_bilinear2d": "linear",
    "aten.upsample_trilinear3d": "linear",
    "aten.upsample_bicubic2d": "cubic",
    "aten._upsample_bilinear2d_aa": "linear-aa",
    "aten._upsample_bicubic2d_aa": "cubic-aa",
    "aten._upsample_lanczos2d_aa": "lanczos-aa",
}
Factors = Sequence[float | None] | None


def _resize(ctx: Context, x: Ref, mode: Mode, align_corners: bool, factors: Factors) -> Ref:
    """One map a spatial axis."""
    maps: dict[int, tuple[AxisMap, int]] = {}
    reason = None
    for axis, factor in enumerate(factors or [None] * (len(x.shape) - 2), 2):
        size, count = x.shape[axis], ctx.output_shape[axis]
        amap = resize(size, count, mode, align_corners=align_corners, factor=factor)
        if mode == "nearest" and len(x.shape) == 4 and count in {size, 2 * size}:
            amap, reason = _either(amap, resize(size, count, mode), (size, count), reason)
        maps[axis] = (amap, count)
    return ctx.along(x, maps, reason=reason)


def _either(
    amap: AxisMap, copy: AxisMap, sizes: tuple[int, int], reason: str | None
) -> tuple[AxisMap, str | None]:
    """Where a ragged factor leaves an image's extent as it is or doubles it, some kernels follow it and some just copy.

    PyTorch chooses by device, memory layout and the output's size (https://github.com/pytorch/pytorch/pull/184848).
    """
    by_factor, by_extent = tabulate(amap, *sizes), tabulate(copy, *sizes)
    if by_factor == by_extent:
        return amap, reason
    rows = [sorted({*by_factor.row(y), *by_extent.row(y)}) for y in range(sizes[1])]
    return Table.of_rows(rows, sizes[0]), "kernels-differ"


@lowers(*(f"{op}.default" for op in NEAREST))
def nearest(ctx: Context, x: Ref, output_size: Sequence[int], *scales: float | None) -> Ref:
    """Each output reads the one element that its position rounds to."""
    return _resize(ctx, x, NEAREST[ctx.call.op.rpartition(".")[0]], False, scales)


@lowers(*(f"{op}.vec" for op in NEAREST))
def nearest_by_factors(
    ctx: Context, x: Ref, output_size: Sequence[int] | None, scale_factors: Factors
) -> Ref:
    """As `nearest`, with the scale factors in one list."""
    return _resize(ctx, x, NEAREST[ctx.call.op.rpartition(".")[0]], False, scale_factors)


@lowers(*(f"{op}.default" for op in SMOOTH))
def smooth(
    ctx: Context, x: Ref, output_size: Sequence[int], align_corners: bool, *scales: float | None
) -> Ref:
    """Each output reads what the kernel weights around its position; the kernel is a product of axes."""
    return _resize(ctx, x, SMOOTH[ctx.call.op.rpartition(".")[0]], align_corners, scales)


@lowers(*(f"{op}.vec" for op in SMOOTH))
def smooth_by_factors(
    ctx: Context, x: Ref, output_size: Sequence[int] | None, align_corners: bool, scale_factors: Factors
) -> Ref:
    """As `smooth`, with the scale factors in one list."""
    return _resize(ctx, x, SMOOTH[ctx.call.op.rpartition(".")[0]], align_corners, scale_factors)
