"""Ops that keep every element in its place: activations, norms, gates, layers on channels."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from eyeshot.frontends.compounds.norms import grouped
from eyeshot.frontends.spec.words import word
from eyeshot.relations import All

if TYPE_CHECKING:
    from eyeshot.frontends.spec.context import Context
    from eyeshot.frontends.spec.tree import Op
    from eyeshot.graph import Ref

ACTIVATIONS = (
    "relu", "leakyrelu", "elu", "selu", "gelu", "silu", "mish", "sigmoid", "tanh", "softplus",
    "hardswish", "hardsigmoid",
)  # fmt: skip


@word(*ACTIVATIONS, "id", "dropout")
def unchanged(ctx: Context, x: Ref, op: Op) -> Ref:
    """Each element alone (dropout as in eval mode: nothing)."""
    return x


@word("bn")
def bn(ctx: Context, x: Ref, op: Op) -> Ref:
    """Batch norm in eval mode: each element alone."""
    ctx.costs(2 * x.shape[1])
    return x


@word("in")
def instance_norm(ctx: Context, x: Ref, op: Op) -> Ref:
    """Instance norm: each element with the statistics of its channel, over all of space."""
    ctx.spatial(x)
    return ctx.normalise(x, range(2, 2 + ctx.rank))


@word("ln")
def layer_norm(ctx: Context, x: Ref, op: Op) -> Ref:
    """Layer norm over the channels of each position (gn1 takes all channels and all of space)."""
    ctx.costs(2 * x.shape[1])
    return ctx.normalise(x, [1])


@word("gn", size="the number of groups", optional=True)
def group_norm(ctx: Context, x: Ref, op: Op) -> Ref:
    """Group norm: each element with the statistics of its group of channels (32 groups unless written), over space."""
    groups = op.size[0] if op.size else 32
    assert isinstance(groups, int)
    if x.shape[1] % groups:
        ctx.refuse(
            f"{x.shape[1]} channels do not divide into {groups} groups; write gn with a number, such as gn1"
        )
    ctx.costs(2 * x.shape[1])
    return grouped(ctx, x, groups)[0]


@word("softmax")
def softmax(ctx: Context, x: Ref, op: Op) -> Ref:
    """Softmax over the channels of each position."""
    return ctx.normalise(x, [1])


@word("linear", channels=True)
def linear(ctx: Context, x: Ref, op: Op) -> Ref:
    """A linear layer on the channels (after flatten: on all features), at each position by itself."""
    channels = ctx.channels(op, x)
    ctx.costs((x.shape[1] + 1) * channels, prod(x.shape) * channels)
    return ctx.along(x, {1: (All(), channels)})


@word("flatten")
def flatten(ctx: Context, x: Ref, op: Op) -> Ref:
    """Channels and space as one axis of features."""
    return ctx.reshape(x, (x.shape[0], prod(x.shape[1:])))


@word("se", size="the reduction", optional=True)
def squeeze_excite(ctx: Context, x: Ref, op: Op) -> Ref:
    """A gate (squeeze and excitation): each element times a number computed from the mean of every channel.

    In between are channels / reduction (16 unless written), at least one.
    """
    ctx.spatial(x)
    reduction = op.size[0] if op.size else 16
    assert isinstance(reduction, int)
    batch, channels = x.shape[:2]
    hidden = max(1, channels // reduction)
    ctx.costs(2 * channels * hidden + channels + hidden, 2 * batch * channels * hidden)
    mean = ctx.reduce(x, range(2, 2 + ctx.rank))
    return ctx.pointwise(x, ctx.along(mean, {1: (All(), channels)}))
