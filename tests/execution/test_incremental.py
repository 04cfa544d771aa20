"""Incremental inference against running the model on every changed image."""

import numpy as np
import pytest
import torch
from torch import nn

from eyeshot.execution.incremental import Incremental
from eyeshot.execution.program import Program


class Block(nn.Module):
    def __init__(self, channels, stride=1, dilation=1, groups=1):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, stride, dilation, dilation, groups, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1)
        self.short = nn.Conv2d(channels, channels, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x):
        return torch.relu_(self.second(torch.relu_(self.norm(self.first(x)))) + self.short(x))


class Branches(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.wide = nn.Conv2d(channels, channels, (1, 7), padding=(0, 3))
        self.pool = nn.AvgPool2d(3, 1, 1)

    def forward(self, x):
        return torch.cat([self.wide(x), self.pool(x), x], 1)


class ChannelsLast(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.mix = nn.Linear(channels, channels)

    def forward(self, x):
        y = self.depthwise(x).permute(0, 2, 3, 1)
        return x + nn.functional.gelu(self.mix(self.norm(y))).permute(0, 3, 1, 2)


class Gate(nn.Module):
    def forward(self, x):
        return x * x.mean((2, 3), keepdim=True).sigmoid()


def stem(*layers, stride=1):
    return nn.Sequential(nn.Conv2d(2, 6, 3, stride, 1), *layers)


NETWORKS = {
    "plain": lambda: stem(nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(6, 6, 3)),
    "residual": lambda: stem(Block(6), nn.MaxPool2d(3, 2, 1), Block(6, stride=2), Block(6, dilation=2)),
    "head": lambda: stem(Block(6, groups=3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5)),
    "branches": lambda: stem(Branches(6), nn.Conv2d(18, 6, 3, stride=2)),
    "channels last": lambda: stem(ChannelsLast(6), ChannelsLast(6), stride=2),
    "gate": lambda: stem(nn.ReLU(), Gate(), nn.Conv2d(6, 6, 3, padding=1)),
    "ceil": lambda: stem(nn.MaxPool2d(3, 2, 0, ceil_mode=True), nn.Conv2d(6, 6, 3, padding=1)),
    "up": lambda: stem(
        nn.Conv2d(6, 6, 2, stride=2), nn.Upsample(scale_factor=2), nn.ConvTranspose2d(6, 3, 3)
    ),
}


def network(name):
    torch.manual_seed(1)
    model = NETWORKS[name]().double().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    return model


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("extents", [(40, 40), (37, 46)])
def test_changed_windows_come_out_as_from_whole_images(name, extents):
    model, generator = network(name), np.random.default_rng(0)
    image = torch.from_numpy(generator.standard_normal((1, 2, *extents)))
    size = (6, 5)
    starts = np.array([[0, 0], [extents[0] - 6, extents[1] - 5], [0, 20], [17, 13], [extents[0] - 6, 3]])
    content = torch.from_numpy(generator.standard_normal((len(starts), 2, *size)))
    incremental = Incremental(model, image, starts, size, batch=len(starts))
    found = incremental(np.arange(len(starts)), content)
    changed = image.repeat(len(starts), 1, 1, 1)
    for place, (y, x) in enumerate(starts):
        changed[place, :, y : y + 6, x : x + 5] = content[place]
    with torch.no_grad():
        torch.testing.assert_close(found[0], model(changed), rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(incremental.reference[0], model(image), rtol=1e-9, atol=1e-11)
    if name in {"plain", "residual", "branches", "channels last", "ceil"}:
        assert incremental.macs < 0.8 * incremental.dense_macs


def test_a_program_is_the_model():
    model = network("residual")
    x = torch.randn(1, 2, 40, 40, dtype=torch.float64)
    program = Program(model, x.shape)
    assert not any("batch_norm" in call.op for call in program.calls)
    with torch.no_grad():
        torch.testing.assert_close(program.replay(x)[program.outputs[0]], model(x))
