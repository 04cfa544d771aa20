"""Ops whose element reads the same element of every operand, after broadcasting: sums of the twins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from eyeshot.proof.program import thin
from eyeshot.proof.rules.call import Call, rule

if TYPE_CHECKING:
    from torch import Tensor

    from eyeshot.proof.program import Linear, Twins

# Beside those that torch itself tags as pointwise.
OTHERS = """
    pointwise hardswish prelu _prelu_kernel log_sigmoid_forward floor_divide divide multiply subtract fix
    bernoulli complex real imag conj polar __and__ __or__ __xor__ rrelu_with_noise type_as arctan2 absolute
    negative arctanh arcsinh arccosh arcsin arccos arctan greater greater_equal less less_equal not_equal
    isclose angle isin bucketize isneginf isposinf frexp logit threshold
"""
_KEEPING_ZERO = frozenset("mul div neg abs relu nan_to_num sqrt square".split())


@rule(OTHERS)
def added(call: Call) -> Linear:
    """The sum of the operands; where a factor is 0 by construction, nothing."""
    slots, shape, count = call.dependents(), call.shape, call.count
    keep = _factors(call) if call.name == "mul" else None
    supports = [call.support_of(t) for t in call.tensors() if call.slot(t) is not None]
    if call.name in _KEEPING_ZERO:
        for support in supports:
            if support is not None:
                keep = support if keep is None else keep & support
    elif call.name == "exp" and len(slots) == 1:
        dead = call.outputs[0] == 0
        keep = ~dead if bool(dead.any()) else None
    if keep is not None:
        call.support = keep.expand(shape)
        call.flag("leaks")

    def linear(twins: Twins) -> list[Tensor]:
        total = thin(twins[slots[0]])
        for slot in slots[1:]:
            total = total + thin(twins[slot])
        if keep is not None:
            total = total * keep
        return [total.expand(shape)] * count

    return linear


def _factors(call: Call) -> Tensor | None:
    """Where no constant factor is 0 by construction."""
    keep = None
    for tensor in call.tensors():
        nonzero = call.zeros(tensor)
        if nonzero is not None:
            keep = nonzero if keep is None else keep & nonzero
    return keep


@rule("where")
def where(call: Call) -> Linear:
    """Both choices and the condition; a known condition leaves one choice an element."""
    condition, shape = call.args["condition"], call.shape
    if not call.constant(condition):
        call.flag("hides")
        return added(call)
    chosen = condition.detach().clone()
    choices = [(call.slot("self"), chosen), (call.slot("other"), ~chosen)]
    zero = [call.slot(name) is None and _is_zero(call.args[name]) for name in ("self", "other")]
    if any(zero):
        call.support = (~chosen if zero[0] else chosen).expand(shape)

    def linear(twins: Twins) -> list[Tensor]:
        parts = [twins[slot] * kept for slot, kept in choices if slot is not None]
        return [sum(parts[1:], parts[0]).expand(shape)]

    return linear


def _is_zero(value: object) -> bool:
    return not bool(value.any()) if isinstance(value, torch.Tensor) else value == 0


@rule("masked_fill")
def masked_fill(call: Call) -> Linear:
    """Itself, or the value under a known mask."""
    mask, shape = call.args["mask"], call.shape
    x, value = call.slot("self"), call.slot("value")
    if not call.constant(mask):
        call.flag("hides")
        return added(call)
    held = mask.detach().clone()
    if value is None and _is_zero(call.args["value"]):
        call.support = (~held).expand(shape)

    def linear(twins: Twins) -> list[Tensor]:
        out = twins[0].new_zeros(())
        if x is not None:
            out = out + twins[x] * ~held
        if value is not None:
            out = out + twins[value] * held
        return [out.expand(shape)]

    return linear


@rule("glu")
def glu(call: Call) -> Linear:
    """The first half of an axis, and its gate in the second."""
    slot, dim = call.slot("self"), call.args["dim"]
    assert slot is not None

    def linear(twins: Twins) -> list[Tensor]:
        first, second = twins[slot].chunk(2, dim)
        return [first + second]

    return linear
