"""What the recorder must know of one ATen op, read once from its schema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from eyeshot.frontends.torch.shortcuts import SHORTCUTS

# Composite ops that are recorded whole: taken apart they would hide what they mean, or cost much.
KEPT = frozenset(
    f"aten.{name}"
    for name in (
        "linear.default", "matmul.default", "einsum.default", "bilinear.default",
        "batch_norm.default", "layer_norm.default", "group_norm.default", "instance_norm.default",
        "rms_norm.default", "scaled_dot_product_attention.default",
        "lstm.input", "lstm.data", "gru.input", "gru.data",
        "rnn_tanh.input", "rnn_tanh.data", "rnn_relu.input", "rnn_relu.data",
        "dropout.default", "feature_dropout.default", "alpha_dropout.default",
        "feature_alpha_dropout.default",
        "fft_irfft.default", "fft_irfft2.default", "fft_irfftn.default",
        "fft_hfft.default", "fft_hfft2.default", "fft_hfftn.default",
        "pixel_shuffle.default", "pixel_unshuffle.default", "channel_shuffle.default",
        "grid_sampler.default",
        "quantile.default", "quantile.scalar", "nanquantile.default", "nanquantile.scalar",
        "max_pool1d.default", "max_pool2d.default", "max_pool3d.default",
        "adaptive_avg_pool1d.default", "adaptive_avg_pool2d.default", "adaptive_avg_pool3d.default",
    )
)  # fmt: skip

# Ops that read the shape of their operand and none of its elements.
SHAPE_ONLY = frozenset(
    f"aten.{name}"
    for name in (
        "zeros_like.default", "ones_like.default", "empty_like.default", "full_like.default",
        "new_zeros.default", "new_ones.default", "new_empty.default", "new_full.default",
        "new_empty_strided.default", "rand_like.default", "randn_like.default", "randint_like.default",
        "randint_like.low_dtype",
    )
)  # fmt: skip

# Plain answers (no tensors) that shapes and dtypes decide.
_STATIC_ANSWERS = (
    "size",
    "stride",
    "is_same_size",
    "result_type",
    "can_cast",
    "is_floating_point",
    "is_complex",
)


# The decompositions in C++ alone: those in Python take resizes apart into gathers.
_COMPOSITE = "CompositeImplicitAutograd"


@dataclass(slots=True, frozen=True)
class OpInfo:
    """``functional``: the op to record, which for in-place and out= ops is their functional form.

    ``written``: the positions or names of the arguments that the op writes to. ``moves``: it
    changes its operand's shape in place. ``views``: its outputs share memory with the operand.
    """

    name: str
    functional: str
    written: tuple[tuple[int, str], ...]
    out_names: frozenset[str]
    views: bool
    moves: bool
    composite: bool
    random: bool
    dynamic: bool
    shape_only: bool
    static_answer: bool
    shortcut: Callable[..., Any] | None


@cache
def describe(func: Any) -> OpInfo:
    """Read an overload's schema and tags."""
    name, schema, tags = str(func), func._schema, func.tags
    written = tuple(
        (position, argument.name)
        for position, argument in enumerate(schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    )
    out_names = frozenset(a.name for a in schema.arguments if a.is_out)
    functional = _functional_name(func, out_names) if written else name
    return OpInfo(
        name=name,
        functional=functional,
        written=written,
        out_names=out_names,
        views=not written and any(r.alias_info is not None for r in schema.returns),
        moves=torch.Tag.inplace_view in tags,
        composite=name not in KEPT
        and torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), _COMPOSITE),
        random=torch.Tag.nondeterministic_seeded in tags,
        dynamic=_is_dynamic(func),
        shape_only=name in SHAPE_ONLY,
        static_answer=func._opname in _STATIC_ANSWERS,
        shortcut=SHORTCUTS.get(functional),
    )


def _is_dynamic(func: Any) -> bool:
    # An index is tagged because of boolean masks; its meta kernel refuses those by itself.
    if "index" in func._opname:
        return False
    return torch.Tag.dynamic_output_shape in func.tags or torch.Tag.data_dependent_output in func.tags


def _functional_name(func: Any, out_names: frozenset[str]) -> str:
    """The op without side effects: of the same overload, or else of the same arguments."""
    opname, overload = func._opname, func._overloadname
    base = opname if out_names else {"normal_": "normal_functional"}.get(opname, opname.removesuffix("_"))
    packet = getattr(getattr(torch.ops, func.namespace), base, None)
    overloads = packet.overloads() if packet is not None else []
    if out_names or overload not in overloads:
        wanted = [a.name for a in func._schema.arguments if a.name not in out_names]
        for other in overloads:
            if [a.name for a in getattr(packet, other)._schema.arguments] == wanted:
                overload = other
                break
    return f"{func.namespace}.{base}.{overload}"
