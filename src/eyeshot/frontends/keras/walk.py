"""From the configuration of a model to a graph of relations: layers called in the order in which their inputs exist."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from eyeshot.errors import EyeshotError, FileFormatError, GraphError, InputError
from eyeshot.frontends.files import Budget
from eyeshot.frontends.keras.configuration import History, LayerEntry, arguments, entry, history
from eyeshot.frontends.keras.context import LOWERINGS, PASSING_MASKS, UNKNOWN, Call, Context, tensors_in
from eyeshot.frontends.keras.options import Options
from eyeshot.frontends.keras.order import in_order
from eyeshot.frontends.keras.values import Held, held_in, leaves, named, refs, rewrapped, shaped
from eyeshot.graph import Graph, ModuleOutput, Ref, Tensor
from eyeshot.graph.masks import plain

INPUT = "layers.InputLayer"
DEEPEST = 64

_CONTRADICTIONS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    GraphError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)
_signature = cache(inspect.signature)

ShapeOf = Callable[[str, list[Any], dict[str, Any]], Any]
"""Asks a live layer, by its path, for the shapes of its outputs; the arguments hold a `Ref` for each tensor."""


@dataclass(slots=True)
class _Visit:
    """One call of a layer, for the names that are given once all calls are known."""

    path: str
    kind: str
    outputs: dict[str, Held]
    leaf: bool
    first: int
    last: int
    parameters: int
    macs: int = 0


class Walker:
    """Calls layers by their configuration; holds the graph, and what was called."""

    def __init__(self, shape_of: ShapeOf | None = None, budget: Budget | None = None) -> None:
        self.ctx = Context(self._inner, budget)
        self._budget = budget
        self._shape_of = shape_of
        self._visits: list[_Visit] = []
        self._computed = 0

    def model(self, layer: LayerEntry, path: str, given: Any, *, depth: int = 0) -> Any:
        """Call a model on what its inputs are to be; what it returns, in its own structure."""
        if depth > DEEPEST:
            raise FileFormatError(
                f"models are nested {depth} deep at {path!r}: more than {DEEPEST} are not read"
            )
        if layer.kind == "Sequential":
            return self._sequential(layer, path, given, depth)
        return self._functional(layer, path, given, depth)

    def _sequential(self, layer: LayerEntry, path: str, given: Any, depth: int) -> Any:
        held = given[0] if isinstance(given, list) and len(given) == 1 else given
        for each in layers_of(layer):
            if each.kind != INPUT:
                held = self.call(each, path, [held], {}, depth)
        return held

    def _functional(self, layer: LayerEntry, path: str, given: Any, depth: int) -> Any:
        where = path or layer.name
        if self._budget is not None:
            self._budget.node()
        entries = layers_of(layer)
        made: dict[tuple[str, int], Any] = _bound(layer, given, where)
        # In the list of outputs, and in all that Keras 2 wrote, a nested model's calls count from 1.
        models = {each.name for each in entries if each.is_model}
        functional = {each.name for each in entries if each.is_model and each.kind != "Sequential"}
        names = {each.name for each in entries}

        def key(made_by: History) -> tuple[str, int]:
            if made_by.layer not in names:
                raise FileFormatError(f"{where} reads a tensor of {made_by.layer!r}, which is no layer of it")
            return made_by.layer, made_by.node - (made_by.legacy and made_by.layer in models)

        def find(made_by: History) -> Any:
            return _part(made[key(made_by)], made_by, where)

        called = [each for each in entries if each.kind != INPUT and each.calls]
        for each, number in in_order(called, key, made.keys(), where):
            args, kwargs = arguments(each.calls[number], find, f"{where}.{each.name}")
            made[each.name, number] = self.call(each, path, args, kwargs, depth)
        return _structured(
            layer.config.get("output_layers"), lambda item: _output(item, made, functional, where)
        )

    def call(
        self,
        layer: LayerEntry,
        above: str,
        args: list[Any],
        kwargs: dict[str, Any],
        depth: int = 0,
    ) -> Any:
        """Call one layer, and name what it returns."""
        path = f"{above}.{layer.name}" if above else layer.name
        kwargs.pop("training", None)  # Keras records its default, and overrides it when a model is run
        first = self._computed
        if layer.is_model:
            kwargs.pop("mask", None)
            result = self.model(layer, path, args[0] if len(args) == 1 else args, depth=depth + 1)
            visit = _Visit(path, layer.short, {}, False, first, self._computed, 0)
        else:
            inside = len(self._visits)
            result, call = self._lowered(layer, path, args, kwargs, depth)
            leaf = inside == len(self._visits)
            self._computed += leaf
            visit = _Visit(path, layer.short, {}, leaf, first, self._computed, call.parameters, call.macs)
        visit.outputs = named(result)
        self._visits.append(visit)
        return result

    def _lowered(
        self,
        layer: LayerEntry,
        path: str,
        args: list[Any],
        kwargs: dict[str, Any],
        depth: int,
    ) -> tuple[Any, Call]:
        ctx, where = self.ctx, f"{path} ({layer.short})"
        given = [held for _, held in leaves([args, kwargs])]
        is_layer = layer.kind.startswith("layers.")
        dtype = policy(layer.config.get("dtype"))
        if dtype is None or not is_layer:
            dtype = given[0].dtype if given else "float32"
        call = Call(layer.kind, path, Options(layer.config, where), dtype, depth)
        call.masks = [held.mask for _, held in leaves(args[:1])] if is_layer else []
        if "mask" in kwargs and is_layer:
            mask = refs(ctx, kwargs.pop("mask"))
            call.masks = list(mask) if isinstance(mask, list) else [mask] if mask is not None else call.masks
        call.arguments = {"args": args, "kwargs": kwargs}
        ctx.call = call
        operands = [refs(ctx, args), refs(ctx, kwargs)]
        function = LOWERINGS.get(layer.kind)
        if self._budget is not None:
            self._budget.node()
        result = _guarded(function, ctx, operands, where) if function else self._dense(path, operands, where)
        outputs = tensors_in(result)
        masks = call.output_masks
        if masks is None:
            masks = [ctx.mask if layer.kind in PASSING_MASKS else None] * len(outputs)
        return held_in(result, call.dtype, iter(masks)), call

    def _inner(self, data: Any, outer: Call, x: Ref, mask: Ref | None, kwargs: dict[str, Any]) -> Any:
        """Call what a wrapper wraps, under the wrapper's path."""
        if outer.depth >= DEEPEST:
            raise FileFormatError(f"layers are wrapped {DEEPEST} deep at {outer.path!r}: more are not read")
        held = Held(x, outer.dtype, mask)
        given = {key: rewrapped(value, lambda ref: Held(ref, outer.dtype)) for key, value in kwargs.items()}
        wrapped = entry(data, outer.options.where)
        result = self.call(wrapped, outer.path, [held], given, outer.depth + 1)
        return refs(self.ctx, result)

    def _dense(self, path: str, operands: list[Any], where: str) -> Any:
        """A layer that nobody knows: everything of every operand, in the shapes that the live layer says."""
        if self._shape_of is None:
            raise InputError(
                f"nothing says which shape {where} returns, so it cannot be taken to read everything: give the live "
                "model, whose layers can be asked"
            )
        shapes = self._shape_of(path, *operands)
        read = tensors_in(operands)
        return shaped(shapes, lambda shape: self.ctx.dense(read, tuple(shape), UNKNOWN))

    def graph(self, root: LayerEntry, result: Any) -> Graph:
        """The finished graph, with tensors and modules under the names that users know."""
        graph, ctx = self.ctx.graph, self.ctx
        counts = Counter(visit.path for visit in self._visits)
        seen: Counter[str] = Counter()
        for visit in self._visits:
            again = f":{seen[visit.path]}" if seen[visit.path] and counts[visit.path] > 1 else ""
            seen[visit.path] += 1
            for number, (part, held) in enumerate(visit.outputs.items()):
                name, node = f"{visit.path}{again}{part}", plain(ctx, held.ref).node
                if visit.leaf and not number:
                    tensor = Tensor(
                        name, visit.kind, node, held.ref.shape, held.dtype, visit.path, visit.macs
                    )
                    graph.tensors.append(tensor)
                row = ModuleOutput(
                    name,
                    visit.path,
                    visit.kind,
                    node,
                    visit.leaf,
                    visit.first,
                    visit.last,
                    visit.parameters,
                    held.dtype,
                )
                graph.modules.append(row)
        outputs = named(result)
        for part, held in outputs.items():
            name = part.lstrip(".") or "output"
            graph.outputs[name], graph.dtypes[name] = plain(ctx, held.ref).node, held.dtype
            row = ModuleOutput(
                part, "", root.short, graph.outputs[name], False, 0, self._computed, 0, held.dtype
            )
            graph.modules.append(row)
        return graph


