"""Every lowering against what Keras itself computes: the table in `cases/`, one module a family."""

from __future__ import annotations

import importlib
import pkgutil
import warnings

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from eyeshot.cost import Costs
from eyeshot.frontends.keras.frontend import read
from eyeshot.frontends.registry import Request
from eyeshot.graph.verify import verify
from tests.dense import dependence
from tests.frontends.keras import cases, oracles
from tests.frontends.keras.backend import keras
from tests.frontends.keras.case import Case


def _all_cases() -> list[tuple[str, Case]]:
    families = [module.name for module in pkgutil.iter_modules(cases.__path__)]
    modules = {family: importlib.import_module(f"{cases.__name__}.{family}") for family in families}
    return [(f"{family}/{case.name}", case) for family, module in modules.items() for case in module.CASES]


CASES = _all_cases()


def test_names_are_unique():
    names = [name for name, _ in CASES]
    assert len(names) == len(set(names))


@pytest.fixture(autouse=True)
def _double():
    """Gradients are told from rounding in double precision."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])


def _model(case):
    inputs = [keras.Input(batch_shape=shape, dtype=case.dtype) for shape in case.shapes]
    outputs = case.function(*inputs)
    model = keras.Model(inputs, outputs)
    generator = np.random.default_rng(0)
    for weight in model.weights:
        if "float" in weight.dtype:
            weight.assign(generator.uniform(0.05, 0.3, weight.shape))
    return model


def _function(model):
    def call(*inputs):
        with sdpa_kernel(SDPBackend.MATH):  # the others hide NaN
            outputs = keras.tree.flatten(
                model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)
            )
        return [out for out in outputs if out.is_floating_point()]

    return call


def _expected(oracle, model, case):
    found = {}
    for seed in range(case.draws):
        inputs = [torch.from_numpy(x) for x in case.inputs(seed)]
        function = _function(model)
        if oracle == "change":
            asked = oracles.change(function, inputs, case.values)
        else:
            asked = {"gradient": oracles.gradient, "nan": oracles.nan_probe}[oracle](function, inputs)
        for key, matrix in asked.items():
            found[key] = found.get(key, False) | matrix
    return found


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES])
def test_layer(case):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = _model(case)
        graph = read(Request(model)).graph
        verify(graph)
        result = keras.tree.flatten(model([torch.from_numpy(x) for x in case.inputs(0)], training=False))
        expected = {oracle: _expected(oracle, model, case) for oracle in case.oracles}
    outputs = list(graph.outputs.items())
    assert [graph.nodes[node].shape for _, node in outputs] == [tuple(x.shape) for x in result]
    floating = [node for (_, node), x in zip(outputs, result, strict=True) if x.is_floating_point()]
    reasons = {graph.nodes[n].reason for n in graph.ancestors(floating)} - {None}
    assert reasons == set((case.reason or "").split())
    assert sum(Costs(graph).owned.values()) == model.count_params()
    names = list(graph.inputs)
    for oracle, matrices in expected.items():
        for (o, i), matrix in matrices.items():
            mine = dependence(graph, floating[o], names[i])
            missed, extra = matrix & ~mine, mine & ~matrix
            # What is listed: output index, then input index.
            assert not missed.any(), f"{oracle}: misses {np.argwhere(missed)[:5].tolist()}"
            if case.reason is None:
                assert not extra.any(), f"{oracle}: too much at {np.argwhere(extra)[:5].tolist()}"
