"""A model, and the process around it, are as they were after an analysis, whether it went well or not."""

import random

import numpy as np
import pytest
import torch
from torch import nn

import eyeshot
from tests.mystery import Mystery, Refuses

SIZE = (2, 3, 16, 16)


class Busy(nn.Module):
    """Draws random numbers, counts calls in a buffer, keeps what it saw, and ends in whatever it is given."""

    def __init__(self, end):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.end = end
        self.register_buffer("calls", torch.zeros(1))
        self.seen = []

    def forward(self, x):
        self.calls += 1
        y = self.drop(self.norm(self.conv(x)))
        self.seen.append(y)
        self.jitter = random.random() + float(np.random.rand())  # noqa: NPY002
        return self.end(y + torch.rand_like(y))


class Picky(nn.Module):
    def forward(self, x):
        return x[x > 0]


ENDS = {
    "a success": (nn.Identity(), SIZE, None),
    "a real forward": (Picky(), SIZE, None),
    "a forward that raises": (Refuses(), SIZE, eyeshot.CaptureError),
    "an unknown op": (Mystery(), SIZE, eyeshot.UnsupportedOpError),
    "wrong channels": (nn.Identity(), (2, 5, 16, 16), eyeshot.InputError),
    "too small": (nn.Identity(), (2, 3, 1, 1), eyeshot.InputError),
    "a wrong rank": (nn.Identity(), (3,), eyeshot.InputError),
    "an empty input": (nn.Identity(), (2, 3, 0, 16), eyeshot.InputError),
}


def state(model):
    """All that an analysis could change, with the identity of every tensor beside its numbers."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    grads = [
        (name, id(p.grad), p.grad.tolist()) for name, p in model.named_parameters() if p.grad is not None
    ]
    modules = {
        name: (id(module), module.training, sorted(vars(module)), hooks(module))
        for name, module in model.named_modules()
    }
    generator = np.random.get_state()  # noqa: NPY002
    return {
        "tensors": [
            (name, id(t), t.data_ptr(), t.requires_grad, t.device.type, t.tolist()) for name, t in tensors
        ],
        "grads": grads,
        "modules": modules,
        "seen": list(model.seen),
        "torch": torch.get_rng_state().tolist(),
        "python": random.getstate(),
        "numpy": (generator[0], generator[1].tolist(), generator[2:]),
        "grad mode": torch.is_grad_enabled(),
        "default dtype": torch.get_default_dtype(),
    }


def hooks(module):
    return {key: list(table) for key, table in vars(module).items() if key.endswith("_hooks")}


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize(("end", "size", "error"), ENDS.values(), ids=ENDS)
def test_untouched(end, size, error, training):
    model = Busy(end).train(training)
    model.norm.eval()
    model.conv.register_forward_hook(lambda *_: None)
    model.conv(torch.rand(1, 3, 4, 4)).sum().backward()
    before = state(model)
    if error is None:
        report = eyeshot.analyze(model, size)
        report.to_json()
        assert len(report) > 0
    else:
        with pytest.raises(error):
            eyeshot.analyze(model, size)
    assert state(model) == before


def test_the_probe_itself_sees_a_forward():
    model = Busy(nn.Identity()).train()
    before = state(model)
    model(torch.rand(SIZE))
    after = state(model)
    changed = {key for key in before if before[key] != after[key]}
    assert {"tensors", "modules", "seen", "torch", "python", "numpy"} <= changed


def test_references_leave_the_generators_alone():
    model = Busy(nn.Identity())
    before = state(model)
    eyeshot.analyze("torchvision:squeezenet1_1")
    with pytest.raises(eyeshot.ModelReferenceError):
        eyeshot.analyze("timm:resnet18?depth=no")
    assert state(model) == before


def test_example_inputs_stay_the_users():
    model = mixed = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True)).eval()
    example = torch.rand(SIZE)
    kept = example.clone()
    eyeshot.analyze(mixed, inputs=(example,))
    assert torch.equal(example, kept)
    assert not example.requires_grad
    assert model[0].weight.grad is None
