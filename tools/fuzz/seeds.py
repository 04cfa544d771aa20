"""Files to begin with: good ones with many ops, and the small ones of the hostile corpus. All are made by code."""

from __future__ import annotations

import json
from functools import cache

from tests.security import protobuf as onnx
from tests.security.hostile import CORPUS, archives, exported, keras, protobufs, text, weights

SMALL = 6000
"""Bytes of a hostile file that is taken for a seed."""


@cache
def hostile(suffix: str) -> tuple[bytes, ...]:
    """The small hostile files of a format."""
    found = []
    for case in CORPUS.values():
        if case.suffix == suffix and case.build is None:
            data = case.content if isinstance(case.content, bytes) else case.content()
            if len(data) <= SMALL:
                found.append(data)
    return tuple(found)


def onnx_ops() -> list[str]:
    """The ops that have a lowering."""
    from eyeshot.frontends.onnx.context import LOWERINGS
    from eyeshot.frontends.onnx.frontend import read
    from eyeshot.frontends.registry import Request

    read(Request(protobufs.VALID))
    return sorted({op for _, op in LOWERINGS})


def onnx_networks() -> list[bytes]:
    """A network for each op, on an image and on what shapes are made of."""
    tensors = [
        onnx.tensor("i", [0, 1, 2, 3]),
        onnx.tensor("one", [1]),
        onnx.tensor("s", [1], []),
        onnx.tensor("w", [0.5] * 27, [1, 3, 3, 3]),
        onnx.tensor("f", [1.0, 1.0, 2.0, 2.0]),
    ]
    made = [protobufs.VALID]
    for op in onnx_ops():
        for inputs in ("x", "x i", "x w", "x x", "x one i", "x x x", "x s s"):
            node = onnx.node(
                op, inputs, "y", axis=1, kernel_shape=[2, 2], axes=[2, 3], strides=[2, 1], mode="linear", to=7
            )
            made.append(onnx.model(node, tensors=tensors))
            made.append(onnx.model(onnx.node(op, inputs, "y"), tensors=tensors))
    return made


def keras_kinds() -> list[str]:
    """The layers and ops that have a lowering."""
    from eyeshot.frontends.keras.context import LOWERINGS
    from eyeshot.frontends.keras.lower import load_lowerings

    load_lowerings()
    return sorted(LOWERINGS)


def keras_networks() -> list[bytes]:
    """A network for each layer, and for each op."""
    config = {
        "filters": 4, "kernel_size": [3, 3], "strides": [2, 2], "padding": "same", "pool_size": [2, 2], "units": 5,
        "axis": -1, "size": [2, 2], "target_shape": [-1, 3], "dims": [2, 1, 3], "n": 2,
        "cropping": [[1, 1], [1, 1]], "num_heads": 2,
        "key_dim": 3, "rate": 0.5, "activation": "relu", "epsilon": 1e-3, "return_sequences": True, "height": 8, "width": 8,
        "input_dim": 7, "output_dim": 3, "equation": "abcd,de->abce", "output_shape": [None, 5], "groups": 1,
        "layer": keras.layer("Dense", "inner", units=3), "dilation_rate": [1, 1], "depth_multiplier": 2,
    }  # fmt: skip
    made = [keras.config()]
    for kind in keras_kinds():
        module, _, name = kind.rpartition(".")
        where = "keras.layers" if module == "layers" else f"keras.src.ops.{module}"
        layer = keras.layer(name, "under_test", module=where, **config)
        made.append(json.dumps(keras.sequential(keras.INPUT, layer)).encode())
        called = keras.called(layer, keras.tensor("x"))
        made.append(json.dumps(keras.functional(called)).encode())
        both = keras.called(layer, keras.tensor("x"), keras.tensor("x"), axis=1)
        made.append(json.dumps(keras.functional(both)).encode())
    return made


def aten_ops() -> list[str]:
    """The ATen ops that have a lowering, as exported programs call them."""
    from eyeshot.frontends.torch.context import LOWERINGS
    from eyeshot.frontends.torch.lower import load_lowerings

    load_lowerings()
    return [f"torch.ops.{name}" for name in sorted(LOWERINGS)]


def exported_programs() -> list[bytes]:
    """A program for each op, with arguments of the usual names."""
    usual = [
        exported.argument("dim", as_int=1),
        exported.argument("size", as_ints=[2, 2]),
        exported.argument("kernel_size", as_ints=[2, 2]),
        exported.argument("stride", as_ints=[2, 2]),
        exported.argument("dims", as_ints=[0, 2, 1, 3]),
    ]
    x, other = exported.tensor("self", "x"), exported.tensor("other", "x")
    relu = exported.call("torch.ops.aten.relu.default", "z", exported.tensor("self", "y"))
    made = [exported.program()]
    for target in aten_ops():
        for arguments in ([x], [x, usual[0]], [x, usual[1]], [x, other], [x, usual[4]], [x, *usual[2:4]]):
            node = exported.call(target, "y", *arguments)
            record = exported.record(node, relu, tensors={"z": exported.described(1, 3, 8, 8)}, output="z")
            made.append(json.dumps(record).encode())
    return made


def lines() -> list[bytes]:
    """Networks in words."""
    listed = (
        "conv7s2 > maxpool3s2p1 > 3*(conv3 > bn > relu) > [conv1 | conv3d2] > up2 > conv3",
        "1d: conv3s2 > [conv7 + conv3] > gap",
        "3x64x64: stem=conv3g3 > conv5x3 > {conv3} > maxpool2s2",
        "conv3p1d2 > unshuffle2 > shuffle2 > softmax",
    )
    hostile_lines = [data.decode("utf-8", "replace").partition("'")[2] for data in hostile(".yaml")]
    return [line.encode() for line in (*listed, *hostile_lines) if line]


def documents() -> list[bytes]:
    """Networks in YAML."""
    good = b"name: net\ninput: [3, 32, 32]\nlayers:\n- conv3\n- add: [conv1, id]\n- repeat: 3\n  layers: [conv3, relu]\n"
    return [good, b"- conv3\n- a: conv3s2\n", *hostile(".yaml")]


def headers() -> list[bytes]:
    """Weights in safetensors."""
    return [weights.VALID, *hostile(".safetensors")]


def zips() -> list[bytes]:
    """Archives."""
    return [archives.zipped({"a": b"text" * 9, "b/c": b""}, 8), *hostile(".keras"), *hostile(".pt2")]


WORDS = (
    "x y a b w f i s one 0 -1 same valid SAME_UPPER SAME_LOWER NOTSET linear cubic nearest reflect wrap edge causal "
    "float32 int64 bool bfloat16 string NHWC channels_first NaN Infinity Symbol('s0') "
    "Add(Symbol('s0'),Integer(1)) os.system "
    "../a"
).split()

PIECES = [
    *"conv3 conv7s2 maxpool up2 gap bn relu id lstm linear 1d: 3x8x8: s2 p1 d2 g4 @8 layers name repeat add".split(),
    *text.CASES,
]
