"""Small PyTorch networks, live and exported: rows that both sides name are the same (tools/ways_in has large networks)."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import eyeshot
from tools.ways_in.exported_onnx import Outcome, compare, export


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1, ceil_mode=True)
        )
        self.body = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4), nn.Hardswish(), nn.Conv2d(8, 8, 1)
        )
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Hardsigmoid())

    def forward(self, x):
        x = self.stem(x)
        return x + self.body(x) * self.gate(x)


class Decoder(nn.Module):
    def __init__(self, **how):
        super().__init__()
        self.down = nn.Conv2d(3, 4, 3, 2, 1)
        self.turned = nn.ConvTranspose2d(4, 4, 3, 2, 1, output_padding=1)
        self.how = how

    def forward(self, x):
        h = self.down(x)
        return self.turned(h) + F.interpolate(h, scale_factor=2, **self.how)


class Padded(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=2, padding_mode="reflect")
        self.norm = nn.GroupNorm(2, 4)

    def forward(self, x):
        x = F.pixel_shuffle(self.conv(x), 2)
        x = torch.roll(x, (3, 1), (2, 3)).flip(3)
        return F.avg_pool2d(F.pad(x, (1, 2, 0, 1), mode="replicate"), 3, 2, 1)[..., 1:, ::2]


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.qkv = nn.Linear(8, 24)
        self.out = nn.Linear(8, 8)
        self.register_buffer("mask", torch.full((16, 16), float("-inf")).triu(1))

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(x).reshape(x.shape[0], -1, 3, 2, 4).permute(2, 0, 3, 1, 4)
        scores = (q @ k.transpose(-1, -2)) * 0.5 + self.mask
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 2)
        self.rnn = nn.LSTM(4, 5, batch_first=True, bidirectional=True)

    def forward(self, x):
        return self.rnn(self.conv(x).mean(2).transpose(1, 2))[0].cumsum(1)


NETWORKS = {
    "residual": Residual,
    "nearest": lambda: Decoder(mode="nearest"),
    "bilinear": lambda: Decoder(mode="bilinear"),
    "aligned": lambda: Decoder(mode="bilinear", align_corners=True),
    "bicubic": lambda: Decoder(mode="bicubic"),
    "padded": Padded,
    "causal attention": Tokens,
    "recurrent": Recurrent,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_live_and_exported(name, tmp_path):
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    live = eyeshot.analyze(network, (1, 3, 16, 16))
    export(network, torch.randn(1, 3, 16, 16), tmp_path / "net.onnx", "scopes")
    outcome = Outcome(name, "scopes")
    compare(live, eyeshot.analyze(tmp_path / "net.onnx"), outcome)
    assert outcome.state == "same", outcome.differing
    assert outcome.units > 50
