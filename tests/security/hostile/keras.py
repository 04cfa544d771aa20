"""Keras archives whose configuration names code, or is larger inside than outside."""

import base64
import json
import marshal
from typing import Any

from tests.security.case import ANSWERED, REFUSED, Hostile
from tests.security.hostile.pickles import pickled, zipped

EITHER = REFUSED | ANSWERED | {4, 6}


def layer(
    kind: str, name: str, *, module: str = "keras.layers", build: Any = None, **config: Any
) -> dict[str, Any]:
    """A serialised layer."""
    made = {"module": module, "class_name": kind, "config": {"name": name, **config}, "registered_name": None}
    return made if build is None else {**made, "build_config": build}


INPUT = layer("InputLayer", "x", batch_shape=[None, 16, 16, 3], dtype="float32")
CONV = layer(
    "Conv2D", "conv", filters=4, kernel_size=[3, 3], strides=[1, 1], padding="same", activation="relu"
)


def sequential(*layers: dict[str, Any], name: str = "net") -> dict[str, Any]:
    """A serialised Sequential."""
    return layer("Sequential", name, module="keras", layers=list(layers))


def config() -> bytes:
    """A network that is read."""
    return json.dumps(sequential(INPUT, CONV)).encode()


def archive(model: Any, **members: bytes) -> bytes:
    """A `.keras` file."""
    data = model if isinstance(model, bytes) else json.dumps(model).encode()
    metadata = b'{"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}'
    more = {name.replace("__", "."): value for name, value in members.items()}
    return zipped({"metadata.json": metadata, "config.json": data, **more})


def _keras(*layers: Any, codes: frozenset[int] = REFUSED) -> Hostile:
    return Hostile(".keras", lambda: archive(sequential(INPUT, *layers)), codes)


def _code() -> str:
    return base64.b64encode(
        marshal.dumps(compile("__import__('os').system('echo eyeshot-was-here')", "x", "eval"))
    ).decode()


def tensor(made: str, node: int = 0, output: int = 0) -> dict[str, Any]:
    """What a layer made, as an argument."""
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None, 16, 16, 3], "dtype": "float32", "keras_history": [made, node, output]},
    }


def called(made: dict[str, Any], *arguments: Any, **kwargs: Any) -> dict[str, Any]:
    """A layer with one call."""
    calls = [{"args": list(arguments), "kwargs": kwargs}]
    return {**made, "name": made["config"]["name"], "inbound_nodes": calls}


def functional(
    *layers: dict[str, Any], inputs: Any = None, outputs: Any = None, name: str = "net"
) -> dict[str, Any]:
    """A serialised Functional model."""
    first = {**INPUT, "name": "x", "inbound_nodes": []}
    made = layer("Functional", name, module="keras", layers=[first, *layers])
    made["config"]["input_layers"] = [["x", 0, 0]] if inputs is None else inputs
    made["config"]["output_layers"] = [[layers[-1]["name"], 0, 0]] if outputs is None else outputs
    return made


def _functional(*layers: dict[str, Any], codes: frozenset[int] = REFUSED, **more: Any) -> Hostile:
    return Hostile(".keras", lambda: archive(functional(*layers, **more)), codes)


def _nested(levels: int) -> bytes:
    inside = json.dumps(CONV).encode()
    before = b'{"module":"keras","class_name":"Sequential","config":{"name":"s","layers":['
    return before * levels + inside + b"]}}" * levels


def _laughs(levels: int) -> dict[str, Any]:
    """A model that calls an inner one twice, which calls another twice, and so on."""
    inner = functional(called(layer("Activation", "act", activation="relu"), tensor("x")), name="m0")
    for level in range(1, levels):
        name = f"m{level - 1}"
        twice = {
            **inner,
            "name": name,
            "inbound_nodes": [
                {"args": [tensor("x")], "kwargs": {}},
                {"args": [tensor(name)], "kwargs": {}},
            ],
        }
        inner = functional(twice, outputs=[[name, 1, 0]], name=f"m{level}")
    return inner


def _backwards(count: int, *, add: bool = False) -> dict[str, Any]:
    """A chain whose last layer stands first, with or without a sum over all of it."""
    chain = [
        called(layer("ReLU", f"r{n}"), tensor(f"r{n - 1}" if n else "x")) for n in reversed(range(count))
    ]
    if add:
        chain.insert(0, called(layer("Add", "sum"), [tensor(f"r{n}") for n in range(count)]))
    return functional(*chain, outputs=[["sum" if add else f"r{count - 1}", 0, 0]])


