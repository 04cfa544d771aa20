"""The closed form against what it is a theory of: exact linear maps, and averages over random networks."""

import numpy as np
import pytest
import torch
from torch import nn

import eyeshot
from eyeshot.errors import UnsupportedOpError
from eyeshot.execution.moments import folded, propagated
from eyeshot.execution.target import Target


def analyzed(model, size=20):
    return eyeshot.analyze(model, (1, 2, size, size))


def gradient(model, layer, index, x):
    x = x.clone().requires_grad_()
    held = {}
    handle = model.get_submodule(layer).register_forward_hook(lambda _m, _a, out: held.update(out=out))
    model(x)
    handle.remove()
    (found,) = torch.autograd.grad(held["out"][0][index].sum(), x)
    return found[0].numpy()


LINEAR = {
    "convolutions": lambda: [nn.Conv2d(2, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 3, dilation=2)],
    "pools": lambda: [nn.Conv2d(2, 4, 3), nn.AvgPool2d(3, 2, 1), nn.Conv2d(4, 3, 2)],
    "upsampling": lambda: [
        nn.Conv2d(2, 4, 4, 4),
        nn.Upsample(scale_factor=2),
        nn.ConvTranspose2d(4, 3, 3, 2),
    ],
    "groups": lambda: [nn.Conv2d(2, 4, 3, groups=2), nn.Conv2d(4, 4, 5, padding=2, groups=4)],
}


@pytest.mark.parametrize("name", LINEAR)
def test_of_a_linear_network_the_mean_is_the_gradient(name):
    torch.manual_seed(0)
    model = nn.Sequential(*LINEAR[name]()).double().eval()
    report, layer = analyzed(model), str(len(model) - 1)
    index = (slice(None), 2, 3)
    window, mean, variance = propagated(model, report, Target(layer, (None, 2, 3)), None)
    expected = gradient(model, layer, index, torch.zeros(1, 2, 20, 20, dtype=torch.float64))
    np.testing.assert_allclose(mean, expected[(..., *window.slices)], atol=1e-12)
    assert not variance.any()


class Net(nn.Module):
    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.stem = nn.Conv2d(2, 32, 3, bias=False)
        self.one, self.two = (nn.Conv2d(32, 32, 3, padding=1, bias=False) for _ in range(2))
        self.end = nn.Conv2d(32, 32, 3, bias=False)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = torch.relu(x + self.two(torch.relu(self.one(x))))
        return self.end(x)


def test_mean_squares_over_random_networks():
    """Squares, channel by channel, of the gradient of one unit, averaged over networks and standard normal images."""
    found = measured = 0
    for seed in range(30):
        model = Net(seed).double().eval()
        report = analyzed(model, 13)
        window, mean, variance = propagated(model, report, Target("end", (0, 4, 4)), None)
        x = torch.randn(1, 2, 13, 13, dtype=torch.float64)
        found = found + mean**2 + variance
        measured = measured + gradient(model, "end", (0, 4, 4), x)[(..., *window.slices)] ** 2
    inside = found.mean(0), measured.mean(0)
    assert inside[0].shape == (9, 9)
    assert np.corrcoef(inside[0].ravel(), inside[1].ravel())[0, 1] > 0.97
    # Sums of two rectified branches are open more often than half: scale is rough, shape is not.
    assert 0.4 < inside[0].sum() / inside[1].sum() < 2.5


def test_calibration_measures_which_channels_are_open():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, 3)).double().eval()
    with torch.no_grad():
        model[0].bias.copy_(torch.tensor([9.0, -9.0, 9.0, -9.0]))  # always open, always shut, ...
    report, image = analyzed(model), np.random.default_rng(0).standard_normal((2, 2, 20, 20))
    _, mean, variance = propagated(model, report, Target("2", (None, 8, 8)), image)
    expected = gradient(model, "2", (slice(None), 8, 8), torch.from_numpy(image[:1]))
    np.testing.assert_allclose(mean, expected, atol=1e-12)
    np.testing.assert_allclose(variance, 0, atol=1e-12)


def test_folded_normal():
    generator = np.random.default_rng(0)
    for m, v in ((0.0, 1.0), (1.5, 0.5), (-2.0, 0.0)):
        drawn = np.abs(m + np.sqrt(v) * generator.standard_normal(400_000)).mean()
        assert folded(np.array([m]), np.array([v]))[0] == pytest.approx(drawn, rel=5e-3)


def test_ops_without_a_rule_are_named():
    model = nn.Sequential(nn.Conv2d(2, 2, 1), nn.Softmax2d()).eval()
    with pytest.raises(UnsupportedOpError, match="softmax"):
        propagated(model, analyzed(model), Target("1", (None, 2, 2)), None)
