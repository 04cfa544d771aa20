"""What a layer costs: parameters, multiply-accumulates, activation memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from math import prod
from re import search
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eyeshot.graph import Graph, ModuleOutput, Tensor


@dataclass(frozen=True, slots=True)
class Cost:
    """What one layer costs.

    ``parameters`` in elements, ``macs`` in multiply-accumulates of convolutions and matrix products, ``activation_bytes``
    of the output alone.
    """

    parameters: int
    macs: int
    activation_bytes: int


def activation_bytes(shape: tuple[int, ...], dtype: str) -> int:
    """Memory of a tensor, in bytes; ``dtype`` names the bits of an element ("bfloat16"), "bool" takes a byte."""
    return prod(shape) * _itemsize(dtype)


@cache
def _itemsize(dtype: str) -> int:
    bits = search(r"\d+", dtype)
    return max(1, int(bits[0]) // 8) if bits else 1


class Costs:
    """Costs of the tensors and modules of one graph."""

    def __init__(self, graph: Graph) -> None:
        self._macs = [0, *accumulate(tensor.macs for tensor in graph.tensors)]
        self.owned: dict[str, int] = {}
        for module in graph.modules:
            self.owned.setdefault(module.path, module.parameters)

    def of_tensor(self, tensor: Tensor) -> Cost:
        """The op alone; parameters belong to modules."""
        return Cost(0, tensor.macs, activation_bytes(tensor.shape, tensor.dtype))

    def of_module(self, module: ModuleOutput, shape: tuple[int, ...]) -> Cost:
        """Everything computed during the module's call, its submodules included."""
        prefix = f"{module.path}." if module.path else ""
        inside = sum(
            count for path, count in self.owned.items() if path == module.path or path.startswith(prefix)
        )
        macs = self._macs[module.last_tensor] - self._macs[module.first_tensor]
        return Cost(inside, macs, activation_bytes(shape, module.dtype))
