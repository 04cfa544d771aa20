"""The way in for PyTorch: modules, references to factories of modules, exported programs and files."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from time import perf_counter
from typing import TYPE_CHECKING, Any

from eyeshot.errors import InputError, MissingExtraError
from eyeshot.frontends.files import suffix_of
from eyeshot.frontends.registry import Reading

if TYPE_CHECKING:
    from torch import nn

    from eyeshot.frontends.registry import Request
    from eyeshot.graph import Graph


_EXECUTED = frozenset((".pt", ".pth", ".bin", ".ts", ".ckpt", ".pkl", ".pickle"))


def accepts(model: object) -> bool:
    """A file by its ending, a reference with a colon, or an object of torch (which is then loaded already)."""
    if suffix_of(model) in {".pt2", *_EXECUTED}:
        return True
    if isinstance(model, str):
        return ":" in model
    torch = sys.modules.get("torch")
    return torch is not None and (isinstance(model, torch.nn.Module) or _is_exported(model))


def _is_exported(model: object) -> bool:
    export = sys.modules.get("torch.export")
    return export is not None and isinstance(model, export.ExportedProgram)


def read(request: Request) -> Reading:
    """A graph of the model: from its file, its exported program, or a capture on meta tensors.

    Raises
    ------
    MissingExtraError, ModelReferenceError, InputError, CaptureError, UnsupportedOpError, FileFormatError, UnsafeFileError
        see :mod:`eyeshot.errors`.
    """
    suffix = suffix_of(request.model)
    if suffix == ".pt2":
        from eyeshot.frontends.torch.exported.reading import read_file

        return read_file(request)
    if suffix in _EXECUTED:
        from eyeshot.frontends.torch.trusted import read_trusted

        return read_trusted(request)
    if _is_exported(request.model):
        from eyeshot.frontends.torch.exported.live import read_live

        return read_live(request)
    return _capture(request)


def _capture(request: Request) -> Reading:
    if find_spec("torch") is None:
        raise MissingExtraError(
            f'reading {request.model!r} needs PyTorch, which is not installed: pip install "eyeshot[timm]" '
            '(or "eyeshot[torch]" without the model zoos)'
        )
    began = perf_counter()
    from eyeshot.frontends.torch.capture import capture
    from eyeshot.frontends.torch.lower import lower
    from eyeshot.frontends.torch.zoo import as_given, load

    given = request.model
    loaded = load(given, request.weights) if isinstance(given, str) else as_given(given)
    loading = perf_counter() - began
    args, kwargs = arguments(request, loaded)
    trace = capture(loaded.model, args, kwargs)
    graph = lower(trace, request.on_unknown)
    graph.notes.extend(training_notes(loaded.model))
    layouts = dict.fromkeys(graph.inputs, loaded.layout) if loaded.layout else {}

    one_size = None if isinstance(request.input_size, Mapping) else request.input_size

    def enlarged(axes: tuple[int, ...]) -> Graph:
        size = one_size or loaded.input_size or ()
        doubled = tuple(2 * extent if axis in axes else extent for axis, extent in enumerate(size))
        args, kwargs = arguments(replace(request, input_size=doubled), loaded)
        return lower(capture(loaded.model, args, kwargs), request.on_unknown)

    provenance = {"training": trace.training, "real": trace.real, "loading": loading}
    own_inputs = request.inputs is not None or bool(request.kwargs) or isinstance(request.input_size, Mapping)
    return Reading(graph, loaded.name, layouts, provenance, None if own_inputs or trace.real else enlarged)


def training_notes(model: nn.Module) -> list[str]:
    """What train mode changes, in a sentence, where the model or a batch norm in it is in that mode."""
    import torch

    norms = [
        path
        for path, module in model.named_modules()
        if module.training and isinstance(module, torch.nn.modules.batchnorm._BatchNorm)
    ]
    remedy = "For inference call model.eval() first"
    if norms:
        where = f"{norms[0] or 'the model itself'}{f' and {len(norms) - 1} more' if len(norms) > 1 else ''}"
        note = (
            f"batch norm ({where}) is in train mode, and was read in it: it takes its statistics from the whole batch, "
            f"so fields behind it are global and reach every sample. {remedy}"
        )
        return [note]
    return [f"the model is in train mode, and was read in it. {remedy}"] if model.training else []


def arguments(request: Request, loaded: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What to call the model with: the user's examples, or meta tensors of the sizes asked for."""
    kwargs = dict(request.kwargs or {})
    if isinstance(request.input_size, Mapping):
        import torch

        sized = {name: torch.empty(shape, device="meta") for name, shape in request.input_size.items()}
        return (), {**sized, **kwargs}
    if request.inputs is not None:
        given = request.inputs
        return tuple(given) if isinstance(given, tuple | list) else (given,), kwargs
    if kwargs and request.input_size is None:
        return (), kwargs
    size = request.input_size or loaded.input_size
    if size is None:
        raise InputError(
            f"the input size of {loaded.name} is not known: pass input_size=(1, 3, 224, 224) "
            "(--input-size 1,3,224,224), or inputs= with example tensors"
        )
    import torch

    example = torch.empty(size, device="meta")
    return loaded.arguments(example), kwargs
