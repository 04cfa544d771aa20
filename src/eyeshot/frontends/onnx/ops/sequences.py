"""Sequences and optionals: a sequence is a list of tensors, of known length; an optional is its content, or None."""

from __future__ import annotations

from typing import Any

from eyeshot.frontends.onnx.context import Context, Item, Value, lowers
from eyeshot.frontends.onnx.elements import Elements
from eyeshot.graph import Ref


@lowers("SequenceConstruct")
def sequence_construct(ctx: Context, *tensors: Ref) -> list[Any]:
    """The tensors themselves."""
    return [list(ctx.inputs)]


@lowers("SequenceEmpty")
def sequence_empty(ctx: Context) -> list[Any]:
    """No tensor."""
    return [[]]


@lowers("SequenceLength")
def sequence_length(ctx: Context, sequence: list[Value]) -> Value:
    """How many tensors there are: a constant."""
    return ctx.typed(ctx.constant(()), "int64", Elements.of(len(sequence)))


@lowers("SequenceAt")
def sequence_at(ctx: Context, sequence: list[Value], position: Ref) -> Item:
    """The tensor at a position."""
    return sequence[(ctx.integers(1, "position") or [0])[0]]


@lowers("SequenceInsert")
def sequence_insert(
    ctx: Context, sequence: list[Value], tensor: Ref, position: Ref | None = None
) -> list[Any]:
    """The sequence with one more tensor, at its end unless a position says otherwise."""
    out: list[Any] = list(sequence)
    place = (ctx.integers(2, "position") or [len(out)])[0]
    out.insert(place, ctx.inputs[1])
    return [out]


@lowers("SequenceErase")
def sequence_erase(ctx: Context, sequence: list[Value], position: Ref | None = None) -> list[Any]:
    """The sequence without one tensor, its last unless a position says otherwise."""
    out = list(sequence)
    del out[(ctx.integers(1, "position") or [-1])[0]]
    return [out]


@lowers("SplitToSequence")
def split_to_sequence(
    ctx: Context, x: Ref, split: Ref | None = None, *, axis: int = 0, keepdims: int = 1
) -> list[Any]:
    """Pieces of one axis: of given lengths, of one length but for the last, or of 1 without that axis."""
    axis %= len(x.shape)
    extent, lengths = x.shape[axis], ctx.integers(1, "split")
    if lengths is None or (split is not None and not split.shape):
        step = 1 if lengths is None else lengths[0]
        ctx.budget.node(-(-extent // step))
        pieces = [min(step, extent - start) for start in range(0, extent, step)]
    else:
        pieces = lengths
    parts, start = [], 0
    for count in pieces:
        part = ctx.slice(x, axis, start, start + count)
        if lengths is None and not keepdims:
            part = ctx.reshape(part, (*x.shape[:axis], *x.shape[axis + 1 :]))
        parts.append(ctx.typed(part, ctx.dtype()))
        start += count
    return [parts]


@lowers("ConcatFromSequence")
def concat_from_sequence(ctx: Context, sequence: list[Value], *, axis: int, new_axis: int = 0) -> Value:
    """All tensors end to end, or stacked along a new axis."""
    refs = [value.ref for value in sequence]
    if new_axis:
        axis %= len(refs[0].shape) + 1
        refs = [ctx.reshape(ref, (*ref.shape[:axis], 1, *ref.shape[axis:])) for ref in refs]
    return ctx.typed(ctx.concat(refs, axis), sequence[0].dtype)


@lowers("SequenceMap")
def sequence_map(ctx: Context, sequence: list[Value], *others: Any, body: Any) -> list[Any]:
    """A subgraph, once for each tensor: sequences give it theirs at that place, tensors are the same for all."""
    columns: list[list[Item]] = [[] for _ in body.outputs]
    ctx.budget.node(len(sequence))
    for number in range(len(sequence)):
        given = [each[number] if isinstance(each, list) else each for each in ctx.inputs]
        for column, value in zip(columns, ctx.run(body, given), strict=True):
            column.append(value)
    return columns


@lowers("Optional")
def optional(ctx: Context, content: Any = None) -> list[Item]:
    """Its content, or nothing."""
    return [ctx.inputs[0] if ctx.inputs else None]


@lowers("OptionalGetElement")
def optional_get_element(ctx: Context, content: Any) -> list[Item]:
    """What the optional holds."""
    return [ctx.inputs[0]]


@lowers("OptionalHasElement")
def optional_has_element(ctx: Context, content: Any = None) -> Value:
    """Whether the optional holds anything: a constant."""
    return ctx.typed(ctx.constant(()), "bool", Elements.of(content is not None, "bool"))
