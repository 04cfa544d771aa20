"""Where a change of the input arrives: for every tensor of a program the box that each of many windows changes.

All boxes of one tensor have one size, the largest that a window needs, and are moved inside the tensor where they would
hang over its edge; what they hold beyond the change is recomputed, and comes out as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eyeshot.frontends.torch.ops.convolution import per_axis
from eyeshot.frontends.torch.ops.pointwise import NAMES
from eyeshot.frontends.torch.trace import Call, Value, values_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Indices = NDArray[np.int64]

MOST = 0.7
"""Share of a tensor from which on a box is taken to be all of it: placing it costs more than it spares."""


@dataclass(frozen=True, slots=True)
class Patch:
    """Boxes on some axes of a tensor: their common ``size``, and a start for each window, (windows, axes)."""

    axes: tuple[int, ...]
    size: tuple[int, ...]
    starts: Indices

    def shape(self, whole: Sequence[int]) -> tuple[int, ...]:
        """A tensor's shape with the boxes' sizes."""
        out = list(whole)
        for axis, size in zip(self.axes, self.size, strict=True):
            out[axis] = size
        return tuple(out)


class Everything:
    """The change may be anywhere in the tensor."""


EVERYTHING = Everything()
Change = Patch | Everything | None
"""What windows change of a tensor; None: nothing."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call on patches: which part of each changed operand it reads, and with which arguments it is then run.

    ``reads`` has the box of each operand that is cut; ``padding`` and ``fill`` what surrounds that operand. ``args`` and
    ``kwargs`` replace the call's.
    """

    call: Call
    out: Patch
    reads: dict[Value, Patch]
    args: tuple[Any, ...]
    padding: tuple[tuple[int, int], ...] = ()
    fill: float = 0.0


Rule = Callable[[Call, dict[Value, Change]], Step | None]
RULES: dict[str, Rule] = {}


def covers(*names: str) -> Callable[[Rule], Rule]:
    """Register how ATen ops are run on patches; a rule returns None where it cannot."""

    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, rule))
        return rule

    return register


def plan(call: Call, changes: dict[Value, Change]) -> Step | Everything | None:
    """How to run a call where its operands change as ``changes`` says; its outputs' changes are written there."""
    operands = list(values_in([call.args, call.kwargs]))
    found = [changes.get(value) for value in operands]
    step: Step | Everything | None
    if all(change is None for change in found):
        step = None
    elif EVERYTHING in found or (rule := RULES.get(call.op)) is None:
        step = EVERYTHING
    else:
        step = rule(call, changes) or EVERYTHING
    if isinstance(step, Step):
        shape = _shape(call)
        area = np.prod([size / shape[axis] for axis, size in zip(step.out.axes, step.out.size, strict=True)])
        step = EVERYTHING if area > MOST else step
    for value in call.outputs:
        if value is not None:
            changes[value] = step.out if isinstance(step, Step) else step
    return step


def _shape(call: Call) -> tuple[int, ...]:
    assert call.outputs[0] is not None
    return call.outputs[0].shape


def united(patches: Sequence[Patch], shape: Sequence[int]) -> Patch:
    """Boxes that hold those of several patches on the same axes of tensors of one shape."""
    first = patches[0]
    if all(patch.size == first.size and np.array_equal(patch.starts, first.starts) for patch in patches[1:]):
        return first
    low = np.minimum.reduce([patch.starts for patch in patches])
    high = np.maximum.reduce([patch.starts + patch.size for patch in patches])
    return placed(first.axes, low, high, shape)


def placed(axes: tuple[int, ...], low: Indices, high: Indices, shape: Sequence[int]) -> Patch:
    """Boxes of one size that hold [low, high) of every window, inside a tensor of ``shape``."""
    extents = np.array([shape[axis] for axis in axes])
    size = np.minimum((np.minimum(high, extents) - np.maximum(low, 0)).max(0), extents)
    starts = np.clip(low, 0, extents - size)
    return Patch(axes, tuple(int(n) for n in size), starts)


@covers(*NAMES, "aten.add.Tensor", "aten.sub.Tensor", "aten.mul.Tensor", "aten.div.Tensor", "aten.mul.Scalar")
@covers("aten.div.Scalar", "aten.clone.default", "aten.dropout.default")
def pointwise(call: Call, changes: dict[Value, Change]) -> Step | None:
    """The same elements of every operand that is as large as the result."""
    shape = _shape(call)
    operands = list(values_in([call.args, call.kwargs]))
    changed = [value for value in operands if isinstance(changes.get(value), Patch)]
    if any(value.shape != shape for value in changed):
        return None
    patches = [change for value in changed if isinstance(change := changes[value], Patch)]
    if len({patch.axes for patch in patches}) > 1:
        return None
    box = united(patches, shape)
    reads = {}
    for value in operands:
        spread = [axis - len(shape) + len(value.shape) for axis in box.axes]
        if all(axis < 0 or value.shape[axis] == 1 for axis in spread):
            continue
        if value.shape != shape:
            return None
        reads[value] = box
    return Step(call, box, reads, call.args)


@covers("aten.batch_norm.default")
def batch_norm(call: Call, changes: dict[Value, Change]) -> Step | None:
    """The same element, in eval mode."""
    patch = changes[call.args[0]]
    if call.args[5] or not isinstance(patch, Patch) or 1 in patch.axes:
        return None
    return Step(call, patch, {call.args[0]: patch}, call.args)


