"""Rows for people: the modules that exporters write into the names of nodes, or else the nodes themselves."""

from __future__ import annotations

import re
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
_QUOTED = re.compile(r"'([^']*)'")
_LONGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class Record:
    """What a node of the outermost graph became: tensors ``first:last``, from ``own`` on its outputs, and its ``weights``."""

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
    scopes = [_scopes(record.node) for record in records]
    if records and sum(map(bool, scopes)) * 2 >= len(records):
        _by_scope(graph, records, scopes)
        return
    for record in records:
        tensor = graph.tensors[record.own]
        path = record.node.name or tensor.name
        graph.modules.append(
            ModuleOutput(
                _visited(graph, path), path, record.node.op, tensor.node, True, record.first, record.last,
                record.weights, tensor.dtype,
            )
        )  # fmt: skip


def _by_scope(graph: Graph, records: Sequence[Record], scopes: Sequence[list[tuple[str, str]]]) -> None:
    """Modules open with their first node and close where one of another module follows."""
    root = _Open("", "", 0)
    opened: list[_Open] = [root]
    for record, scope in zip(records, scopes, strict=True):
        paths = [path for path, _ in scope]
        while scope and len(opened) > 1 and opened[-1].path not in paths:
            _close(graph, opened)
        for path, kind in scope:
            if all(each.path != path for each in opened):
                opened[-1].inner = True
                opened.append(_Open(path, kind, record.first))
        for each in opened:
            each.last, each.output = record.last, record.own
        opened[-1].ops.append(record.node.op)
        opened[-1].weights += record.weights
    while opened:
        _close(graph, opened)


def _close(graph: Graph, opened: list[_Open]) -> None:
    done = opened.pop()
    tensor = graph.tensors[done.output]
    kind = done.kind or (" ".join(dict.fromkeys(done.ops)) if not done.inner else "")
    known = any(module.path == done.path and module.parameters for module in graph.modules)
    graph.modules.append(
        ModuleOutput(
            _visited(graph, done.path), done.path, kind, tensor.node, not done.inner, done.first, done.last,
            0 if known else done.weights, tensor.dtype,
        )
    )  # fmt: skip


def _visited(graph: Graph, path: str) -> str:
    """A row's name: its path, and the number of the call from the second on."""
    visit = sum(module.path == path for module in graph.modules)
    return f"{path}:{visit}" if visit else path


def _scopes(node: Node) -> list[tuple[str, str]]:
    """The modules that a node lies in, outermost first, as path and class (where the exporter says it)."""
    found = _properties(node)
    if SCOPES in found:
        paths = _QUOTED.findall(found[SCOPES])[:-1]
        kinds = [name.rpartition(".")[2] for name in _QUOTED.findall(found.get(CLASSES, ""))]
        kinds += [""] * (len(paths) - len(kinds))
        return [(path, kind) for path, kind in zip(paths, kinds, strict=False) if path]
    if "/" not in node.name:
        return []
    parts = [part for part in node.name.partition(";")[0].split("/") if part]
    return _listed(parts[:-1]) if node.name.startswith("/") else _nested(parts, node.op)


def _listed(parts: Sequence[str]) -> list[tuple[str, str]]:
    """PyTorch's, where a module in a list has the list's name before its own: /layer1/layer1.0/conv1/Conv."""
    scopes: list[tuple[str, str]] = []
    before = path = ""
    for part in parts:
        inside = before and part.startswith(f"{before}.")
        path = f"{path.removesuffix(before)}{part}" if inside else f"{path}.{part}".lstrip(".")
        scopes.append((path, ""))
        before = part
    return scopes


def _nested(parts: Sequence[str], op: str) -> list[tuple[str, str]]:
    """TensorFlow's, where operators lie in modules under names of their own: model/conv1/BiasAdd."""
    paths = [".".join(parts[: depth + 1]) for depth in range(len(parts))]
    return [*((path, "") for path in paths[:-1]), (paths[-1], op)]


def _properties(node: Node) -> dict[str, str]:
    found = {}
    for start, stop in node.properties:
        if stop - start < _LONGEST:
            pair = Reader(node.data, node.name, 16, 1).read(Pair, start, stop)
            found[pair.key] = pair.value
    return found