def _legacy(**more: Any) -> dict[str, Any]:
    """As Keras 2 wrote it: no modules, calls as lists."""
    return {
        "class_name": "Functional",
        "config": {
            "name": "net",
            "layers": [
                {
                    "class_name": "InputLayer",
                    "name": "x",
                    "config": {"name": "x", "batch_input_shape": [None, 16, 16, 3]},
                    "inbound_nodes": [],
                },
                {
                    "class_name": "Conv2D",
                    "name": "c",
                    "config": {"name": "c", "filters": 4, "kernel_size": [3, 3], **more},
                    "inbound_nodes": [[["x", 0, 0, {}]]],
                },
            ],
            "input_layers": [["x", 0, 0]],
            "output_layers": [["c", 0, 0]],
        },
    }


HUGE = 1 << 62

CASES = {
    "a Lambda": _keras(
        layer(
            "Lambda",
            "run",
            function={
                "class_name": "__lambda__",
                "config": {"code": _code(), "defaults": None, "closure": None},
            },
        )
    ),
    "a Lambda as Keras 2 wrote it": _keras(
        layer("Lambda", "run", function=[_code(), None, None], function_type="lambda", module=None)
    ),
    "a Lambda inside a wrapper": _keras(
        layer("TimeDistributed", "td", layer=layer("Lambda", "run", function=_code()))
    ),
    "a Lambda for an activation": _keras(
        layer(
            "Conv2D",
            "conv",
            filters=4,
            kernel_size=3,
            activation={"class_name": "__lambda__", "config": {"code": _code()}},
        )
    ),
    "a Lambda for an initializer": _keras(
        {
            **CONV,
            "config": {
                **CONV["config"],
                "kernel_initializer": {"class_name": "__lambda__", "config": {"code": _code()}},
            },
        }
    ),
    "a Lambda of a deserialised function": _keras(
        layer(
            "Lambda",
            "run",
            function={
                "module": "builtins",
                "class_name": "function",
                "config": "eval",
                "registered_name": "function",
            },
        )
    ),
    "os.system for a layer": _keras(
        layer("system", "run", module="os", command="echo eyeshot-was-here"), codes=REFUSED | {6}
    ),
    "subprocess.Popen for a layer": _keras(
        layer("Popen", "run", module="subprocess", args=["echo", "eyeshot-was-here"]), codes=REFUSED | {6}
    ),
    "builtins.eval for a layer": _keras(
        layer("eval", "run", module="builtins", source="1"), codes=REFUSED | {6}
    ),
    "keras.utils.get_file for a layer": _keras(
        layer("get_file", "run", module="keras.utils", origin="file:///etc/passwd", extract=True),
        codes=REFUSED | {6},
    ),
    "a layer of a module beside the file": _keras(
        layer("Sing", "run", module="eyeshot_canary"), codes=REFUSED | {6}
    ),
    "a layer of a package's registered name": _keras(
        {**layer("Sing", "run", module=None), "registered_name": "eyeshot_canary>Sing"}, codes=REFUSED | {6}
    ),
    "a module that walks up": _keras(
        layer("Conv2D", "run", module="keras.layers.__class__.__mro__"), codes=EITHER
    ),
    "safe mode off": Hostile(
        ".keras",
        lambda: archive(
            {
                "module": "keras.config",
                "class_name": "function",
                "config": "enable_unsafe_deserialization",
                "registered_name": "enable_unsafe_deserialization",
            }
        ),
        REFUSED | {6},
    ),
    "a SavedModel layer": _keras(layer("TFSMLayer", "run", filepath="/etc")),
    "a pickled torch module": _keras(
        layer(
            "TorchModuleWrapper",
            "run",
            module_={"class_name": "bytes", "config": base64.b64encode(pickled()).decode()},
        )
    ),
    "an optimizer that is code": Hostile(
        ".keras",
        lambda: archive(
            {
                **sequential(INPUT, CONV),
                "compile_config": {
                    "optimizer": {"module": "os", "class_name": "system", "config": {"command": "id"}},
                    "loss": "builtins>eval",
                },
            }
        ),
        EITHER,
    ),
    "a build_config that is code": _keras(
        {
            **CONV,
            "build_config": {
                "module": "os",
                "class_name": "system",
                "config": "id",
                "input_shape": ["__import__('os')", {}, HUGE],
            },
        },
        codes=EITHER,
    ),
    "weights that are a pickle": Hostile(
        ".keras", lambda: archive(sequential(INPUT, CONV), model__weights__h5=pickled()), ANSWERED
    ),
    "assets out of the archive": Hostile(
        ".keras",
        lambda: zipped(
            {"config.json": config(), "assets/../../../../tmp/eyeshot": b"x", "_keras_layer": b""}
        ),
        ANSWERED,
    ),
    "Sequentials, 10,000 deep": Hostile(".keras", lambda: archive(_nested(10_000))),
    "Sequentials, 30 deep": Hostile(".keras", lambda: archive(_nested(30)), EITHER),
    "a model called twice at 16 levels": Hostile(".keras", lambda: archive(_laughs(16)), EITHER),
    "a circle": _functional(
        called(layer("Activation", "a", activation="relu"), tensor("b")),
        called(layer("Activation", "b", activation="relu"), tensor("a")),
        codes=REFUSED | {4},
    ),
    "a layer that reads itself": _functional(
        called(layer("Activation", "a", activation="relu"), tensor("a")), codes=REFUSED | {4}
    ),
    "a tensor that nobody makes": _functional(
        called(layer("Activation", "a", activation="relu"), tensor("nobody", 7, -1)), codes=REFUSED | {4}
    ),
    "two layers of one name": _functional(
        called(layer("Activation", "a", activation="relu"), tensor("x")),
        called(layer("Dense", "a", units=3), tensor("a")),
        codes=EITHER,
    ),
    "outputs that are not there": _functional(
        called(layer("Activation", "a", activation="relu"), tensor("x")),
        outputs=[["a", 10**30, -5]],
        codes=REFUSED | {4},
    ),
    "500 layers, the last first": Hostile(".keras", lambda: archive(_backwards(500)), EITHER),
    "a sum of 500 layers, the last first": Hostile(
        ".keras", lambda: archive(_backwards(500, add=True)), EITHER
    ),
    "21,000 layers": Hostile(
        ".keras", lambda: archive(sequential(INPUT, *(layer("ReLU", f"r{n}") for n in range(21_000))))
    ),
    "a tensor of a million numbers in a call": _functional(
        called(
            layer("Add", "a"),
            [
                tensor("x"),
                {"class_name": "__numpy__", "config": {"value": [[1.5] * 1000] * 400, "dtype": "float32"}},
            ],
        ),
        codes=EITHER,
    ),
    "an array of objects in a call": _functional(
        called(
            layer("Add", "a"),
            [tensor("x"), {"class_name": "__numpy__", "config": {"value": [[1], {}], "dtype": "O"}}],
        ),
        codes=REFUSED | {4, 6},
    ),
    "an array of 2 GB strings in a call": _functional(
        called(
            layer("Add", "a"),
            [
                tensor("x"),
                {"class_name": "__numpy__", "config": {"value": ["x"] * 9, "dtype": "U500000000"}},
            ],
        ),
        codes=REFUSED | {4, 6},
    ),
    "2**62 filters": _keras({**CONV, "config": {**CONV["config"], "filters": HUGE}}),
    "a kernel of 2**62": _keras(
        {**CONV, "config": {**CONV["config"], "kernel_size": [HUGE, HUGE], "padding": "valid"}},
        codes=REFUSED | {4},
    ),
    "strides of nothing": _keras(
        {**CONV, "config": {**CONV["config"], "strides": [0, -1]}}, codes=REFUSED | {4}
    ),
    "a dilation of 2**62": _keras(
        {**CONV, "config": {**CONV["config"], "dilation_rate": HUGE}}, codes=EITHER
    ),
    "groups of nothing": _keras({**CONV, "config": {**CONV["config"], "groups": 0}}, codes=REFUSED | {4}),
    "a kernel that is text": _keras(
        {**CONV, "config": {**CONV["config"], "kernel_size": "3; import os"}}, codes=REFUSED | {4}
    ),
    "a kernel that is not a number": _keras(
        {**CONV, "config": {**CONV["config"], "kernel_size": [float("nan"), float("inf")]}},
        codes=REFUSED | {4},
    ),
    "filters that are null": _keras(
        {**CONV, "config": {**CONV["config"], "filters": None}}, codes=REFUSED | {4}
    ),
    "a config that is a list": _keras({**CONV, "config": [["filters", 4]]}, codes=REFUSED | {4}),
    "an Unstack into a million tensors": Hostile(
        ".keras",
        lambda: archive(
            sequential(
                layer("InputLayer", "x", batch_shape=[255, 1 << 20]),
                layer("Unstack", "pieces", module="keras.src.ops.core", axis=-1),
            )
        ),
    ),
    "an upsampling by 1e9": _keras(layer("UpSampling2D", "up", size=[10**9, 10**9])),
    "a resizing to 2**62": _keras(layer("Resizing", "up", height=HUGE, width=HUGE)),
    "a repeat of 2**62": _keras(layer("Flatten", "f"), layer("RepeatVector", "up", n=HUGE)),
    "zero padding of 2**62": _keras(layer("ZeroPadding2D", "up", padding=[[HUGE, HUGE], [0, 0]])),
    "cropping of more than there is": _keras(
        layer("Cropping2D", "crop", cropping=[[100, 100], [0, 0]]), codes=REFUSED | {4}
    ),
    "a transposed convolution, strides of 2**40": _keras(
        layer("Conv2DTranspose", "up", filters=1, kernel_size=3, strides=1 << 40, padding="same")
    ),
    "a reshape to 2**62": _keras(layer("Reshape", "r", target_shape=[HUGE, -1]), codes=REFUSED | {4}),
    "a permutation that is none": _keras(layer("Permute", "p", dims=[1, 1, 9]), codes=REFUSED | {4}),
    "a category encoding of 2**62": _keras(
        layer("CategoryEncoding", "c", num_tokens=HUGE), codes=REFUSED | {4, 6}
    ),
    "an embedding of 2**62": _keras(
        layer("Embedding", "e", input_dim=HUGE, output_dim=HUGE), codes=REFUSED | {4, 6}
    ),
    "an einsum of 10,000 letters": _keras(
        layer("EinsumDense", "e", equation="a" * 10_000 + ",b->c", output_shape=[HUGE]),
        codes=REFUSED | {4, 6},
    ),
    "an LSTM that returns 2**62 states": _keras(
        layer("LSTM", "l", units=HUGE, return_sequences=True), codes=REFUSED | {4, 6}
    ),
    "an input of 2**62": Hostile(
        ".keras", lambda: archive(sequential(layer("InputLayer", "x", batch_shape=[1, HUGE, HUGE, 3]), CONV))
    ),
    "an input of negative extents": Hostile(
        ".keras",
        lambda: archive(sequential(layer("InputLayer", "x", batch_shape=[-1, -16, 16, 3]), CONV)),
        REFUSED | {4},
    ),
    "an input of 100,000 axes": Hostile(
        ".keras",
        lambda: archive(sequential(layer("InputLayer", "x", batch_shape=[1] * 100_000), CONV)),
        REFUSED | {4},
    ),
    "an input that is text": Hostile(
        ".keras",
        lambda: archive(sequential(layer("InputLayer", "x", batch_shape="(1, 16, 16, 3)"), CONV)),
        REFUSED | {4},
    ),
    "an input that is a mapping of itself": Hostile(
        ".keras",
        lambda: archive(sequential(layer("InputLayer", "x", batch_shape={"x": {"x": 3}}), CONV)),
        REFUSED | {4},
    ),
    "Keras 2, a Lambda": Hostile(
        ".keras",
        lambda: archive(
            {
                "class_name": "Sequential",
                "config": [{"class_name": "Lambda", "config": {"function": [_code(), None, None]}}],
            }
        ),
    ),
    "Keras 2, strides of nothing": Hostile(".keras", lambda: archive(_legacy(strides=[0, 0])), REFUSED | {4}),
    "Keras 2, a circle": Hostile(
        ".keras",
        lambda: archive(json.dumps(_legacy()).replace('[["x", 0, 0, {}]]', '[["c", 0, 0, {}]]').encode()),
        REFUSED | {4},
    ),
    "JSON that is a number": Hostile(".keras", lambda: archive(b"1e999")),
    "JSON that is null": Hostile(".keras", lambda: archive(b"null")),
    "an HDF5 file": Hostile(".h5", b"\x89HDF\r\n\x1a\n" + bytes(2000)),
    "an HDF5 file, called .keras": Hostile(".keras", b"\x89HDF\r\n\x1a\n" + bytes(2000)),
}
