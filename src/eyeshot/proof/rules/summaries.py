"""Ops that read all of an axis: means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from eyeshot.proof.program import mean
from eyeshot.proof.rules.call import Call, rule

if TYPE_CHECKING:
    from torch import Tensor

    from eyeshot.proof.program import Linear, Twins

_MASKED = float(torch.finfo(torch.float16).min)


@rule(
    "amax amin var std var_mean std_mean norm linalg_vector_norm logsumexp prod any all argmax argmin median"
)
@rule("nanmedian mode count_nonzero kthvalue aminmax max min")
def reduce(call: Call) -> Linear:
    """Everything along the axes."""
    slot, shapes = call.slot("self"), [tensor.shape for tensor in call.outputs]
    assert slot is not None
    axes = call.dims()
    return lambda twins: [mean(twins[slot], axes).expand(_kept(twins[slot], axes)).reshape(s) for s in shapes]


def _kept(twin: Tensor, axes: list[int]) -> list[int]:
    return [1 if axis in axes else extent for axis, extent in enumerate(twin.shape)]


@rule("sort topk argsort msort")
def rank(call: Call) -> Linear:
    """Every rank reads the whole axis."""
    slot, shape, count = call.slot("self"), call.shape, call.count
    assert slot is not None
    axis = 0 if call.name == "msort" else call.args["dim"] % max(call.args["self"].dim(), 1)
    return lambda twins: [mean(twins[slot], [axis] if twins[slot].dim() else []).expand(shape)] * count


@rule("cumprod logcumsumexp cummax cummin _cummax_helper _cummin_helper")
def scan(call: Call) -> Linear:
    """Itself and all before it along the axis."""
    slot, axis, count = call.slot("self"), call.args["dim"], call.count
    assert slot is not None
    return lambda twins: [twins[slot].cumsum(axis)] * count


@rule("_softmax _log_softmax softmax log_softmax _safe_softmax")
def softmax(call: Call) -> Linear:
    """Itself and the mean of its axis; what is masked with -inf stays out, and comes out as 0."""
    x, slot, axis = call.args["self"], call.slot("self"), call.args["dim"]
    assert slot is not None
    if not x.dim():
        return lambda twins: [twins[slot]]
    axis %= x.dim()
    dead = x <= _MASKED
    keep = None
    if bool(dead.any()):
        call.flag("leaks")
        if bool((dead & (x > torch.finfo(x.dtype).min)).any()):
            call.flag("misses")  # large negative scores are 0 in fact, and not by construction
        keep = ~dead | dead.all(axis, keepdim=True)
        call.support = keep if "log" not in call.name else None

    def linear(twins: Twins) -> list[Tensor]:
        seen = twins[slot] if keep is None else twins[slot] * keep
        out = seen + mean(seen, [axis])
        return [out if keep is None else out * keep]

    return linear


@rule("_fft_r2c _fft_c2r _fft_c2c")
def transform(call: Call) -> Linear | None:
    """Every frequency reads the whole axis; of real numbers held as complex ones, cosines of 0 leave some out."""
    slot, axes, shape = call.slot("self"), call.dims(), call.shape
    assert slot is not None
    x = call.args["self"]
    if x.is_complex() and not bool(x.imag.any()):
        return None
    return lambda twins: [mean(twins[slot], axes).expand(shape)]
