"""How models are walked: nesting, sharing, several inputs and outputs, names, shapes, what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

import eyeshot
from eyeshot.cost import Costs
from eyeshot.errors import FileFormatError, InputError, ModelReferenceError, UnsupportedOpError
from eyeshot.frontends.keras.configuration import entry
from eyeshot.frontends.keras.frontend import accepts
from eyeshot.frontends.keras.lower import lower
from tests.frontends.keras.backend import keras

L, ops = keras.layers, keras.ops


@keras.saving.register_keras_serializable(package="Tests")
class Halved(L.Layer):
    """A layer of the user's own."""

    def call(self, x):
        return x[:, ::2]


@keras.saving.register_keras_serializable(package="Tests")
class Subclassed(keras.Model):
    """A model that is Python code."""

    def call(self, x):
        return x


def _conv(k=3, **kwargs):
    return L.Conv2D(2, k, padding="same", **kwargs)


def _block(name):
    x = keras.Input((None, None, 2))
    return keras.Model(x, _conv(name="second")(_conv(name="first")(x)), name=name)


def test_accepts():
    assert accepts("some/net.keras")
    assert accepts("net.H5")
    assert accepts(_block("b"))
    assert accepts(L.Dense(3))
    assert not accepts("timm:resnet50")
    assert not accepts("net.onnx")
    assert not accepts(np.sin)


def test_nested_models_are_paths():
    x = keras.Input((None, None, 3), name="image")
    model = keras.Model(x, _block("block")(_conv(5, name="stem")(x)))
    report = eyeshot.analyze(model, (1, 16, 20, 3))
    assert list(report) == ["stem", "block.first", "block.second", "block"]
    assert report["block.second"].size == report["block"].size == (9, 9)
    assert report["block"].shape == (1, 16, 20, 2)
    assert report.input_shape == (1, 16, 20, 3)


def test_models_in_models_in_models():
    x = keras.Input((8, 8, 2))
    inner = keras.Sequential([_block("deepest"), _conv(name="after")], name="inner")
    model = keras.Sequential([keras.Input((8, 8, 2)), keras.Model(x, inner(x), name="middle")], name="outer")
    report = eyeshot.analyze(model)
    assert report["middle.inner.deepest.first"].size == (3, 3)
    assert report["middle.inner.after"].size == (7, 7)
    assert sum(Costs(report.graph).owned.values()) == model.count_params()


def test_a_shared_layer_counts_its_parameters_once():
    shared = _conv(name="shared")
    x = keras.Input((9, 9, 2))
    model = keras.Model(x, shared(shared(shared(x))))
    report = eyeshot.analyze(model)
    assert [report[name].size for name in ("shared", "shared:1", "shared:2")] == [(3, 3), (5, 5), (7, 7)]
    assert report.cost.parameters == model.count_params()


def test_a_shared_model_is_called_on_each_of_its_inputs():
    one, other = keras.Input((16, 16, 2), name="one"), keras.Input((16, 16, 2), name="other")
    block = _block("block")
    model = keras.Model([one, other], [block(one), block(_conv(7)(other))])
    first = eyeshot.analyze(model)
    assert first["block"].size == (5, 5)
    assert first["block:1"].boxes()[2].sum() == 0  # it sees nothing of the first input
    assert eyeshot.analyze(model, input="other")["block:1"].size == (11, 11)


def test_several_inputs_and_outputs_by_name():
    a, b = keras.Input((None, 4), name="a"), keras.Input((6, 4), name="b")
    model = keras.Model({"a": a, "b": b}, {"sum": L.Conv1D(4, 3, name="c")(a), "kept": L.Add()([b, b])})
    report = eyeshot.analyze(model, {"a": (2, 10, 4)})
    assert list(report.graph.inputs) == ["a", "b"]
    assert [(field.name, field.shape) for field in report.outputs] == [
        ("kept", (1, 6, 4)),
        ("sum", (2, 8, 4)),
    ]
    assert report["c"].size == (3,)


