"""Files as bytes: what is read agrees with protobuf, what is broken is refused with a type, and nothing else is opened."""

from __future__ import annotations

import random
import resource
import time
from contextlib import suppress

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import eyeshot
from eyeshot.errors import EyeshotError, FileFormatError, InputError, UnsafeFileError, UnsupportedOpError
from eyeshot.frontends.onnx.model import parse

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def made(nodes, inputs, constants=(), outputs=("y",), **options):
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        list(constants),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, **options)


def conv(**attributes):
    weight = numpy_helper.from_array(np.ones((2, 3, 3, 3), np.float32), "w")
    return made(
        [helper.make_node("Conv", ["x", "w"], ["y"], name="c", **attributes)], {"x": [1, 3, 8, 8]}, [weight]
    )


def test_messages_are_read_as_protobuf_reads_them():
    """Attributes of every type, packed and unpacked numbers, names and shapes."""
    node = helper.make_node(
        "Op", ["a", "", "b"], ["y"], name="n", domain="d", i=-3, f=0.5, s="text", ints=[1, -2, 1 << 40],
        floats=[0.25, -1.0], strings=["one", "two"], t=numpy_helper.from_array(np.arange(3)),
    )  # fmt: skip
    model = made(
        [node], {"a": [1, "n", None], "b": []}, [numpy_helper.from_array(np.eye(2, dtype=np.float16), "k")]
    )
    read = parse(model.SerializeToString(), "file")
    found = read.graph.nodes[0]
    assert (found.inputs, found.outputs, found.name, found.op, found.domain) == (
        ["a", "", "b"],
        ["y"],
        "n",
        "Op",
        "d",
    )
    attributes = dict(found.attributes)
    assert attributes.pop("t").array().tolist() == [0, 1, 2]
    assert attributes == {
        "i": -3, "f": 0.5, "s": "text", "ints": [1, -2, 1 << 40], "floats": [0.25, -1.0], "strings": ["one", "two"],
    }  # fmt: skip
    dims = read.graph.inputs[0].type.tensor.shape.dims
    assert [(dim.value, dim.symbol) for dim in dims] == [(1, ""), (None, "n"), (None, "")]
    assert np.array_equal(read.graph.constants[0].array(), np.eye(2))


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize(
    "dtype",
    "float32 float64 float16 int8 uint8 int16 uint16 int32 int64 uint32 uint64 bool complex64".split(),
)
def test_elements_of_every_type(dtype, raw):
    values = np.array([[0, 1, 2], [3, 4, 100]]).astype(dtype)
    kind = helper.np_dtype_to_tensor_dtype(values.dtype)
    content = values.tobytes() if raw else values.reshape(-1)
    blob = helper.make_tensor("k", kind, values.shape, content, raw=raw)
    found = parse(made([], {}, [blob]).SerializeToString(), "file").graph.constants[0]
    assert found.dtype == dtype
    assert found.array().dtype == values.dtype
    assert np.array_equal(found.array(), values)


def test_bytes_messages_and_paths_are_one_model(tmp_path):
    model = conv(pads=[1, 1, 1, 1])
    path = tmp_path / "net.onnx"
    onnx.save(model, path)
    for given in (model, model.SerializeToString(), path, str(path)):
        assert eyeshot.analyze(given)["y"].size == (3, 3)


def test_every_cut_of_a_file_is_refused():
    data = conv().SerializeToString()
    refused = 0
    for stop in range(len(data)):
        try:
            eyeshot.analyze(data[:stop])
        except EyeshotError:
            refused += 1
    assert (
        refused >= len(data) - 3
    )  # a file may end behind its graph: what the operators' version says is left out


def test_damaged_files_are_refused_with_a_type_or_read():
    """Seeded single-byte damage; nothing but typed errors may come out, and seldom a file that still reads."""
    rng = random.Random(0)
    data = bytearray(conv(pads=[1, 1, 1, 1], strides=[2, 2]).SerializeToString())
    for _ in range(1500):
        broken = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 8))):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        with suppress(EyeshotError):
            eyeshot.analyze(bytes(broken))


def test_an_error_names_the_byte():
    with pytest.raises(FileFormatError, match=r"the field at byte 0 has wire type 7"):
        eyeshot.analyze(b"\x0f\xff\xff")


