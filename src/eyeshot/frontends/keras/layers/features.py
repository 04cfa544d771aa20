"""Preprocessing of features: values looked up one by one, and encoded."""

from __future__ import annotations

from collections.abc import Sequence

from eyeshot.errors import InputError
from eyeshot.frontends.keras.context import Context, lowers
from eyeshot.graph import Ref


def encoded(ctx: Context, x: Ref, mode: str, count: int, weights: Ref | None = None) -> Ref:
    """Integers as they are, one-hot, or counted along the last axis."""
    if mode == "int":
        ctx.call.dtype = "int64"
        return x
    x = ctx.reshape(x, (1,)) if not x.shape else x
    if mode == "one_hot":
        if len(x.shape) > 1 and x.shape[-1] == 1:
            x = ctx.reshape(x, x.shape[:-1])
        return ctx.broadcast(ctx.reshape(x, (*x.shape, 1)), (*x.shape, count))
    x = x if weights is None else ctx.pointwise(x, weights)
    axis = (1 if len(x.shape) > 1 else 0) if mode == "count" else len(x.shape) - 1
    summed = ctx.reduce(x, [axis], keep=False, summarises=False)
    return ctx.broadcast(ctx.reshape(summed, (*summed.shape, 1)), (*summed.shape, count))


def _mode(ctx: Context, default: str) -> str:
    modes = ["int", "one_hot", "multi_hot", "count", "tf_idf"]
    return ctx.options.choice("output_mode", default, *(mode for mode in modes if mode != default))


@lowers("layers.CategoryEncoding")
def category_encoding(ctx: Context, x: Ref, count_weights: Ref | None = None) -> Ref:
    """Each number reads what it counts, or whether it is that category."""
    return encoded(ctx, x, _mode(ctx, "multi_hot"), ctx.options.features("num_tokens"), count_weights)


@lowers("layers.Discretization")
def discretization(ctx: Context, x: Ref) -> Ref:
    """Each bin reads its own element; encodings of several also those beside it."""
    bounds = ctx.options.get("bin_boundaries")
    count = len(bounds) + 1 if isinstance(bounds, Sequence) else ctx.options.whole("num_bins", 1)
    return encoded(ctx, x, _mode(ctx, "int"), count)


@lowers("layers.Hashing")
def hashing(ctx: Context, x: Ref) -> Ref:
    """Each bin reads its own element."""
    return encoded(ctx, x, _mode(ctx, "int"), ctx.options.features("num_bins"))


@lowers("layers.HashedCrossing")
def hashed_crossing(ctx: Context, xs: Sequence[Ref]) -> Ref:
    """Each bin reads the same element of every feature."""
    return encoded(ctx, ctx.pointwise(*xs), _mode(ctx, "int"), ctx.options.features("num_bins"))


@lowers("layers.IntegerLookup", "layers.StringLookup")
def lookup(ctx: Context, x: Ref) -> Ref:
    """Each index reads its own element of the vocabulary's words."""
    mode = _mode(ctx, "int")
    words = ctx.options.get("vocabulary")
    count = ctx.options.get("max_tokens") if ctx.options.flag("pad_to_max_tokens") else None
    if count is None and isinstance(words, Sequence):
        count = len(words) + ctx.options.whole("num_oov_indices", 1, low=0)
    if count is None and mode != "int":
        raise InputError(
            f"{ctx.options.where} has an output for each word, and its configuration does not list them"
        )
    return encoded(ctx, x, "multi_hot" if mode == "tf_idf" else mode, int(count or 0))
