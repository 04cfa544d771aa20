"""Crops and pads that are told by the shape they give."""

from __future__ import annotations

from collections.abc import Sequence

from eyeshot.frontends.onnx.context import Context, lowers
from eyeshot.graph import Ref


@lowers("CenterCropPad")
def center_crop_pad(ctx: Context, x: Ref, shape: Ref, *, axes: Sequence[int] | None = None) -> Ref:
    """The middle of each axis, or the axis amid zeros; of an odd number the smaller half lies before."""
    wanted = ctx.integers(1, "shape") or []
    amounts = {}
    for axis, extent in zip(range(len(x.shape)) if axes is None else axes, wanted, strict=True):
        more = extent - x.shape[axis]
        before = more // 2 if more > 0 else -(-more // 2)
        amounts[axis % len(x.shape)] = (before, more - before)
    return ctx.pad(x, amounts)
