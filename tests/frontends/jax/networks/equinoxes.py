"""Networks of equinox: one sample, channels first; a batch by vmap."""

from __future__ import annotations

import equinox as eqx
import jax
import torch
import torch.nn.functional as F
from jax import numpy as jnp
from torch import nn

from tests.frontends.jax.networks import network


class Batched(eqx.Module):
    inner: eqx.Module

    def __call__(self, x):
        return jax.vmap(self.inner)(x)


class ConvBlock(eqx.Module):
    layers: list

    def __init__(self, key):
        keys = jax.random.split(key, 3)
        self.layers = [
            eqx.nn.Conv2d(3, 8, 3, padding=1, key=keys[0]),
            jax.nn.relu,
            eqx.nn.MaxPool2d(2, 2),
            eqx.nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=2, key=keys[1]),
            eqx.nn.AvgPool2d(3, 1, padding=1),
            eqx.nn.ConvTranspose2d(8, 4, 2, 2, key=keys[2]),
        ]

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


@network("equinox stack", (1, 3, 32, 32), lambda: nn.Sequential(
    nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, 2, 1, groups=2), nn.AvgPool2d(3, 1, 1),
    nn.ConvTranspose2d(8, 4, 2, 2)), (1, 3, 32, 32), layout="NCHW", moved=(0, 1, 2, 3))  # fmt: skip
def equinox_stack():
    return eqx.filter_eval_shape(lambda: Batched(ConvBlock(jax.random.key(0))))


class Shuffle(eqx.Module):
    first: eqx.nn.Conv2d
    last: eqx.nn.Conv2d

    def __init__(self, key):
        first, last = jax.random.split(key)
        self.first = eqx.nn.Conv2d(3, 12, 3, padding=1, key=first)
        self.last = eqx.nn.Conv2d(3, 2, 3, padding=1, key=last)

    def __call__(self, x):
        x = self.first(x)
        _, h, w = x.shape
        x = x.reshape(3, 2, 2, h, w).transpose(0, 3, 1, 4, 2).reshape(3, 2 * h, 2 * w)
        return self.last(x)


@network("pixel shuffle", (1, 3, 12, 12), lambda: nn.Sequential(
    nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(3, 2, 3, padding=1)), (1, 3, 12, 12),
    layout="NCHW", moved=(0, 1, 2, 3))  # fmt: skip
def pixel_shuffle():
    return eqx.filter_eval_shape(lambda: Batched(Shuffle(jax.random.key(0))))


class AtrousTwin(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, 2, 1)
        self.branches = nn.ModuleList([nn.Conv2d(4, 2, 3, padding=d, dilation=d) for d in (1, 3, 6)])
        self.last = nn.Conv2d(6, 2, 1)

    def forward(self, x):
        x = self.stem(x).relu()
        x = self.last(torch.cat([branch(x) for branch in self.branches], 1))
        return F.interpolate(x, scale_factor=2, mode="bilinear")


class Atrous(eqx.Module):
    stem: eqx.nn.Conv2d
    branches: list
    last: eqx.nn.Conv2d

    def __init__(self, key):
        keys = jax.random.split(key, 5)
        self.stem = eqx.nn.Conv2d(3, 4, 3, 2, 1, key=keys[0])
        self.branches = [
            eqx.nn.Conv2d(4, 2, 3, padding=d, dilation=d, key=k)
            for d, k in zip((1, 3, 6), keys[1:4], strict=True)
        ]
        self.last = eqx.nn.Conv2d(6, 2, 1, key=keys[4])

    def __call__(self, x):
        x = jax.nn.relu(self.stem(x))
        x = self.last(jnp.concatenate([branch(x) for branch in self.branches]))
        return jax.image.resize(x, (x.shape[0], 2 * x.shape[1], 2 * x.shape[2]), "bilinear")


@network("atrous pyramid", (1, 3, 48, 48), AtrousTwin, (1, 3, 48, 48), layout="NCHW", moved=(0, 1, 2, 3))
def atrous():
    return eqx.filter_eval_shape(lambda: Batched(Atrous(jax.random.key(0))))
