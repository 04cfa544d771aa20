"""Ops that move, select, sum or average elements: their own linear maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from eyeshot.proof.rules.call import Call, rule

if TYPE_CHECKING:
    from torch import Tensor

    from eyeshot.proof.program import Linear, Twins


@rule(
    "permute transpose t select squeeze unsqueeze split split_with_sizes chunk unsafe_chunk unsafe_split expand",
    "unsafe_split_with_sizes tensor_split unbind slice diagonal unfold narrow movedim diag_embed flip rot90 roll",
    "permute_copy transpose_copy t_copy select_copy squeeze_copy unsqueeze_copy slice_copy expand_copy unfold_copy",
    "diagonal_copy unbind_copy split_copy split_with_sizes_copy repeat tile index_select im2col col2im trace diag",
    "pixel_shuffle pixel_unshuffle channel_shuffle avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d",
    "_adaptive_avg_pool2d _adaptive_avg_pool3d reflection_pad1d reflection_pad2d reflection_pad3d",
    "replication_pad1d replication_pad2d replication_pad3d cat stack block_diag",
    "slice_scatter select_scatter diagonal_scatter as_strided_scatter cumsum sum mean nansum index gather take",
    "_unsafe_index index_put _unsafe_index_put scatter scatter_add index_add index_copy index_fill broadcast_tensors",
)
def itself(call: Call) -> Linear:
    """The op on twins; a support moves as the elements do."""
    linear = call.same_op()
    support = _moved(call)
    if support is not None:
        call.support = support != 0

    def run(twins: Twins) -> list[Tensor]:
        out = linear(twins)
        return list(out) if isinstance(out, list | tuple) else [out]

    return run


_MOVING = frozenset(
    "permute transpose t select squeeze unsqueeze expand slice narrow movedim flip roll repeat index_select".split()
)


def _moved(call: Call) -> Tensor | None:
    """The support of the output of a view, if its operand has one."""
    held = call.support_of("self")
    slot = call.slot("self")
    if held is None or slot is None or call.name not in _MOVING:
        return None
    moved: Tensor = call.same_op()({0: held.double(), slot: held.double()})
    return moved


@rule("view _unsafe_view reshape _reshape_alias view_copy _reshape_copy")
def reshape(call: Call) -> Linear | None:
    """The same elements in another shape."""
    slot, shape = call.slot("self"), call.shape
    assert slot is not None
    if call.args["self"].numel() != call.outputs[0].numel():
        return None
    held = call.support_of("self")
    call.support = None if held is None else held.reshape(shape)
    return lambda twins: [twins[slot].reshape(shape)]


@rule("clone alias alias_copy detach detach_copy lift lift_fresh lift_fresh_copy _to_copy contiguous dropout")
@rule("native_dropout _conj _neg_view resolve_conj resolve_neg _conj_physical conj_physical _pin_memory")
def same(call: Call) -> Linear:
    """The same elements."""
    slot = call.slot("self") if "self" in call.args else call.slot("input")
    assert slot is not None
    call.count = 1
    call.support = call.support_of("self" if "self" in call.args else "input")
    if not call.outputs[0].is_floating_point() and call.args.get("self", call.outputs[0]).is_floating_point():
        call.flag("hides")
    return lambda twins: [twins[slot]]


@rule("constant_pad_nd")
def pad(call: Call) -> Linear:
    """A border of constants."""
    linear = call.same_op(value=0.0)
    return lambda twins: [linear(twins)]


@rule("as_strided as_strided_copy")
def as_strided(call: Call) -> Linear:
    """Any view of the same memory."""
    x, slot, shape = call.args["self"], call.slot("self"), call.shape
    assert slot is not None
    extent = x.untyped_storage().nbytes() // x.element_size()
    every = torch.arange(extent)
    back = torch.full((extent,), x.numel())
    back[every.as_strided(x.shape, x.stride(), x.storage_offset()).reshape(-1)] = torch.arange(x.numel())
    offset = call.args.get("storage_offset")
    wanted = every.as_strided(shape, call.args["stride"], x.storage_offset() if offset is None else offset)
    place = back[wanted.reshape(-1)]

    def linear(twins: Twins) -> list[Tensor]:
        flat = twins[slot].reshape(-1)
        return [torch.cat([flat, flat.new_zeros(1)])[place].reshape(shape)]

    return linear


@rule("copy")
def copy(call: Call) -> Linear | None:
    """Another tensor's elements, broadcast."""
    slot, shape = call.slot("src"), call.args["self"].shape
    if slot is None:
        call.count = 0
        return lambda _: []
    call.support = call.support_of("src") if call.args["src"].shape == shape else None
    return lambda twins: [twins[slot].expand(shape)]


@rule("zero fill uniform normal bernoulli_ random exponential")
def overwritten(call: Call) -> Linear:
    """Constants now, or one scalar everywhere."""
    slot, shape = call.slot("value"), call.shape
    call.count = 0 if slot is None else 1
    return lambda twins: [] if slot is None else [twins[slot].expand(shape)]


@rule("tril triu")
def triangle(call: Call) -> Linear:
    """One triangle of the last two axes; the rest is 0 by construction."""
    linear = call.same_op()
    ones = torch.ones(call.shape[-2:], dtype=torch.bool)
    keep = getattr(torch, call.name)(ones, call.args["diagonal"])
    held = call.support_of("self")
    call.support = keep.expand(call.shape) if held is None else held & keep
    call.flag("leaks")
    return lambda twins: [linear(twins)]


@rule("view_as_real")
def view_as_real(call: Call) -> Linear:
    """Both parts read the same number."""
    slot, shape = call.slot("self"), call.shape
    assert slot is not None
    return lambda twins: [twins[slot].unsqueeze(-1).expand(shape)]


@rule("view_as_complex")
def view_as_complex(call: Call) -> Linear:
    """A number reads both parts."""
    slot = call.slot("self")
    assert slot is not None
    return lambda twins: [twins[slot].sum(-1)]


@rule("embedding")
def embedding(call: Call) -> Linear:
    """Rows of a table, by index: the row, where it is computed, and the index, where that is."""
    weight, indices, shape = call.slot("weight"), call.slot("indices"), call.shape
    places = call.args["indices"].detach().clone()
    if weight is not None and indices is not None:
        call.flag("misses", "hides")

    def linear(twins: Twins) -> list[Tensor]:
        out = twins[0].new_zeros(())
        if weight is not None:
            out = out + twins[weight][places]
        if indices is not None:
            out = out + twins[indices].unsqueeze(-1)
        return [out.expand(shape)]

    return linear
