"""Multiply-accumulates against fvcore's counter, whose "flops" are multiply-accumulates."""

from __future__ import annotations

import logging
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from eyeshot.frontends.torch.capture import capture
from eyeshot.frontends.torch.lower import lower

PRODUCTS = ("conv", "linear", "addmm", "matmul", "mm", "bmm", "einsum")


class Block(nn.Module):
    """A bottleneck with a grouped or depthwise middle."""

    def __init__(self, channels, groups, stride=1):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, 8, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 8, 3, stride, 1, groups=groups), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, channels, 1),
        )  # fmt: skip
        self.shortcut = nn.Conv2d(channels, channels, 1, stride)

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


class Attention(nn.Module):
    """A transformer's block, its attention fused or written out."""

    def __init__(self, fused):
        super().__init__()
        self.fused = fused
        self.embed = nn.Conv2d(3, 8, 4, 4)
        self.qkv = nn.Linear(8, 24)
        self.out = nn.Linear(8, 8)
        self.mlp = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8))

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(x).reshape(x.shape[0], -1, 3, 2, 4).permute(2, 0, 3, 1, 4)
        fused = F.scaled_dot_product_attention
        mixed = fused(q, k, v) if self.fused else (q @ k.transpose(-2, -1)).softmax(-1) @ v
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.mlp(x)


class Products(nn.Module):
    """Every other way to write a matrix product."""

    def forward(self, x):
        y = torch.einsum("nchw,nkhw->nck", x, x)
        y = torch.bmm(y, y)
        return torch.addmm(y[0], y[0], y[1]) + torch.mm(y[0], y[1]) + torch.matmul(y, y[0])


class Unrolled(nn.Module):
    """What an LSTM of two layers multiplies, as linear layers over every step."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 16), nn.Linear(4, 16), nn.Linear(4, 16), nn.Linear(4, 16)])

    def forward(self, x):
        hidden = x.new_zeros(*x.shape[:-1], 4)
        return self.layers[0](x) + sum(layer(hidden) for layer in self.layers[1:])


def counted_by_fvcore(model, shape):
    fvcore = pytest.importorskip("fvcore.nn")
    logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        counts = fvcore.FlopCountAnalysis(model, torch.rand(shape)).by_operator()
    return sum(int(counts[op]) for op in PRODUCTS)


def counted(model, shape):
    graph = lower(capture(model.eval(), (torch.rand(shape),), {}))
    return sum(tensor.macs for tensor in graph.tensors)


IMAGE = (2, 3, 16, 12)
NETS = {
    "residual": nn.Sequential(nn.Conv2d(3, 4, 7, 2, 3), Block(4, 1), nn.MaxPool2d(2), Block(4, 1, 2),
                              nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)),
    "grouped": nn.Sequential(nn.Conv2d(3, 4, 3), Block(4, 2)),
    "depthwise": nn.Sequential(nn.Conv2d(3, 4, 3, 2), Block(4, 8, 2), Block(4, 8)),
    "transposed": nn.Sequential(nn.ConvTranspose2d(3, 4, 3, 2, 1, 1), nn.ConvTranspose2d(4, 2, 2, groups=2)),
    "transformer": Attention(fused=False),
    "products": Products(),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_equals_fvcore(name):
    expected = counted_by_fvcore(NETS[name].eval(), IMAGE)
    assert expected > 0
    assert counted(NETS[name], IMAGE) == expected


def test_fused_attention_costs_what_it_does_written_out():
    assert counted(Attention(fused=True), IMAGE) == counted_by_fvcore(Attention(fused=False), IMAGE)


def test_recurrent_layers_cost_their_matrices_at_every_step():
    assert counted(nn.LSTM(3, 4, num_layers=2), (5, 2, 3)) == counted_by_fvcore(Unrolled(), (5, 2, 3))


def test_unbatched_convolution():
    model = nn.Conv2d(3, 4, 3)
    assert counted(model, (3, 8, 8)) == counted_by_fvcore(model, (1, 3, 8, 8))
