"""Stacks of convolutions."""

from __future__ import annotations

import jax
import torch
import torch.nn.functional as F
from flax import linen, nnx
from jax import numpy as jnp
from torch import nn

from tests.frontends.jax.networks import SAME, Residual, network, shapes_alone


def plain_twin():
    return nn.Sequential(
        nn.Conv2d(3, 4, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(6, 6, (1, 5), padding=(0, 2)),
    )  # fmt: skip


class Plain(linen.Module):
    @linen.compact
    def __call__(self, x):
        x = linen.relu(linen.Conv(4, (7, 7), 2, padding=((3, 3), (3, 3)))(x))
        x = linen.max_pool(x, (3, 3), (2, 2), SAME)
        x = linen.relu(linen.Conv(6, (3, 3), padding="VALID")(x))
        x = linen.avg_pool(x, (2, 2), (2, 2))
        return linen.Conv(6, (1, 5), padding=((0, 0), (2, 2)))(x)


network("plain stack", (1, 64, 64, 3), plain_twin)(Plain)


def basic_twin(inside, outside, stride):
    skip = (
        nn.Sequential(nn.Conv2d(inside, outside, 1, stride), nn.BatchNorm2d(outside)) if stride > 1 else None
    )
    return nn.Sequential(
        Residual(
            nn.Conv2d(inside, outside, 3, stride, 1), nn.BatchNorm2d(outside), nn.ReLU(),
            nn.Conv2d(outside, outside, 3, 1, 1), nn.BatchNorm2d(outside), skip=skip,
        ),
        nn.ReLU(),
    )  # fmt: skip


class Basic(linen.Module):
    features: int
    stride: int

    @linen.compact
    def __call__(self, x):
        y = linen.Conv(self.features, (3, 3), self.stride, padding=SAME)(x)
        y = linen.relu(linen.BatchNorm(use_running_average=True)(y))
        y = linen.Conv(self.features, (3, 3), padding=SAME)(y)
        y = linen.BatchNorm(use_running_average=True)(y)
        if self.stride > 1:
            x = linen.Conv(self.features, (1, 1), self.stride, padding="VALID")(x)
            x = linen.BatchNorm(use_running_average=True)(x)
        return linen.relu(x + y)


@network("residual blocks", (1, 48, 48, 3), lambda: nn.Sequential(
    nn.Conv2d(3, 4, 3, 1, 1), basic_twin(4, 4, 1), basic_twin(4, 8, 2),
    basic_twin(8, 8, 1), basic_twin(8, 8, 2)))  # fmt: skip
def residual():
    return linen.Sequential(
        [linen.Conv(4, (3, 3), padding=SAME), Basic(4, 1), Basic(8, 2), Basic(8, 1), Basic(8, 2)]
    )


class UNetTwin(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, 1, 1), nn.Conv2d(4, 8, 3, 1, 1)
        self.bottom = nn.Conv2d(8, 8, 3, 1, 1)
        self.up = nn.ConvTranspose2d(8, 8, 2, 2)
        self.third, self.last = nn.Conv2d(16, 4, 3, 1, 1), nn.Conv2d(8, 2, 3, 1, 1)

    def forward(self, x):
        a = self.first(x).relu()
        b = self.second(F.max_pool2d(a, 2)).relu()
        c = self.bottom(F.max_pool2d(b, 2)).relu()
        d = self.third(torch.cat([self.up(c), b], 1)).relu()
        e = F.interpolate(d, scale_factor=2, mode="bilinear")
        return self.last(torch.cat([e, a], 1))


class UNet(linen.Module):
    @linen.compact
    def __call__(self, x):
        a = linen.relu(linen.Conv(4, (3, 3))(x))
        b = linen.relu(linen.Conv(8, (3, 3))(linen.max_pool(a, (2, 2), (2, 2))))
        c = linen.relu(linen.Conv(8, (3, 3))(linen.max_pool(b, (2, 2), (2, 2))))
        up = linen.ConvTranspose(8, (2, 2), (2, 2))(c)
        d = linen.relu(linen.Conv(4, (3, 3))(jnp.concatenate([up, b], -1)))
        n, h, w, channels = d.shape
        e = jax.image.resize(d, (n, 2 * h, 2 * w, channels), "bilinear")
        return linen.Conv(2, (3, 3))(jnp.concatenate([e, a], -1))


network("U-Net", (1, 32, 32, 3), UNetTwin)(UNet)


@network("transposed", (1, 12, 12, 3), lambda: nn.Sequential(
    nn.ConvTranspose2d(3, 4, 4, 2, 1), nn.ReLU(),
    nn.ConvTranspose2d(4, 4, 3, 1, 1), nn.ConvTranspose2d(4, 2, 4, 2, 1)))  # fmt: skip
def transposed():
    return linen.Sequential(
        [
            linen.ConvTranspose(4, (4, 4), (2, 2)),
            linen.relu,
            linen.ConvTranspose(4, (3, 3)),
            linen.ConvTranspose(2, (4, 4), (2, 2)),
        ]
    )


@network("dilated", (1, 40, 40, 3), lambda: nn.Sequential(
    nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=2, dilation=2), nn.ReLU(),
    nn.Conv2d(4, 4, 3, padding=(4, 1), dilation=(4, 1)), nn.Conv2d(4, 2, 3, dilation=3)))  # fmt: skip
