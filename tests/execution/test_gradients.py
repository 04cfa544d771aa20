"""Gradients on a crop against gradients of the whole image, in float64."""

import numpy as np
import pytest
import torch
from torch import nn

import eyeshot
from eyeshot.errors import InputError, QuestionError
from eyeshot.execution.gradients import Gradients
from eyeshot.execution.target import Target, central


def images(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def plain_gradient(model, layer, index, x, scalar=torch.sum):
    """The definition: the whole image, one hook, one backward pass."""
    held = {}
    module = model.get_submodule(layer)
    handle = module.register_forward_hook(lambda _module, _args, output: held.update(output=output))
    x = torch.from_numpy(x).requires_grad_()
    model(x)
    handle.remove()
    region = held["output"][(slice(None), *(slice(None) if place is None else place for place in index))]
    (gradient,) = torch.autograd.grad(sum(scalar(each) for each in region), x)
    return gradient.numpy()


class Places(nn.Module):
    """Adds to each element how far right it is."""

    def forward(self, x):
        return x * torch.linspace(1, 2, x.shape[-1], dtype=x.dtype)


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.deep = nn.Sequential(
            nn.Conv2d(channels, channels, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=2, dilation=2),
            nn.Upsample(scale_factor=2, mode="bilinear"),
        )

    def forward(self, x):
        return x + self.deep(x)


def conv_net(*layers):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 4, 5, stride=2, padding=2), *layers).double().eval()


@pytest.mark.parametrize("size", [(96, 96), (97, 64)])
@pytest.mark.parametrize("place", ["center", "corner"])
def test_crop_gives_the_gradient_of_the_whole(size, place):
    model = conv_net(nn.BatchNorm2d(4), nn.GELU(), nn.MaxPool2d(3, 2, 1), Residual(4))
    if size[0] % 2:
        model[4].deep[3] = nn.Upsample(size=(-(-size[0] // 4), -(-size[1] // 4)))
    report = eyeshot.analyze(model, (1, 2, *size))
    index = central(report, "4") if place == "center" else (None, 0, report["4"].shape[3] - 1)
    x = images(3, 2, *size)
    gradients = Gradients(model, report, Target("4", index))
    inside = gradients(x)
    expected = plain_gradient(model, "4", index, x)
    whole = np.zeros_like(expected)
    whole[(..., *gradients.window.slices)] = inside
    np.testing.assert_allclose(whole, expected, atol=1e-12 * abs(expected).max())
    if size == (96, 96):
        assert gradients.whole is None
        assert gradients.window.volume < 96 * 96


def test_a_network_that_asks_where_it_is_runs_whole():
    model = conv_net(Places(), nn.Conv2d(4, 4, 3, padding=1))
    report = eyeshot.analyze(model, (1, 2, 64, 64))
    index, x = central(report, "2"), images(2, 2, 64, 64)
    gradients = Gradients(model, report, Target("2", index))
    assert gradients.whole is None, "masks alone cannot tell"
    found = gradients(x)
    assert gradients.whole
    np.testing.assert_allclose(found, plain_gradient(model, "2", index, x))


def test_context_runs_whole():
    class Gate(nn.Module):
        def forward(self, x):
            return x * x.mean((2, 3), keepdim=True).sigmoid()

    model = conv_net(Gate())
    report = eyeshot.analyze(model, (1, 2, 64, 64))
    gradients = Gradients(model, report, Target("1", central(report, "1")))
    assert gradients.whole == "its field is the whole input"


def test_layers_behind_the_target_are_never_run():
    model = conv_net(nn.Flatten(), nn.Linear(4 * 32 * 32, 3))
    report = eyeshot.analyze(model.double(), (1, 2, 64, 64))
    gradients = Gradients(model, report, Target("0", (None, 16, 16)))
    assert gradients.whole is None, gradients.whole
    x = images(1, 2, 64, 64)
    inside = gradients(x)
    expected = plain_gradient(model, "0", (None, 16, 16), x)
    np.testing.assert_allclose(inside, expected[(..., *gradients.window.slices)])


def test_targets():
    model = conv_net()
    report, x = eyeshot.analyze(model, (1, 2, 32, 32)), images(4, 2, 32, 32)
    index = (None, 8, 8)
    for target, scalar in (
        (Target("0", index, "mean"), torch.mean),
        (Target("0", index, rectified=True), lambda f: f.relu().sum()),
        (Target("0", index, function=lambda f: (f**2).sum()), lambda f: (f**2).sum()),
        (Target("0", (slice(1, 3), 8, 8)), lambda f: f[1:3].sum()),
    ):
        gradients = Gradients(model, report, target)
        expected = plain_gradient(model, "0", index, x, scalar)
        np.testing.assert_allclose(gradients(x), expected[(..., *gradients.window.slices)])


def test_memory_bounds_the_batch_and_parameters_stay_as_they_were():
    model = conv_net(nn.Conv2d(4, 4, 3, padding=1))
    report = eyeshot.analyze(model, (1, 2, 64, 64))
    target = Target("1", central(report, "1"))
    one, many = (Gradients(model, report, target, memory=memory) for memory in (1, 1 << 30))
    assert (one.batch, many.batch) == (1, 64)
    x = images(3, 2, 64, 64)
    np.testing.assert_allclose(one(x), many(x))
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())


def test_bad_targets():
    model = conv_net()
    report, x = eyeshot.analyze(model, (1, 2, 32, 32)), images(1, 2, 32, 32)
    with pytest.raises(InputError, match="choices"):
        Gradients(model, report, Target("0", (None, 8, 8), function=lambda f: f.argmax().double()))(x)
    with pytest.raises(InputError, match="one number"):
        Gradients(model, report, Target("0", (None, 8, 8), function=lambda f: f))(x)
    with pytest.raises(InputError, match="images have shape"):
        Gradients(model, report, Target("0", (None, 8, 8)))(images(1, 2, 30, 30))


class Tokens(nn.Module):
    """A class token before a grid of patches, and one layer of attention."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(2, 8, 4, stride=4)
        self.mix = nn.MultiheadAttention(8, 2, batch_first=True)
        self.first = nn.Parameter(torch.zeros(1, 1, 8))

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(len(x), -1, -1), x], 1)
        return x + self.mix(x, x, x)[0]


def test_central_units():
    report = eyeshot.analyze(Tokens().eval(), (1, 2, 24, 32))
    assert central(report, "patches") == (None, 3, 4)
    assert central(report, "patches", upper_left=True) == (None, 2, 3)
    assert central(report, "output") == (1 + 3 * 8 + 4, None)
    report = eyeshot.analyze(conv_net(nn.AdaptiveAvgPool2d(1), nn.Flatten()), (1, 2, 32, 32))
    with pytest.raises(QuestionError, match="no places"):
        central(report, "2")
