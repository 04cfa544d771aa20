"""From a model's configuration and the shapes of its inputs to a graph."""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from eyeshot.errors import FileFormatError, GraphError, InputError, UnsupportedOpError
from eyeshot.frontends.files import Budget
from eyeshot.frontends.keras.configuration import LayerEntry, history, inner
from eyeshot.frontends.keras.context import LOWERINGS
from eyeshot.frontends.keras.layers.activations import KNOWN, activation_name
from eyeshot.frontends.keras.refused import REFUSED
from eyeshot.frontends.keras.values import Held
from eyeshot.frontends.keras.walk import INPUT, ShapeOf, Walker, layers_of
from eyeshot.graph import Graph
from eyeshot.graph.verify import verify

Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Declared:
    """An input as the model declares it; None where any extent will do, or where nothing is declared."""

    name: str
    shape: Shape | None
    dtype: str


@cache
def load_lowerings() -> None:
    """Import every file of lowerings once."""
    for package in ("layers", "ops"):
        found = importlib.import_module(f"eyeshot.frontends.keras.{package}")
        for module in pkgutil.iter_modules(found.__path__):
            importlib.import_module(f"{found.__name__}.{module.name}")


def lower(
    root: LayerEntry,
    wanted: Any,
    *,
    shape_of: ShapeOf | None = None,
    budget: Budget | None = None,
    dense: bool = False,
) -> tuple[Graph, dict[str, str]]:
    """The graph of a model, and the layouts of its inputs.

    ``wanted`` is a shape for the one input, a list of shapes, or shapes by the inputs' names; None takes what is
    declared, and batches of 1. With ``dense`` unknown layers read everything, in shapes asked of ``shape_of``.

    Raises
    ------
    InputError
        where a shape is missing or does not fit.
    UnsupportedOpError
        listing every layer without a lowering.
    """
    load_lowerings()
    if not root.is_model:
        root = LayerEntry(
            root.name, "Sequential", {"layers": [_as_data(root)], "build_input_shape": root.build_shape}
        )
    if not dense:
        _refuse_unknown(root)
    declared = list(inputs_of(root))
    shapes = bind(declared, wanted, root.name)
    letters = layouts(root, shapes)
    _check_channels(declared, shapes, letters)
    walker = Walker(shape_of, budget)
    held = {}
    for each in declared:
        shape = shapes[each.name]
        if budget is not None:
            budget.shape(shape, f"input {each.name!r}")
        held[each.name] = Held(walker.ctx.input(each.name, shape), each.dtype)
    given: Any = held if root.kind != "Sequential" else next(iter(held.values()))
    graph = walker.graph(root, walker.model(root, "", given))
    if budget is not None:
        _check(graph, budget.name)
    return graph, letters


def _check(graph: Graph, name: str) -> None:
    """What breaks the rules of graphs was read from a file, so it is the file that contradicts itself."""
    try:
        verify(graph)
    except GraphError as error:
        raise FileFormatError(f"{name!r} contradicts itself: {error}") from error


def _as_data(layer: LayerEntry) -> dict[str, Any]:
    """A layer alone, as a Sequential model of it would hold it."""
    return {"class_name": layer.short, "module": "keras.layers", "config": layer.config}


def _refuse_unknown(root: LayerEntry) -> None:
    missing: dict[str, list[str]] = defaultdict(list)
    for layer, path in _every(root, ""):
        for key in ("activation", "recurrent_activation"):
            name = activation_name(layer.config.get(key))
            if name is not None and name not in KNOWN:
                missing[f"activations.{name}"].append(path)
        if not layer.is_model and layer.kind not in LOWERINGS and layer.kind != INPUT:
            reason = REFUSED.get(layer.kind)
            missing[f"{layer.kind} ({reason})" if reason else layer.kind].append(path)
    if missing:
        raise UnsupportedOpError(missing)


def _every(layer: LayerEntry, path: str) -> Iterator[tuple[LayerEntry, str]]:
    """Every layer inside, with its path."""
    for each in inner(layer.config, path or layer.name):
        place = f"{path}.{each.name}".lstrip(".")
        yield each, place
        yield from _every(each, place)


def inputs_of(root: LayerEntry) -> Iterator[Declared]:
    """The inputs of a model, in their order."""
    if root.kind == "Sequential":
        yield _first_of(root)
        return
    entries = {layer.name: layer for layer in layers_of(root)}
    for name in _input_names(root.config.get("input_layers"), root.name):
        if name not in entries or entries[name].kind != INPUT:
            raise FileFormatError(f"{root.name} names {name!r} as an input, which is no InputLayer of it")
        yield _declared(entries[name])


