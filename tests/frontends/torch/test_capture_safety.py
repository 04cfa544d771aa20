"""Model and process are the same afterwards, failures say what and where, data decides safely."""

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules import module as hooks

from eyeshot.errors import CaptureError, InputError
from eyeshot.frontends.torch.capture import capture


def meta(*shape):
    return torch.empty(shape, device="meta")


class Naughty(nn.Module):
    """Writes to everything it holds, caches, draws random numbers; ``fails`` makes it raise at the end."""

    def __init__(self, fails=False, reads=False):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.register_buffer("steps", torch.zeros(1, dtype=torch.long))
        self.register_buffer("table", torch.arange(6.0))
        self.plain = torch.ones(3)
        self.cache, self.log = {}, []
        self.seen = None
        self.fails, self.reads = fails, reads

    def forward(self, x):
        self.steps += 1
        self.table[2:4].zero_()
        self.plain.mul_(2)
        self.conv.weight.data.mul_(0.5)
        self.norm.running_mean = self.norm.running_mean + 1
        y = self.norm(self.conv(x)) + torch.rand(1) + random.random() + float(np.random.rand())  # noqa: NPY002
        self.cache["y"], self.seen, self.extra = y, y, y
        self.log.append(y)
        self.eval()
        if self.reads and y.sum().item() > 1e9:
            return y * 2
        if self.fails:
            raise ValueError("no luck today")
        return y


def fingerprint(model):
    """Identities and elements of everything the model holds."""
    tensors = [*model.named_parameters(), *model.named_buffers(), ("plain", model.plain)]
    return {
        "ids": {name: (id(t), t.data_ptr(), t._version) for name, t in tensors},
        "elements": {name: t.detach().clone().numpy().tobytes() for name, t in tensors},
        "grads": {name: (t.requires_grad, t.grad) for name, t in tensors},
        "flags": [(m.training, len(m._forward_hooks), len(m._forward_pre_hooks)) for m in model.modules()],
        "attributes": [sorted(m.__dict__) for m in model.modules()],
        "caches": (dict(model.cache), list(model.log), model.seen),
        "tags": [name for name, t in tensors if "_eyeshot" in t.__dict__],
    }


def process():
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "random": random.getstate(),
        "numpy": np.random.get_state()[1].tobytes(),  # noqa: NPY002
        "hooks": (len(hooks._global_forward_hooks), len(hooks._global_forward_pre_hooks)),
        "functions": (torch.tensor, torch.as_tensor, torch.Tensor.new_tensor),
        "fast path": torch.backends.mha.get_fastpath_enabled(),
        "grad": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
    }


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("reads", [False, True], ids=["meta", "real"])
@pytest.mark.parametrize("fails", [False, True], ids=["fine", "raises"])
def test_model_and_process_are_untouched(training, reads, fails):
    model = Naughty(fails, reads).train(training)
    model(torch.rand(2, 3, 8, 8)) if not fails else None
    model.train(training)
    before, around = copy.copy(fingerprint(model)), process()
    if fails:
        with pytest.raises(CaptureError, match="no luck today"):
            capture(model, (meta(2, 3, 8, 8),))
    else:
        trace = capture(model, (meta(2, 3, 8, 8),))
        assert trace.real is reads
        assert trace.training is training
    assert fingerprint(model) == before
    assert process() == around


def test_what_a_forward_registers_for_the_first_time_is_gone_afterwards():
    class Registers(nn.Module):
        def forward(self, x):
            self.register_buffer("table", torch.ones(3), persistent=False)
            self.weight = nn.Parameter(torch.ones(3))
            self.inner = nn.ReLU()
            return self.inner(x * self.table * self.weight)

    model = Registers()
    capture(model, (meta(1, 3),))
    assert [*model.parameters(), *model.buffers(), *model.children()] == []
    assert not model._non_persistent_buffers_set


def test_a_forward_that_swaps_a_parameters_storage_is_refused():
    class Swaps(nn.Linear):
        def forward(self, x):
            self.weight.data = self.weight.data * 2
            return super().forward(x)

    model = Swaps(3, 3)
    before = model.weight.data_ptr(), model.weight.tolist()
    with pytest.raises(CaptureError, match="set_data"):
        capture(model, (meta(1, 3),))
    assert (model.weight.data_ptr(), model.weight.tolist()) == before


def test_example_inputs_are_not_written_to():
    class InPlace(nn.Module):
        def forward(self, x):
            return x.mul_(3)

    x = torch.ones(3)
    capture(InPlace(), (x,))
    assert x.tolist() == [1, 1, 1]


