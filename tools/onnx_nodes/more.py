"""Tests in the manner of the onnx package's, of what it has none for: old opsets, sequences, ai.onnx.ml."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from tools.onnx_nodes.cases import Case

ML = "ai.onnx.ml"
Array = NDArray[Any]


def drawn(*shape: int) -> Array:
    """Numbers between -3 and 3, the same ones for the same shape."""
    return np.random.default_rng(len(shape) + sum(shape)).uniform(-3, 3, shape).astype(np.float32)


def more() -> dict[str, Case]:
    """The tests by name."""
    found = [*_old(), *_new(), *_sequences(), *_classical(), *_trees()]
    return {case.name: case for case in found}


def _case(
    op: str,
    *inputs: Array,
    opset: int,
    name: str = "",
    domain: str = "",
    outputs: int = 1,
    constants: Sequence[Array] = (),
    runtime: bool = False,
    **attributes: Any,
) -> Case:
    """One node; constants are its last inputs."""
    names = [f"x{place}" for place in range(len(inputs))]
    held = [f"c{place}" for place in range(len(constants))]
    made = [f"y{place}" for place in range(outputs)]
    node = helper.make_node(op, [*names, *held], made, domain=domain, **attributes)
    blobs = [numpy_helper.from_array(array, name) for name, array in zip(held, constants, strict=True)]
    title = f"more_{op}_{opset}{'_' if name else ''}{name}".lower()
    subject = f"{domain}.{op}" if domain else op
    case = _graph(title, subject, [node], inputs, made, {domain: opset}, blobs)
    return replace(case, runtime=runtime)


def _graph(
    name: str,
    op: str,
    nodes: list[NodeProto],
    inputs: Sequence[Array],
    outputs: Sequence[str],
    opsets: dict[str, int],
    blobs: Sequence[onnx.TensorProto] = (),
) -> Case:
    given = {f"x{place}": array for place, array in enumerate(inputs)}
    declared = [
        helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for key, array in given.items()
    ]
    results = [helper.make_empty_tensor_value_info(key) for key in outputs]
    graph = helper.make_graph(nodes, name, declared, results, initializer=list(blobs))
    versions = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    model = helper.make_model(graph, opset_imports=versions, ir_version=8)
    return Case(name, model, given, subject=op)


def _old() -> list[Case]:
    """What were attributes before they became inputs, and axes that meant all behind them."""
    x, plane = drawn(2, 3, 4), drawn(1, 2, 6, 6)
    reduced = "L1 L2 LogSum LogSumExp Max Mean Min Prod Sum SumSquare".split()
    return [
        *(_case(f"Reduce{op}", abs(x), opset=11, axes=[1], keepdims=0) for op in reduced),
        _case("ReduceSum", x, opset=11, name="all", keepdims=1),
        _case("Hardmax", x, opset=11, runtime=True, axis=1),
        _case("Softmax", x, opset=11, runtime=True, axis=1),
        _case("LogSoftmax", x, opset=11, runtime=True, axis=1),
        _case("TopK", x, opset=9, outputs=2, k=2, axis=1),
        _case("Slice", x, opset=9, starts=[1, -3], ends=[9, -1], axes=[1, 2]),
        _case("Pad", x, opset=10, pads=[0, 1, 2, 0, 0, 1], mode="edge"),
        _case("Upsample", plane, opset=7, scales=[1.0, 1.0, 2.0, 1.5], mode="nearest"),
        _case("Resize", plane, opset=10, constants=[np.array([1, 1, 0.5, 2], np.float32)], mode="nearest"),
        _case("Squeeze", drawn(1, 3, 1), opset=11, axes=[0]),
        _case("Unsqueeze", x, opset=11, axes=[1, 4]),
        _case("Split", x, opset=11, outputs=2, axis=1, split=[1, 2]),
        _case("Clip", x, opset=6, min=-1.0, max=1.0),
        _case("Dropout", x, opset=10, outputs=2, ratio=0.5),
        _case("BatchNormalization", plane, opset=9, runtime=True, constants=[np.ones(2, np.float32)] * 4),
        _case("Tile", x, opset=6, constants=[np.array([1, 2, 3])]),
        _case("Scatter", x, opset=9, constants=[np.array([[[1, 0, 1, 0]]]), drawn(1, 1, 4)], axis=0),
        _case("DFT", drawn(2, 4, 2), opset=17, axis=1, inverse=1),
        _case("Gather", x, opset=1, constants=[np.array([[2, 0], [1, 1]])], axis=1),
    ]


def _new() -> list[Case]:
    plane = drawn(2, 2, 5, 5)
    rois = np.array([[0, 0, 0, 3, 3], [1, 1, 1, 4, 2]], np.float32)
    return [
        _case("GlobalLpPool", plane, opset=2, p=2),
        _case("MaxRoiPool", plane, rois, opset=1, pooled_shape=[2, 2]),
        _case("RandomNormal", opset=22, shape=[2, 3]),
        _case("RandomUniform", opset=22, shape=[2, 3]),
        _case("RandomNormalLike", drawn(2, 3), opset=22),
        _case("RandomUniformLike", drawn(2, 3), opset=22),
        _case("Multinomial", abs(drawn(2, 4)), opset=7, sample_size=3),
        _case("ScatterElements", drawn(3, 4), opset=18, name="narrow",
              constants=[np.array([[2, 0], [1, 1]]), drawn(2, 2)], axis=1, reduction="add"),
        _case("GatherElements", drawn(3, 4), opset=13, name="narrow", constants=[np.array([[2, 0]])], axis=0),
        _case("GatherND", drawn(2, 3, 4), opset=13, name="constant", constants=[np.array([[[1]], [[-1]]])],
              batch_dims=1),
        _case("ScatterND", drawn(4, 3), opset=18, name="slices", constants=[np.array([[2], [0]]), drawn(2, 3)]),
        _case("ReverseSequence", drawn(4, 3, 2), opset=10, name="constant", constants=[np.array([1, 4, 2])]),
        _case("Compress", drawn(3, 4), opset=11, name="constant",
              constants=[np.array([True, False, True, True])], axis=1),
        _case("Compress", drawn(3, 4), opset=11, name="flat", constants=[np.arange(12) % 3 == 1]),
        _case("CumSum", drawn(3, 4), opset=14, name="constant", constants=[np.array(1)], reverse=1, exclusive=1),
        _case("Col2Im", drawn(1, 8, 9), opset=18, name="dilated",
              constants=[np.array([5, 5]), np.array([2, 2])], dilations=[2, 2], strides=[1, 1]),
    ]  # fmt: skip


def _sequences() -> list[Case]:
    """Tensors put into sequences and taken out again."""
    two = [drawn(2, 3), drawn(4, 3)]
    construct = helper.make_node("SequenceConstruct", ["x0", "x1"], ["s"])
    place = numpy_helper.from_array(np.array(-1), "place")

    def graph(op: str, nodes: list[NodeProto], inputs: Sequence[Array] = two) -> Case:
        return _graph(f"more_{op}".lower(), op, [construct, *nodes], inputs, ["y"], {"": 17}, [place])

    return [
        graph("SequenceAt", [helper.make_node("SequenceAt", ["s", "place"], ["y"])]),
        graph("SequenceConstruct", [helper.make_node("ConcatFromSequence", ["s"], ["y"], axis=0)]),
        graph(
            "ConcatFromSequence",
            [helper.make_node("ConcatFromSequence", ["s"], ["y"], axis=1, new_axis=1)],
            [drawn(2, 3), drawn(2, 3) + 1],
        ),
        graph(
            "SequenceErase",
            [
                helper.make_node("SequenceErase", ["s", "place"], ["t"]),
                helper.make_node("SequenceAt", ["t", "place"], ["y"]),
            ],
        ),
        graph("SequenceLength", [helper.make_node("SequenceLength", ["s"], ["y"])]),
        graph(
            "SequenceEmpty",
            [
                helper.make_node("SequenceEmpty", [], ["e"]),
                helper.make_node("SequenceInsert", ["e", "x1"], ["t"]),
                helper.make_node("SequenceAt", ["t", "place"], ["y"]),
            ],
        ),
        graph(
            "Optional",
            [
                helper.make_node("Optional", ["x0"], ["o"]),
                helper.make_node("OptionalGetElement", ["o"], ["y"]),
            ],
        ),
    ]


def _classical() -> list[Case]:
    """Features and linear models."""
    x = drawn(3, 4)
    words = np.array([["a", "b"], ["c", "a"]], object)
    return [
        _case("Scaler", x, opset=1, domain=ML, offset=[1.0] * 4, scale=[2.0] * 4),
        _case("Imputer", x, opset=1, domain=ML, imputed_value_floats=[0.0], replaced_value_float=float("nan")),
        _case("Normalizer", abs(x), opset=1, domain=ML, norm="L2"),
        _case("Normalizer", abs(x), opset=1, domain=ML, name="max", norm="MAX"),
        _case("FeatureVectorizer", x, drawn(3, 2), opset=1, domain=ML, inputdimensions=[4, 2]),
        _case("OneHotEncoder", np.array([1, 2, 1]), opset=1, domain=ML, cats_int64s=[1, 2, 3]),
        _case("CategoryMapper", words, opset=1, domain=ML, cats_strings=["a", "b"], cats_int64s=[1, 2]),
        _case("LabelEncoder", words, opset=2, domain=ML, keys_strings=["a", "b"], values_floats=[1.0, 2.0]),
        _case("LinearRegressor", x, opset=1, domain=ML, coefficients=[1.0, -2, 3, 1, 2, 1, 1, -1],
              intercepts=[1.0, 2.0], targets=2),
        _case("LinearClassifier", x, opset=1, domain=ML, outputs=2, coefficients=[1.0, -2, 3, 1, 2, 1, 1, -1, 2, 2, 1, 3],
              intercepts=[1.0, 2.0, 0.5], classlabels_ints=[0, 1, 2], post_transform="SOFTMAX"),
        _case("SVMRegressor", x, opset=1, domain=ML, coefficients=[1.0, -1.5], support_vectors=[1.0, 2, 3, 4, -1, 1, 2, 1],
              n_supports=2, rho=[0.5], kernel_type="RBF", kernel_params=[0.05, 0.0, 3.0]),
        _case("SVMClassifier", x, opset=1, domain=ML, outputs=2, coefficients=[1.0, -1.5],
              support_vectors=[1.0, 2, 3, 4, -1, 1, 2, 1], vectors_per_class=[1, 1], rho=[0.5], classlabels_ints=[0, 1],
              kernel_type="LINEAR", kernel_params=[0.0, 0.0, 3.0]),
        _case("ZipMap", drawn(2, 3), opset=1, domain=ML, classlabels_int64s=[0, 1, 2]),
    ]  # fmt: skip


def _trees() -> list[Case]:
    """Two trees: the first asks for feature 0, then 2, the second for feature 1."""
    nodes: dict[str, Any] = {
        "nodes_treeids": [0, 0, 0, 0, 0, 1, 1, 1],
        "nodes_nodeids": [0, 1, 2, 3, 4, 0, 1, 2],
        "nodes_featureids": [0, 2, 0, 0, 0, 1, 0, 0],
        "nodes_values": [0.0, 0.5, 0, 0, 0, -0.5, 0, 0],
        "nodes_modes": ["BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_truenodeids": [1, 2, 0, 0, 0, 1, 0, 0],
        "nodes_falsenodeids": [4, 3, 0, 0, 0, 2, 0, 0],
    }
    x = drawn(5, 4) / 3
    leaves = ([0, 0, 0, 1, 1], [2, 3, 4, 1, 2])
    weights = [1.0, 2.0, 4.0, 8.0, 16.0]
    return [
        _case("TreeEnsembleRegressor", x, opset=3, domain=ML, n_targets=2, target_treeids=leaves[0],
              target_nodeids=leaves[1], target_ids=[0, 0, 0, 1, 1], target_weights=weights, **nodes),
        _case("TreeEnsembleClassifier", x, opset=3, domain=ML, outputs=2, class_treeids=leaves[0],
              class_nodeids=leaves[1], class_ids=[0, 1, 2, 0, 1], class_weights=weights,
              classlabels_int64s=[0, 1, 2], **nodes),
    ]  # fmt: skip
