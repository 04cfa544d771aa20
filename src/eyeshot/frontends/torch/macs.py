"""Multiply-accumulates of ATen calls, from shapes alone."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from eyeshot.frontends.torch.trace import Value

if TYPE_CHECKING:
    from eyeshot.frontends.torch.trace import Call


def count_macs(call: Call) -> int:
    """Multiply-accumulates of convolutions and matrix products; 0 for everything else (as fvcore counts)."""
    match call.op.split(".")[1]:
        case "convolution":
            return _convolution(call)
        case "mm" | "bmm" | "matmul":
            return prod(_shape(call.args[0])) * _shape(call.args[1])[-1]
        case "addmm" | "baddbmm":
            return prod(_shape(call.args[1])) * _shape(call.args[2])[-1]
        case "linear":
            return prod(_shape(call.args[0])) * _shape(call.args[1])[0]
        case "scaled_dot_product_attention":
            queries, keys, values = (_shape(arg) for arg in call.args[:3])
            return prod(queries[:-1]) * keys[-2] * (queries[-1] + values[-1])
        case _:
            return 0


def _shape(value: object) -> tuple[int, ...]:
    assert isinstance(value, Value)  # noqa: S101 - narrows the type; these positions hold tensors
    return value.shape


def _convolution(call: Call) -> int:
    x, weight = _shape(call.args[0]), _shape(call.args[1])
    transposed = bool(call.args[6])
    out = call.outputs[0]
    positions = prod(x[2:]) if transposed else prod(out.shape[2:] if out else ())
    return x[0] * positions * prod(weight)
