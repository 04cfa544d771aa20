"""Bytes that are no protocol buffer, or one that lies about itself."""

import random

from tests.security.case import REFUSED, Hostile
from tests.security.protobuf import field, message, model, node, tensor, varint

VALID = model(
    node("Conv", "x w", "a", pads=[1, 1, 1, 1]),
    node("Relu", "a", "b"),
    node("MaxPool", "b", "y", kernel_shape=[2, 2], strides=[2, 2]),
    tensors=[tensor("w", [0.5] * 27, [1, 3, 3, 3])],
)
"""A network that is read, to be cut off and damaged."""

REFUSED_ANYWHERE = REFUSED | {4, 6}


def _inside(graph: bytes) -> Hostile:
    """Something that stands where the graph belongs."""
    return Hostile(
        ".onnx", message({1: 10, 8: {2: 21}}) + b"\x3a" + varint(len(graph)) + graph, REFUSED_ANYWHERE
    )


def _damaged(seed: int) -> bytes:
    draw = random.Random(seed)
    data = bytearray(VALID)
    for _ in range(8):
        data[draw.randrange(len(data))] = draw.randrange(256)
    return bytes(data)


def _nested(levels: int) -> bytes:
    """Messages inside messages of the same kind, each with its length in front."""
    inner = b""
    for _ in range(levels):
        inner = field(1, field(5, field(6, inner)))
    return inner


CASES = {
    "a number of eleven bytes": _inside(b"\x08" + b"\xff" * 10 + b"\x01"),
    "a number of a hundred megabytes": Hostile(".onnx", lambda: b"\x08" + b"\xff" * (100 << 20)),
    "a length beyond the end": _inside(b"\x0a\xff\x01"),
    "a length of 2**64 - 1": _inside(b"\x0a" + varint(-1)),
    "a length of 2**63": _inside(b"\x0a" + varint(1 << 63)),
    "a group": _inside(b"\x0b\x0c"),
    "groups, 100,000 deep": Hostile(".onnx", b"\x3b" * 100_000),
    "wire types that there are not": _inside(b"\x0e\x0f"),
    "field number 0": Hostile(".onnx", bytes(1000), REFUSED_ANYWHERE),
    "64 MiB of zeros": Hostile(".onnx", lambda: bytes(64 << 20), REFUSED_ANYWHERE),
    "messages, 100,000 deep": Hostile(".onnx", lambda: field(7, _nested(3000))),
    "a graph that is a number": Hostile(".onnx", message({1: 10, 7: 5, 8: {2: 21}}), REFUSED_ANYWHERE),
    "a graph that is a text": Hostile(".onnx", message({1: 10, 7: "a graph", 8: {2: 21}}), REFUSED_ANYWHERE),
    "names that are no UTF-8": _inside(message({1: message({1: b"\xff\xfe", 2: b"\xc0\xaf", 4: b"Relu"})})),
    "numbers packed into half a float": _inside(message({1: message({4: "Conv", 5: {1: "a", 7: b"123"}})})),
    "packed numbers that end in the middle": _inside(message({5: message({1: b"\xff\xff", 2: 7, 8: "w"})})),
    "ten million packed extents": Hostile(
        ".onnx",
        lambda: message({7: {5: {1: b"\x01" * 10_000_000, 2: 7, 8: "w"}}, 8: {2: 21}}),
        REFUSED_ANYWHERE,
    ),
    "thirty million floats in one attribute": Hostile(
        ".onnx",
        lambda: message({7: {1: {4: "Relu", 5: {1: "a", 7: bytes(120_000_000)}}}, 8: {2: 21}}),
        REFUSED_ANYWHERE,
    ),
    "a name of 100 MB": Hostile(
        ".onnx", lambda: message({7: {1: {1: "x", 2: "y", 4: "Relu", 3: b"n" * (100 << 20)}}, 8: {2: 21}})
    ),
    "40 MB of numbers": Hostile(".onnx", lambda: b"\x08\x0a" * (20 << 20)),
    "a million graphs": Hostile(".onnx", lambda: b"\x3a\x00" * 1_100_000 + VALID, REFUSED_ANYWHERE | {0}),
    "a pickle": Hostile(".onnx", b"\x80\x04cos\nsystem\n(S'echo eyeshot-was-here'\ntR."),
    "a text": Hostile(".onnx", b"<!DOCTYPE html><script>alert(1)</script>"),
    **{
        f"cut off after {percent}%": Hostile(".onnx", VALID[: len(VALID) * percent // 100], REFUSED_ANYWHERE)
        for percent in (1, 10, 35, 50, 80, 99)
    },
    **{f"damaged, {seed}": Hostile(".onnx", _damaged(seed), REFUSED_ANYWHERE | {0}) for seed in range(6)},
}
