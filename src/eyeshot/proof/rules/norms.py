"""Normalisations: each element with the mean of what its statistics are taken over."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from eyeshot.proof.program import mean
from eyeshot.proof.rules.call import Call, rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from eyeshot.proof.program import Linear, Twins


_INFERENCE = frozenset({"_native_batch_norm_legit_no_training", "_batch_norm_no_update"})


def _normalised(call: Call, axes: Sequence[int], shape: Sequence[int] | None = None) -> Linear:
    """``x`` and its mean along ``axes`` (of another ``shape`` if given); weights lie along axis 1, or at the end."""
    x, weight, bias = (call.slot(name) for name in ("input", "weight", "bias"))
    outputs = [tuple(tensor.shape) for tensor in call.outputs]
    at_end = "normalized_shape" in call.args

    def linear(twins: Twins) -> list[Tensor]:
        out = twins[0].new_zeros(())
        statistics = out
        if x is not None:
            seen = twins[x] if shape is None else twins[x].reshape(tuple(shape))
            statistics = mean(seen, axes)
            out = out + (seen + statistics).reshape(outputs[0])
        for slot in (weight, bias):
            if slot is not None:
                side = 1 if at_end else prod(outputs[0][2:])
                w = (
                    twins[slot]
                    if at_end or side == 0
                    else twins[slot].reshape(-1, *(1,) * (len(outputs[0]) - 2))
                )
                out = out + w
        rest = [_sized(statistics, each) for each in outputs[1:]]
        return [out.expand(outputs[0]), *rest]

    return linear


def _sized(statistics: Tensor, shape: Sequence[int]) -> Tensor:
    if statistics.numel() == prod(shape):
        return statistics.reshape(tuple(shape))
    return statistics.mean().expand(tuple(shape))


@rule("native_layer_norm _fused_rms_norm rms_norm layer_norm")
def layer_norm(call: Call) -> Linear:
    """Statistics over the last axes."""
    rank = call.args["input"].dim()
    return _normalised(call, range(rank - len(call.args["normalized_shape"]), rank))


@rule("native_group_norm")
def group_norm(call: Call) -> Linear:
    """Statistics over a group of channels and all positions."""
    return _normalised(call, [2], (call.args["N"], call.args["group"], -1))


@rule("native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_functional cudnn_batch_norm")
@rule("_batch_norm_with_update _batch_norm_with_update_functional")
@rule("_native_batch_norm_legit_no_training _batch_norm_no_update")
def batch_norm(call: Call) -> Linear:
    """Statistics over batch and positions in training, none of this input's in inference."""
    if call.name in _INFERENCE or call.args.get("training") is False:
        call.count = 1
        linear = _normalised(call, [])
        return lambda twins: linear(twins)[:1]
    rank = call.args["input"].dim()
    return _normalised(call, [axis for axis in range(rank) if axis != 1])


@rule("renorm")
def renorm(call: Call) -> Linear:
    """Each slice along one axis with its own norm."""
    slot, rank = call.slot("self"), call.args["self"].dim()
    assert slot is not None
    axes = [axis for axis in range(rank) if axis != call.args["dim"] % rank]
    return lambda twins: [twins[slot] + mean(twins[slot], axes)]