def test_outputs_of_a_nested_model_keep_their_order():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    inner = keras.Model([a, b], {"z": L.Dense(2)(a), "y": L.Dense(3)(b)}, name="inner")
    x, y = keras.Input((4,), name="x"), keras.Input((4,), name="y")
    made = inner([y, x])
    model = keras.Model([x, y], [made["z"], made["y"]])
    graph = eyeshot.analyze(model).graph
    assert [graph.nodes[node].shape for node in graph.outputs.values()] == [(1, 2), (1, 3)]
    assert [
        sorted(graph.ancestors([node]) & set(graph.inputs.values())) for node in graph.outputs.values()
    ] == [
        [graph.inputs["y"]],
        [graph.inputs["x"]],
    ]


def test_shapes_of_several_inputs_are_needed_by_name():
    a, b = keras.Input((None, 4), name="a"), keras.Input((None, 4), name="b")
    model = keras.Model([a, b], L.Concatenate(1)([a, b]))
    with pytest.raises(InputError, match="by name"):
        eyeshot.analyze(model, (1, 10, 4))
    with pytest.raises(InputError, match="no input 'c'"):
        eyeshot.analyze(model, {"c": (1, 10, 4)})
    with pytest.raises(InputError, match="shape of input 'b'"):
        eyeshot.analyze(model, {"a": (1, 10, 4)})
    tensors = [np.zeros((2, 3, 4)), np.zeros((2, 5, 4))]
    assert eyeshot.analyze(model, inputs=tensors).outputs[0].shape == (2, 8, 4)
    assert eyeshot.analyze(model, inputs={"b": tensors[1], "a": tensors[0]}).outputs[0].shape == (2, 8, 4)


def test_rank_has_to_fit():
    with pytest.raises(InputError, match="4 axes"):
        eyeshot.analyze(_block("b"), (16, 16, 2))


def test_channels_have_to_fit():
    with pytest.raises(InputError, match="2 channels"):
        eyeshot.analyze(_block("b"), (1, 16, 16, 3))


def test_a_model_without_shapes_needs_them():
    model = keras.Sequential([_conv(name="only")])
    with pytest.raises(InputError, match="input_size="):
        eyeshot.analyze(model)
    assert eyeshot.analyze(model, (1, 8, 8, 3))["only"].size == (3, 3)


def test_a_layer_alone():
    report = eyeshot.analyze(L.Conv2D(3, 5, strides=2, name="alone"), (1, 16, 16, 3))
    assert (report["alone"].size, report["alone"].stride) == ((5, 5), (2, 2))


@pytest.mark.parametrize(
    ("shape", "layer", "letters"),
    [
        ((8, 8, 3), _conv, "HW"),
        ((3, 8, 8), lambda: _conv(data_format="channels_first"), "HW"),
        ((8, 3), lambda: L.Conv1D(2, 3), "T"),
        ((3, 8), lambda: L.Conv1D(2, 3, data_format="channels_first"), "T"),
        ((4, 8, 8, 3), lambda: L.Conv3D(2, 3), "DHW"),
        ((4, 8, 8, 3), lambda: L.TimeDistributed(L.Conv2D(2, 3)), "THW"),
        ((4, 8, 8, 3), lambda: L.ConvLSTM2D(2, 3), "THW"),
        ((4, 8, 3), lambda: L.ConvLSTM1D(2, 3), "TW"),
    ],
)
def test_layouts(shape, layer, letters):
    report = eyeshot.analyze(keras.Sequential([keras.Input(shape), layer()]))
    assert report.axes == letters


def test_ops_between_layers_have_rows():
    x = keras.Input((8, 8, 2))
    y = ops.mean(_conv(name="c")(x) + 1, axis=(1, 2), keepdims=True)
    report = eyeshot.analyze(keras.Model(x, _conv(name="d")(x * y)))
    assert [report[name].op for name in list(report)[:3]] == ["Conv2D", "Add", "Mean"]
    assert report.view("local")["d"].size == (3, 3)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_transposed_convolution_as_an_op_is_the_layer(padding):
    """Keras 3.15 cannot run the op in a functional model: it hands its arguments on in another order."""
    x = keras.Input((7, 2))
    kernel = ops.ones((4, 3, 2))
    op = keras.Model(
        x, ops.conv_transpose(x, kernel, strides=3, padding=padding, data_format="channels_last")
    )
    layer = keras.Model(x, L.Conv1DTranspose(3, 4, strides=3, padding=padding)(x))
    mine, other = (eyeshot.analyze(model).outputs[0] for model in (op, layer))
    assert (mine.shape, mine.size, mine.stride, mine.offset) == (
        other.shape,
        other.size,
        other.stride,
        other.offset,
    )
    assert all((a == b).all() for a, b in zip(mine.boxes()[0], other.boxes()[0], strict=True))


