"""An exported program as read: its graph, what its inputs and outputs are called, and its symbols."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eyeshot.errors import FileFormatError, InputError
from eyeshot.frontends.files import parse_json
from eyeshot.frontends.torch.exported.schema import VERSION, Scope, get, union
from eyeshot.frontends.torch.exported.symbols import evaluate, parse, solve

if TYPE_CHECKING:
    from eyeshot.frontends.files import Budget
    from eyeshot.frontends.torch.exported.known import Array
    from eyeshot.frontends.torch.trace import Origin

    Values = Callable[[str, Origin], Array | None]


@dataclass(frozen=True, slots=True)
class Placeholder:
    """An input of the graph: one of the user's, or a tensor that the model holds.

    ``label`` is the name that users know: the argument's, or the parameter's with its path.
    """

    name: str
    label: str
    origin: Origin
    known: Array | None = None


@dataclass(slots=True)
class Program:
    """One exported program. ``outputs`` are the parts of the result, by the names that `leaves` gives them.

    ``results`` are the parts of what calls of modules return, by path and number of the call, where torch was asked to
    preserve their signatures. ``ranges`` holds the extents that symbols may have.
    """

    graph: dict[str, Any]
    placeholders: list[Placeholder]
    outputs: list[tuple[str, dict[str, Any]]]
    results: dict[tuple[str, int], list[tuple[str, str]]]
    ranges: dict[str, tuple[int, int | None]]
    budget: Budget
    notes: list[str] = field(default_factory=list)

    def sizes(self, given: Any) -> dict[str, tuple[int, ...]]:
        """The shapes that the user gave, by input.

        ``given`` is a shape for the only (or first) input, a mapping of shapes, or None.

        Raises
        ------
        InputError
            where a name is none of the inputs.
        """
        names = [each.label for each in self.placeholders if each.origin == "input"]
        if given is None or not names:
            return {}
        if not isinstance(given, Mapping):
            return {names[0]: tuple(given)}
        for name in given:
            if name not in names:
                raise InputError(
                    f"the exported program has no input {name!r}; its inputs are {', '.join(names)}"
                )
        return {name: tuple(size) for name, size in given.items()}

    def bind(self, sizes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
        """A value for every symbol: from the shapes given, then from those the program was exported with.

        Raises
        ------
        InputError
            for a shape that the program was not exported for.
        """
        bound: dict[str, int] = {}
        for label, stated in self._inputs():
            if label in sizes:
                _bind(label, stated, sizes[label], bound)
        for name, value in self._hints():
            bound.setdefault(name, value)
        for label, stated in self._inputs():
            if any(_open(size, bound) for size in stated):
                raise InputError(
                    f"input {label!r} has extents that the program leaves open: pass input_size="
                )
        for name, value in bound.items():
            low, high = self.ranges.get(name, (0, None))
            if value < low or (high is not None and value > high):
                most = "any number" if high is None else high
                raise InputError(
                    f"the program was exported for {low} to {most} elements where the input has {value}"
                )
        return bound

    def _inputs(self) -> Iterator[tuple[str, list[Any]]]:
        """The user's inputs with the extents that are stated of them."""
        tensors = get(self.graph, "tensor_values", dict)
        for placeholder in self.placeholders:
            if placeholder.origin == "input":
                yield placeholder.label, get(tensors[placeholder.name], "sizes", list)

    def _hints(self) -> Iterator[tuple[str, int]]:
        """The symbols of the inputs' shapes with the values they had when the program was exported."""
        for _, stated in self._inputs():
            bound: dict[str, int] = {}
            for size in stated:
                kind, content = union(size)
                hint = content.get("hint") if kind == "as_expr" and isinstance(content, dict) else None
                if isinstance(hint, dict) and isinstance(hint.get("as_int"), int):
                    found = solve(parse(get(content, "expr_str", str)), hint["as_int"], bound)
                    if found is not None:
                        bound.update([found])
                        yield found

    def scope(self, graph: dict[str, Any], bound: dict[str, int]) -> Scope:
        """The names of one of the program's graphs."""
        return Scope(graph, bound, self.budget)


def _bind(label: str, sizes: list[Any], given: tuple[int, ...], bound: dict[str, int]) -> None:
    """Give symbols the values that make the input's shape the one given."""
    shown = tuple(_shown(size) for size in sizes)
    text = f"input {label!r} was exported with the shape ({', '.join(map(str, shown))})"
    if len(given) != len(sizes):
        raise InputError(f"{text}, which is of another rank than {given}")
    for axis, (size, extent) in enumerate(zip(sizes, given, strict=True)):
        kind, content = union(size)
        if kind == "as_int":
            if content != extent:
                raise InputError(
                    f"{text}: axis {axis} is fixed, and cannot be {extent}. Analyse it at {content}, or export the model "
                    "with dynamic_shapes (torch.export.export)"
                )
            continue
        expression = parse(get(content, "expr_str", str))
        found = solve(expression, extent, bound)
        if found is not None:
            bound.update([found])
        elif set(expression.symbols()) - bound.keys() or evaluate(expression, bound) != extent:
            raise InputError(
                f"{text}: no extents make its axis {axis} ({shown[axis]}) {extent}, given {given}"
            )


def _open(size: object, bound: Mapping[str, int]) -> bool:
    """Whether an extent has a symbol without a value."""
    kind, content = union(size)
    return kind == "as_expr" and bool(set(parse(get(content, "expr_str", str)).symbols()) - bound.keys())


def _shown(size: object) -> object:
    kind, content = union(size)
    if kind == "as_int":
        return content
    expression = parse(get(content, "expr_str", str))
    return expression.name if not expression.arguments else f"a function of {', '.join(expression.symbols())}"


