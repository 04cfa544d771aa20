"""The way in for ONNX: a file, its bytes, or an `onnx.ModelProto`."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from eyeshot.errors import FileFormatError
from eyeshot.frontends.files import LIMITS, TRUSTED, Budget, mapped, suffix_of
from eyeshot.frontends.registry import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eyeshot.frontends.onnx.inputs import Bound
    from eyeshot.frontends.onnx.wire import Buffer
    from eyeshot.frontends.registry import Request
    from eyeshot.graph import Graph

_SMALL = 4 << 20
_UNLIMITED = replace(TRUSTED, depth=100)  # messages are read by recursion


def accepts(model: object) -> bool:
    """The path of an ``.onnx`` file, bytes, or an `onnx.ModelProto` (onnx is then loaded already)."""
    if isinstance(model, bytes) or suffix_of(model) == ".onnx":
        return True
    message = getattr(sys.modules.get("onnx"), "ModelProto", None)
    return message is not None and isinstance(model, message)


def read(request: Request) -> Reading:
    """Parse the file and lower its graph; nothing but this file is opened, and nothing in it runs.

    Raises
    ------
    ModelReferenceError, FileFormatError, UnsafeFileError, InputError, UnsupportedOpError
        see :mod:`eyeshot.errors`.
    """
    budget = _budget(request)
    graph, bound = _lowered(request, budget)
    graph.notes.extend(bound.notes)
    if bound.settling:
        named = ", ".join(map(repr, bound.settling))
        graph.notes.append(
            f"shapes or axes follow from what was given for {named}: the graph holds for that alone"
        )

    def enlarged(axes: tuple[int, ...]) -> Graph:
        return _lowered(request, _budget(request), axes)[0]

    single = request.inputs is None and bound.tensors == 1
    provenance = {"settling": tuple(bound.settling)}
    again = enlarged if single else None
    return Reading(graph, _name(request.model), provenance=provenance, enlarged=again, budget=budget)


def _budget(request: Request) -> Budget:
    return Budget(_name(request.model), _UNLIMITED if request.trust else LIMITS)


def _lowered(request: Request, budget: Budget, doubled: tuple[int, ...] = ()) -> tuple[Graph, Bound]:
    """The graph, and what its inputs were taken to be; the only one with twice its extents along ``doubled`` axes."""
    from eyeshot.frontends.onnx.inputs import bind
    from eyeshot.frontends.onnx.lower import Lowering
    from eyeshot.frontends.onnx.model import parse
    from eyeshot.frontends.onnx.naming import modules

    with _data(request.model) as data:
        model = parse(data, budget.name, budget.limits)
        assert model.graph is not None
        lowering = Lowering(model, budget, request.on_unknown)
        bound = bind(model.graph, lowering.ctx, request, doubled)
        lowering.lower(bound.items)
        bound.settling = lowering.ctx.taken_as_given()
        modules(lowering.ctx.graph, lowering.records)
    return lowering.ctx.graph, bound


@contextmanager
def _data(model: Any) -> Iterator[Buffer]:
    if isinstance(model, bytes):
        yield model
    elif isinstance(model, str | os.PathLike):
        with mapped(model) as view:
            # Looking at single bytes is quicker in memory than through a view; a large file stays where it is.
            yield bytes(view) if len(view) <= _SMALL else view
    else:
        serialised = model.SerializeToString()
        if not isinstance(serialised, bytes):
            raise FileFormatError(f"{_name(model)} does not serialise to bytes")
        yield serialised


def _name(model: Any) -> str:
    if isinstance(model, bytes):
        return "the model in these bytes"
    if isinstance(model, str | os.PathLike):
        return os.path.basename(os.fspath(model))  # noqa: PTH119 - as `suffix_of`
    return str(model.graph.name or type(model).__name__)
