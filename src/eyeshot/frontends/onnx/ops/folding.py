"""Windows laid out as axes and back, pixel shuffles, unpooling."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from math import prod

from eyeshot.errors import UnsafeFileError
from eyeshot.frontends.compounds.indexing import DYNAMIC
from eyeshot.frontends.onnx.context import Context, lowers, size
from eyeshot.graph import Ref, gathers
from eyeshot.relations.folds import fold


@lowers("DepthToSpace")
def depth_to_space(ctx: Context, x: Ref, *, blocksize: int, mode: str = "DCR") -> Ref:
    """Channels become places: (N, C b b, H, W) -> (N, C, H b, W b)."""
    b, (n, channels, height, width) = blocksize, x.shape
    each = channels // (b * b)
    if mode == "DCR":
        split = ctx.permute(ctx.reshape(x, (n, b, b, each, height, width)), (0, 3, 4, 1, 5, 2))
    else:
        split = ctx.permute(ctx.reshape(x, (n, each, b, b, height, width)), (0, 1, 4, 2, 5, 3))
    return ctx.reshape(split, (n, each, height * b, width * b))


@lowers("SpaceToDepth")
def space_to_depth(ctx: Context, x: Ref, *, blocksize: int, mode: str = "DCR") -> Ref:
    """Places become channels: (N, C, H b, W b) -> (N, C b b, H, W)."""
    b, (n, channels, height, width) = blocksize, x.shape
    split = ctx.reshape(x, (n, channels, height // b, b, width // b, b))
    moved = ctx.permute(split, (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4))
    return ctx.reshape(moved, (n, channels * b * b, height // b, width // b))


@lowers("Col2Im")
def col2im(
    ctx: Context,
    x: Ref,
    image: Ref,
    block: Ref,
    *,
    dilations: Sequence[int] = (),
    pads: Sequence[int] = (),
    strides: Sequence[int] = (),
) -> Ref:
    """Each element sums its place in every window that holds it: (N, C prod(block), windows) -> (N, C, *image)."""
    extents, kernels = ctx.integers(1, "image_shape") or [], ctx.integers(2, "block_shape") or []
    rank = len(extents)
    before, after = (list(pads) or [0] * (2 * rank))[:rank], (list(pads) or [0] * (2 * rank))[rank:]
    gaps = list(dilations) or [1] * rank
    # A longer step than the image gives one window, whatever it is.
    steps = [min(s, n) for s, n in zip(strides or [1] * rank, extents, strict=True)]
    counts = [
        (n + low + high - d * (k - 1) - 1) // s + 1
        for n, k, s, d, low, high in zip(extents, kernels, steps, gaps, before, after, strict=True)
    ]
    if any(s * k > 1 << 22 for s, k in zip(steps, kernels, strict=True)):
        raise UnsafeFileError(
            f"{ctx.label} has blocks {kernels} at steps {steps}: as large as that, they are refused"
        )
    channels = x.shape[1] // prod(kernels)
    merged_shape = ctx.bounded(
        (x.shape[0], channels, *(count * k for count, k in zip(counts, kernels, strict=True)))
    )
    ctx.bounded((x.shape[0], channels, *extents))
    split = ctx.reshape(x, (x.shape[0], channels, *kernels, *counts))
    order = chain.from_iterable((2 + rank + axis, 2 + axis) for axis in range(rank))
    merged = ctx.reshape(ctx.permute(split, (0, 1, *order)), merged_shape)
    each = zip(extents, counts, kernels, steps, gaps, before, strict=True)
    return ctx.along(merged, {axis: (fold(*amounts), amounts[0]) for axis, amounts in enumerate(each, 2)})


@lowers("MaxUnpool")
def max_unpool(
    ctx: Context,
    x: Ref,
    indices: Ref,
    output_shape: Ref | None = None,
    *,
    kernel_shape: Sequence[int],
    pads: Sequence[int] = (),
    strides: Sequence[int] = (),
) -> Ref:
    """Every value lands where its index into the flattened output says: anywhere, where that is computed."""
    rank = len(kernel_shape)
    around, steps = list(pads) or [0] * (2 * rank), list(strides) or [1] * rank
    extents = [
        (n - 1) * s - low - high + k
        for n, s, low, high, k in zip(
            x.shape[2:], steps, around[:rank], around[rank:], kernel_shape, strict=True
        )
    ]
    shape = ctx.bounded(ctx.integers(2, "output_shape") or (*x.shape[:2], *extents))
    known = ctx.known(1)
    if known is None or shape[2:] != tuple(extents):
        # Whether indices are into the output or into what the kernel alone gives, runtimes do not agree.
        return ctx.dense([x, indices], shape, DYNAMIC)
    flat = ctx.reshape(x, (size(x),))
    written = gathers.scatter(ctx, ctx.constant((prod(shape),)), 0, known.reshape(-1), flat)
    return ctx.reshape(written, shape)
