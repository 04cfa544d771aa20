"""The frontends, and which one reads a given model. None is imported before it is needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from eyeshot.errors import ModelReferenceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from eyeshot.frontends.files import Budget
    from eyeshot.graph import Graph

OnUnknown = Literal["error", "dense"]


@dataclass(frozen=True, slots=True)
class Request:
    """What the user wants read: a model or a reference to one, and how to run it.

    ``inputs`` is a pytree of example tensors: a tuple or list is the positional arguments, anything else the only one;
    ``kwargs`` are keyword arguments. With ``input_size``, or with neither of them, one float input is made; a mapping names
    several inputs, for files that declare theirs. ``trust`` allows files that run code when they are opened (in a child
    process), and lifts the limits on the others.
    """

    model: Any
    input_size: tuple[int, ...] | Mapping[str, tuple[int, ...]] | None = None
    inputs: Any = None
    kwargs: Mapping[str, Any] | None = None
    on_unknown: OnUnknown = "error"
    weights: str | None = None
    trust: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What a frontend hands on: the graph, the model's name, the layouts it knows, and where all this came from.

    ``provenance`` has "training" (the model was in train mode), "real" (it ran on real numbers) and "loading" (seconds
    that importing the framework and building the model took). ``enlarged`` reads the model again with twice the extents
    of the given axes, to tell what grows with the input from what is fixed; None where the inputs were the user's own.
    ``budget`` is that of a file, which the whole graph has to fit into.
    """

    graph: Graph
    name: str
    layouts: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    enlarged: Callable[[tuple[int, ...]], Graph] | None = None
    budget: Budget | None = None


class Frontend(Protocol):
    """One way in."""

    def accepts(self, model: object) -> bool:
        """Whether this frontend reads such a model or reference; must not import the framework."""
        ...

    def read(self, request: Request) -> Reading:
        """Capture and lower."""
        ...


FRONTENDS = tuple(f"eyeshot.frontends.{name}.frontend" for name in "spec onnx keras jax torch".split())


def frontend_for(model: object) -> Frontend:
    """The first frontend that accepts a model.

    Raises
    ------
    ModelReferenceError
        where none does.
    """
    for path in FRONTENDS:
        candidate = cast("Frontend", import_module(path))
        if candidate.accepts(model):
            return candidate
    named = isinstance(model, str | PathLike)
    shown = repr(model) if named else f"an object of type {type(model).__qualname__}"
    raise ModelReferenceError(
        f"no frontend reads {shown}: give a model (PyTorch, Keras), a JAX function with inputs=, a file (.onnx, .pt2, "
        ".keras, .yaml), a line such as 'spec:conv3s2 > conv3', or a reference such as timm:resnet50, torchvision:resnet50 "
        "or package.module:factory"
    )
