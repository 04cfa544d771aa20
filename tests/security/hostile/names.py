"""Names that are written for whoever prints them: a terminal, a table, a page."""

import json
from functools import partial

from tests.security.case import ANSWERED, REFUSED, Hostile
from tests.security.hostile import exported, keras
from tests.security.protobuf import graph, message, model, node, value_info

NAMES = {
    "colours": "conv\x1b[31mred\x1b[0m",
    "a title of the terminal": "\x1b]0;owned\x07",
    "the clipboard": "\x1b]52;c;ZWNobyBoYQ==\x07",
    "a link": "\x1b]8;;http://127.0.0.1/\x1b\\here\x1b]8;;\x1b\\",
    "a screen wiped": "\x1b[2J\x1b[H",
    "a keyboard that answers": "\x1b[6n\x1bZ",
    "eight-bit controls": "\x9b31m\x9d0;owned\x9c",
    "a line of its own": "conv\neyeshot: everything is fine\r\b\b",
    "backspaces": "evil\b\b\b\bgood",
    "letters from right to left": "safe\u202etxt.exe\u2066",
    "markup": "[bold red]conv[/bold red]",
    "markup that never opened": "[/nothing] [link=http://127.0.0.1]x",
    "a page": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "a formula": '=HYPERLINK("http://127.0.0.1")',
    "a template": "{0.__class__.__init__.__globals__} %s %n $(id) `id`",
    "a path": "../../../etc/passwd",
    "half a character": "conv\ud800",
    "nothing": "",
    "a NUL": "conv\0",
    "all of them": "aaa" + "\u0301" * 5000,
    "a megabyte": "n" * (1 << 20),
}  # fmt: skip

EITHER = REFUSED | ANSWERED | {4, 6}


def _onnx(name: str) -> bytes:
    return model(
        node("Relu", "x", name + "t", name=name),
        node("MaxPool", name + "t", name + "y", name=name + "/a/" + name, kernel_shape=[2, 2]),
        output=name + "y",
    )


def _onnx_op(name: str) -> bytes:
    return model(node(name, "x", "y", domain=name))


def _keras(name: str) -> bytes:
    return keras.archive(
        keras.sequential(
            keras.INPUT, {**keras.CONV, "config": {**keras.CONV["config"], "name": name}}, name=name
        )
    )


def _keras_class(name: str) -> bytes:
    return keras.archive(keras.sequential(keras.INPUT, keras.layer(name, "conv", module=name)))


def _pt2(name: str) -> bytes:
    stack = f"L__self__,,net.Net;L__self__a,{name},torch.nn.{name}"
    made = exported.call(
        "torch.ops.aten.relu.default", name + "y", exported.tensor("self", "x"), nn_module_stack=stack
    )
    shapes = {name + "y": exported.described(1, 3, 8, 8)}
    return exported.archive(exported.record(made, tensors=shapes, output=name + "y"))


def _input(name: str) -> bytes:
    made = graph(
        [node("Relu", name, "y")], inputs=[value_info(name, (1, 3, 8, 8))], outputs=[value_info("y", None)]
    )
    return message({1: 10, 7: made, 8: {2: 21}})


def _yaml(name: str) -> bytes:
    return f"name: {json.dumps(name)}\nlayers: conv3\n".encode()


CASES = {
    **{f"{what}, ONNX": Hostile(".onnx", partial(_onnx, name), EITHER) for what, name in NAMES.items()},
    **{f"{what}, .keras": Hostile(".keras", partial(_keras, name), EITHER) for what, name in NAMES.items()},
    **{f"{what}, .pt2": Hostile(".pt2", partial(_pt2, name), EITHER) for what, name in NAMES.items()},
    **{
        f"{what}, of an op": Hostile(".onnx", partial(_onnx_op, name), EITHER) for what, name in NAMES.items()
    },
    **{
        f"{what}, of a class": Hostile(".keras", partial(_keras_class, name), EITHER)
        for what, name in NAMES.items()
    },
    **{
        f"{what}, of an input": Hostile(".onnx", partial(_input, name), EITHER)
        for what, name in NAMES.items()
    },
    **{
        f"{what}, YAML": Hostile(".yaml", partial(_yaml, name), EITHER | {12}) for what, name in NAMES.items()
    },
}
