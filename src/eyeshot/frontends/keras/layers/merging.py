"""Layers that join tensors."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from eyeshot.errors import InputError
from eyeshot.frontends.keras.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.graph.builder import broadcast_shape

READING_MASKS = {"layers.Maximum", "layers.Minimum", "layers.Multiply"}


@lowers(*(f"layers.{name}" for name in "Add Subtract Multiply Average Maximum Minimum".split()))
def merge(ctx: Context, xs: Sequence[Ref]) -> Ref:
    """The same element of every tensor; those of lower rank get axes behind the batch. Some replace what is masked."""
    rank = max(len(x.shape) for x in xs)
    wide = [ctx.reshape(x, (x.shape[0], *[1] * (rank - len(x.shape)), *x.shape[1:])) for x in xs]
    shape = broadcast_shape(*(x.shape for x in wide))
    masks = [mask for mask in ctx.call.masks if mask is not None]
    if masks and len(masks) == len(xs):
        ctx.call.output_masks = [ctx.pointwise(*masks)]
    read = masks if ctx.call.name in READING_MASKS and len(xs) > 1 else []
    return ctx.pointwise(*wide, *(_beside(ctx, mask, rank) for mask in read), shape=shape)


def _beside(ctx: Context, mask: Ref, rank: int) -> Ref:
    """A mask (N, T, ...) as it is multiplied with a tensor of ``rank``."""
    return ctx.reshape(mask, (*mask.shape, *[1] * (rank - len(mask.shape))))


@lowers("layers.CustomScaleLayer")
def scaled_sum(ctx: Context, xs: Sequence[Ref]) -> Ref:
    """The same element of both tensors, as keras.applications' Inception-ResNet adds them."""
    return ctx.pointwise(*xs)


@lowers("layers.Concatenate")
def concatenate(ctx: Context, xs: Sequence[Ref]) -> Ref:
    """Tensors end to end; a mask is kept where any of its features has one."""
    axis = ctx.options.axis("axis", len(xs[0].shape))
    for x in xs:
        rest = [n for place, n in enumerate(x.shape) if place != axis]
        if rest != [n for place, n in enumerate(xs[0].shape) if place != axis]:
            raise InputError(
                f"{ctx.options.where} joins {', '.join(str(ref.shape) for ref in xs)}: other axes differ"
            )
    masks = ctx.call.masks
    if any(mask is not None for mask in masks):
        wide = [
            ctx.constant(x.shape)
            if mask is None
            else ctx.broadcast(_beside(ctx, mask, len(x.shape)), x.shape)
            for x, mask in zip(xs, masks, strict=True)
        ]
        joined = ctx.reduce(ctx.concat(wide, axis), [-1], keep=False, summarises=False)
        ctx.call.output_masks = [None if ctx.is_constant(joined) else joined]
    return ctx.concat(xs, axis)


@lowers("layers.Dot")
def dot(ctx: Context, xs: Sequence[Ref]) -> Ref:
    """Each element reads a row of either tensor."""
    x, y = xs
    given = ctx.options.get("axes")
    own = [given, given] if isinstance(given, int) else given
    a, b = own[0] % len(x.shape), own[1] % len(y.shape)
    if ctx.options.flag("normalize"):
        x, y = ctx.normalise(x, [a]), ctx.normalise(y, [b])
    letters = "nabcdefghijklm"[: len(x.shape)]
    others = "nopqrstuvwxyz"[: len(y.shape)]
    others = others[:b] + letters[a] + others[b + 1 :]
    target = (
        "n"
        + "".join(c for c in letters[1:] if c != letters[a])
        + "".join(c for c in others[1:] if c != letters[a])
    )
    out = ctx.contract(f"{letters},{others}->{target}", x, y)
    ctx.call.macs += prod(out.shape) * x.shape[a]
    return ctx.reshape(out, (*out.shape, 1)) if len(out.shape) == 1 else out
