"""Rows for people: the modules that exporters write into the names of nodes, or else the nodes themselves."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eyeshot.frontends.onnx.model import Pair
from eyeshot.frontends.onnx.wire import Reader
from eyeshot.graph import ModuleOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyeshot.frontends.onnx.model import Node
    from eyeshot.graph import Graph

SCOPES = "pkg.torch.onnx.name_scopes"
CLASSES = "pkg.torch.onnx.class_hierarchy"
Scopes = list[tuple[str, str]]
"""Modules as path and class ("" where the exporter doesn't say)."""
_QUOTED = re.compile(r"'([^']*)'")
_LONGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class Record:
    """What a node of the outermost graph became: tensors ``first:last``, from ``own`` on its outputs; its ``weights``."""

    node: Node
    first: int
    own: int
    last: int
    weights: int


@dataclass(slots=True)
class _Open:
    """A module whose nodes are being met."""

    path: str
    kind: str
    first: int
    last: int = 0
    output: int = 0
    ops: list[str] = field(default_factory=list)
    weights: int = 0
    inner: bool = False


def modules(graph: Graph, records: Sequence[Record]) -> None:
    """Add a row for every module, or for every node where less than half of them tell which module they belong to."""
    if not records:
        return
    scopes: list[Scopes | None] = [_scopes(record.node) for record in records]
    if sum(map(bool, scopes)) * 2 < len(records):
        scopes = [
            [(record.node.name or graph.tensors[record.own].name, record.node.op)] for record in records
        ]
    finished = _calls(records, scopes)
    weights: Counter[str] = Counter()
    for call in finished:
        weights[call.path] += call.weights
    visits: Counter[str] = Counter()
    for call in finished:
        tensor = graph.tensors[call.output]
        kind = call.kind or (" ".join(dict.fromkeys(call.ops)) if not call.inner else "")
        visit = visits[call.path]
        visits[call.path] += 1
        graph.modules.append(
            ModuleOutput(
                f"{call.path}:{visit}" if visit else call.path,
                call.path,
                kind,
                tensor.node,
                not call.inner,
                call.first,
                call.last,
                0 if visit else weights[call.path],
                tensor.dtype,
            )
        )


def _calls(records: Sequence[Record], scopes: Sequence[Scopes | None]) -> list[_Open]:
    """Calls of modules as they finish: one opens with its first node and closes where one of another module follows."""
    opened = [_Open("", "", 0)]
    finished: list[_Open] = []
    for record, scope in zip(records, scopes, strict=True):
        paths = [path for path, _ in scope or ()]
        while (
            scope is not None
            and len(opened) > 1
            and (opened[-1].path not in paths or _single(opened[-1], paths))
        ):
            finished.append(opened.pop())
        for path, kind in scope or ():
            if all(each.path != path for each in opened):
                opened[-1].inner = True
                opened.append(_Open(path, kind, record.first))
        for each in opened:
            each.last, each.output = record.last, record.own
        opened[-1].ops.append(record.node.op)
        opened[-1].weights += record.weights
    return [*finished, *reversed(opened)]


def _single(call: _Open, paths: Sequence[str]) -> bool:
    """Whether a call is one node's own, under a name that comes again."""
    return bool(call.ops) and not call.inner and call.kind == call.ops[0] and paths[-1] == call.path


def _scopes(node: Node) -> Scopes | None:
    """The modules that a node lies in, outermost first; None where nobody says."""
    found = _properties(node)
    if SCOPES in found:
        paths = _QUOTED.findall(found[SCOPES])[:-1]
        kinds = [name.rpartition(".")[2] for name in _QUOTED.findall(found.get(CLASSES, ""))]
        kinds += [""] * (len(paths) - len(kinds))
        return [(path, kind) for path, kind in zip(paths, kinds, strict=False) if path]
    if "/" not in node.name:
        return None
    parts = [part for part in node.name.partition(";")[0].split("/") if part]
    return _listed(parts[:-1]) if node.name.startswith("/") else _nested(parts, node.op)


def _listed(parts: Sequence[str]) -> Scopes:
    """PyTorch's, where a module in a list has the list's name before its own: /layer1/layer1.0/conv1/Conv."""
    scopes: Scopes = []
    before = path = ""
    for part in parts:
        inside = before and part.startswith(f"{before}.")
        path = f"{path.removesuffix(before)}{part}" if inside else f"{path}.{part}".lstrip(".")
        scopes.append((path, ""))
        before = part
    return scopes


def _nested(parts: Sequence[str], op: str) -> Scopes:
    """TensorFlow's, where operators lie in modules under names of their own: model/conv1/BiasAdd."""
    paths = [".".join(parts[: depth + 1]) for depth in range(len(parts))]
    return [*((path, "") for path in paths[:-1]), (paths[-1], op)]


def _properties(node: Node) -> dict[str, str]:
    found = {}
    for start, stop in node.properties:
        if stop - start < _LONGEST:
            pair = Reader(node.data, node.name, stop - start + 16, 1).read(Pair, start, stop)
            found[pair.key] = pair.value
    return found
