"""Names for tensors and modules: from the calls that capture marked, or from JAX's own named scopes."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from eyeshot.frontends.jax.macs import count_macs
from eyeshot.graph import ModuleOutput, Ref, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from eyeshot.graph import Graph

MARK = "eyeshot:"
"""Before the number of a call in the scopes, and the named values, that capture puts in."""


class Call(NamedTuple):
    """One call of a module: its path, and the name of its class."""

    path: str
    kind: str


@dataclass
class _Open:
    """A call whose equations are passing by: its first tensor, and what it returned so far."""

    first: int
    outputs: list[tuple[str, int, str, int]] = field(default_factory=list)


class Names:
    """Which call, or scope, each equation belongs to, and what they returned."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = calls
        self._scopes: list[tuple[str, ...]] = [()]
        self._open: dict[int, _Open] = {}
        self._modules: list[tuple[Call, _Open]] = []
        self._run: tuple[str, ...] = ()
        self._starts: dict[tuple[str, ...], _Open] = {}

    # Where an equation stands

    @contextmanager
    def at(self, eqn: Any) -> Iterator[None]:
        """While one equation, and those of the jaxprs in it, are lowered."""
        stack = eqn.source_info.name_stack.stack
        scopes = (scope.name for scope in stack if type(scope).__name__ == "Scope")
        own = tuple(name for name in scopes if "->" not in name)  # einsum calls its scope by its equation
        self._scopes.append(self._scopes[-1] + own)
        try:
            yield
        finally:
            self._scopes.pop()

    @property
    def _marks(self) -> list[int]:
        return [int(name.removeprefix(MARK)) for name in self._scopes[-1] if name.startswith(MARK)]

    @property
    def path(self) -> str:
        """The module at hand, or the scopes where no module was marked."""
        if self.calls:
            marks = self._marks
            return self.calls[marks[-1]].path if marks else ""
        return ".".join(self._scopes[-1]).replace("/", ".")

    @property
    def place(self) -> str:
        """Where an equation stands, for a message."""
        return self.path or "the function itself"

    # What is computed there

    def add(self, graph: Graph, eqn: Any, outputs: Sequence[Ref], *, free: bool = False) -> None:
        """The tensors that an equation computed; multiplications are not counted where they are ``free``."""
        self._enter(graph)
        for part, (var, ref) in enumerate(zip(eqn.outvars, outputs, strict=True)):
            short = eqn.primitive.name.replace("-", "_")
            graph.tensors.append(
                Tensor(
                    f"{short}.{part}" if part else short,
                    eqn.primitive.name,
                    ref.node,
                    ref.shape,
                    str(var.aval.dtype),
                    self.path,
                    0 if part or free else count_macs(eqn),
                    eqn.params,
                )
            )

    def rename(self, graph: Graph, first: int, output: Ref, name: str) -> None:
        """Call the last of the tensors since ``first`` by the name of the function that returned it."""
        if len(graph.tensors) > first and graph.tensors[-1].node == output.node:
            graph.tensors[-1].name = name.strip("_")

    def mark(self, graph: Graph, label: str, ref: Ref, eqn: Any) -> None:
        """A value that a marked call returned: the part's name stands behind the call's number."""
        if not label.startswith(MARK):
            return
        number, _, part = label.removeprefix(MARK).partition(":")
        call = self._open.setdefault(int(number), _Open(len(graph.tensors)))
        if not call.outputs:
            self._modules.append((self.calls[int(number)], call))
        call.outputs.append((part, ref.node, str(eqn.outvars[0].aval.dtype), len(graph.tensors)))

    def _enter(self, graph: Graph) -> None:
        """Note where calls begin: a call that returned before, and computes again, is another one."""
        if not self.calls:
            self._enter_scopes(graph)
        for number in self._marks:
            if number not in self._open or self._open[number].outputs:
                self._open[number] = _Open(len(graph.tensors))

    def _enter_scopes(self, graph: Graph) -> None:
        """A scope's call is a run of equations under it; the last tensor is what it returned."""
        names = self._scopes[-1]
        shared = 0
        while shared < min(len(names), len(self._run)) and names[shared] == self._run[shared]:
            shared += 1
        self._leave_scopes(graph, shared)
        for depth in range(shared + 1, len(names) + 1):
            self._starts[names[:depth]] = _Open(len(graph.tensors))
        self._run = names

    def _leave_scopes(self, graph: Graph, depth: int) -> None:
        for left in range(len(self._run), depth, -1):
            scope = self._run[:left]
            call = self._starts.pop(scope)
            if len(graph.tensors) > call.first:
                last = graph.tensors[-1]
                call.outputs.append(("", last.node, last.dtype, len(graph.tensors)))
                self._modules.append((Call(".".join(scope).replace("/", "."), "scope"), call))

    # At the end

    def finish(self, graph: Graph, owned: Mapping[str, int]) -> None:
        """Write the modules, and give every tensor the name of the module that returned it, or one of its own."""
        self._leave_scopes(graph, 0)
        times = Counter(call.path for call, _ in self._modules)
        visits: Counter[str] = Counter()
        names: dict[int, str] = {}
        held = _shown(owned, set(times))
        parents = {call.path.rpartition(".")[0] for call, _ in self._modules if call.path}
        for call, inside in self._modules:
            visit = f":{visits[call.path]}" if visits[call.path] and times[call.path] > 1 else ""
            visits[call.path] += 1
            for part, node, dtype, last in inside.outputs:
                name = f"{call.path}{visit}{part}"
                leaf = call.path not in parents
                graph.modules.append(
                    ModuleOutput(
                        name,
                        call.path,
                        call.kind,
                        node,
                        leaf,
                        inside.first,
                        last,
                        held[call.path],
                        dtype,
                    )
                )
                if call.path and last and graph.tensors[last - 1].node == node:
                    names.setdefault(last - 1, name)
        counters: Counter[str] = Counter()
        for number, tensor in enumerate(graph.tensors):
            if number in names:
                tensor.name = names[number]
                continue
            base = f"{tensor.module}.{tensor.name}" if tensor.module else tensor.name
            tensor.name = f"{base}_{counters[base]}" if counters[base] else base
            counters[base] += 1


def _shown(owned: Mapping[str, int], paths: set[str]) -> Counter[str]:
    """Parameters by module, those of modules that no row shows (in a loop that is read as one) by the next one above."""
    held: Counter[str] = Counter()
    for path, count in owned.items():
        shown = path
        while shown and shown not in paths:
            shown = shown.rpartition(".")[0]
        held[shown] += count
    return held
