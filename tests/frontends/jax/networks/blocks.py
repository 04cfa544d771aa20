"""Blocks that modern image networks are made of."""

from __future__ import annotations

import jax
import torch.nn.functional as F
from flax import linen, nnx
from torch import nn

from tests.frontends.jax.networks import SAME, network, shapes_alone


class GateTwin(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv, self.down, self.up = (
            nn.Conv2d(channels, channels, 3, 1, 1),
            nn.Conv2d(channels, 2, 1),
            nn.Conv2d(2, channels, 1),
        )

    def forward(self, x):
        x = self.conv(x)
        return x * self.up(self.down(x.mean((2, 3), keepdim=True)).relu()).sigmoid()


class Gate(nnx.Module):
    def __init__(self, channels, rngs):
        self.conv = nnx.Conv(channels, channels, (3, 3), rngs=rngs)
        self.down, self.up = nnx.Linear(channels, 2, rngs=rngs), nnx.Linear(2, channels, rngs=rngs)

    def __call__(self, x):
        x = self.conv(x)
        return x * nnx.sigmoid(self.up(nnx.relu(self.down(x.mean((1, 2), keepdims=True)))))


@network("squeeze and excite", (1, 24, 24, 4), lambda: nn.Sequential(GateTwin(4), GateTwin(4)))
@shapes_alone
def gates():
    rngs = nnx.Rngs(0)
    return nnx.Sequential(Gate(4, rngs), Gate(4, rngs))


@network("3-D", (1, 8, 12, 12, 2), lambda: nn.Sequential(
    nn.Conv3d(2, 4, 3, 1, 1), nn.ReLU(), nn.MaxPool3d((1, 2, 2)),
    nn.Conv3d(4, 4, (3, 1, 1), padding=(1, 0, 0)), nn.AvgPool3d(2)))  # fmt: skip
def volume():
    return linen.Sequential(
        [
            linen.Conv(4, (3, 3, 3)),
            linen.relu,
            lambda x: linen.max_pool(x, (1, 2, 2), (1, 2, 2)),
            linen.Conv(4, (3, 1, 1)),
            lambda x: linen.avg_pool(x, (2, 2, 2), (2, 2, 2)),
        ]
    )


@network("group norm", (1, 20, 20, 4), lambda: nn.Sequential(
    nn.Conv2d(4, 8, 3, 1, 1), nn.GroupNorm(2, 8), nn.SiLU(), nn.Conv2d(8, 8, 3, 1, 1, groups=4)))  # fmt: skip
def group_norm():
    return linen.Sequential(
        [linen.Conv(8, (3, 3)), linen.GroupNorm(2), linen.silu, linen.Conv(8, (3, 3), feature_group_count=4)]
    )


class ConvNeXtTwin(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, 1, 3, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.wide, self.narrow = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)

    def forward(self, x):
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + self.narrow(F.gelu(self.wide(y))).permute(0, 3, 1, 2)


class ConvNeXt(nnx.Module):
    def __init__(self, channels, rngs):
        self.depthwise = nnx.Conv(channels, channels, (7, 7), feature_group_count=channels, rngs=rngs)
        self.norm = nnx.LayerNorm(channels, rngs=rngs)
        self.wide = nnx.Linear(channels, 4 * channels, rngs=rngs)
        self.narrow = nnx.Linear(4 * channels, channels, rngs=rngs)

    def __call__(self, x):
        return x + self.narrow(nnx.gelu(self.wide(self.norm(self.depthwise(x)))))


@network("ConvNeXt", (1, 32, 32, 3), lambda: nn.Sequential(
    nn.Conv2d(3, 4, 4, 4), ConvNeXtTwin(4), nn.Conv2d(4, 4, 2, 2), ConvNeXtTwin(4)))  # fmt: skip
@shapes_alone
def convnext():
    rngs = nnx.Rngs(0)
    return nnx.Sequential(
        nnx.Conv(3, 4, (4, 4), 4, padding="VALID", rngs=rngs),
        ConvNeXt(4, rngs),
        nnx.Conv(4, 4, (2, 2), 2, padding="VALID", rngs=rngs),
        ConvNeXt(4, rngs),
    )


class PyramidTwin(nn.Module):
    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList(
            [nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 2, 1)]
        )
        self.lateral = nn.ModuleList([nn.Conv2d(4, 4, 1) for _ in range(3)])
        self.smooth = nn.ModuleList([nn.Conv2d(4, 4, 3, 1, 1) for _ in range(3)])

    def forward(self, x):
        levels = []
        for stage in self.stages:
            x = stage(x).relu()
            levels.append(x)
        top, outputs = None, []
        for level, lateral, smooth in zip(reversed(levels), self.lateral, self.smooth, strict=True):
            here = lateral(level)
            top = here if top is None else here + F.interpolate(top, scale_factor=2, mode="nearest")
            outputs.append(smooth(top))
        return outputs


class Pyramid(linen.Module):
    @linen.compact
    def __call__(self, x):
        levels = []
        for _ in range(3):
            x = linen.relu(linen.Conv(4, (3, 3), 2, padding=SAME)(x))
            levels.append(x)
        top, outputs = None, []
        for level in reversed(levels):
            here = linen.Conv(4, (1, 1))(level)
            top = here if top is None else here + jax.image.resize(top, here.shape, "nearest")
            outputs.append(linen.Conv(4, (3, 3))(top))
        return outputs


network("feature pyramid", (1, 48, 48, 3), PyramidTwin)(Pyramid)
