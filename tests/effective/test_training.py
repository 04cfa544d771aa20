"""A monitor in training loops: a plain one, and the protocols of two trainers by stand-ins."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from eyeshot.effective.training import Monitor
from eyeshot.errors import InputError, MissingExtraError


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 5, padding=2)
    )


IMAGES = np.random.default_rng(0).standard_normal((4, 1, 17, 17)).astype(np.float32)


def test_a_plain_loop():
    """Trained to copy what lies four pixels to the right, the network comes to use one end of its field alone."""
    model, monitor = network(), Monitor(["3"], IMAGES, every=40)
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    for step in range(121):
        x = torch.randn(16, 1, 17, 17)
        loss = (model(x)[:, :1, :, 4:] - x[..., :-4]).pow(2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        monitor(model, step)
        assert model.training
    assert [record["step"] for record in monitor.history] == [0, 40, 80, 120]
    assert all(record["theoretical"] == 9 for record in monitor.history)
    assert monitor.history[-1]["side"] < monitor.history[0]["side"] < 9
    assert all(p.grad is not None for p in model.parameters()), "the loop's own gradients are left alone"


def test_log_gets_plain_numbers():
    told = []
    Monitor(["0", "3"], IMAGES, log=lambda numbers, step: told.append((numbers, step)))(network(), 7)
    ((numbers, step),) = told
    assert step == 7
    assert 0 < numbers["effective/0"] <= 5
    assert numbers["effective/0"] < numbers["effective/3"] <= 9


@pytest.fixture
def stand_ins(monkeypatch):
    """As much of both trainers as a callback meets."""
    lightning, pytorch, transformers = (
        ModuleType(n) for n in ("lightning", "lightning.pytorch", "transformers")
    )
    pytorch.Callback, transformers.TrainerCallback = (type("Base", (), {}) for _ in range(2))
    for module in (lightning, pytorch, transformers):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return pytorch.Callback, transformers.TrainerCallback


def test_callbacks(stand_ins):
    model, logged = network(), []
    monitor = Monitor(["3"], IMAGES)
    logger = SimpleNamespace(log_metrics=lambda numbers, step: logged.append((numbers, step)))
    callback = monitor.lightning()
    assert isinstance(callback, stand_ins[0])
    callback.on_train_batch_end(SimpleNamespace(global_step=3, loggers=[logger]), model, None, None, 0)
    state = SimpleNamespace(global_step=4, log_history=[])
    other = monitor.transformers()
    assert isinstance(other, stand_ins[1])
    other.on_step_end(None, state, None, model=model)
    assert [record["step"] for record in monitor.history] == [3, 4]
    side = monitor.history[0]["side"]
    assert logged == [({"effective/3": side}, 3)]
    assert state.log_history == [{"step": 4, "effective/3": side}]


def test_bad_monitors(monkeypatch):
    for arguments in ((["3"], IMAGES, 0), ("3", IMAGES, 1), ([], IMAGES, 1)):
        with pytest.raises(InputError):
            Monitor(*arguments[:2], every=arguments[2])
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match="transformers"):
        Monitor(["3"]).transformers()