class Needy(nn.Module):
    """Repeats as often as its input says."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        y = self.conv(x)
        chosen = y[y > y.mean()]
        if y.max().item() > 0:
            y = y * 2
        return y, chosen


def test_data_dependence_takes_a_real_forward_and_says_why():
    trace = capture(Needy(), (meta(1, 3, 6, 6),))
    assert trace.real
    assert "aten." in trace.notes[0]
    assert trace.outputs[".0"].shape == (1, 3, 6, 6)
    assert 0 < trace.outputs[".1"].shape[0] < 108
    assert all(value.known is None for call in trace.calls for value in call.outputs)


def test_the_real_forward_uses_the_examples_and_is_repeatable():
    class Count(nn.Module):
        def forward(self, x):
            return x[: int(x.sum().item())]

    assert capture(Count(), (torch.tensor([1.0, 1.0, 0.0]),)).outputs[""].shape == (2,)
    first, second = (capture(Needy(), (meta(1, 3, 6, 6),)) for _ in range(2))
    assert len(first.calls) == len(second.calls)


def test_real_forward_of_a_model_without_elements():
    model = Needy().to("meta")
    assert capture(model, (meta(1, 3, 6, 6),)).real
    assert all(p.is_meta for p in model.parameters())


def test_numbers_from_known_tensors_need_no_real_forward():
    class Shapes(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("sizes", torch.tensor([2, 3]))

        def forward(self, x):
            rows, columns = self.sizes.tolist()
            if torch.tensor(x.shape).prod() > 10 and (self.sizes > 1).all():
                return x.reshape(rows, columns, -1)[..., : self.sizes[0].item()]
            return x

    trace = capture(Shapes(), (meta(4, 6),))
    assert not trace.real
    assert trace.outputs[""].shape == (2, 3, 2)


def test_wrong_channels_name_the_module_and_both_numbers():
    with pytest.raises(InputError, match=r"'0'.*expects 3 channels, got 4.*\(1, 4, 8, 8\)"):
        capture(nn.Sequential(nn.Conv2d(3, 6, 3)), (meta(1, 4, 8, 8),))


def test_wrong_features():
    with pytest.raises(InputError, match=r"'1'.*expects 10 features, got 48"):
        capture(nn.Sequential(nn.Flatten(), nn.Linear(10, 2)), (meta(1, 3, 4, 4),))


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Identity(), nn.Conv2d(3, 3, 5)),
        nn.Sequential(nn.Identity(), nn.MaxPool2d(8)),
        nn.Sequential(nn.Identity(), nn.AvgPool2d(8)),
        nn.Sequential(nn.Identity(), nn.ReflectionPad2d(9)),
    ],
)
def test_an_input_too_small_says_so(model):
    with pytest.raises(InputError, match=r"'1'.*too small.*larger"):
        capture(model, (meta(1, 3, 4, 4),))


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (1, 3, 0, 8)])
def test_empty_inputs_are_refused_before_running(shape):
    class Never(nn.Module):
        def forward(self, image):
            raise AssertionError

    with pytest.raises(InputError, match=r"'image' has no elements"):
        capture(Never(), (meta(*shape),))


def test_a_wrong_rank():
    with pytest.raises((InputError, CaptureError), match=r"'0'.*\(3, 8\)"):
        capture(nn.Sequential(nn.Conv2d(3, 6, 3)), (meta(3, 8),))


def test_an_inner_failure_keeps_the_original():
    class Inner(nn.Module):
        def forward(self, x):
            return {}["missing"]

    with pytest.raises(CaptureError, match=r"'0'.*KeyError.*missing") as raised:
        capture(nn.Sequential(Inner()), (meta(1),))
    assert isinstance(raised.value.__cause__, KeyError)
    assert not hooks._global_forward_hooks


@pytest.mark.parametrize("name", ["fasterrcnn_mobilenet_v3_large_320_fpn", "ssdlite320_mobilenet_v3_large"])
def test_detectors_take_a_real_forward(name):
    detection = pytest.importorskip("torchvision.models.detection")
    model = getattr(detection, name)(weights=None, weights_backbone=None).eval()
    trace = capture(model, ([meta(3, 128, 128)],))
    assert trace.real
    assert {".0.boxes", ".0.labels", ".0.scores"} <= set(trace.outputs)
    assert any(m.path.startswith("backbone") for m in trace.modules)
