"""What a Keras configuration says: which class each layer is of, and what its calls were given.

Keras 3 writes `module`, `class_name`, `registered_name` and `config` for every object; what Keras 2 wrote (and what is in
`.h5` files) has no module, and calls as lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eyeshot.errors import FileFormatError

MODELS = {"Sequential", "Functional", "Model"}
_ARRAYS = frozenset(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64 complex64 complex128".split()
)
WRAPPED = ("layer", "backward_layer", "cell", "cells", "layers")


@dataclass(frozen=True, slots=True)
class History:
    """A tensor by the call that made it: layer, which of its calls, which of the outputs.

    ``legacy`` is how Keras 2 counted: the calls of a nested model from 1, the one that it was made by being 0.
    """

    layer: str
    node: int
    tensor: int
    legacy: bool = False


@dataclass(frozen=True, slots=True)
class LayerEntry:
    """One layer (or op, or nested model) of a model: its class, configuration, and its calls."""

    name: str
    kind: str
    config: Mapping[str, Any]
    build_shape: Any = None
    calls: list[Any] = field(default_factory=list)

    @property
    def is_model(self) -> bool:
        """Whether it is a model of layers itself."""
        return self.kind in MODELS

    @property
    def short(self) -> str:
        """The class's own name."""
        return self.kind.rpartition(".")[2]


def entry(data: Any, where: str) -> LayerEntry:
    """A serialised layer.

    Raises
    ------
    FileFormatError
        where it is none.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("class_name"), str):
        raise FileFormatError(f"{where} holds {_short(data)} where the configuration of a layer belongs")
    config = data.get("config")
    if not isinstance(config, Mapping):
        raise FileFormatError(
            f"{where}: the configuration of a {data['class_name']} is {_short(config)}, no mapping"
        )
    name = data.get("name") or config.get("name") or data["class_name"]
    build = data.get("build_config")
    calls = data.get("inbound_nodes")
    return LayerEntry(
        str(name),
        kind(data),
        config,
        build.get("input_shape") if isinstance(build, Mapping) else None,
        calls if isinstance(calls, list) else [],
    )


def kind(data: Mapping[str, Any]) -> str:
    """The name that a class is lowered by: "layers.Conv2D", "numpy.Add", "Functional", "Custom>Mine"."""
    name, module = data["class_name"], data.get("module")
    registered = data.get("registered_name")
    if module is None:
        return name if name in MODELS else f"layers.{name}"
    module = str(module)
    if module != "keras" and not module.startswith("keras."):
        return str(registered) if registered and ">" in str(registered) else f"{module}.{name}"
    if name in MODELS and not module.startswith("keras.src.layers"):
        return str(name)
    if ".ops." in module:
        return f"{module.rpartition('.')[2]}.{name}"
    return f"layers.{name}"


def inner(config: Mapping[str, Any], where: str) -> Iterator[LayerEntry]:
    """The layers that a layer's configuration holds: those of models, and what wrappers wrap."""
    for key in WRAPPED:
        held = config.get(key)
        for item in held if isinstance(held, list | tuple) else [held]:
            if isinstance(item, Mapping) and "class_name" in item:
                yield entry(item, where)


def arguments(call: Any, tensor: Callable[[History], Any], where: str) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments of a call, tensors found by ``tensor``."""
    if isinstance(call, Mapping):
        args = revived(call.get("args", []), tensor, where)
        kwargs = revived(call.get("kwargs", {}), tensor, where)
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise FileFormatError(f"{where} has a call whose arguments are {_short(call)}")
        return args, kwargs
    return _legacy_arguments(call, tensor, where)


def _legacy_arguments(
    call: Any, tensor: Callable[[History], Any], where: str
) -> tuple[list[Any], dict[str, Any]]:
    """A call as Keras 2 wrote it: a list of [layer, call, output, keywords]."""
    listed = [call] if isinstance(call, list) and call and isinstance(call[0], str) else call
    if not isinstance(listed, list):
        raise FileFormatError(f"{where} has a call that is {_short(call)}")
    tensors, kwargs = [], {}
    for item in listed:
        if not isinstance(item, list) or len(item) not in {3, 4}:
            raise FileFormatError(f"{where} has a call that reads {_short(item)}")
        tensors.append(tensor(history(item, where, legacy=True)))
        if len(item) == 4:
            kwargs.update(revived(item[3], tensor, where))
    return [tensors[0] if len(tensors) == 1 else tensors], kwargs


def history(item: Any, where: str, *, legacy: bool = False) -> History:
    """``[layer, call, output]``."""
    match item:
        case [str() as layer, int() as node, int() as tensor, *_]:
            return History(layer, node, tensor, legacy)
        case _:
            raise FileFormatError(f"{where} names a tensor by {_short(item)}, not by [layer, call, output]")


def revived(item: Any, tensor: Callable[[History], Any], where: str) -> Any:
    """An argument as Keras was given it: tensors by ``tensor``, slices, arrays; plain values as they are."""
    if isinstance(item, list | tuple):
        return [revived(part, tensor, where) for part in item]
    if not isinstance(item, Mapping):
        return item
    marker, config = item.get("class_name"), item.get("config")
    if not isinstance(marker, str) or config is None:
        return {str(key): revived(value, tensor, where) for key, value in item.items()}
    match marker, config:
        case "__keras_tensor__", {"keras_history": made}:
            return tensor(history(made, where))
        case "__slice__", {"start": start, "stop": stop, "step": step}:
            return slice(*(revived(bound, tensor, where) for bound in (start, stop, step)))
        case "__tuple__" | "__list__", list():
            return [revived(part, tensor, where) for part in config]
        case "__ellipsis__", _:
            return Ellipsis
        case (("__tensor__" | "__numpy__"), {"value": value, "dtype": str() as dtype}):
            return _array(value, dtype, where)
        case _:
            raise FileFormatError(f"{where} is called with a {marker!r}, which is no tensor, number or slice")


def _array(value: Any, dtype: str, where: str) -> np.ndarray[Any, Any]:
    if dtype not in _ARRAYS:
        raise FileFormatError(f"{where} is called with an array of {_short(dtype)}, which are no numbers")
    try:
        return np.asarray(value, dtype=None if dtype == "bfloat16" else dtype)
    except (OverflowError, TypeError, ValueError) as error:
        raise FileFormatError(f"{where} is called with an array that is none: {error}") from error


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