def read(record: object, values: Values, budget: Budget) -> Program:
    """A program from its JSON; ``values`` gives the constants among the tensors that the model holds.

    Raises
    ------
    FileFormatError
        for what is no exported program of a version that eyeshot reads.
    """
    module = get(record, "graph_module", dict)
    version = get(get(record, "schema_version", dict), "major", int)
    if version != VERSION:
        raise FileFormatError(
            f"{budget.name} is an exported program of schema version {version}; eyeshot reads version {VERSION} "
            "(PyTorch 2.5 and later). Export it again"
        )
    graph = get(module, "graph", dict)
    signature = get(module, "signature", dict)
    calls = get(module, "module_call_graph", list)
    root = get(calls[0], "signature", dict) if calls else {}
    inputs = _input_names(root, budget)
    placeholders = [_placeholder(spec, inputs, values) for spec in get(signature, "input_specs", list)]
    ranges = {
        name: (get(limits, "min_val", (int, type(None))) or 0, get(limits, "max_val", (int, type(None))))
        for name, limits in get(record, "range_constraints", dict).items()
    }
    named = [each for each in placeholders if each is not None]
    for each in named:
        get(get(graph, "tensor_values", dict), each.name, dict)
    results = {
        _call_of(call): _returned(call, budget) for call in calls[1:] if get(call, "signature", object)
    }
    return Program(graph, named, list(_outputs(signature, root, budget)), results, ranges, budget)


def _call_of(record: object) -> tuple[str, int]:
    """The path of a module and the number of its call: "norm@2" is the third call of norm."""
    path, _, visit = get(record, "fqn", str).partition("@")
    return path, int(visit) if visit.isdigit() and len(visit) < 9 else 0


def _returned(record: object, budget: Budget) -> list[tuple[str, str]]:
    """The names of the tensors that a call of a module returns, with those of its parts."""
    signature = get(record, "signature", dict)
    names = _leaves(_tree(get(signature, "out_spec", str), budget), "")
    parts = [
        (name, *union(output)) for name, output in zip(names, get(signature, "outputs", list), strict=False)
    ]
    return [(name, get(content, "name", str)) for name, kind, content in parts if kind == "as_tensor"]


_HELD: dict[str, tuple[str, Origin]] = {
    "parameter": ("parameter_name", "parameter"),
    "buffer": ("buffer_name", "buffer"),
    "tensor_constant": ("tensor_constant_name", "constant"),
}


def _placeholder(spec: object, inputs: Iterator[str], values: Values) -> Placeholder | None:
    """What one input of the graph is; None for those that are no tensors."""
    kind, content = union(spec)
    if kind in _HELD:
        key, origin = _HELD[kind]
        label = get(content, key, str)
        return Placeholder(get(get(content, "arg", dict), "name", str), label, origin, values(label, origin))
    if kind == "constant_input":
        next(inputs, None)
        return None
    if kind != "user_input":
        return None
    label = next(inputs, "")
    form, argument = union(get(content, "arg", dict))
    if form != "as_tensor":
        return None
    name = get(argument, "name", str)
    return Placeholder(name, label or name, "input")


def _outputs(
    signature: dict[str, Any], root: dict[str, Any], budget: Budget
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The parts of the result with their names; what the program writes to buffers isn't among them."""
    spec = root.get("out_spec")
    names = iter(list(_leaves(_tree(spec, budget), "")) if isinstance(spec, str) and spec else [])
    number = 0
    for each in get(signature, "output_specs", list):
        kind, content = union(each)
        if kind in ("user_output", "loss_output"):
            name = next(names, f".{number}")
            number += 1
            argument = get(content, "arg", dict)
            yield name, argument if kind == "user_output" else {"as_tensor": argument}


def _input_names(root: dict[str, Any], budget: Budget) -> Iterator[str]:
    """The names of the user's inputs, flattened, as a live capture gives them."""
    spec, names = root.get("in_spec"), root.get("forward_arg_names")
    if not isinstance(spec, str) or not spec:
        return iter(())
    tree = _tree(spec, budget)
    parts = get(tree, "children_spec", list)
    if len(parts) != 2:
        return iter(())
    positional = get(parts[0], "children_spec", list)
    known = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    labels = [known[place] if place < len(known) else f"input{place}" for place in range(len(positional))]
    found = [leaf for label, part in zip(labels, positional, strict=True) for leaf in _leaves(part, label)]
    for key, part in _items(parts[1]):
        found.extend(_leaves(part, key))
    return iter(found)


def _tree(text: str, budget: Budget) -> Any:
    """The structure of a pytree, as ``torch.utils._pytree.treespec_dumps`` writes it."""
    tree = parse_json(text.encode(), "the structure of the program's inputs or outputs", budget.limits)
    if not isinstance(tree, list) or len(tree) != 2:
        raise FileFormatError(
            "the structure of the program's inputs or outputs is no tree that eyeshot knows"
        )
    return tree[1]


def _leaves(tree: object, name: str) -> Iterator[str]:
    """The names of a pytree's leaves: ".0" for items, ".key" for keys."""
    if get(tree, "type", (str, type(None))) is None:
        yield name
        return
    for key, part in _items(tree):
        yield from _leaves(part, f"{name}.{key}")


def _items(tree: object) -> list[tuple[str, Any]]:
    """The parts of one node of a pytree, with their keys or positions."""
    parts = get(tree, "children_spec", list)
    context = get(tree, "context", object)
    keys: object = None
    if isinstance(context, str) and "dict" in str(get(tree, "type", str)).lower():
        try:
            keys = json.loads(context)
        except (ValueError, RecursionError):
            keys = None
    if not isinstance(keys, list) or len(keys) != len(parts):
        keys = range(len(parts))
    return [(str(key), part) for key, part in zip(keys, parts, strict=True)]
