"""Every linear rule against what PyTorch's own op does, on the table of cases that lowerings are tested with."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from eyeshot.execution.running import Setup, plain_kernels
from eyeshot.proof.gradient import Gradients, record
from tests.frontends.torch import oracles
from tests.frontends.torch.test_ops import CASES, _model, _union

# Ops that the gradient is blind at, and says so, in families where nothing else may be.
BLIND = {"conv_tbc", "torchvision::deform_conv2d", "max_unpool2d", "max_unpool3d"}
BLIND |= {"fractional_max_pool2d", "fractional_max_pool3d", "convolution"}  # by computed weights
PLAIN = {"convolution", "norms", "pooling", "resizing", "shaping"}


# The op does not say that it writes the statistics that it is given.
CHECKED = [each for each in CASES if each[0] != "norms/batch norm and its statistics"]


def linearised(model: nn.Module, inputs: list[torch.Tensor], i: int):
    """For every floating output: the dependence on input i by gradients of the linear program, and its blind spots."""
    outputs = []
    setup = Setup(model, tuple(inputs), {}, inputs[i])
    with plain_kernels():
        found = record(setup)
        names = [name for name in found.slots if not name or name[0] == "."]
        gradients = Gradients(found, names, inputs[i].device)
        for name in names:
            shape = found.shapes[name]
            read = [gradients.reads(name, unit)[0] for unit in np.ndindex(*shape)]
            outputs.append((np.array(read).reshape((*shape, *inputs[i].shape)), found.flags(name, "misses")))
    return outputs


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize(("name", "case"), CHECKED, ids=[name for name, _ in CHECKED])
def test_a_rule_reads_what_its_op_reads(name, case):
    model, inputs = _model(case), case.inputs(0)
    deciding = "gradient" if "gradient" in case.oracles else "nan"
    ask = oracles.gradient if deciding == "gradient" else oracles.nan_probe
    # Where a case says why it is only sound, every draw selects for itself.
    several = deciding == "gradient" and case.reason is None
    truth = _union(ask, model, case) if several else ask(model, inputs)
    for i, x in enumerate(inputs):
        if not x.is_floating_point():
            continue
        for o, (found, misses) in enumerate(linearised(model, inputs, i)):
            if misses:
                assert misses <= BLIND or name.split("/")[0] not in PLAIN, misses
                continue
            missed = truth[o, i] & ~found
            assert not missed.any(), f"misses {np.argwhere(missed)[:3].tolist()}"
            if case.reason is None:
                extra = found & ~truth[o, i]
                assert not extra.any(), f"too much at {np.argwhere(extra)[:3].tolist()}"


def test_a_program_holds_none_of_the_models_tensors():
    """A linear form keeps shapes and masks; activations of large models would not fit twice."""
    watched = []

    class Model(nn.Module):
        def forward(self, x):
            for step in (lambda y: functional.conv2d(y, torch.rand(3, 3, 3, 3), padding=1), torch.relu, torch.sigmoid,
                         lambda y: functional.max_pool2d(y, 2), lambda y: functional.layer_norm(y, y.shape[-1:]),
                         lambda y: y.softmax(-1), lambda y: y @ y.mT, lambda y: torch.cat([y, y * 2], 1),
                         lambda y: y.flip(2), lambda y: functional.interpolate(y, scale_factor=2, mode="bilinear"),
                         lambda y: functional.group_norm(y, 2), lambda y: y.mean((2, 3), keepdim=True) + y):  # fmt: skip
                x = step(x)
                watched.append(weakref.ref(x))
            return x

    model = Model()
    with plain_kernels():
        found = record(Setup(model, (x := torch.rand(1, 3, 8, 8),), {}, x))
    assert len(found.program.steps) > len(watched)
    assert [ref() for ref in watched] == [None] * len(watched)