def policy(dtype: Any) -> str | None:
    """The dtype that a layer computes in, from its dtype policy; None where there is none."""
    if isinstance(dtype, Mapping):
        config = dtype.get("config")
        dtype = config.get("name") if isinstance(config, Mapping) else None
    if not isinstance(dtype, str):
        return None
    return dtype.removeprefix("mixed_")


def layers_of(model: LayerEntry) -> list[LayerEntry]:
    """The layers of a model.

    Raises
    ------
    FileFormatError
        where its configuration has none.
    """
    listed = model.config.get("layers")
    if not isinstance(listed, list | tuple) or not listed:
        raise FileFormatError(
            f"{model.name}: the configuration of a {model.short} model without a list of layers"
        )
    return [entry(item, model.name) for item in listed]


def _guarded(function: Callable[..., Any], ctx: Context, operands: list[Any], where: str) -> Any:
    """Call a lowering; what a malformed configuration makes it trip over becomes a typed error."""
    args, kwargs = operands
    try:
        _signature(function).bind(ctx, *args, **kwargs)
        return function(ctx, *args, **kwargs)
    except _CONTRADICTIONS as error:
        shapes = ", ".join(str(ref.shape) for ref in tensors_in(operands)) or "nothing"
        raise FileFormatError(
            f"{where} cannot be called on {shapes} as its configuration says: {error}"
        ) from error
    except EyeshotError as error:
        if where in str(error):
            raise
        raise type(error)(f"{where}: {error}") from error