@pytest.mark.parametrize("location", ["../../etc/passwd", "/etc/passwd", "link", "*"])
def test_external_data_is_never_opened(tmp_path, monkeypatch, location):
    """A weight that lies elsewhere is a constant of unknown values; a shape that lies elsewhere is refused."""
    opened = []
    path = tmp_path / "net.onnx"
    model = made([helper.make_node("Reshape", ["x", "s"], ["y"])], {"x": [1, 8]}, [])
    blob = model.graph.initializer.add(
        name="s", data_type=INT64, dims=[2], data_location=TensorProto.EXTERNAL
    )
    blob.external_data.add(key="location", value=location)
    path.write_bytes(model.SerializeToString())
    (tmp_path / "link").symlink_to("/etc/passwd")
    import os

    real = os.open
    monkeypatch.setattr(
        "os.open", lambda name, *rest, **named: opened.append(str(name)) or real(name, *rest, **named)
    )
    with pytest.raises(InputError, match="'s'"):
        eyeshot.analyze(path)
    assert opened == [str(path)]


BOMBS = {
    "constant of a huge shape": made(
        [helper.make_node("ConstantOfShape", ["s"], ["z"]), helper.make_node("Add", ["x", "z"], ["y"])],
        {"x": [1]},
        [numpy_helper.from_array(np.array([1 << 18] * 3), "s")],
    ),
    "long axis": made(
        [helper.make_node("ConstantOfShape", ["s"], ["z"]), helper.make_node("Add", ["x", "z"], ["y"])],
        {"x": [1]},
        [numpy_helper.from_array(np.array([1 << 40]), "s")],
    ),
    "tiles": made(
        [helper.make_node("Tile", ["x", "s"], ["y"])], {"x": [2]}, [numpy_helper.from_array(np.array([1 << 60]), "s")]
    ),
    "padding": made(
        [helper.make_node("Pad", ["x", "s"], ["y"], mode="reflect")],
        {"x": [2]},
        [numpy_helper.from_array(np.array([1 << 50, 0]), "s")],
    ),
    "upsampling": made(
        [helper.make_node("Resize", ["x", "", "s"], ["y"], mode="linear")],
        {"x": [1, 1, 4, 4]},
        [numpy_helper.from_array(np.array([1, 1, 1e7, 1e7], np.float32), "s")],
    ),
    "window": conv(pads=[1 << 40] * 4, dilations=[1 << 39, 1]),
    "kernel": made([helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[1 << 45, 1], pads=[1 << 45, 0, 0, 0])],
                   {"x": [1, 1, 8, 8]}),
    "groups": conv(group=1 << 40),
    "one hot": made(
        [helper.make_node("Cast", ["x"], ["i"], to=INT64), helper.make_node("OneHot", ["i", "d", "v"], ["y"])],
        {"x": [4]},
        [numpy_helper.from_array(np.array(1 << 40), "d"), numpy_helper.from_array(np.ones(2, np.float32), "v")],
    ),
    "range": made(
        [helper.make_node("Range", ["a", "b", "c"], ["z"]), helper.make_node("Add", ["x", "z"], ["y"])],
        {"x": [1]},
        [numpy_helper.from_array(np.float32(each), name) for name, each in zip("abc", (0, 1e30, 1e-9), strict=True)],
    ),
    "local response": made([helper.make_node("LRN", ["x"], ["y"], size=1 << 40)], {"x": [1, 4, 2, 2]}),
    "negative window": conv(pads=[-9, -9, -9, -9]),
    "no such axis": made([helper.make_node("Concat", ["x", "x"], ["y"], axis=7)], {"x": [1, 2]}),
    "wrong ranks": made([helper.make_node("MatMul", ["x", "x"], ["y"])], {"x": [2, 3]}),
    "a loop of many turns": made(
        [helper.make_node("Loop", ["n", "", "x"], ["y"], body=helper.make_graph(
            [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Neg", ["s"], ["t"])], "body",
            [helper.make_tensor_value_info("i", INT64, []), helper.make_tensor_value_info("c", TensorProto.BOOL, []),
             helper.make_tensor_value_info("s", FLOAT, [2])],
            [helper.make_tensor_value_info("d", TensorProto.BOOL, []), helper.make_tensor_value_info("t", FLOAT, [2])]))],
        {"x": [2]}, [numpy_helper.from_array(np.array(1 << 62), "n")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_small_files_that_ask_for_much(name):
    """A refusal with a type, or an answer, quickly and in little memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    try:
        report = eyeshot.analyze(BOMBS[name])
        assert report.outputs[0].share >= 0
    except EyeshotError:
        pass
    assert time.process_time() - began < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


def test_functions_that_call_functions_cannot_blow_up():
    """Twenty functions, each calling the next twice: a million nodes from a few hundred bytes."""
    functions = [
        helper.make_function("own", f"f{k}", ["a"], ["b"],
                             [helper.make_node(f"f{k + 1}", ["a"], ["m"], domain="own"),
                              helper.make_node(f"f{k + 1}", ["m"], ["b"], domain="own")] if k < 20
                             else [helper.make_node("Neg", ["a"], ["b"])],
                             [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)])
        for k in range(21)
    ]  # fmt: skip
    model = made([helper.make_node("f0", ["x"], ["y"], domain="own")], {"x": [2]}, functions=functions)
    with pytest.raises(UnsafeFileError, match="ops"):
        eyeshot.analyze(model)


def test_a_function_that_calls_itself():
    again = helper.make_function("own", "f", ["a"], ["b"], [helper.make_node("f", ["a"], ["b"], domain="own")],
                                 [helper.make_opsetid("own", 1)])  # fmt: skip
    model = made([helper.make_node("f", ["x"], ["y"], domain="own")], {"x": [2]}, functions=[again])
    with pytest.raises(UnsafeFileError, match="bodies"):
        eyeshot.analyze(model)


def test_unknown_operators_are_refused_together_or_read_everything():
    nodes = [helper.make_node("First", ["x"], ["h"], domain="mine", name="one"),
             helper.make_node("Second", ["h"], ["y"], domain="mine", name="two")]  # fmt: skip
    model = made(nodes, {"x": [1, 3, 4, 4]})
    with pytest.raises(UnsupportedOpError) as caught:
        eyeshot.analyze(model)
    assert caught.value.ops == {"mine.First": ["one"], "mine.Second": ["two"]}
    with pytest.raises(InputError, match="does not declare"):
        eyeshot.analyze(model, on_unknown="dense")
    model.graph.value_info.append(helper.make_tensor_value_info("h", FLOAT, [1, 2, 4, 4]))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", FLOAT, [1, 2, 2, 2]))
    field = eyeshot.analyze(model, on_unknown="dense")["y"]
    assert field.shape == (1, 2, 2, 2)
    assert field.reasons == {"unknown-op"}


def named(shape):
    return made([helper.make_node("Neg", ["x"], ["y"])], {"x": shape})


def test_symbols_stand_for_one_extent_everywhere():
    model = made([helper.make_node("Add", ["x", "z"], ["y"])], {"x": ["n", 3, "h"], "z": ["n", 3, "h"]})
    assert eyeshot.analyze(model, (2, 3, 8))["y"].shape == (2, 3, 8)
    with pytest.raises(InputError, match="'h' stands for 8 and for 9"):
        eyeshot.analyze(model, inputs={"x": (2, 3, 8), "z": (2, 3, 9)})


def test_an_open_batch_axis_is_taken_as_one_and_said():
    report = eyeshot.analyze(named(["batch", 3, 8]))
    assert report.input_shape == (1, 3, 8)
    assert "batch" in report.notes[0]


def test_open_extents_are_asked_for_by_name():
    with pytest.raises(InputError, match=r"'x' \(batch, 3, height\)"):
        eyeshot.analyze(named(["batch", 3, "height"]))
    with pytest.raises(InputError, match="axis 1 of input 'x' has extent 3 in the file, and 4 was given"):
        eyeshot.analyze(named(["batch", 3, "height"]), (1, 4, 8))
    with pytest.raises(InputError, match="no input 'z'"):
        eyeshot.analyze(named([1, 3]), {"z": (1, 3)})


def test_constants_that_are_declared_as_inputs_are_none():
    weight = numpy_helper.from_array(np.ones((2, 3, 3, 3), np.float32), "w")
    model = made(
        [helper.make_node("Conv", ["x", "w"], ["y"])], {"w": [2, 3, 3, 3], "x": [1, 3, 8, 8]}, [weight]
    )
    assert eyeshot.analyze(model).input == "x"