def _input_names(item: Any, where: str) -> Iterator[str]:
    if isinstance(item, Mapping):
        for part in item.values():
            yield from _input_names(part, where)
    elif isinstance(item, list) and item and not isinstance(item[0], str):
        for part in item:
            yield from _input_names(part, where)
    else:
        yield history(item, where).layer


def _declared(layer: LayerEntry) -> Declared:
    shape = layer.config.get("batch_shape") or layer.config.get("batch_input_shape")
    dtype = layer.config.get("dtype")
    return Declared(layer.name, _checked(shape, layer.name), dtype if isinstance(dtype, str) else "float32")


def _first_of(model: LayerEntry) -> Declared:
    """What a Sequential model is given: as its first layer declares, or what it was built for."""
    first = layers_of(model)[0]
    if first.kind == INPUT:
        return _declared(first)
    if first.is_model:
        return next(inputs_of(first))
    config = model.config
    shape = config.get("build_input_shape") or first.config.get("batch_input_shape") or model.build_shape
    return Declared("input", _checked(shape or first.build_shape, model.name), "float32")


def _checked(shape: Any, where: str) -> Shape | None:
    if shape is None:
        return None
    if not isinstance(shape, list | tuple) or not all(
        n is None or (isinstance(n, int) and not isinstance(n, bool) and n >= 0) for n in shape
    ):
        raise FileFormatError(f"{where} declares an input of shape {str(shape)[:60]}")
    return tuple(shape)


def bind(declared: Sequence[Declared], wanted: Any, model: str) -> dict[str, tuple[int, ...]]:
    """A shape for every input: what is wanted, then what is declared; batches are of 1 where nothing says so.

    Raises
    ------
    InputError
        naming the input whose shape is not known or does not fit.
    """
    names = [each.name for each in declared]
    if isinstance(wanted, Mapping):
        asked = dict(wanted)
    elif isinstance(wanted, list):
        asked = dict(zip(names, wanted, strict=False))
        if len(wanted) != len(names):
            raise InputError(
                f"{model} has {len(names)} inputs ({', '.join(names)}), and was given {len(wanted)}"
            )
    elif wanted is not None and len(names) > 1:
        raise InputError(
            f"{model} has {len(names)} inputs: give shapes by name, input_size={{{names[0]!r}: {tuple(wanted)}, ...}}"
        )
    else:
        asked = {} if wanted is None else {names[0]: wanted}
    unknown = [name for name in asked if name not in names]
    if unknown:
        raise InputError(f"{model} has no input {unknown[0]!r}; its inputs are {', '.join(names)}")
    return {each.name: _fitted(each, asked.get(each.name), model) for each in declared}


def _fitted(declared: Declared, wanted: tuple[int, ...] | None, model: str) -> tuple[int, ...]:
    shape = declared.shape
    if wanted is None:
        if shape is None or None in shape[1:]:
            shown = "nothing" if shape is None else str(shape)
            raise InputError(
                f"the shape of input {declared.name!r} of {model} is not known (declared: {shown}): pass input_size= with "
                "all extents (--input-size 1,224,224,3)"
            )
        return tuple(1 if n is None else n for n in shape)
    if shape is not None and len(shape) != len(wanted):
        raise InputError(
            f"input {declared.name!r} of {model} has {len(shape)} axes, {shape}, and was given {tuple(wanted)}"
        )
    return tuple(wanted)


def _check_channels(
    declared: Sequence[Declared], shapes: Mapping[str, tuple[int, ...]], letters: Mapping[str, str]
) -> None:
    for each in declared:
        shape, given = each.shape, shapes[each.name]
        axis = letters.get(each.name, "NC" if len(given) == 2 and "float" in each.dtype else "").find("C")
        if shape is not None and axis >= 0 and shape[axis] not in {None, given[axis]}:
            raise InputError(
                f"input {each.name!r} has {shape[axis]} channels, {shape}, and was given {given[axis]}"
            )


def layouts(root: LayerEntry, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Axis letters of the inputs that have space: channels come last unless a layer says that they come first."""
    formats = [layer.config.get("data_format") for layer, _ in _every(root, "")]
    kinds = {layer.short for layer, _ in _every(root, "")}
    frames = any(kind == "TimeDistributed" or kind.startswith("ConvLSTM") for kind in kinds)
    first = "channels_first" in formats and "channels_last" not in formats
    space = {4: "W", 5: "HW", 6: "DHW"} if frames else {3: "T", 4: "HW", 5: "DHW"}
    steps = "NT" if frames else "N"
    known = {rank: f"{steps}C{axes}" if first else f"{steps}{axes}C" for rank, axes in space.items()}
    known.setdefault(3, "NTC")
    return {name: known[len(shape)] for name, shape in shapes.items() if len(shape) in known}
