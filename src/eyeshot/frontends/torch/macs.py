"""Multiply-accumulates of ATen calls, from shapes alone."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from eyeshot.frontends.torch.trace import Value

if TYPE_CHECKING:
    from eyeshot.frontends.torch.trace import Call


def count_macs(call: Call) -> int:
    """Multiply-accumulates of convolutions and matrix products; 0 for everything else.

    One for every weight (or element of the other operand) that meets an element: biases, norms, activations,
    pooling and resampling cost none.
    """
    args = call.args
    match call.op.split(".")[1]:
        case "convolution":
            return _convolution(args[0], args[1], _output(call), transposed=bool(args[6]))
        case "deform_conv2d":
            return _convolution(args[0], args[1], _output(call), transposed=False)
        case "linear" | "mm" | "bmm" | "matmul" | "mv" | "dot" | "vdot":
            return prod(_output(call)) * _shape(args[0])[-1]
        case "addmm" | "baddbmm" | "addmv":
            return prod(_output(call)) * _shape(args[1])[-1]
        case "addbmm":
            return prod(_shape(args[1])) * _shape(args[2])[-1]
        case "bilinear":
            return prod(_output(call)[:-1]) * prod(_shape(args[2]))
        case "einsum":
            return _einsum(args[0], [_shape(value) for value in args[1]])
        case "lstm" | "gru" | "rnn_tanh" | "rnn_relu":
            return _recurrent(call)
        case name if name.startswith(("scaled_dot_product", "_scaled_dot_product")):
            queries, keys, values = (_shape(arg) for arg in args[:3])
            return prod(_output(call)[:-1]) * keys[-2] * (queries[-1] + values[-1])
        case _:
            return 0


def _shape(value: object) -> tuple[int, ...]:
    assert isinstance(value, Value)
    return value.shape


def _output(call: Call) -> tuple[int, ...]:
    return _shape(call.outputs[0])


def _convolution(x: object, weight: object, out: tuple[int, ...], *, transposed: bool) -> int:
    """Every weight meets every output position, or every input position where transposed."""
    kernel = _shape(weight)
    swept = _shape(x) if transposed else out
    rank = len(kernel) - 2
    batch = prod(swept[: -rank - 1])
    return batch * prod(swept[-rank:]) * prod(kernel)


def _recurrent(call: Call) -> int:
    """Every step multiplies by every weight matrix once, in each layer and direction."""
    packed = call.op.endswith(".data")
    x, weights = call.args[0], call.args[3 if packed else 2]
    return prod(_shape(x)[:-1]) * sum(prod(_shape(w)) for w in weights if len(_shape(w)) == 2)


def _einsum(equation: str, shapes: list[tuple[int, ...]]) -> int:
    """Operands met from left to right; labels that nothing later needs are summed as soon as two have met."""
    sources, _, target = equation.replace(" ", "").partition("->")
    terms = [_spelt(term, len(shape)) for term, shape in zip(sources.split(","), shapes, strict=True)]
    extents: dict[Any, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for label, n in zip(term, shape, strict=True):
            extents[label] = max(n, extents.get(label, 1))
    listed = [label for term in terms for label in term]
    kept = set(target) if "->" in equation else {label for label in listed if listed.count(label) == 1}
    kept |= {label for label in listed if isinstance(label, int)}
    total, held = 0, set(terms[0])
    for number, term in enumerate(terms[1:], 2):
        met = held | set(term)
        total += prod(extents[label] for label in met)
        needed = kept.union(*terms[number:])
        held = met & needed
    return total


def _spelt(term: str, rank: int) -> list[Any]:
    """The labels of one operand; axes under an ellipsis are numbered from the right."""
    before, dots, after = term.partition("...")
    hidden = rank - len(before) - len(after)
    return [*before, *(range(hidden, 0, -1) if dots else ()), *after]
