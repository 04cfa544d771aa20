"""Branches and loops: static ones are followed, of the others everything that they could read counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eyeshot.errors import FileFormatError
from eyeshot.frontends.onnx.context import Context, Item, Value, lowers
from eyeshot.frontends.onnx.elements import Elements
from eyeshot.frontends.onnx.model import Graph
from eyeshot.graph import Ref

LONGEST = 10_000
"""Nodes that an unrolled loop may have."""
LOOP = "loop"


@lowers("If")
def branch(ctx: Context, condition: Ref, *, then_branch: Graph, else_branch: Graph) -> list[Item]:
    """The branch that a known condition leads to; else what either of them reads, and the condition.

    A condition that follows from arrays which the user gave decides, too, and is read.
    """
    decided = ctx.value(0)
    if decided is None:
        outs = [ctx.run(each, []) for each in (then_branch, else_branch)]
        return [_either(ctx, one, other, condition) for one, other in zip(*outs, strict=True)]
    taken = ctx.run(then_branch if decided.reshape(-1)[0] else else_branch, [])
    if ctx.is_constant(condition):
        return taken
    ctx.graph.notes.append(f"which branch {ctx.label} takes follows from the inputs that were given")
    return [_steered(ctx, item, [condition]) for item in taken]


def _either(ctx: Context, one: Item, other: Item, condition: Ref) -> Item:
    """One output of two branches."""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [_either(ctx, a, b, condition) for a, b in zip(one, other, strict=True)]
    if one is None or other is None:
        return one or other
    if isinstance(one, list) or isinstance(other, list) or one.ref.shape != other.ref.shape:
        raise ctx.unsettled(0, "condition")
    read = ctx.pointwise(one.ref, other.ref, ctx.reshape(condition, ()), shape=one.ref.shape)
    return Value(read, one.dtype, loose=one.loose or other.loose)


def _steered(ctx: Context, item: Item, conditions: Sequence[Ref]) -> Item:
    """An output that reads what decided over it, too."""
    if isinstance(item, list):
        return [_steered(ctx, part, conditions) for part in item]
    if item is None or not conditions:
        return item
    ones = [ctx.reshape(ref, ()) for ref in conditions]
    read = ctx.pointwise(item.ref, *ones, shape=item.ref.shape)
    return Value(read, item.dtype, item.elements, loose=item.loose)


@lowers("Loop")
def loop(
    ctx: Context, count: Ref | None = None, condition: Ref | None = None, *states: Any, body: Graph
) -> list[Item]:
    """Unrolled where it is known how often it runs; else every result may read all that any turn reads."""
    turns, going = ctx.value(0), ctx.inputs[1] if len(ctx.inputs) > 1 else None
    start, most = list(ctx.inputs[2:]), None if turns is None else int(turns.reshape(-1)[0])
    steering = [count] if count is not None and not ctx.is_constant(count) else []
    settled = count is None or turns is not None
    carried, scans, turn = list(start), [list[Value]() for _ in body.outputs[1 + len(start) :]], 0
    longest = LONGEST // max(1, len(body.nodes))
    while settled and (most is None or turn < most):
        if isinstance(going, Value):
            decided = going.elements.array() if going.elements is not None else None
            if decided is None or turn >= longest:
                settled = False
                break
            if not ctx.is_constant(going.ref):
                steering.append(going.ref)
            if not decided.reshape(-1)[0]:
                break
        elif turn >= longest:
            settled = False
            break
        going, *outs = ctx.run(body, [_number(ctx, turn), going, *carried])
        carried = outs[: len(start)]
        for scan, out in zip(scans, outs[len(start) :], strict=True):
            scan.append(_tensor(ctx, out))
        turn += 1
    if not settled:
        return _unsettled_loop(ctx, body, start, most, exceeds=turn >= longest)
    if steering:
        ctx.graph.notes.append(f"how often {ctx.label} runs follows from the inputs that were given")
    if not turn and scans:
        _, *outs = ctx.run(body, [_number(ctx, 0), going, *carried])
        empty = [_tensor(ctx, out) for out in outs[len(start) :]]
        stacked = [Value(ctx.constant((0, *out.ref.shape)), out.dtype) for out in empty]
    else:
        stacked = [_stacked(ctx, scan, 0) for scan in scans]
    unique = list({ref.node: ref for ref in steering}.values())
    return [_steered(ctx, item, unique) for item in [*carried, *stacked]]


def _number(ctx: Context, number: int) -> Value:
    return Value(ctx.constant(()), "int64", Elements.of(number))


def _tensor(ctx: Context, item: Item) -> Value:
    if not isinstance(item, Value):
        raise FileFormatError(f"{ctx.label} collects something that is no tensor")
    return item


def _stacked(ctx: Context, parts: Sequence[Value], axis: int) -> Value:
    """Tensors of one shape along a new axis."""
    rank = len(parts[0].ref.shape) + 1
    axis %= rank
    wide = [ctx.reshape(part.ref, (*part.ref.shape[:axis], 1, *part.ref.shape[axis:])) for part in parts]
    return Value(ctx.concat(wide, axis), parts[0].dtype)


def _unsettled_loop(
    ctx: Context, body: Graph, start: list[Item], most: int | None, *, exceeds: bool
) -> list[Item]:
    """One turn with states that read everything; all results may read all that it reads."""
    going = Value(ctx.constant(()), "bool")
    before = _widest(ctx, start, start)
    _, *outs = ctx.run(body, [Value(ctx.constant(()), "int64"), going, *before])
    states, scans = outs[: len(start)], [_tensor(ctx, out) for out in outs[len(start) :]]
    condition = [item for item in ctx.inputs[:2] if item is not None]
    after = _widest(ctx, states, [*condition, *start, *outs])
    for one, other in zip(start, after, strict=True):
        if isinstance(one, Value) and isinstance(other, Value) and one.ref.shape != other.ref.shape:
            raise ctx.unsettled(0, "number of turns")
    if scans and most is None:
        raise ctx.unsettled(0, "number of turns")
    refs = _refs([*condition, *start, *outs])
    wide = [ctx.dense(refs, ctx.bounded((most or 0, *scan.ref.shape)), LOOP) for scan in scans]
    return [
        *after,
        *(Value(ref, scan.dtype, loose=not exceeds) for ref, scan in zip(wide, scans, strict=True)),
    ]


def _widest(ctx: Context, items: Sequence[Item], read: Sequence[Item]) -> list[Item]:
    """States that may hold anything that ``read`` does."""
    refs = _refs(read)
    found: list[Item] = []
    for item in items:
        if not isinstance(item, Value):
            raise ctx.unsettled(0, "number of turns")
        found.append(Value(ctx.dense(refs, item.ref.shape, LOOP), item.dtype))
    return found


def _refs(items: Sequence[Item]) -> list[Ref]:
    flat = [part for item in items for part in (item if isinstance(item, list) else [item])]
    return [item.ref for item in flat if isinstance(item, Value)]


@lowers("Scan", since=9)
def scan(
    ctx: Context,
    *operands: Ref,
    body: Graph,
    num_scan_inputs: int,
    scan_input_axes: Sequence[int] | None = None,
    scan_input_directions: Sequence[int] | None = None,
    scan_output_axes: Sequence[int] | None = None,
    scan_output_directions: Sequence[int] | None = None,
) -> list[Item]:
    """Unrolled along an axis of its operands; a very long one may read everything."""
    values = [_tensor(ctx, item) for item in ctx.inputs]
    states, sequences = values[: len(values) - num_scan_inputs], values[len(values) - num_scan_inputs :]
    axes = list(scan_input_axes or [0] * num_scan_inputs)
    outputs = len(body.outputs) - len(states)
    placed, turned = scan_output_axes or [0] * outputs, scan_output_directions or [0] * outputs
    steps = sequences[0].ref.shape[axes[0]]
    backwards = list(scan_input_directions or [0] * num_scan_inputs)
    if steps * len(body.nodes) > LONGEST:
        return _long_scan(ctx, body, states, sequences, axes, placed, steps)

    def part(value: Value, axis: int, step: int) -> Value:
        return Value(_at(ctx, value.ref, axis, step), value.dtype)

    collected = [list[Value]() for _ in range(outputs)]
    carried: list[Item] = list(states)
    for step in range(steps):
        places = [steps - 1 - step if back else step for back in backwards]
        parts = [part(*each) for each in zip(sequences, axes, places, strict=True)]
        outs = ctx.run(body, [*carried, *parts])
        carried = outs[: len(states)]
        for held, out in zip(collected, outs[len(states) :], strict=True):
            held.append(_tensor(ctx, out))
    ordered = [held[::-1] if back else held for held, back in zip(collected, turned, strict=True)]
    return [*carried, *(_stacked(ctx, held, axis) for held, axis in zip(ordered, placed, strict=True))]


def _at(ctx: Context, x: Ref, axis: int, step: int) -> Ref:
    """One slice of an axis, which is dropped."""
    axis %= len(x.shape)
    return ctx.reshape(ctx.slice(x, axis, step, step + 1), (*x.shape[:axis], *x.shape[axis + 1 :]))


def _long_scan(
    ctx: Context,
    body: Graph,
    states: Sequence[Value],
    sequences: Sequence[Value],
    axes: Sequence[int],
    placed: Sequence[int],
    steps: int,
) -> list[Item]:
    """One step that reads whole sequences, and states that read everything."""
    whole = [
        Value(ctx.reduce(value.ref, [axis], keep=False, summarises=False), value.dtype)
        for value, axis in zip(sequences, axes, strict=True)
    ]
    outs = ctx.run(body, [*_widest(ctx, states, [*states, *sequences]), *whole])
    refs = _refs([*states, *sequences, *outs])
    found: list[Item] = []
    for place, out in enumerate(outs):
        value = _tensor(ctx, out)
        shape = list(value.ref.shape)
        if place >= len(states):
            axis = placed[place - len(states)]
            shape.insert(axis % (len(shape) + 1), steps)
        found.append(Value(ctx.dense(refs, ctx.bounded(shape), LOOP), value.dtype))
    return found


@lowers("Scan")
def scan_batches(
    ctx: Context,
    lengths: Ref | None = None,
    *operands: Ref,
    body: Graph,
    num_scan_inputs: int,
    directions: Sequence[int] | None = None,
) -> list[Item]:
    """The first version: every sample of the batch by itself, along the second axis."""
    values = [_tensor(ctx, item) for item in ctx.inputs[1:]]
    held, samples = ctx.inputs, []
    for row in range(values[0].ref.shape[0]):
        ctx.inputs = [Value(_at(ctx, value.ref, 0, row), value.dtype) for value in values]
        samples.append(
            scan(ctx, body=body, num_scan_inputs=num_scan_inputs, scan_input_directions=directions)
        )
    ctx.inputs = held
    outs = [_stacked(ctx, [_tensor(ctx, item) for item in row], 0) for row in zip(*samples, strict=True)]
    if lengths is None:
        return list(outs)
    return [
        Value(ctx.dense([value.ref for value in values] + [lengths], out.ref.shape, LOOP), out.dtype)
        for out in outs
    ]
