"""Calls, branches and loops: the jaxprs inside are followed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jax.extend.core import ClosedJaxpr

from eyeshot.frontends.jax.context import Context, lowers
from eyeshot.graph import Ref


def closed(jaxpr: Any) -> ClosedJaxpr:
    """A jaxpr with its constants, of which an open one has none."""
    return jaxpr if isinstance(jaxpr, ClosedJaxpr) else ClosedJaxpr(jaxpr, ())


@lowers("jit", "closed_call", "core_call", "remat2", "checkpoint", "custom_jvp_call", "custom_vjp_call",
        "custom_vmap_call", "call", "composite", "custom_lin", "eval_jaxpr", "jaxpr_call", follows=True)  # fmt: skip
def call(ctx: Context, *operands: Ref, **params: Any) -> list[Ref]:
    """What the function inside computes; rules for derivatives are left aside."""
    inner = next(params[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr", "call") if key in params)
    return ctx.follow(closed(inner), operands, str(params.get("name", "")))


@lowers("custom_linear_solve", follows=True)
def linear_solve(ctx: Context, *operands: Ref, const_lengths: Any, jaxprs: Any) -> list[Ref]:
    """What the solver inside computes from its own constants and the right sides."""
    counts = list(const_lengths)
    before = sum(counts[:2])
    constants = operands[before : before + counts[2]]
    return ctx.follow(closed(jaxprs.solve), [*constants, *operands[sum(counts) :]])


@lowers("cond", follows=True)
def cond(
    ctx: Context, which: Ref, *operands: Ref, branches: Sequence[ClosedJaxpr], **params: Any
) -> list[Ref]:
    """What the chosen branch computes; where the choice is computed, that and every branch."""
    shapes = ctx.output_shapes
    if which.known is not None:
        number = min(max(int(which.known), 0), len(branches) - 1)
        return ctx.follow(closed(branches[number]), operands)
    found = [ctx.follow(closed(branch), operands) for branch in branches]
    return [
        ctx.pointwise(which, *refs, shape=shape)
        for refs, shape in zip(zip(*found, strict=True), shapes, strict=True)
    ]
