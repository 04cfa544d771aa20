"""Networks of nnsmith's generator (Liu et al., ASPLOS 2023) in the form of `Network`; nnsmith is optional.

``pip install nnsmith==0.1.0``. Its networks have several inputs and outputs: here they are cut from one flat input and
joined to one flat output. Left out are ops that have no slope, or are no numbers somewhere (casts, comparisons, rounding,
square roots of what may be negative), and triangles, whose zeros hide what they are multiplied with.
"""

from __future__ import annotations

import warnings
from functools import cache
from importlib.util import find_spec
from math import prod

import torch
from torch import nn

from tests.networks import Network
from tests.networks.step import LARGEST, Do
from tests.networks.windows import resize_probe

KEPT = set(
    "ReLU GELU LeakyReLU PReLU Sigmoid Sin Cos Atan Abs Add Sub Mul Max Min Neg Softmax MaxPool2d AvgPool2d Slice ConstPad "
    "ReflectPad ReplicatePad ExpandLast1 ExpandLast2 ExpandLast3 ExpandLast4 BatchNorm2d Conv1d NCHWConv2d Reshape Flatten "
    "Transpose NearestInterp LinearInterp BilinearInterp BicubicInterp TrilinearInterp Squeeze TorchReduceSum ReduceMin "
    "ReduceMax ReduceMean Linear Concat1 Concat2 Concat3 Concat4 Concat5 PTMatMul".split()
)
HEAVIEST = 10_000  # parameters


def available() -> bool:
    return find_spec("nnsmith") is not None


@cache
def _operators() -> list:
    """The ops, narrowed to floating point."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nnsmith misses an optional plotter
        from nnsmith.abstract.dtype import DType
        from nnsmith.abstract.extension import activate_ext
        from nnsmith.materialize.torch import TorchModelCPU

    TorchModelCPU.add_seed_setter()
    kept = [op for op in TorchModelCPU.operators() if op.__name__ in KEPT]
    for op in kept:
        op.in_dtypes = [kinds for kinds in op.in_dtypes if set(kinds) == {DType.float32}]
        op.out_dtypes = [kinds for kinds in op.out_dtypes if set(kinds) == {DType.float32}]
    activate_ext(opset=kept)
    return kept


def draw_smith(seed: int, nodes: int = 8) -> Network:
    """The network of a seed; of the next one beyond a million where it is too large for the oracles, and so on."""
    from nnsmith.graph_gen import model_gen
    from nnsmith.materialize.torch.symbolnet import SymbolNet

    generator = model_gen(
        _operators(), "symbolic-cinit", nodes, seed, max_elem_per_tensor=128, dtype_choices=["f32"]
    )
    ir = generator.make_concrete()
    network = _converted(SymbolNet(ir))
    return network if network is not None else draw_smith(seed + 10**6, nodes)


def _converted(net: nn.Module) -> Network | None:
    """The same steps on one flat input; None where that is too large, or the output is, or a kernel."""
    inputs = {name: tuple(kind.shape) for name, kind in net.input_like.items()}
    outputs = [tuple(kind.shape) for kind in net.output_like.values()]
    total = sum(map(prod, inputs.values()))
    weights = sum(parameter.numel() for parameter in net.parameters())
    if not 0 < total <= LARGEST or sum(map(prod, outputs)) > 2 * LARGEST or weights > HEAVIEST:
        return None
    steps: list[tuple[str, nn.Module, tuple[int, ...]]] = []
    places: dict[str, int] = {}
    start = 0
    for name, shape in inputs.items():
        steps.append(("Input", _part(start, shape), (0,)))
        places[name] = len(steps)
        start += prod(shape)
    for function, operands, (result,), op in net.instructions:
        steps.append((type(op).__name__, _step(function, op), tuple(places[name] for name in operands)))
        places[result] = len(steps)
    last = Do("flatten and cat", lambda *parts: torch.cat([part.flatten() for part in parts]))
    steps.append(("Output", last, tuple(places[name] for name in net.output_like)))
    return Network((total,), steps).double().eval()


def _part(start: int, shape: tuple[int, ...]) -> Do:
    return Do(
        f"x[{start}:{start + prod(shape)}].reshape{shape}",
        lambda x: x[start : start + prod(shape)].reshape(shape),
    )


MODES = {
    "Nearest": "nearest",
    "Linear": "linear",
    "Bilinear": "bilinear",
    "Bicubic": "bicubic",
    "Trilinear": "trilinear",
}


def _step(function, op) -> nn.Module:
    name = type(op).__name__
    if name.endswith("Interp"):
        given = {"mode": MODES[name.removesuffix("Interp")], "size": tuple(op.size)}
        return Do(f"resize {given}", function, lambda x: resize_probe(x, given))
    return (
        function
        if isinstance(function, nn.Module)
        else Do(f"{name} {op.extra_attrs or ''}".strip(), function)
    )
