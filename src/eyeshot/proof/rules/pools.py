"""Max pools: means over the same windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from eyeshot.proof.program import thin
from eyeshot.proof.rules.call import Call, rule

if TYPE_CHECKING:
    from torch import Tensor

    from eyeshot.proof.program import Linear, Twins


@rule("max_pool1d max_pool2d max_pool3d max_pool2d_with_indices max_pool3d_with_indices mkldnn_max_pool2d")
def max_pool(call: Call) -> Linear:
    """Each output is the mean of a dilated window; padding is no input."""
    slot, shape, count = call.slot("self"), call.shape, call.count
    assert slot is not None
    rank = int(call.name[8]) if call.name.startswith("max") else 2
    kernel, padding, dilation = (
        _each(call.args[name], rank) for name in ("kernel_size", "padding", "dilation")
    )
    stride = _each(call.args["stride"] or kernel, rank)
    pads: list[int] = []
    for axis in reversed(range(rank)):
        needed = (shape[axis - rank] - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1
        pads += [padding[axis], needed - call.args["self"].shape[axis - rank] - padding[axis]]
    convolve = getattr(functional, f"conv{rank}d")

    def linear(twins: Twins) -> list[Tensor]:
        x = twins[slot]
        leading = thin(x).shape[:-rank]
        small = thin(x).expand(*leading, *x.shape[-rank:])
        padded = functional.pad(small.reshape(-1, 1, *x.shape[-rank:]), pads)
        out = convolve(padded, x.new_ones(1, 1, *kernel), stride=stride, dilation=dilation)
        return [out.reshape(*leading, *out.shape[-rank:]).expand(shape)] * count

    return linear


def _each(value: int | list[int], rank: int) -> list[int]:
    given = [value] if isinstance(value, int) else list(value)
    return given * rank if len(given) == 1 else given


@rule("adaptive_max_pool2d adaptive_max_pool3d")
def adaptive_max_pool(call: Call) -> Linear:
    """Each output is the mean of its window."""
    slot, size, count = call.slot("self"), call.args["output_size"], call.count
    assert slot is not None
    pool = getattr(torch.nn.functional, call.name.replace("max", "avg"))
    return lambda twins: [pool(twins[slot], size)] * count