@covers("aten.layer_norm.default", "aten.linear.default", "aten.softmax.int", "aten._softmax.default")
def last_axis(call: Call, changes: dict[Value, Change]) -> Step | None:
    """Everything along axes on which no box lies."""
    x = call.args[0]
    patch = changes[x]
    rank = len(x.shape)
    if call.op == "aten.layer_norm.default":
        mixed = set(range(rank - len(call.args[1]), rank))
    else:
        mixed = {call.args[1] % rank} if "softmax" in call.op else {rank - 1}
    if not isinstance(patch, Patch) or mixed & set(patch.axes):
        return None
    return Step(call, patch, {x: patch}, call.args)


@covers("aten.permute.default")
def permute(call: Call, changes: dict[Value, Change]) -> Step | None:
    """Axes in another order."""
    patch = changes[call.args[0]]
    assert isinstance(patch, Patch)
    order = [axis % len(call.args[1]) for axis in call.args[1]]
    axes = [order.index(axis) for axis in patch.axes]
    turned = np.argsort(axes)
    box = Patch(tuple(sorted(axes)), tuple(patch.size[place] for place in turned), patch.starts[:, turned])
    return Step(call, box, {call.args[0]: patch}, call.args)


@covers("aten.cat.default")
def cat(call: Call, changes: dict[Value, Change]) -> Step | None:
    """The same box of every operand, joined along an axis on which it does not lie."""
    operands, shape = call.args[0], _shape(call)
    axis = (call.args[1] if len(call.args) > 1 else call.kwargs.get("dim", 0)) % len(shape)
    patches = [change for value in operands if isinstance(change := changes.get(value), Patch)]
    if len({patch.axes for patch in patches}) > 1 or axis in patches[0].axes:
        return None
    box = united(patches, shape)
    return Step(call, box, dict.fromkeys(operands, box), call.args)


@covers("aten.convolution.default")
def convolution(call: Call, changes: dict[Value, Change]) -> Step | None:
    """The windows that meet the box, padded by hand at the true borders."""
    x, weight, bias, stride, padding, dilation, transposed, *rest = call.args
    if transposed or not isinstance(changes[x], Patch):
        return None
    rank = len(weight.shape) - 2
    taken = [per_axis(amount, rank) for amount in (stride, padding, dilation)]
    spans = [d * (k - 1) + 1 for d, k in zip(taken[2], weight.shape[2:], strict=True)]
    args = (x, weight, bias, stride, [0] * rank, dilation, transposed, *rest)
    return _windowed(call, changes, args, spans, taken[0], taken[1], 0.0)


@covers("aten.max_pool2d.default", "aten.max_pool1d.default", "aten.max_pool3d.default")
def max_pool(call: Call, changes: dict[Value, Change]) -> Step | None:
    """As a convolution; padding is below every element."""
    x, kernel, *given = call.args
    rank = len(x.shape) - 2
    stride, padding, dilation = ([*given, *[[], 0, 1][len(given) :]])[:3]
    taken = [per_axis(amount, rank) for amount in (kernel, stride or kernel, padding, dilation)]
    spans = [d * (k - 1) + 1 for d, k in zip(taken[3], taken[0], strict=True)]
    args = (x, kernel, taken[1], [0] * rank, taken[3])
    return _windowed(call, changes, args, spans, taken[1], taken[2], -np.inf)


@covers("aten.avg_pool2d.default", "aten.avg_pool1d.default", "aten.avg_pool3d.default")
def avg_pool(call: Call, changes: dict[Value, Change]) -> Step | None:
    """As a convolution, where every window has the same divisor."""
    x, kernel, *given = call.args
    rank = len(x.shape) - 2
    stride, padding, ceil_mode, counted, divisor = ([*given, *[[], 0, False, True, None][len(given) :]])[:5]
    taken = [per_axis(amount, rank) for amount in (kernel, stride or kernel, padding)]
    if ceil_mode or divisor is not None or (any(taken[2]) and not counted):
        return None
    args = (x, kernel, taken[1], [0] * rank)
    return _windowed(call, changes, args, taken[0], taken[1], taken[2], 0.0)


def _windowed(
    call: Call,
    changes: dict[Value, Change],
    args: tuple[Any, ...],
    spans: Sequence[int],
    strides: Sequence[int],
    paddings: Sequence[int],
    fill: float,
) -> Step | None:
    x, shape = args[0], _shape(call)
    patch = changes[x]
    axes = tuple(range(2, len(x.shape)))
    if not isinstance(patch, Patch) or patch.axes != axes:
        return None
    span, stride, padding = (np.array(each) for each in (spans, strides, paddings))
    low = -(-(patch.starts + padding - span + 1) // stride)
    high = (patch.starts + patch.size - 1 + padding) // stride + 1
    out = placed(axes, low, high, shape)
    needed = tuple(int(n) for n in (np.array(out.size) - 1) * stride + span)
    box = Patch(axes, needed, out.starts * stride - padding)
    beyond = [
        max(0, int((shape[axis] - 1) * s - p + n - x.shape[axis]))
        for axis, s, p, n in zip(axes, stride, padding, span, strict=True)
    ]
    around = tuple((int(p), behind) for p, behind in zip(padding, beyond, strict=True))
    return Step(call, out, {x: box}, args, around, fill)
