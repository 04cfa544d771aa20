"""The way in for JAX: jittable functions, and modules of flax and equinox."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

from eyeshot.errors import InputError
from eyeshot.frontends.registry import Reading

if TYPE_CHECKING:
    from eyeshot.frontends.registry import Request
    from eyeshot.graph import Graph

LAYOUTS = {3: "NTC", 4: "NHWC", 5: "NDHWC"}
"""What the axes of an input are by default in JAX, by rank."""

OTHERS = frozenset({"keras", "onnx", "tensorflow", "torch"})
"""Frameworks whose objects are callable, too."""


def accepts(model: object) -> bool:
    """Anything callable that is no module of another framework, once JAX is loaded."""
    if "jax" not in sys.modules or isinstance(model, str | type) or not callable(model):
        return False
    return not any(cls.__module__.partition(".")[0] in OTHERS for cls in type(model).__mro__)


def read(request: Request) -> Reading:
    """Trace the function on shapes and lower its jaxpr.

    Raises
    ------
    InputError, CaptureError, UnsupportedOpError
        see :mod:`eyeshot.errors`.
    """
    began = perf_counter()
    from eyeshot.frontends.jax.capture import capture
    from eyeshot.frontends.jax.lower import lower

    loading = perf_counter() - began
    arguments = _arguments(request)
    captured = capture(request.model, arguments)
    graph = lower(captured, request.on_unknown)
    layouts = {
        name: LAYOUTS[rank]
        for name, node in graph.inputs.items()
        if (rank := len(graph.nodes[node].shape)) in LAYOUTS
    }

    def enlarged(axes: tuple[int, ...]) -> Graph:
        return lower(capture(request.model, _doubled(arguments, axes)), request.on_unknown)

    shapes_alone = _shapes_alone(arguments)
    provenance = {"training": False, "real": False, "loading": loading}
    return Reading(graph, captured.model, layouts, provenance, enlarged if shapes_alone else None)


def _arguments(request: Request) -> tuple[tuple[Any, ...], dict[str, Any]]:
    from eyeshot.frontends.jax.shapes import struct

    kwargs = dict(request.kwargs or {})
    if request.inputs is not None:
        given = request.inputs
        return tuple(given) if isinstance(given, tuple | list) else (given,), kwargs
    size: Any = request.input_size
    if isinstance(size, Mapping):
        return (), {**{name: struct(n) for name, n in size.items()}, **kwargs}
    if size is not None:
        return (struct(size),), kwargs
    if kwargs:
        return (), kwargs
    raise InputError(
        "the shapes of the inputs are not known: pass input_size=(1, 224, 224, 3), or inputs= with example arrays or "
        "jax.ShapeDtypeStruct(shape, dtype), one an argument"
    )


def _shapes_alone(arguments: Any) -> bool:
    """Whether there is one array among the arguments, and of that the shape alone."""
    import jax

    leaves = [leaf for leaf in jax.tree_util.tree_leaves(arguments) if hasattr(leaf, "shape")]
    return len(leaves) == 1 and isinstance(leaves[0], jax.ShapeDtypeStruct)


def _doubled(arguments: Any, axes: tuple[int, ...]) -> Any:
    import jax

    from eyeshot.frontends.jax.shapes import struct

    def twice(leaf: Any) -> Any:
        if not isinstance(leaf, jax.ShapeDtypeStruct):
            return leaf
        shape = tuple(2 * n if axis in axes else n for axis, n in enumerate(leaf.shape))
        return struct(shape, leaf.dtype)

    return jax.tree_util.tree_map(twice, arguments)