def _bound(model: LayerEntry, given: Any, where: str) -> dict[tuple[str, int], Any]:
    """What the input layers of a functional model stand for."""
    wanted = model.config.get("input_layers")
    made: dict[tuple[str, int], Any] = {}

    def bind(item: Any, value: Any) -> None:
        if isinstance(item, Mapping):
            named = value if isinstance(value, Mapping) else dict(zip(item, _listed(value), strict=True))
            for key, part in item.items():
                bind(part, named[key])
        elif isinstance(item, list) and not (item and isinstance(item[0], str)):
            values = [value[_names(part)] for part in item] if isinstance(value, Mapping) else _listed(value)
            for part, one in zip(item, values, strict=True):
                bind(part, one)
        else:
            made_by = history(item, where)
            one = value[0] if isinstance(value, list) and len(value) == 1 else value
            made[made_by.layer, made_by.node] = one

    try:
        bind(wanted, given)
    except (KeyError, TypeError, ValueError) as error:
        raise FileFormatError(
            f"{where} is called on inputs that are not those it was made with: {error}"
        ) from error
    return made


def _names(item: Any) -> Any:
    return item[0] if isinstance(item, list) and item else item


def _listed(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list) else [value]


def _part(result: Any, made_by: History, where: str) -> Any:
    parts = [held for _, held in leaves(result)]
    if not 0 <= made_by.tensor < len(parts):
        raise FileFormatError(
            f"{where} reads output {made_by.tensor} of {made_by.layer!r}, which has {len(parts)}"
        )
    return parts[made_by.tensor]


def _output(item: Any, made: Mapping[tuple[str, int], Any], functional: set[str], where: str) -> Any:
    made_by = history(item, where)
    key = (made_by.layer, made_by.node - (made_by.layer in functional))
    if key not in made:
        raise FileFormatError(
            f"{where} returns a tensor of {made_by.layer!r}, call {made_by.node}: there is none"
        )
    return _part(made[key], made_by, where)


def _structured(item: Any, find: Callable[[Any], Any]) -> Any:
    """The outputs of a model, as nested as they were declared."""
    if isinstance(item, Mapping):
        return {str(key): _structured(item[key], find) for key in item}
    if isinstance(item, list) and item and isinstance(item[0], str):
        return find(item)
    if isinstance(item, list):
        return [_structured(part, find) for part in item]
    raise FileFormatError(f"a model's outputs are {item!r}, no [layer, call, output]")