def test_macs_and_parameters():
    x = keras.Input((8, 8, 3))
    y = L.Conv2D(4, 3, padding="same", name="conv")(x)
    y = L.DepthwiseConv2D(3, name="depthwise")(y)
    y = L.Conv2DTranspose(2, 2, strides=2, name="turned")(y)
    model = keras.Model(x, L.Dense(5, name="dense")(L.Flatten()(y)))
    report = eyeshot.analyze(model)
    macs = {tensor.name: tensor.macs for tensor in report.graph.tensors}
    assert macs["conv"] == 8 * 8 * 4 * 9 * 3
    assert macs["depthwise"] == 6 * 6 * 4 * 9
    assert macs["turned"] == 6 * 6 * 4 * 4 * 2
    assert macs["dense"] == 12 * 12 * 2 * 5
    assert report.cost.parameters == model.count_params()
    assert report["conv"].cost.parameters == 3 * 9 * 4 + 4


def test_dtypes_follow_policies():
    x = keras.Input((4,), dtype="int32")
    model = keras.Model(x, L.Embedding(9, 3, dtype="mixed_float16", name="e")(x))
    assert eyeshot.analyze(model).graph.tensors[0].dtype == "float16"


def test_layers_of_the_users_own_are_refused_by_name():
    x = keras.Input((8, 2))
    model = keras.Model(x, L.Lambda(lambda y: y, name="anything")(Halved(name="mine")(x)))
    with pytest.raises(UnsupportedOpError) as error:
        eyeshot.analyze(model)
    assert {name.split(" ")[0] for name in error.value.ops} == {"Tests>Halved", "layers.Lambda"}
    assert ["mine"] in error.value.ops.values()


def test_layers_of_the_users_own_may_read_everything():
    x = keras.Input((8, 2))
    model = keras.Model(x, L.Conv1D(3, 3, name="after")(Halved(name="mine")(L.Conv1D(2, 1)(x))))
    report = eyeshot.analyze(model, on_unknown="dense")
    assert report["mine"].shape == (1, 4, 2)
    assert report["after"].shape == (1, 2, 3)
    assert report["mine"].kind == "sound"
    assert "unknown-op" in report["mine"].reasons


def test_wrapped_layers_of_the_users_own_cannot_be_asked():
    model = keras.Sequential([keras.Input((3, 8, 2)), L.TimeDistributed(Halved(name="mine"), name="each")])
    with pytest.raises(InputError, match=r"each\.mine does not say which shape"):
        eyeshot.analyze(model, on_unknown="dense")


def test_subclassed_models_are_refused_with_a_remedy():
    with pytest.raises(ModelReferenceError, match=r"Python code.*eyeshot\.analyze\(lambda x: model\(x\)"):
        eyeshot.analyze(Subclassed(), (1, 4))


def test_activations_of_the_users_own_are_refused():
    def wave(x):
        return ops.sin(x)

    model = keras.Sequential([keras.Input((4,)), L.Dense(3, activation=wave, name="d")])
    with pytest.raises(UnsupportedOpError, match=r"activations\.wave"):
        eyeshot.analyze(model)


def test_augmentation_is_read_as_at_inference():
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), L.RandomFlip(), L.RandomZoom(0.2, name="z"), _conv(name="c")]
    )
    report = eyeshot.analyze(model)
    assert report["z"].size == (1, 1)
    assert report["c"].size == (3, 3)
    assert [note for note in report.notes if "inference" in note]


def test_long_convolutional_lstms_are_sound():
    model = keras.Sequential(
        [keras.Input((70, 5, 1)), L.ConvLSTM1D(1, 3, padding="same", return_sequences=True, name="r")]
    )
    field = eyeshot.analyze(model)["r"]
    assert field.kind == "sound"
    assert "many-steps" in field.reasons


