"""A trace as plain JSON, to come from a process that is not trusted: checked where it is read, never unpickled."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from math import prod
from typing import Any, get_args

import numpy as np

from eyeshot.errors import CaptureError, FileFormatError
from eyeshot.frontends.torch.trace import INTEGER_LIMIT, Call, ModuleCall, Origin, Trace, Value

_PLAIN = (bool, int, float, str, type(None))


def encode(trace: Trace) -> dict[str, Any]:
    """A trace as what JSON holds.

    Raises
    ------
    CaptureError
        where an op was given something that is neither a tensor nor a number, a word or lists of them.
    """
    values: dict[Value, int] = {}

    def number(value: Value | None) -> int | None:
        return None if value is None else values.setdefault(value, len(values))

    def named(tensors: dict[str, Value]) -> dict[str, int | None]:
        return {name: number(value) for name, value in tensors.items()}

    record = {
        "inputs": named(trace.inputs),
        "outputs": named(trace.outputs),
        "calls": [
            [call.op, _item(call.args, number), _item(call.kwargs, number), [number(value) for value in call.outputs],
             call.module, call.visit]
            for call in trace.calls
        ],
        "modules": [
            [m.path, m.visit, m.kind, named(m.outputs), m.first_call, m.last_call, m.parameters] for m in trace.modules
        ],
        "real": trace.real,
        "training": trace.training,
        "notes": trace.notes,
    }  # fmt: skip
    return {**record, "values": [_encoded(value) for value in values]}


def _item(what: Any, number: Callable[[Value], int | None]) -> Any:
    if isinstance(what, Value):
        return {"value": number(what)}
    if isinstance(what, list | tuple):
        return {"tuple" if isinstance(what, tuple) else "list": [_item(part, number) for part in what]}
    if isinstance(what, dict):
        return {"dict": {str(key): _item(part, number) for key, part in what.items()}}
    if isinstance(what, complex):
        return {"complex": [what.real, what.imag]}
    if isinstance(what, _PLAIN):
        return what
    raise CaptureError(f"an op was given a {type(what).__name__}, which cannot leave the child process")


def _encoded(value: Value) -> list[Any]:
    known = value.known
    kept = None if known is None else [known.dtype.str, base64.b64encode(known.tobytes()).decode()]
    return [list(value.shape), value.dtype, value.origin, value.name, kept]


def decode(record: object) -> Trace:
    """The trace that was encoded.

    Raises
    ------
    FileFormatError
        for anything else.
    """
    try:
        return _decoded(record)
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError, binascii.Error) as error:
        raise FileFormatError(
            f"the child process sent back no trace: {type(error).__name__}: {error}"
        ) from error


def _decoded(record: Any) -> Trace:
    values = [_value(*each) for each in record["values"]]

    def named(tensors: dict[str, int]) -> dict[str, Value]:
        return {name: values[number] for name, number in tensors.items()}

    calls = [
        Call(
            _is(op, str),
            _is(_argument(args, values), tuple),
            _is(_argument(kwargs, values), dict),
            tuple(None if number is None else values[number] for number in outputs),
            _is(module, str),
            _is(visit, int),
        )
        for op, args, kwargs, outputs, module, visit in record["calls"]
    ]
    modules = [
        ModuleCall(
            _is(path, str),
            _is(visit, int),
            _is(kind, str),
            named(outputs),
            *_range(first, last, calls),
            _is(owned, int),
        )
        for path, visit, kind, outputs, first, last, owned in record["modules"]
    ]
    notes = [_is(note, str) for note in record["notes"]]
    inputs, outputs = named(record["inputs"]), named(record["outputs"])
    return Trace(inputs, outputs, calls, modules, bool(record["real"]), bool(record["training"]), notes)


def _argument(what: Any, values: list[Value]) -> Any:
    if not isinstance(what, dict):
        return _is(what, *_PLAIN)
    [(kind, content)] = what.items()
    match kind:
        case "value":
            return values[content]
        case "list":
            return [_argument(part, values) for part in content]
        case "tuple":
            return tuple(_argument(part, values) for part in content)
        case "dict":
            return {key: _argument(part, values) for key, part in content.items()}
        case "complex":
            return complex(*content)
        case _:
            raise ValueError(kind)


def _value(shape: Any, dtype: Any, origin: Any, name: Any, known: Any) -> Value:
    extents = tuple(_is(extent, int) for extent in shape)
    if min(extents, default=0) < 0 or origin not in get_args(Origin):
        raise ValueError(shape)
    value = Value(extents, _is(dtype, str), origin, _is(name, str, type(None)))
    if known is not None:
        kind = np.dtype(_is(known[0], str))
        if kind.kind not in "biufc" or prod(extents) > INTEGER_LIMIT:
            raise ValueError(kind)
        value.known = np.frombuffer(base64.b64decode(known[1], validate=True), kind).reshape(extents)
    return value


def _range(first: Any, last: Any, calls: list[Call]) -> tuple[int, int]:
    if not 0 <= _is(first, int) <= _is(last, int) <= len(calls):
        raise ValueError(first)
    return first, last


def _is(what: Any, *kinds: type) -> Any:
    if not isinstance(what, kinds):
        raise TypeError(f"{type(what).__name__} {str(what)[:60]}")
    return what
