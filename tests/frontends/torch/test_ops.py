"""Every lowering against what PyTorch itself computes: the table in `cases/`, one module a family of ops."""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import pytest
import torch

from eyeshot.frontends.torch.capture import capture
from eyeshot.frontends.torch.lower import lower
from tests.dense import dependence
from tests.frontends.torch import cases, oracles
from tests.frontends.torch.case import Case


def _all_cases() -> list[tuple[str, Case]]:
    families = [module.name for module in pkgutil.iter_modules(cases.__path__)]
    modules = {family: importlib.import_module(f"{cases.__name__}.{family}") for family in families}
    return [(f"{family}/{case.name}", case) for family, module in modules.items() for case in module.CASES]


CASES = _all_cases()


class Wrapped(torch.nn.Module):
    """The function of a case as a model; a module keeps its parameters."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.function = case.function

    def forward(self, *inputs):
        return self.function(*inputs)


def _model(case: Case) -> Wrapped:
    model = Wrapped(case).double().eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(0.5, 1.5, generator=generator)
    return model


def _union(ask, model, case) -> oracles.Matrices:
    found = ask(model, case.inputs(0))
    for seed in range(1, case.draws):
        for key, matrix in ask(model, case.inputs(seed)).items():
            found[key] |= matrix
    return found


def test_names_are_unique():
    names = [name for name, _ in CASES]
    assert len(names) == len(set(names))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES])
def test_op(case):
    model, inputs = _model(case), case.inputs(0)
    trace = capture(model, inputs, {})
    graph = lower(trace)
    results = oracles.floating_outputs(model(*inputs))
    floating = [
        node
        for value, node in zip(trace.outputs.values(), graph.outputs.values(), strict=True)
        if "float" in value.dtype or "complex" in value.dtype
    ]
    assert [graph.nodes[node].shape for node in floating] == [tuple(x.shape) for x in results]
    reasons = {graph.nodes[n].reason for n in graph.ancestors(floating)} - {None}
    assert reasons == set((case.reason or "").split())
    names = list(graph.inputs)
    for oracle in case.oracles:
        ask, draws = (oracles.gradient, case.draws) if oracle == "gradient" else (oracles.nan_probe, 1)
        expected = _union(ask, model, case) if draws > 1 else ask(model, inputs)
        for (o, i), matrix in expected.items():
            mine = dependence(graph, floating[o], names[i])
            missed, extra = matrix & ~mine, mine & ~matrix
            # What is listed: output index, then input index.
            assert not missed.any(), f"{oracle}: misses {_first(missed)}"
            if case.reason is None:
                assert not extra.any(), f"{oracle}: too much at {_first(extra)}"


def _first(matrix) -> list[list[int]]:
    return np.argwhere(matrix)[:5].tolist()