# As Keras 2 wrote it: no modules, calls as lists, calls of nested models counted from 1.
LEGACY = {
    "class_name": "Functional",
    "config": {
        "name": "model",
        "layers": [
            {"class_name": "InputLayer", "name": "i", "inbound_nodes": [],
             "config": {"name": "i", "batch_input_shape": [None, None, 3], "dtype": "float32"}},
            {"class_name": "Sequential", "name": "s", "inbound_nodes": [[["i", 0, 0, {}]], [["s", 1, 0, {}]]],
             "config": {"name": "s", "layers": [
                 {"class_name": "Conv1D", "config": {"name": "c", "filters": 3, "kernel_size": [3], "padding": "same",
                                                     "batch_input_shape": [None, None, 3]}}]}},
            {"class_name": "Add", "name": "a", "config": {"name": "a"},
             "inbound_nodes": [[["s", 1, 0, {}], ["s", 2, 0, {}]]]},
        ],
        "input_layers": [["i", 0, 0]],
        "output_layers": [["a", 0, 0]],
    },
}  # fmt: skip


def test_what_keras_2_wrote():
    graph, layouts = lower(entry(LEGACY, "legacy"), (1, 12, 3))
    assert [module.name for module in graph.modules] == ["s.c", "s", "s.c:1", "s:1", "a", ""]
    assert layouts == {"i": "NTC"}
    assert graph.nodes[graph.outputs["output"]].shape == (1, 12, 3)


def _changed(path, value):
    data = json.loads(json.dumps(LEGACY))
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return data


LAYER = ("config", "layers", 1, "config", "layers", 0, "config")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("config", "layers"), [], "without a list of layers"),
        (("config", "layers"), 3, "without a list of layers"),
        (("config", "layers", 1), 3, "where the configuration of a layer belongs"),
        (("config", "layers", 1, "config"), None, "no mapping"),
        (("config", "input_layers"), 5, "names a tensor by 5"),
        (("config", "input_layers"), [["a", 0, 0]], "no InputLayer"),
        (("config", "output_layers"), [["a", 7, 0]], "there is none"),
        (("config", "output_layers"), [["a", 0, 4]], "has 1"),
        (("config", "output_layers"), "a", "no \\[layer"),
        (("config", "layers", 2, "inbound_nodes"), [[["nowhere", 0, 0, {}]]], "no layer of it"),
        (("config", "layers", 2, "inbound_nodes"), [[["a", 0, 0, {}]]], "nothing makes"),
        (("config", "layers", 2, "inbound_nodes"), ["s"], "a call that is"),
        (("config", "layers", 2, "inbound_nodes"), [{"args": 3, "kwargs": {}}], "whose arguments"),
        (
            ("config", "layers", 2, "inbound_nodes"),
            [[["s", 1, 0, {"odd": 3}]]],
            "unexpected keyword|cannot be called",
        ),
        (("config", "layers", 0, "config", "batch_input_shape"), [None, -3, 3], "declares an input"),
        ((*LAYER, "kernel_size"), ["three"], "kernel_size"),
        ((*LAYER, "kernel_size"), [0], "from 1"),
        ((*LAYER, "kernel_size"), [1 << 40], "more than"),
        ((*LAYER, "kernel_size"), [1 << 22], "enumerated|more than"),
        ((*LAYER, "filters"), 1 << 40, "more than"),
        ((*LAYER, "filters"), True, "filters"),
        ((*LAYER, "groups"), 2, "divisor"),
        ((*LAYER, "padding"), "sideways", "padding"),
        ((*LAYER, "padding"), ["same"], "padding"),
        ((*LAYER, "data_format"), 7, "data_format"),
        ((*LAYER, "activation"), 7, "activations"),
    ],
)
def test_malformed_configurations_are_typed_errors(path, value, said):
    with pytest.raises(eyeshot.errors.EyeshotError, match=said):
        lower(entry(_changed(path, value), "legacy"), (1, 12, 3))


def test_nesting_is_bounded():
    data = LEGACY["config"]["layers"][1]
    for _ in range(80):
        data = {"class_name": "Sequential", "config": {"name": "s", "layers": [data]}}
    with pytest.raises(FileFormatError, match="deep"):
        lower(entry(data, "deep"), (1, 12, 3))
