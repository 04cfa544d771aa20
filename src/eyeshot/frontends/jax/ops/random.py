"""Random numbers: what is drawn depends on the whole key."""

from __future__ import annotations

from typing import Any

from eyeshot.frontends.jax.context import Context, lowers
from eyeshot.graph import Ref


@lowers("random_bits", "random_split", "random_fold_in", "random_clone")
def of_key(ctx: Context, key: Ref, *data: Ref, **params: Any) -> Ref:
    """Each number reads its own key."""
    shape = ctx.output_shape
    operands = [ctx.reshape(ref, (*ref.shape, *(1,) * (len(shape) - len(ref.shape)))) for ref in (key, *data)]
    return ctx.pointwise(*operands, shape=shape)


@lowers("random_seed", "random_wrap")
def make_key(ctx: Context, data: Ref, **params: Any) -> Ref:
    """A key reads its own words."""
    extra = range(len(ctx.output_shape), len(data.shape))
    return ctx.reduce(data, extra, keep=False, summarises=False) if extra else data


@lowers("random_unwrap")
def words(ctx: Context, key: Ref, **params: Any) -> Ref:
    """Every word reads its key."""
    shape = ctx.output_shape
    return ctx.broadcast(ctx.reshape(key, (*key.shape, *(1,) * (len(shape) - len(key.shape)))), shape)


@lowers("threefry2x32", "philox2x32", "philox4x32", "threefry4x32")
def cipher(ctx: Context, *operands: Ref, **params: Any) -> list[Ref]:
    """Each word reads the words at its place of key and counter."""
    return [ctx.pointwise(*operands, shape=shape) for shape in ctx.output_shapes]


@lowers("rng_bit_generator")
def generator(ctx: Context, key: Ref, **params: Any) -> list[Ref]:
    """Every number, and the next key, reads the whole key."""
    whole = ctx.reduce(key, range(len(key.shape)), keep=False, summarises=False)
    return [ctx.broadcast(whole, shape) for shape in ctx.output_shapes]


@lowers("random_gamma")
def gamma(ctx: Context, key: Ref, alpha: Ref, **params: Any) -> Ref:
    """Each draw reads its own key and shape parameter."""
    return ctx.pointwise(key, alpha, shape=ctx.output_shape)


@lowers("iota_2x32_shape")
def counters(ctx: Context, **params: Any) -> list[Ref]:
    """Counters read nothing."""
    return [ctx.constant(shape) for shape in ctx.output_shapes]
