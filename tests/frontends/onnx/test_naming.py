"""Rows of the table: modules as exporters write them into the names of nodes, else the nodes."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import eyeshot

FLOAT = TensorProto.FLOAT


def chain(names, properties=None):
    """Convolutions one behind another, each with a weight of 9 elements."""
    nodes, constants = [], []
    for place, name in enumerate(names):
        nodes.append(
            helper.make_node("Conv", [f"t{place}", f"w{place}"], [f"t{place + 1}"], name=name, pads=[1] * 4)
        )
        constants.append(numpy_helper.from_array(np.ones((1, 1, 3, 3), np.float32), f"w{place}"))
        for key, value in (properties or {}).get(name, {}).items():
            nodes[-1].metadata_props.add(key=key, value=value)
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("t0", FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info(f"t{len(names)}", FLOAT, None)],
        constants,
    )
    return eyeshot.analyze(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    )


def test_modules_in_lists_are_named_once():
    report = chain(["/stem/conv/Conv", "/layer1/layer1.0/conv1/Conv", "/layer1/layer1.1/conv1/Conv", "/Conv"])
    assert list(report) == [
        "stem.conv", "stem", "layer1.0.conv1", "layer1.0", "layer1.1.conv1", "layer1.1", "layer1",
    ]  # fmt: skip
    assert [report[name].size[0] for name in ("stem", "layer1.0", "layer1")] == [3, 5, 7]
    assert report["layer1"].cost.parameters == 18
    assert report.cost.parameters == 36
    assert report["stem.conv"].op == "Conv"


def test_the_scopes_that_dynamo_writes():
    def scopes(*paths):
        return {
            "pkg.torch.onnx.name_scopes": str(["", *paths, "conv2d"]),
            "pkg.torch.onnx.class_hierarchy": str(
                ["a.Net", *(f"torch.nn.{path.title()}" for path in paths), "aten.conv2d"]
            ),
            "pkg.torch.onnx.stack_trace": "x" * 300,
        }

    names = ["node_conv2d", "node_conv2d_1", "node_conv2d_2"]
    report = chain(
        names, dict(zip(names, [scopes("stem"), scopes("body", "body.one"), scopes("stem")], strict=True))
    )
    assert list(report) == ["stem", "body.one", "body", "stem:1"]
    assert report["stem"].op == "Stem"
    assert report["stem"].cost.parameters == 18  # of both calls, shown once


def test_names_of_tensorflow_are_paths():
    report = chain(["model/a/Conv2D", "model/a/BiasAdd;model/a/other", "model/b/Conv2D"])
    assert list(report) == [
        "model.a.Conv2D",
        "model.a.BiasAdd",
        "model.a",
        "model.b.Conv2D",
        "model.b",
        "model",
    ]


def test_nodes_without_scopes_are_rows_themselves():
    report = chain(["Conv_0", "", "Conv_0"])
    assert list(report) == ["Conv_0", "t2", "Conv_0:1"]
    assert [report[name].size for name in list(report)] == [(3, 3), (5, 5), (7, 7)]
    assert [tensor.name for tensor in report.tensors] == ["t1", "t2", "t3"]
