"""Multiply-accumulates of equations, from shapes alone."""

from __future__ import annotations

from math import prod
from typing import Any


def count_macs(eqn: Any) -> int:
    """Multiply-accumulates of an equation, if it is a convolution or a product of tensors; 0 for everything else.

    One for every weight (or element of the other operand) that meets an element. A convolution of an input that is
    spread out (a transposed one) meets every weight at every input position. A loop that is read as one costs all steps.
    """
    match eqn.primitive.name:
        case "conv_general_dilated":
            x, weight = (var.aval.shape for var in eqn.invars)
            numbers = eqn.params["dimension_numbers"]
            spread = max(eqn.params["lhs_dilation"], default=1) > 1
            swept, order = (x, numbers.lhs_spec) if spread else (eqn.outvars[0].aval.shape, numbers.out_spec)
            return int(swept[order[0]] * prod(swept[axis] for axis in order[2:]) * prod(weight))
        case "dot_general":
            (summed, _), _ = eqn.params["dimension_numbers"]
            inner = prod(eqn.invars[0].aval.shape[axis] for axis in summed)
            return int(prod(eqn.outvars[0].aval.shape) * inner)
        case "scan":
            inside = (count_macs(inner) for inner in eqn.params["jaxpr"].jaxpr.eqns)
            return int(eqn.params["length"]) * sum(inside)
        case "jit" | "custom_jvp_call" | "custom_vjp_call" | "remat2":
            inner = eqn.params.get("jaxpr", eqn.params.get("call_jaxpr"))
            return sum(count_macs(each) for each in getattr(inner, "jaxpr", inner).eqns)
        case _:
            return 0
