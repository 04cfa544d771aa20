"""Writes protocol buffers, valid or not, and the messages of ONNX: https://protobuf.dev/programming-guides/encoding/."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

FLOAT, INT64, STRING, BOOL = 1, 7, 8, 9


def varint(number: int) -> bytes:
    """A whole number; negative ones as 64 bits."""
    number %= 1 << 64
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    return bytes([*made, number])


def field(number: int, value: Any) -> bytes:
    """One field: a number, a float, text, bytes, a message (a mapping), or several of them."""
    match value:
        case bool() | int():
            return varint(number << 3) + varint(int(value))
        case float():
            return varint(number << 3 | 5) + struct.pack("<f", value)
        case str():
            return field(number, value.encode("utf-8", "surrogatepass"))
        case bytes():
            return varint(number << 3 | 2) + varint(len(value)) + value
        case Mapping():
            return field(number, message(value))
        case _:
            return b"".join(field(number, each) for each in value)


def message(fields: Mapping[int, Any]) -> bytes:
    """The fields of a message by their numbers."""
    return b"".join(field(number, value) for number, value in fields.items() if value is not None)


# ONNX


def tensor(
    name: str, values: Sequence[int] | Sequence[float] = (), dims: Sequence[int] | None = None, **more: Any
) -> bytes:
    """A tensor of int64, or of float32 if ``values`` are floats; ``more`` are further fields, such as ``f13``."""
    floating = bool(values) and isinstance(values[0], float)
    raw = struct.pack(f"<{len(values)}{'f' if floating else 'q'}", *values)
    fields = {
        1: [len(values)] if dims is None else list(dims),
        2: FLOAT if floating else INT64,
        8: name,
        9: raw,
    }
    return message({**fields, **{int(key[1:]): value for key, value in more.items()}})


def value_info(name: str, shape: Sequence[int | str] | None, kind: int = FLOAT) -> bytes:
    """A name with its type; extents may be symbols, and the shape may be left out."""
    dims = None if shape is None else {1: [{2: n} if isinstance(n, str) else {1: n} for n in shape]}
    return message({1: name, 2: {1: {1: kind, 2: dims}}})


def attribute(name: str, value: Any) -> bytes:
    """An attribute of a node: a number, text, several of those, a tensor (bytes), or a graph (a mapping)."""
    match value:
        case int():
            return message({1: name, 3: value, 20: 2})
        case float():
            return message({1: name, 2: value, 20: 1})
        case str():
            return message({1: name, 4: value, 20: 3})
        case bytes():
            return message({1: name, 5: value, 20: 4})
        case Mapping():
            return message({1: name, 6: value, 20: 5})
        case [float(), *_]:
            return message({1: name, 7: value, 20: 6})
        case _:
            return message({1: name, 8: value, 20: 7})


def node(
    kind: str, inputs: str | Iterable[str], outputs: str | Iterable[str], *, name: str = "", **more: Any
) -> bytes:
    """A node; ``domain`` apart, ``more`` are its attributes."""
    domain = more.pop("domain", None)
    words = [each.split() if isinstance(each, str) else list(each) for each in (inputs, outputs)]
    attributes = [attribute(key, value) for key, value in more.items()]
    return message({1: words[0], 2: words[1], 3: name or None, 4: kind, 5: attributes, 7: domain})


def graph(
    nodes: Iterable[bytes],
    *,
    inputs: Iterable[bytes] = (),
    outputs: Iterable[bytes] = (),
    tensors: Iterable[bytes] = (),
) -> dict[int, Any]:
    """A graph of nodes, declared inputs and outputs, and tensors."""
    return {1: list(nodes), 2: "net", 5: list(tensors), 11: list(inputs), 12: list(outputs)}


def function(name: str, inputs: str, outputs: str, nodes: Iterable[bytes]) -> bytes:
    """A function local to the model, in the domain "own"."""
    opsets = [{2: 21}, {1: "own", 2: 1}]
    return message({1: name, 4: inputs.split(), 5: outputs.split(), 7: list(nodes), 9: opsets, 10: "own"})


def model(
    *nodes: bytes,
    shape: Sequence[int | str] | None = (1, 3, 8, 8),
    kind: int = FLOAT,
    tensors: Iterable[bytes] = (),
    functions: Iterable[bytes] = (),
    output: str = "y",
    opset: int = 21,
) -> bytes:
    """A model with the input "x" and the output "y"."""
    made = graph(
        nodes, inputs=[value_info("x", shape, kind)], outputs=[value_info(output, None)], tensors=tensors
    )
    return message({1: 10, 7: made, 8: [{1: "", 2: opset}, {1: "own", 2: 1}], 25: list(functions)})
