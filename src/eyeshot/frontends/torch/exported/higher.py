"""Ops of higher order: ops that are given graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from eyeshot.errors import FileFormatError
from eyeshot.frontends.torch.aliases import Node
from eyeshot.frontends.torch.exported.schema import Subgraph
from eyeshot.frontends.torch.trace import Value

if TYPE_CHECKING:
    from eyeshot.frontends.torch.exported.replay import Replay
    from eyeshot.frontends.torch.exported.schema import Meta

Higher = Callable[["Replay", list[Any], list["Meta"]], "list[Node] | None"]
HIGHER: dict[str, Higher] = {}


def higher(*ops: str) -> Callable[[Higher], Higher]:
    """Register one function for several ops of higher order.

    It is called with the arguments (a `Node` for every tensor, a `Subgraph` for every graph) and what is said of the
    outputs; None where it cannot follow the graphs, and the op is an unknown one.
    """

    def register(function: Higher) -> Higher:
        HIGHER.update({f"higher_order.{op}": function for op in ops})
        return function

    return register


@higher(
    "wrap_with_set_grad_enabled",
    "wrap_with_autocast",
    "invoke_subgraph",
    "wrap",
    "hints_wrapper",
    "tag_activation_checkpoint",
)
def wrapped(replay: Replay, args: list[Any], metas: list[Meta]) -> list[Node]:
    """The graph itself; what stands before it are settings, what stands behind it its operands."""
    place = next((number for number, item in enumerate(args) if isinstance(item, Subgraph)), None)
    if place is None:
        raise FileFormatError(f"{replay.op} of the exported program has no graph")
    operands = [item for item in flat(args[place + 1 :]) if not isinstance(item, str)]
    return _fitting(replay, replay.inner(args[place].record, operands), metas)


@higher("cond")
def cond(replay: Replay, args: list[Any], metas: list[Meta]) -> list[Node]:
    """One of two graphs: the chosen one where that is known; else every element reads both and the condition."""
    condition, branches = args[0], [item for item in args if isinstance(item, Subgraph)]
    if len(branches) != 2:
        raise FileFormatError(f"{replay.op} of the exported program has {len(branches)} graphs, not 2")
    operands = flat([item for item in args[1:] if not isinstance(item, Subgraph)])
    value = replay.value(condition) if isinstance(condition, Node) else None
    known = condition if value is None else value.known
    if known is not None:
        chosen = branches[0] if bool(known) else branches[1]
        return _fitting(replay, replay.inner(chosen.record, operands), metas)
    left, right = (_fitting(replay, replay.inner(branch.record, operands), metas) for branch in branches)
    return [
        replay.fresh(
            replay.tape.emit(
                "aten.where.self", (value, replay.value(a), replay.value(b)), {}, meta.shape, meta.dtype
            )
        )
        for a, b, meta in zip(left, right, metas, strict=True)
    ]


@higher("scan")
def scan(replay: Replay, args: list[Any], metas: list[Meta]) -> list[Node] | None:
    """Step after step along the first axis: a state that each step hands on, and what each step gives, stacked."""
    graph, states, inputs = args[0], list(args[1]), list(args[2])
    more = flat(args[3:])
    if not isinstance(graph, Subgraph) or not inputs:
        return None
    given: list[list[Value]] = [[] for _ in metas[len(states) :]]
    for step in range(inputs[0].shape[0]):
        parts = [_part(replay, x, step) for x in inputs]
        found = replay.inner(graph.record, [*states, *parts, *more])
        states, made = found[: len(states)], found[len(states) :]
        for values, node in zip(given, made, strict=True):
            values.append(replay.value(node))
    return [*states, *_stacked(replay, given, metas[len(states) :])]


@higher("map_impl", "map")
def mapped(replay: Replay, args: list[Any], metas: list[Meta]) -> list[Node] | None:
    """The same graph for every index of the first axis, its outputs stacked."""
    graph, inputs, more = args[0], list(args[1]), flat(args[2:])
    if not isinstance(graph, Subgraph) or not inputs:
        return None
    given: list[list[Value]] = [[] for _ in metas]
    for step in range(inputs[0].shape[0]):
        parts = [_part(replay, x, step) for x in inputs]
        for values, node in zip(given, replay.inner(graph.record, [*parts, *more]), strict=True):
            values.append(replay.value(node))
    return _stacked(replay, given, metas)


@higher("while_loop")
def while_loop(replay: Replay, args: list[Any], metas: list[Meta]) -> list[Node] | None:
    """Turn after turn, as long as the condition follows from constants alone."""
    condition, body, states, more = args[0], args[1], list(args[2]), flat(args[3:])
    if not isinstance(condition, Subgraph) or not isinstance(body, Subgraph):
        return None
    while True:
        verdict = [replay.value(node).known for node in replay.inner(condition.record, [*states, *more])]
        if len(verdict) != 1 or verdict[0] is None:
            return None
        if not verdict[0].any():
            return _fitting(replay, states, metas)
        states = replay.inner(body.record, [*states, *more])


def _part(replay: Replay, x: Node, index: int) -> Node:
    shape = x.shape[1:]
    return replay.fresh(replay.tape.emit("aten.select.int", (replay.value(x), 0, index), {}, shape, x.dtype))


def _stacked(replay: Replay, given: list[list[Value]], metas: list[Meta]) -> list[Node]:
    return [
        replay.fresh(replay.tape.emit("aten.stack.default", (values, 0), {}, meta.shape, meta.dtype))
        for values, meta in zip(given, metas, strict=True)
    ]


def flat(items: list[Any]) -> list[Any]:
    """Everything in nested lists."""
    return [part for item in items for part in (flat(item) if isinstance(item, list) else [item])]


def _fitting(replay: Replay, found: list[Node], metas: list[Meta]) -> list[Node]:
    """The outputs of an inner graph, if they are what the op gives.

    Raises
    ------
    FileFormatError
        where they aren't.
    """
    if [node.shape for node in found] != [meta.shape for meta in metas]:
        raise FileFormatError(
            f"a graph inside {replay.op} of the exported program gives other shapes than the op"
        )
    return found
