"""Fourier transforms on pairs (real, imaginary), windows, mel filters."""

from __future__ import annotations

import numpy as np

from eyeshot.frontends.onnx.context import Context, Value, lowers
from eyeshot.frontends.onnx.tensors import dtype_name
from eyeshot.graph import Ref
from eyeshot.graph.masks import support
from eyeshot.relations import All
from eyeshot.relations.folds import unfold

LARGEST = 1 << 22
"""Pairs of a number and a coefficient that are looked at one by one."""


@lowers("DFT", since=17)
def dft_attribute(
    ctx: Context, x: Ref, length: Ref | None = None, *, axis: int = 1, inverse: int = 0, onesided: int = 0
) -> Ref:
    """A transform along one axis; both parts of a number read both of others, but where the factor is 0."""
    return _dft(ctx, x, axis, bool(inverse), bool(onesided))


@lowers("DFT", since=20)
def dft(
    ctx: Context,
    x: Ref,
    length: Ref | None = None,
    axis: Ref | None = None,
    *,
    inverse: int = 0,
    onesided: int = 0,
) -> Ref:
    """As in older opsets, with the axis as an input: the last before the parts, if left out."""
    place = ctx.integers(2, "axis") or [-2]
    return _dft(ctx, x, place[0], bool(inverse), bool(onesided))


def _dft(ctx: Context, x: Ref, axis: int, inverse: bool, onesided: bool) -> Ref:
    rank = len(x.shape)
    axis %= rank
    to_real = inverse and onesided
    default = 2 * (x.shape[axis] - 1) if to_real else x.shape[axis]
    length = (ctx.integers(1, "dft_length") or [default])[0]
    used = min(x.shape[axis], length // 2 + 1 if to_real else length)
    count = length // 2 + 1 if onesided and not inverse else length
    order = [*(a for a in range(rank - 1) if a != axis), axis, rank - 1]
    moved = ctx.permute(ctx.slice(x, axis, 0, used), order)
    out = _transformed(ctx, moved, length, count, 1 if to_real else 2)
    return ctx.permute(out, [order.index(a) for a in range(rank)])


def _transformed(ctx: Context, x: Ref, length: int, count: int, parts: int) -> Ref:
    """(..., n, 1 or 2) to (..., count, parts): number k is a sum of x_n exp(±2πi k n / length)."""
    *outer, used, given = x.shape
    shape = ctx.bounded((*outer, count, parts))
    if used * given * count * parts > LARGEST:
        wide = ctx.along(x, {-2: (All(), count), -1: (All(), parts)})
        return ctx.flagged(wide, "zero-coefficient")
    quarters = 4 * np.multiply.outer(np.arange(count), np.arange(used)) % (4 * length)
    cosine, sine = quarters % (2 * length) != length, quarters % (2 * length) != 0
    read = np.stack([np.stack([cosine, sine], -1), np.stack([sine, cosine], -1)], 1)[:, :parts, :, :given]
    table = support(~read.reshape(count * parts, used * given))
    flat = ctx.reshape(x, (*outer, used * given))
    return ctx.reshape(ctx.along(flat, {len(outer): (table, count * parts)}), shape)


@lowers("STFT")
def stft(
    ctx: Context,
    x: Ref,
    step: Ref,
    window: Ref | None = None,
    length: Ref | None = None,
    *,
    onesided: int = 1,
) -> Ref:
    """Each frame's transform, weighted by the window: (B, samples, parts) -> (B, frames, frequencies, 2)."""
    batch, samples, parts = x.shape
    hop = (ctx.integers(1, "frame_step") or [1])[0]
    size = window.shape[0] if window is not None else samples
    size = (ctx.integers(3, "frame_length") or [size])[0]
    frames = (samples - size) // hop + 1
    shape = ctx.bounded((batch, frames * size, parts))
    laid = ctx.along(x, {1: (unfold(samples, frames, size, hop), shape[1])})
    framed = ctx.reshape(laid, (batch, frames, size, parts))
    if window is not None and not ctx.is_constant(window):
        framed = ctx.pointwise(framed, ctx.reshape(window, (size, 1)))
    return _transformed(ctx, framed, size, size // 2 + 1 if onesided else size, 2)


@lowers("HannWindow", "HammingWindow", "BlackmanWindow")
def window(ctx: Context, length: Ref, *, output_datatype: int = 1) -> Value:
    """Each weight follows from its place and the length."""
    count = (ctx.integers(0, "size") or [0])[0]
    return ctx.typed(ctx.pointwise(length, shape=(count,)), dtype_name(output_datatype))


@lowers("MelWeightMatrix")
def mel_weights(
    ctx: Context, bins: Ref, length: Ref, rate: Ref, lowest: Ref, highest: Ref, *, output_datatype: int = 1
) -> Value:
    """Each weight of (frequencies, bins) follows from the five scalars."""
    count, size = (ctx.integers(0, "num_mel_bins") or [0])[0], (ctx.integers(1, "dft_length") or [0])[0]
    scalars = [ctx.reshape(ref, ()) for ref in (bins, length, rate, lowest, highest)]
    return ctx.typed(ctx.pointwise(*scalars, shape=(size // 2 + 1, count)), dtype_name(output_datatype))
