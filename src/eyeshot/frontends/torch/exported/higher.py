"""Ops of higher order: ops that are given graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from eyeshot.errors import FileFormatError
from eyeshot.frontends.torch.aliases import Node
from eyeshot.frontends.torch.exported.schema import Subgraph

if TYPE_CHECKING:
    from eyeshot.frontends.torch.exported.replay import Replay
    from eyeshot.frontends.torch.exported.schema import Meta

Higher = Callable[["Replay", list[Any], list["Meta"]], list[Node]]
HIGHER: dict[str, Higher] = {}


def higher(*ops: str) -> Callable[[Higher], Higher]:
    """Register one function for several ops of higher order."""

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
    operands = [item for item in _flat(args[place + 1 :]) if not isinstance(item, str)]
    return _fitting(replay, replay.inner(args[place].record, operands), metas)


@higher("cond")
def cond(replay: Replay, args: list[Any], metas: list[Meta]) -> list[Node]:
    """One of two graphs: the chosen one where that is known; else every element reads both and the condition."""
    condition, branches = args[0], [item for item in args if isinstance(item, Subgraph)]
    if len(branches) != 2:
        raise FileFormatError(f"{replay.op} of the exported program has {len(branches)} graphs, not 2")
    operands = _flat([item for item in args[1:] if not isinstance(item, Subgraph)])
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


def _flat(items: list[Any]) -> list[Any]:
    return [part for item in items for part in (_flat(item) if isinstance(item, list) else [item])]


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
