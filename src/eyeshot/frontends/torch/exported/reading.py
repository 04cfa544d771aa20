"""A reading of an exported program: of a ``.pt2`` file, or of a live ``torch.export.ExportedProgram``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from eyeshot.errors import EyeshotError, FileFormatError, GraphError, InputError
from eyeshot.frontends.files import LIMITS, TRUSTED, Budget
from eyeshot.frontends.registry import Reading
from eyeshot.frontends.torch.exported.archive import load
from eyeshot.frontends.torch.exported.replay import trace
from eyeshot.frontends.torch.exported.symbols import Unbound
from eyeshot.frontends.torch.lower import lower
from eyeshot.graph.verify import verify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eyeshot.frontends.registry import Request
    from eyeshot.frontends.torch.exported.program import Program
    from eyeshot.frontends.torch.trace import Trace
    from eyeshot.graph import Graph

_CONTRADICTIONS = (
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    MemoryError,
    RecursionError,
    Unbound,
)


def read_file(request: Request) -> Reading:
    """A ``.pt2`` file, without torch; nothing in it is executed or unpickled.

    Raises
    ------
    ModelReferenceError, FileFormatError, UnsafeFileError, InputError, UnsupportedOpError
        see :mod:`eyeshot.errors`.
    """
    began = perf_counter()
    path = os.fspath(request.model)
    budget = Budget(repr(path), TRUSTED if request.trust else LIMITS)
    program = load(path, budget)
    return reading(program, Path(path).name, request, perf_counter() - began)


def reading(program: Program, name: str, request: Request, loading: float) -> Reading:
    """The graph of a program at the sizes that were asked for."""
    sizes = program.sizes(_given(request))
    with _coherent(program.budget):
        recorded = trace(program, sizes)
    graph = graph_of(recorded, request, program.budget)

    def enlarged(axes: tuple[int, ...]) -> Graph:
        first = next(iter(recorded.inputs))
        shape = recorded.inputs[first].shape
        doubled = tuple(2 * extent if axis in axes else extent for axis, extent in enumerate(shape))
        with _coherent(program.budget):
            larger = trace(program, {**sizes, first: doubled})
        return graph_of(larger, request, program.budget)

    provenance = {"training": recorded.training, "real": False, "loading": loading}
    return Reading(graph, name, {}, provenance, enlarged, program.budget)


def graph_of(recorded: Trace, request: Request, budget: Budget) -> Graph:
    """The graph of a trace that a file made.

    Raises
    ------
    FileFormatError
        where ops are given what they do not take: shapes, numbers and arguments are the file's own words.
    """
    budget.network(value.shape for call in recorded.calls for value in call.outputs if value is not None)
    with _coherent(budget):
        graph = lower(recorded, request.on_unknown)
        verify(graph)
    return graph


@contextmanager
def _coherent(budget: Budget) -> Iterator[None]:
    """Whatever a file's own words lead to, the error is a typed one."""
    try:
        yield
    except GraphError as error:
        raise FileFormatError(f"{budget.name} contradicts itself: {error}") from error
    except EyeshotError:
        raise
    except _CONTRADICTIONS as error:
        raise FileFormatError(
            f"{budget.name} gives an op arguments that it does not take: {type(error).__name__}: {error}"
        ) from error


def _given(request: Request) -> Mapping[str, tuple[int, ...]] | tuple[int, ...] | None:
    """The shapes that the user gave, one or by input."""
    if request.weights is not None:
        raise InputError("weights are for models that are built from a reference; a file has its own")
    if request.inputs is None and not request.kwargs:
        return request.input_size
    given: Any = request.inputs
    listed = [] if given is None else list(given) if isinstance(given, tuple | list) else [given]
    named = dict(request.kwargs or {})
    shapes = [getattr(each, "shape", None) for each in (*listed, *named.values())]
    if len(listed) > 1 or any(shape is None for shape in shapes):
        raise InputError(
            "a file's inputs have names: pass input_size={name: shape, ...} (--input-size NAME=N,C,H,W)"
        )
    if listed:
        return tuple(map(int, listed[0].shape))
    return {name: tuple(map(int, value.shape)) for name, value in named.items()}
