"""Operators of com.microsoft, element by element, against the ONNX Runtime that defines them."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

import eyeshot

# op, attributes, inputs (all floats), outputs that are looked at
CASES = {
    "FusedConv": ({"kernel_shape": [3, 3], "pads": [1, 0, 1, 0], "strides": [2, 1], "activation": "Relu"},
                  [(1, 2, 5, 4), (2, 2, 3, 3), (2,), (1, 2, 3, 2)], 1),
    "FusedMatMul": ({"transA": 1, "transB": 1}, [(2, 4, 3), (2, 5, 4)], 1),
    "FusedGemm": ({"transB": 1, "activation": "Relu"}, [(2, 3), (4, 3), (4,)], 1),
    "BiasGelu": ({}, [(2, 4), (4,)], 1),
    "FastGelu": ({}, [(2, 4), (4,)], 1),
    "Gelu": ({}, [(2, 4)], 1),
    "QuickGelu": ({}, [(2, 4)], 1),
    "SkipLayerNormalization": ({}, [(1, 2, 4), (1, 2, 4), (4,), (4,), (4,)], 1),
    "SkipSimplifiedLayerNormalization": ({}, [(1, 2, 4), (1, 2, 4), (4,), (4,)], 1),
}  # fmt: skip


@pytest.mark.parametrize("op", CASES)
def test_what_changes_is_what_is_read(op):
    attributes, shapes, outputs = CASES[op]
    names = [f"i{k}" for k in range(len(shapes))]
    graph = helper.make_graph(
        [
            helper.make_node(
                op, names, [f"o{k}" for k in range(outputs)], domain="com.microsoft", **attributes
            )
        ],
        "net",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in zip(names, shapes, strict=True)],
        [helper.make_tensor_value_info(f"o{k}", TensorProto.FLOAT, None) for k in range(outputs)],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    draws = [
        {n: rng.uniform(0.1, 1, s).astype(np.float32) for n, s in zip(names, shapes, strict=True)}
        for _ in range(2)
    ]
    for about in names:
        report = eyeshot.analyze(model, input=about, axes="all")
        for place, field in enumerate(report.outputs):
            told = np.array([field.mask(*unit, axes="all").reshape(-1) for unit in np.ndindex(field.shape)])
            found = np.zeros_like(told)
            for clean in draws:
                before = session.run(None, clean)[place]
                assert before.shape == field.shape
                for element in range(clean[about].size):
                    changed = {name: array.copy() for name, array in clean.items()}
                    changed[about].reshape(-1)[element] += 0.3
                    found[:, element] |= (session.run(None, changed)[place] != before).reshape(-1)
            assert np.array_equal(told, found), (about, place)
