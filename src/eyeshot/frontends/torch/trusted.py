"""Files that run code when they are opened: pickled modules and TorchScript. Only with trust, and in a child process.

The child loads the file and captures the model there. What it sends back is JSON, checked as a stranger's file is. That
contains crashes, memory and time; it is no sandbox: code in the file can do whatever the user can.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from eyeshot import errors, jobs
from eyeshot.errors import CaptureError, FileFormatError, InputError, ModelReferenceError, UnsafeFileError
from eyeshot.frontends.files import TRUSTED, Archive, Budget, opened
from eyeshot.frontends.registry import Reading, Request

if TYPE_CHECKING:
    from torch import nn

    from eyeshot.frontends.torch.trace import Trace
    from eyeshot.graph import Graph

LIMITS = jobs.Limits(seconds=600, megabytes=16384)


def read_trusted(request: Request) -> Reading:
    """Open such a file in a child process.

    Raises
    ------
    UnsafeFileError
        without trust, or where the child took more than its limits.
    ModelReferenceError, FileFormatError, InputError, CaptureError, UnsupportedOpError
        see :mod:`eyeshot.errors`.
    """
    from eyeshot.frontends.torch.exported.reading import graph_of, read_file

    path = os.fspath(request.model)
    opened(path).close()
    members = _members(path)
    if any("/models/" in f"/{name}" and name.endswith(".json") for name in members):
        return read_file(request)
    if not request.trust:
        raise UnsafeFileError(
            f"{path!r} is {_what(members)}: opening it runs whatever code its maker put inside, as you. If you know its "
            "maker, trust=True (--trust) opens it, in a child process. Safe ways in are .pt2 (torch.export.save), .onnx, "
            "or a reference with weights=FILE.safetensors"
        )
    if request.inputs is not None or request.kwargs or request.weights is not None:
        raise InputError(
            f"{path!r} is opened in a child process: pass input_size=, one shape or shapes by name"
        )
    began = perf_counter()
    recorded = _captured(path, request.input_size)
    graph = graph_of(recorded, request, Budget(repr(path), TRUSTED))

    def enlarged(axes: tuple[int, ...]) -> Graph:
        shape = next(iter(recorded.inputs.values())).shape
        doubled = tuple(2 * extent if axis in axes else extent for axis, extent in enumerate(shape))
        return graph_of(_captured(path, doubled), request, Budget(repr(path), TRUSTED))

    provenance = {"training": recorded.training, "real": recorded.real, "loading": perf_counter() - began}
    alone = len(recorded.inputs) == 1 and not isinstance(request.input_size, Mapping) and not recorded.real
    return Reading(graph, Path(path).name, {}, provenance, enlarged if alone else None)


def _members(path: str) -> list[str]:
    """The names in an archive; none in a file that is no archive."""
    try:
        with Archive(path) as archive:
            return archive.names
    except FileFormatError:
        return []


def _what(members: list[str]) -> str:
    if any(name.endswith("/constants.pkl") for name in members):
        return "a TorchScript program"
    if any(name.endswith((".data/extern_modules", ".data/python_version")) for name in members):
        return "a torch.package of Python code"
    return "a pickle" if not members else "an archive of pickles"


def _captured(path: str, size: Any) -> Trace:
    """The trace of the model in a file, from a child."""
    from eyeshot.frontends.torch.transfer import decode

    size = dict(size) if isinstance(size, Mapping) else size
    job = jobs.Job(path, {"path": path, "size": size})
    with _without_main():
        [outcome] = jobs.run(work, [job], limits=LIMITS)
    match outcome.status:
        case "done":
            return decode(outcome.value)
        case "refused":
            kind = getattr(errors, outcome.error, CaptureError)
            known = isinstance(kind, type) and issubclass(kind, errors.EyeshotError)
            raise (kind if known and kind is not errors.UnsupportedOpError else CaptureError)(outcome.message)
        case "failed":
            raise CaptureError(
                f"{path!r}: the child process that opened it {outcome.error}: {outcome.message}"
            )
        case _:
            raise UnsafeFileError(
                f"{path!r}: the child process that opened it {outcome.status}: {outcome.message}"
            )


@contextmanager
def _without_main() -> Iterator[None]:
    """Children import the caller's script again, which would call eyeshot again; so it is hidden while one starts."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


# In the child


def work(argument: dict[str, Any]) -> dict[str, Any]:
    """Load a file, capture the model in it, and give the trace as JSON."""
    from eyeshot.frontends.torch.capture import capture
    from eyeshot.frontends.torch.frontend import arguments, training_notes
    from eyeshot.frontends.torch.transfer import encode
    from eyeshot.frontends.torch.zoo import as_given

    path, size = argument["path"], argument["size"]
    model = _load(path)
    request = Request(model, size if isinstance(size, dict) or size is None else tuple(size))
    loaded = replace(as_given(model), name=repr(path))
    args, kwargs = arguments(request, loaded)
    trace = capture(model, args, kwargs)
    trace.notes.extend(training_notes(model))
    if type(model).__name__ == "RecursiveScriptModule":
        trace.notes.append(
            "TorchScript runs its modules out of sight, so tensors stand in the table in their place"
        )
    return encode(trace)


def _load(path: str) -> nn.Module:
    import torch

    members = _members(path)
    try:
        if any(name.endswith("/constants.pkl") for name in members):
            torch._C._jit_set_profiling_executor(False)  # or ops would be fused
            return cast("nn.Module", torch.jit.load(path, map_location="cpu"))  # type: ignore[no-untyped-call]
        found = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:
        raise ModelReferenceError(
            f"{path!r}: opening it raised {type(error).__name__}: {error}. The classes of a pickled model have to be "
            "importable from here"
        ) from error
    if isinstance(found, torch.nn.Module):
        return found
    if isinstance(found, dict):
        models = [part for part in found.values() if isinstance(part, torch.nn.Module)]
        if models:
            return models[0]
    raise FileFormatError(
        f"{path!r} holds a {type(found).__name__} and no torch.nn.Module: weights without an architecture. Give a "
        "reference to the model (timm:NAME, package.module:factory); its fields do not depend on the weights"
    )
