"""Which module each node of a program belongs to, from the stacks that torch wrote beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

from eyeshot.errors import UnsafeFileError
from eyeshot.frontends.torch.aliases import Node
from eyeshot.frontends.torch.exported.schema import get, union
from eyeshot.frontends.torch.trace import ModuleCall, Value

if TYPE_CHECKING:
    from eyeshot.frontends.torch.exported.program import Program

_ROOT = ("", 0)
# What modules of torch return, in the order in which it is computed, where that is no single tensor.
_PARTS = {
    "MultiheadAttention": (".0", ".1"),
    "RNN": (".0", ".1"),
    "GRU": (".0", ".1"),
    "LSTM": (".0", ".1.0", ".1.1"),
    "LSTMCell": (".0", ".1"),
}

Key = tuple[str, int]


@dataclass(slots=True)
class _Visit:
    """One call of a module: the first and the last of its nodes, and the tensors that they give to others."""

    kind: str
    depth: int
    first: int
    last: int
    given: dict[str, None] = field(default_factory=dict)
    first_call: int = 0


class Hierarchy:
    """Follows a replay: whose forward runs, and what has finished."""

    def __init__(self, program: Program) -> None:
        nodes = get(program.graph, "nodes", list)
        self.finished: list[ModuleCall] = []
        self._stacks: list[list[tuple[Key, str]]] = []
        self._visits: dict[Key, _Visit] = {}
        for place, node in enumerate(nodes):
            stack = _stack(node, program.budget.limits.depth) or (self._stacks[-1] if self._stacks else [])
            self._stacks.append(stack)
            for depth, (key, kind) in enumerate(stack):
                visit = self._visits.setdefault(key, _Visit(kind, depth, place, place))
                visit.last = place
        self._give(program, nodes)
        self._ends: dict[int, list[Key]] = {}
        self._begins: dict[int, list[Key]] = {}
        for key, visit in sorted(self._visits.items(), key=lambda item: -item[1].depth):
            self._ends.setdefault(visit.last, []).append(key)
            self._begins.setdefault(visit.first, []).append(key)
        self._parameters = _owned(program)
        self._results = program.results

    def _give(self, program: Program, nodes: list[Any]) -> None:
        """Find what each call of a module gives to nodes outside it, or to the user; else what it made last."""
        makers: dict[str, int] = {}
        inside = [{key for key, _ in stack} for stack in self._stacks]
        for place, node in enumerate(nodes):
            for name in _tensors(get(node, "inputs", list)):
                maker = makers.get(name)
                if maker is not None:
                    for key in inside[maker] - inside[place]:
                        self._visits[key].given[name] = None
            makers.update(dict.fromkeys(_tensors(get(node, "outputs", list)), place))
        for _, argument in program.outputs:
            for name in _tensors([argument]):
                if name in makers:
                    for key in inside[makers[name]]:
                        self._visits[key].given[name] = None
        order = {name: number for number, name in enumerate(makers)}
        for visit in self._visits.values():
            found = sorted(visit.given, key=order.__getitem__)
            visit.given = dict.fromkeys(found or _tensors(get(nodes[visit.last], "outputs", list)))

    def enter(self, place: int, calls: int) -> Key:
        """The innermost module of a node, before it is replayed; ``calls`` are recorded so far."""
        for key in self._begins.get(place, ()):
            self._visits[key].first_call = calls
        return self._stacks[place][-1][0] if self._stacks[place] else _ROOT

    def leave(
        self, place: int, calls: int, node: Callable[[str], Node | None], value: Callable[[Node], Value]
    ) -> None:
        """Note the modules that finish with a node, innermost first."""
        for key in self._ends.get(place, ()):
            visit = self._visits[key]
            stated = self._results.get(key) or list(zip(_parts(visit), visit.given, strict=False))
            held = {name: node(tensor) for name, tensor in stated}
            outputs = {name: value(tensor) for name, tensor in held.items() if tensor is not None}
            path, count = key
            owned = self._parameters.get(path, 0)
            self.finished.append(ModuleCall(path, count, visit.kind, outputs, visit.first_call, calls, owned))


def _parts(visit: _Visit) -> Sequence[str]:
    """What the parts of a module's result are called: where nobody says how it is built, as in the program."""
    known = _PARTS.get(visit.kind)
    return known or ([f".{name}" for name in visit.given] if len(visit.given) != 1 else [""])


def _stack(node: object, deepest: int) -> list[tuple[Key, str]]:
    """The modules around a node from the outside in, with the number of the call of each, and their classes.

    Raises
    ------
    UnsafeFileError
        where there are more than ``deepest``.
    """
    metadata = get(node, "metadata", dict)
    text = metadata.get("nn_module_stack")
    if not isinstance(text, str) or text.startswith("_empty_nn_module_stack"):
        return []
    stack = []
    if text.count(";") >= deepest:
        raise UnsafeFileError(f"modules of the exported program nest {text.count(';') + 1} levels deep")
    for item in text.split(";"):
        key, _, rest = item.partition(",")
        path, _, kind = rest.rpartition(",")
        visit = key.rpartition("@")[2] if "@" in key else "0"
        number = int(visit) if visit.isdigit() and len(visit) < 9 else 0
        stack.append(((path, number), kind.rpartition(".")[2]))
    return stack


def _tensors(arguments: list[Any]) -> list[str]:
    """The names of the tensors among arguments."""
    names: list[str] = []
    for each in arguments:
        kind, content = union(each["arg"] if isinstance(each, dict) and "arg" in each else each)
        if kind == "as_tensor":
            names.append(get(content, "name", str))
        elif kind in ("as_tensors", "as_optional_tensors") and isinstance(content, list):
            for part in content:
                inner = part.get("as_tensor", part) if isinstance(part, dict) else part
                if isinstance(inner, dict) and isinstance(inner.get("name"), str):
                    names.append(inner["name"])
        elif kind == "as_optional_tensor":
            names += _tensors([content])
    return names


def _owned(program: Program) -> dict[str, int]:
    """The number of elements of the parameters that each module owns directly."""
    scope = program.scope(program.graph, program.bind({}))
    owned: dict[str, int] = {}
    for each in program.placeholders:
        if each.origin == "parameter":
            path = each.label.rpartition(".")[0]
            owned[path] = owned.get(path, 0) + prod(scope.meta(each.name).shape)
    return owned
