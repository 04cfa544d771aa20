"""The graph: relations between tensors, in the order in which they were computed; framework-free."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyeshot.relations import Relation

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One relation between its operands (earlier nodes, by number) and a tensor of ``shape``.

    ``reason`` is the code of an over-approximation ("data-dependent-index"); None where the relation is exact.
    """

    relation: Relation
    inputs: tuple[int, ...]
    shape: Shape
    reason: str | None = None


@dataclass(slots=True)
class Tensor:
    """A tensor that the network computed, under the name that users know it by.

    ``op`` is the framework's op, ``arguments`` what it was called with (opaque here, for execution later), ``macs`` its
    multiply-accumulates.
    """

    name: str
    op: str
    node: int
    shape: Shape
    dtype: str = "float32"
    module: str = ""
    macs: int = 0
    arguments: Any = None

    @property
    def floating(self) -> bool:
        """Whether it holds floating-point or complex numbers."""
        return "float" in self.dtype or "complex" in self.dtype


@dataclass(frozen=True, slots=True)
class ModuleOutput:
    """One output of one call of a module: a second name for a node, with the range of tensors computed inside.

    ``path`` is the module's own, ``name`` adds the call and the part of the output. ``parameters`` counts what the module
    owns directly, once for all its calls. ``leaf`` modules call no other.
    """

    name: str
    path: str
    kind: str
    node: int
    leaf: bool
    first_tensor: int
    last_tensor: int
    parameters: int
    dtype: str = "float32"


@dataclass(slots=True)
class Graph:
    """Nodes in topological order, the tensors and modules that name them, and the network's inputs and outputs.

    ``dtypes`` has those of the outputs.
    """

    nodes: list[Node] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)
    modules: list[ModuleOutput] = field(default_factory=list)
    inputs: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    dtypes: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def users(self) -> list[list[int]]:
        """For every node the nodes that read it."""
        users: list[list[int]] = [[] for _ in self.nodes]
        for number, node in enumerate(self.nodes):
            for operand in set(node.inputs):
                users[operand].append(number)
        return users

    def ancestors(self, wanted: Sequence[int]) -> set[int]:
        """The nodes that ``wanted`` depend on, themselves included."""
        seen: set[int] = set()
        waiting = list(wanted)
        while waiting:
            number = waiting.pop()
            if number not in seen:
                seen.add(number)
                waiting.extend(self.nodes[number].inputs)
        return seen
