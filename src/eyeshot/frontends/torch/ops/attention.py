"""Fused attention: a contraction of queries, keys and values, with what a static mask leaves of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eyeshot.frontends.compounds import attention as compounds
from eyeshot.frontends.torch.context import Context, lowers
from eyeshot.frontends.torch.trace import values_in

if TYPE_CHECKING:
    from eyeshot.graph import Ref


@lowers("aten.scaled_dot_product_attention.default", "aten._scaled_dot_product_attention_math.default")
def attention(
    ctx: Context,
    query: Ref,
    key: Ref,
    value: Ref,
    attn_mask: Ref | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    dropout_mask: Ref | None = None,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> list[Ref]:
    """Each output reads its query, the keys that its mask leaves, and one feature of their values."""
    boolean = any(value.dtype == "bool" for value in values_in([ctx.call.args, ctx.call.kwargs]))
    wanted = ctx.output_shapes[1:2] == [query.shape[:-1]]
    return compounds.attention(
        ctx, query, key, value, attn_mask, causal=is_causal, boolean=boolean, grouped=enable_gqa, sums=wanted
    )


@lowers(
    "aten._scaled_dot_product_flash_attention.default", "aten._scaled_dot_product_cudnn_attention.default"
)
def flash_attention(ctx: Context, query: Ref, key: Ref, value: Ref, *args: Any, **kwargs: Any) -> list[Ref]:
    """As attention; whether it is causal stands behind the dropout (and the bias, with cuDNN)."""
    cudnn = "cudnn" in ctx.call.op
    bias = args[0] if cudnn and args else kwargs.get("attn_bias")
    causal = args[3] if cudnn and len(args) > 3 else args[1] if not cudnn and len(args) > 1 else False
    return attention(ctx, query, key, value, bias, 0.0, kwargs.get("is_causal", causal))


@lowers("aten._scaled_dot_product_flash_attention_for_cpu.default")
def cpu_flash_attention(
    ctx: Context,
    query: Ref,
    key: Ref,
    value: Ref,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    attn_mask: Ref | None = None,
    scale: float | None = None,
) -> list[Ref]:
    """As attention."""
    return attention(ctx, query, key, value, attn_mask, 0.0, is_causal)


@lowers("aten._scaled_dot_product_efficient_attention.default")
def efficient_attention(
    ctx: Context,
    query: Ref,
    key: Ref,
    value: Ref,
    attn_bias: Ref | None,
    compute_log_sumexp: bool,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
) -> list[Ref]:
    """As attention."""
    return attention(ctx, query, key, value, attn_bias, 0.0, is_causal)
