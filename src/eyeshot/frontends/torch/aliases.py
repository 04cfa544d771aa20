"""In-place writes made functional: which Value a tensor stands for, through views and writes.

Tensors that share memory form a group: a root and views of it, each with the recorded step that
made it. A write gives the written tensor a new Value and leaves the others stale. Only when a
stale tensor is read is the write carried to the root (by the inverse of each view) and from there
down to the reader, so writes that nobody sees through another view cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eyeshot.errors import CaptureError
from eyeshot.frontends.torch.trace import Value

if TYPE_CHECKING:
    from torch import Tensor

Emit = Callable[[str, tuple[Any, ...], dict[str, Any], tuple[int, ...], str], Value]


@dataclass(slots=True, eq=False)
class Group:
    """Tensors that share memory. ``known``: their elements are real and current.

    ``anchor`` is the root's real tensor while known; ``version`` counts the writes.
    """

    owner: object
    known: bool
    anchor: Tensor | None = None
    version: int = 0
    views: int = 0
    pending: list[tuple[Node, Value]] = field(default_factory=list)


@dataclass(slots=True)
class Step:
    """How a view came from its parent: ``op(parent, *rest, **kwargs)``."""

    op: str
    rest: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass(slots=True, eq=False)
class Node:
    """What the recorder knows of one tensor; ``value`` holds while ``stamp`` is the group's version."""

    group: Group
    value: Value | None
    shape: tuple[int, ...]
    dtype: str
    stamp: int = 0
    parent: Node | None = None
    step: Step | None = None
    ordered: bool = True  # a root whose memory is in the order of its elements
    meta: Tensor | None = None
    echo: tuple[Value, Value] | None = None  # the root's value, and what this view made of it


def step_of(
    name: str, args: Any, kwargs: dict[str, Any], index: int, part: Tensor, recorded: Callable[[Any], Any]
) -> Step:
    """The step from the operand to one of the op's views; parts of a split become slices."""
    if name == "aten.unbind.int":
        axis = args[1] if len(args) > 1 else 0
        return Step("aten.select.int", (axis, index), {})
    if name in ("aten.split.Tensor", "aten.split_with_sizes.default"):
        axis = args[2] if len(args) > 2 else kwargs.get("dim", 0)
        start = args[1] * index if isinstance(args[1], int) else sum(args[1][:index])
        return Step("aten.slice.Tensor", (axis, start, start + part.shape[axis], 1), {})
    return Step(name, tuple(map(recorded, args[1:])), {k: recorded(v) for k, v in kwargs.items()})


def written(node: Node, value: Value) -> None:
    """Note that the tensor of ``node`` now holds ``value``."""
    group = node.group
    node.value = value
    if group.views == 0:
        return
    group.version += 1
    node.stamp = group.version
    if group.pending and group.pending[-1][0] is node:
        group.pending.pop()
    group.pending.append((node, value))


def current(node: Node, emit: Emit) -> Value:
    """The Value of an unknown tensor after all writes so far; records what carrying them takes."""
    group = node.group
    if node.stamp == group.version and node.value is not None:
        return node.value
    pending, group.pending = group.pending, []
    for writer, value in pending:
        _carry_to_root(writer, value, emit)
    node.value = _replay(node, emit)
    node.stamp = group.version
    return node.value


def _replay(node: Node, emit: Emit) -> Value:
    """The node's elements as seen through the root's present ones."""
    chain = []
    while node.parent is not None:
        chain.append(node)
        node = node.parent
    assert node.value is not None
    source = value = node.value
    for view in reversed(chain):
        if view.echo is None or view.echo[0] is not source:
            assert view.step is not None
            step = view.step
            made = emit(step.op, (value, *step.rest), step.kwargs, view.shape, view.dtype)
            view.echo = (source, made)
        value = view.echo[1]
    return value


def _carry_to_root(node: Node, value: Value, emit: Emit) -> None:
    while node.parent is not None:
        assert node.step is not None
        op, args = _inverse(node.step, _replay(node.parent, emit), value)
        value = emit(op, args, {}, node.parent.shape, node.parent.dtype)
        node = node.parent
    node.value = value
    node.stamp = node.group.version


_SCATTERS = {
    "aten.slice.Tensor": "aten.slice_scatter.default",
    "aten.select.int": "aten.select_scatter.default",
    "aten.diagonal.default": "aten.diagonal_scatter.default",
    "aten.as_strided.default": "aten.as_strided_scatter.default",
}
_OWN_INVERSES = {"aten.transpose.int", "aten.t.default", "aten.numpy_T.default", "aten.swapaxes.default"}
_COMPLEX = {
    "aten.view_as_complex.default": "aten.view_as_real.default",
    "aten.view_as_real.default": "aten.view_as_complex.default",
}
_REGROUPINGS = (
    "aten.view.default", "aten._unsafe_view.default", "aten.reshape.default", "aten._reshape_alias.default",
    "aten.squeeze", "aten.unsqueeze", "aten.alias", "aten.detach", "aten.expand",
)  # fmt: skip


def _inverse(step: Step, old: Value, new: Value) -> tuple[str, tuple[Any, ...]]:
    """The op that puts a view's ``new`` elements back into its parent, whose elements were ``old``."""
    if (scatter := _SCATTERS.get(step.op)) is not None:
        return scatter, (old, new, *step.rest)
    if step.op == "aten.permute.default":
        order = [axis % len(old.shape) for axis in step.rest[0]]
        return step.op, (new, [order.index(axis) for axis in range(len(order))])
    if step.op in _OWN_INVERSES:
        return step.op, (new, *step.rest)
    if step.op in _COMPLEX:
        return _COMPLEX[step.op], (new,)
    if step.op.startswith(_REGROUPINGS) and _count(old.shape) == _count(new.shape):
        return "aten.view.default", (new, list(old.shape))
    raise CaptureError(
        f"an in-place write goes through the view {step.op}, whose inverse eyeshot does not know. "
        "Write the assignment without the view, or out of place."
    )


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for extent in shape:
        count *= extent
    return count
