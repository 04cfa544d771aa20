"""The closed form against sampled gradients."""

import numpy as np
import pytest
import torch
from torch import nn

from eyeshot.effective import effective_field
from eyeshot.errors import QuestionError


def network(channels=24):
    torch.manual_seed(3)
    layers = [nn.Conv2d(3, channels, 3, 2, 1), nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    for _ in range(2):
        layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
    return nn.Sequential(*layers).eval()


@pytest.mark.parametrize("protocol", ["plain", "replknet-linear", "openerf"])
def test_agrees_with_many_samples(protocol):
    model = network()
    sampled = effective_field(model, 96, layer="8", protocol=protocol, input_size=(1, 3, 64, 64))
    closed = effective_field(
        model, None, layer="8", protocol=protocol, method="analytic", input_size=(1, 3, 64, 64)
    )
    assert np.corrcoef(sampled.map.ravel(), closed.map.ravel())[0, 1] > 0.93
    assert closed.images == 0
    assert closed.stderr is None
    assert any("not calibrated" in note for note in closed.notes)
    assert not closed.map[sampled.map == 0].any(), "nothing outside of the field"


def test_calibrated_on_images():
    images = np.random.default_rng(0).standard_normal((3, 3, 64, 64)).astype(np.float32)
    closed = effective_field(network(), images, layer="5", method="analytic")
    assert closed.images == 3
    assert closed.map.sum() == pytest.approx(1)


def test_own_functions_have_no_closed_form():
    with pytest.raises(QuestionError, match="analytic"):
        effective_field(
            network(),
            None,
            layer="5",
            method="analytic",
            target=lambda out: out.sum(),
            input_size=(1, 3, 64, 64),
        )
