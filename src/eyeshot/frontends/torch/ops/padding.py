"""Padding of every mode."""

from __future__ import annotations

from collections.abc import Sequence

from eyeshot.frontends.torch.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.relations.tables import pad

MODES = ("reflect", "replicate", "circular", "constant")  # as ATen numbers them in _pad_enum


def _pad(ctx: Context, x: Ref, amounts: Sequence[int], mode: str) -> Ref:
    """``amounts`` are (before, after) pairs from the last axis backwards; negative ones crop."""
    maps = {}
    for place, (before, after) in enumerate(zip(amounts[::2], amounts[1::2], strict=True), 1):
        size = x.shape[-place]
        maps[-place] = (pad(before, after, size, mode), size + before + after)
    return ctx.along(x, maps)


@lowers("aten.constant_pad_nd.default")
def constant_pad_nd(ctx: Context, x: Ref, pad: Sequence[int], value: float = 0) -> Ref:
    """Constants are not input: the border reads nothing."""
    return _pad(ctx, x, pad, "constant")


@lowers("aten.reflection_pad1d.default", "aten.reflection_pad2d.default", "aten.reflection_pad3d.default")
def reflection_pad(ctx: Context, x: Ref, padding: Sequence[int]) -> Ref:
    """The border mirrors the axis about its first and last element."""
    return _pad(ctx, x, padding, "reflect")


@lowers("aten.replication_pad1d.default", "aten.replication_pad2d.default", "aten.replication_pad3d.default")
def replication_pad(ctx: Context, x: Ref, padding: Sequence[int]) -> Ref:
    """The border repeats the first and last element."""
    return _pad(ctx, x, padding, "replicate")


@lowers("aten._pad_circular.default")
def pad_circular(ctx: Context, x: Ref, pad: Sequence[int]) -> Ref:
    """The border wraps around."""
    return _pad(ctx, x, pad, "circular")


@lowers("aten.pad.default")
def pad_named(
    ctx: Context, x: Ref, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Ref:
    """Padding as exported programs spell it."""
    return _pad(ctx, x, pad, mode)


@lowers("aten._pad_enum.default")
def pad_enum(ctx: Context, x: Ref, pad: Sequence[int], mode: int, value: float | None = None) -> Ref:
    """Padding with its mode as a number."""
    return _pad(ctx, x, pad, MODES[mode])