@shapes_alone
def dilated():
    rngs = nnx.Rngs(0)
    return nnx.Sequential(
        nnx.Conv(3, 4, (3, 3), rngs=rngs),
        nnx.Conv(4, 4, (3, 3), kernel_dilation=2, rngs=rngs),
        nnx.relu,
        nnx.Conv(4, 4, (3, 3), kernel_dilation=(4, 1), rngs=rngs),
        nnx.Conv(4, 2, (3, 3), kernel_dilation=3, padding="VALID", rngs=rngs),
    )


def inverted_twin(channels, stride):
    inner = 2 * channels
    layers = [
        nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner), nn.ReLU6(),
        nn.Conv2d(inner, inner, 3, stride, 1, groups=inner), nn.BatchNorm2d(inner),
        nn.ReLU6(), nn.Conv2d(inner, channels, 1),
    ]  # fmt: skip
    return Residual(*layers) if stride == 1 else nn.Sequential(*layers)


class Inverted(nnx.Module):
    def __init__(self, channels, stride, rngs):
        inner = 2 * channels
        self.widen = nnx.Conv(channels, inner, (1, 1), rngs=rngs)
        self.norm = nnx.BatchNorm(inner, use_running_average=True, rngs=rngs)
        self.other = nnx.BatchNorm(inner, use_running_average=True, rngs=rngs)
        self.depthwise = nnx.Conv(
            inner, inner, (3, 3), stride, padding=SAME, feature_group_count=inner, rngs=rngs
        )
        self.narrow = nnx.Conv(inner, channels, (1, 1), rngs=rngs)
        self.residual = stride == 1

    def __call__(self, x):
        y = self.narrow(nnx.relu6(self.other(self.depthwise(nnx.relu6(self.norm(self.widen(x)))))))
        return x + y if self.residual else y


@network("depthwise", (1, 40, 40, 4), lambda: nn.Sequential(
    inverted_twin(4, 1), inverted_twin(4, 2), inverted_twin(4, 1), inverted_twin(4, 2)))  # fmt: skip
@shapes_alone
def depthwise():
    rngs = nnx.Rngs(0)
    return nnx.Sequential(*(Inverted(4, stride, rngs) for stride in (1, 2, 1, 2)))


class InceptionTwin(nn.Module):
    def __init__(self, inside):
        super().__init__()
        self.one = nn.Conv2d(inside, 2, 1)
        self.three = nn.Sequential(nn.Conv2d(inside, 2, 1), nn.Conv2d(2, 4, 3, padding=1))
        self.wide = nn.Sequential(
            nn.Conv2d(inside, 2, (1, 7), padding=(0, 3)), nn.Conv2d(2, 2, (7, 1), padding=(3, 0))
        )
        self.pool = nn.Sequential(nn.AvgPool2d(3, 1, 1), nn.Conv2d(inside, 2, 1))

    def forward(self, x):
        return torch.cat([self.one(x), self.three(x), self.wide(x), self.pool(x)], 1).relu()


class Inception(linen.Module):
    @linen.compact
    def __call__(self, x):
        one = linen.Conv(2, (1, 1))(x)
        three = linen.Conv(4, (3, 3))(linen.Conv(2, (1, 1))(x))
        wide = linen.Conv(2, (7, 1))(linen.Conv(2, (1, 7))(x))
        pool = linen.Conv(2, (1, 1))(linen.avg_pool(x, (3, 3), (1, 1), SAME))
        return linen.relu(jnp.concatenate([one, three, wide, pool], -1))


@network("inception", (1, 32, 32, 3), lambda: nn.Sequential(
    InceptionTwin(3), nn.MaxPool2d(3, 2), InceptionTwin(10)))  # fmt: skip
def inception():
    return linen.Sequential([Inception(), lambda x: linen.max_pool(x, (3, 3), (2, 2)), Inception()])
