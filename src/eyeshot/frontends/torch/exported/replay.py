"""From an exported program to a `Trace`: its nodes in order, with names for tensors and Values for names."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from eyeshot.errors import FileFormatError, UnsupportedOpError
from eyeshot.frontends.torch import aliases
from eyeshot.frontends.torch.aliases import Group, Node, Step
from eyeshot.frontends.torch.exported.constants import extent_of
from eyeshot.frontends.torch.exported.hierarchy import Hierarchy
from eyeshot.frontends.torch.exported.higher import HIGHER, flat
from eyeshot.frontends.torch.exported.rules import RULES, SPLITS, SYNONYMS, VIEWS
from eyeshot.frontends.torch.exported.schema import VALUES, Meta, Scope, get, union
from eyeshot.frontends.torch.exported.symbols import Unbound
from eyeshot.frontends.torch.exported.tape import Tape
from eyeshot.frontends.torch.trace import Trace, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eyeshot.frontends.torch.exported.program import Program

_KEYWORDS = frozenset(
    ("dtype", "layout", "device", "pin_memory", "memory_format", "alpha", "generator", "scale", "enable_gqa")
)
# Numbers up to this are never too large for an op.
_ODD = 4096
_NUMBERS = ("_operator.", "math.", "torch.sym_", "builtins.")
_FUNCTIONAL = {"aten.normal_.default": "aten.normal_functional.default"}
_AUGMENTED = {"__iand__": "bitwise_and", "__ior__": "bitwise_or", "__ixor__": "bitwise_xor"}
_MOVES = ("squeeze_", "unsqueeze_", "transpose_", "t_", "swapaxes_", "swapdims_")


def trace(program: Program, sizes: Mapping[str, tuple[int, ...]]) -> Trace:
    """The record of a program where its inputs have the given ``sizes``, or else those that it was exported with.

    Raises
    ------
    FileFormatError, UnsafeFileError
        where the program contradicts itself, or asks for too much.
    InputError
        for shapes that it was not exported for.
    UnsupportedOpError
        for shapes that depend on data.
    """
    bound = program.bind(sizes)
    scope = program.scope(program.graph, bound)
    replay = Replay(program, bound)
    env: dict[str, Node] = {}
    inputs: dict[str, Value] = {}
    for each in program.placeholders:
        meta = scope.meta(each.name)
        value = Value(meta.shape, meta.dtype, each.origin, each.label, each.known)
        env[each.name] = replay.fresh(value, ordered=meta.contiguous)
        if each.origin == "input":
            inputs[each.label] = value
    hierarchy = Hierarchy(program)
    replay.run(program.graph, scope, env, hierarchy)
    outputs = {}
    for name, argument in program.outputs:
        kind, _ = union(argument)
        if kind == "as_tensor":
            outputs[name] = replay.value(scope.argument(argument, name, lambda found: _found(env, found)))
    for module in hierarchy.finished:
        if not module.path:
            module.outputs = outputs
    return Trace(
        inputs, outputs, replay.tape.calls, hierarchy.finished, False, replay.training, list(program.notes)
    )


class Replay:
    """One pass over the nodes. ``op`` is the one at hand; ``training`` tells that one is in train mode."""

    def __init__(self, program: Program, bound: dict[str, int]) -> None:
        self.tape = Tape(program.budget)
        self.op = ""
        self.training = False
        self._program = program
        self._bound = bound

    # Tensors

    def fresh(self, value: Value, *, ordered: bool = True) -> Node:
        """A new tensor that stands for ``value``."""
        return Node(Group(self, known=False), value, value.shape, value.dtype, ordered=ordered)

    def view(
        self, parent: Node, value: Value, meta: Meta, op: str, rest: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Node:
        """A tensor over the memory of ``parent``: ``op(parent, *rest, **kwargs)``."""
        group = parent.group
        group.views += 1
        step = Step(op, rest, kwargs)
        return Node(
            group, value, meta.shape, meta.dtype, group.version, parent, step, ordered=meta.contiguous
        )

    def value(self, node: Node) -> Value:
        """What a tensor stands for now."""
        return aliases.current(node, self.tape.emit)

    def values(self, item: Any) -> Any:
        """An argument with a Value in the place of every tensor."""
        if isinstance(item, Node):
            return self.value(item)
        return [self.values(part) for part in item] if isinstance(item, list) else item

    def written(self, node: Node, value: Value) -> Node:
        """The tensor, from now on holding ``value``."""
        if value.shape != node.shape:
            raise FileFormatError(
                f"{self.op} writes a tensor of shape {value.shape} to one of shape {node.shape}"
            )
        aliases.written(node, value)
        return node

    # Nodes

    def run(
        self, graph: object, scope: Scope, env: dict[str, Node], hierarchy: Hierarchy | None = None
    ) -> None:
        """Replay every node of a graph; their outputs go to ``env``."""
        for place, record in enumerate(get(graph, "nodes", list)):
            if hierarchy is not None:
                self.tape.module, self.tape.visit = hierarchy.enter(place, len(self.tape.calls))
            self._node(record, scope, env)
            if hierarchy is not None:
                hierarchy.leave(place, len(self.tape.calls), env.get, self.value)

    def inner(self, graph: dict[str, Any], operands: list[Any]) -> list[Node]:
        """Replay a graph that an op of higher order was given, and return its outputs."""
        self._program.budget.node()
        scope = self._program.scope(graph, self._bound)
        env: dict[str, Node] = {}
        for argument, operand in zip(get(graph, "inputs", list), operands, strict=False):
            kind, content = union(argument)
            if kind == "as_tensor" and isinstance(operand, Node):
                env[get(content, "name", str)] = operand
        self.run(graph, scope, env)
        return [
            scope.argument(argument, "output", lambda name: _found(env, name))
            for argument in get(graph, "outputs", list)
            if union(argument)[0] == "as_tensor"
        ]

    def _node(self, record: object, scope: Scope, env: dict[str, Node]) -> None:
        target = get(record, "target", str)
        if target.startswith(_NUMBERS):
            return
        op = target.removeprefix("torch.ops.")
        self.op = SYNONYMS.get(op, op)
        names = _output_names(record)
        if self.op in ("aten.item.default", "aten._local_scalar_dense.default"):
            self._look(record, scope, env)
        if not names:
            return
        try:
            args, kwargs = _arguments(record, scope, env)
            metas = self._metas(names, args, scope)
            self._check_arguments(record, args, metas)
        except Unbound as error:
            raise UnsupportedOpError(
                {f"{self.op} (extents depend on data: {error})": [self._place]}
            ) from error
        env.update(zip(names, self._call(args, kwargs, metas), strict=True))

    def _metas(self, names: list[str], args: list[Any], scope: Scope) -> list[Meta]:
        """What is said of the outputs; where extents depend on values, on those of constants."""
        try:
            return [scope.meta(name) for name in names]
        except Unbound:
            shape = extent_of(self.op, [self.values(item) for item in args])
            if shape is None or len(names) > 1:
                raise
            scope.found(names[0], shape)
            return [scope.meta(names[0])]

    def _check_arguments(self, record: object, args: list[Any], metas: list[Meta]) -> None:
        """Refuse numbers that none of the op's tensors is large enough for: a lowering would make tables of that size.

        Raises
        ------
        FileFormatError
            naming the op and the number.
        """
        tensors = [part for part in flat(args) if isinstance(part, Node)]
        shapes = [*(each.shape for each in tensors), *(meta.shape for meta in metas)]
        most = max(_ODD, *map(prod, shapes))
        inputs = get(record, "inputs", list)
        for each, value in zip(inputs, args, strict=False):
            numbers = [part for part in flat([value]) if isinstance(part, int)]
            if get(each, "name", str) not in VALUES and any(abs(number) > most for number in numbers):
                raise FileFormatError(
                    f"{self.op} at {self._place} is given {max(numbers, key=abs):,}, more than its tensors have elements"
                )

    def _look(self, record: object, scope: Scope, env: Mapping[str, Node]) -> None:
        """Give the number that is taken out of a constant its value."""
        [x], _ = _arguments(record, scope, env)
        kind, content = union(get(record, "outputs", list)[0])
        known = self.value(x).known if isinstance(x, Node) else None
        if kind == "as_sym_int" and known is not None and known.size == 1 and known.dtype.kind in "bui":
            scope.number_found(str(get(content, "as_name", str)), int(known.reshape(())))

    def _call(self, args: list[Any], kwargs: dict[str, Any], metas: list[Meta]) -> list[Node]:
        """The outputs of the op at hand."""
        op = self.op
        known = HIGHER[op](self, args, metas) if op in HIGHER else self._ruled(args, kwargs, metas)
        if known is not None:
            return known
        values = tuple(self.values(item) for item in args)
        options = {key: self.values(item) for key, item in kwargs.items()}
        name = op.split(".")[1] if op.count(".") == 2 else ""
        if name in _AUGMENTED or (name.endswith("_") and not name.endswith("__")):
            return [self._write(name, args, values, options, metas[0])]
        found = self.tape.record(op, values, options, [(meta.shape, meta.dtype) for meta in metas])
        if op in VIEWS and isinstance(args[0], Node):
            return [self.view(args[0], found[0], metas[0], op, values[1:], options)]
        if op in SPLITS and isinstance(args[0], Node):
            return self._parts(args[0], values, options, found, metas)
        return [self.fresh(value, ordered=meta.contiguous) for value, meta in zip(found, metas, strict=True)]

    def _ruled(self, args: list[Any], kwargs: dict[str, Any], metas: list[Meta]) -> list[Node] | None:
        """The outputs of the op at hand if it has a rule."""
        if self.op not in RULES:
            return None
        try:
            found = RULES[self.op](self, metas[0], *args, **kwargs)
        except (TypeError, AttributeError) as error:
            raise FileFormatError(
                f"{self.op} at {self._place} has arguments that it doesn't take: {error}"
            ) from error
        if found is None:
            return None
        nodes = [found] if isinstance(found, Node) else found
        rest = metas[len(nodes) :]
        return [
            *nodes[: len(metas)],
            *(self.fresh(Value(meta.shape, meta.dtype, "constant")) for meta in rest),
        ]

    @property
    def _place(self) -> str:
        return self.tape.module or "the model itself"

    def _parts(
        self, x: Node, values: tuple[Any, ...], options: dict[str, Any], found: list[Value], metas: list[Meta]
    ) -> list[Node]:
        unbound = self.op == "aten.unbind.int"
        axis = options.get(
            "dim", values[1] if unbound and len(values) > 1 else values[2] if len(values) > 2 else 0
        )
        start, parts = 0, []
        for place, (value, meta) in enumerate(zip(found, metas, strict=True)):
            if unbound:
                parts.append(self.view(x, value, meta, "aten.select.int", (axis, place), {}))
                continue
            stop = start + meta.shape[axis]
            parts.append(self.view(x, value, meta, "aten.slice.Tensor", (axis, start, stop, 1), {}))
            start = stop
        return parts

    def _write(
        self, name: str, args: list[Any], values: tuple[Any, ...], options: dict[str, Any], meta: Meta
    ) -> Node:
        """An op in place: its functional form, whose output the target then stands for."""
        functional = _FUNCTIONAL.get(self.op) or self.op.replace(
            f".{name}.", f".{_AUGMENTED.get(name, name.removesuffix('_'))}."
        )
        target = args[0]
        if not isinstance(target, Node):
            raise FileFormatError(f"{self.op} at {self._place} writes to something that is no tensor")
        value = self.tape.emit(functional, values, options, meta.shape, target.dtype)
        if name in _MOVES:
            return self.view(target, value, meta, functional, values[1:], options)
        return self.written(target, value)


def _found(env: Mapping[str, Node], name: str) -> Node:
    if name not in env:
        raise FileFormatError(f"the exported program uses {name!r} before anything gives it")
    return env[name]


def _arguments(record: object, scope: Scope, env: Mapping[str, Node]) -> tuple[list[Any], dict[str, Any]]:
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for each in get(record, "inputs", list):
        name, kind = get(each, "name", str), each.get("kind")
        value = scope.argument(get(each, "arg", dict), name, lambda found: _found(env, found))
        if kind == 2 or (kind is None and name in _KEYWORDS):
            kwargs[name] = value
        else:
            args.append(value)
    return args, kwargs


def _output_names(record: object) -> list[str]:
    """The names of a node's tensor outputs, flattened."""
    names: list[str] = []
    for output in get(record, "outputs", list):
        kind, content = union(output)
        if kind == "as_tensor":
            names.append(get(content, "name", str))
        elif kind == "as_tensors":
            names += [get(each, "name", str) for each in get(output, kind, list)]
        elif kind == "as_optional_tensors":
            names += [
                get(get(each, "as_tensor", dict), "name", str) for each in content if "as_tensor" in each
            ]
        elif kind not in (
            "as_none",
            "as_sym_int",
            "as_sym_bool",
            "as_sym_float",
            "as_int",
            "as_float",
            "as_bool",
        ):
            raise UnsupportedOpError(
                {f"{get(record, 'target', str)} (output {kind})": ["the exported program"]}
            )
    return names
