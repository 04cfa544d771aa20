"""Names that are safe to print: those of a file were written by whoever made it."""

from __future__ import annotations

from dataclasses import replace

from eyeshot.errors import legible
from eyeshot.graph.graph import Graph

LONGEST = 500
"""Characters of a name."""


def make_legible(graph: Graph) -> None:
    """Spell out control characters in every name and note of a graph, and cut names that are too long."""
    for tensor in graph.tensors:
        tensor.name, tensor.op, tensor.module = map(_legible, (tensor.name, tensor.op, tensor.module))
    for place, module in enumerate(graph.modules):
        names = module.name, module.path, module.kind
        safe = tuple(map(_legible, names))
        if safe != names:
            name, path, kind = safe
            graph.modules[place] = replace(module, name=name, path=path, kind=kind)
    graph.inputs = {_legible(name): node for name, node in graph.inputs.items()}
    graph.outputs = {_legible(name): node for name, node in graph.outputs.items()}
    graph.dtypes = {_legible(name): dtype for name, dtype in graph.dtypes.items()}
    graph.notes = [legible(note, 4 * LONGEST) for note in graph.notes]


def _legible(name: str) -> str:
    return legible(name, LONGEST)
