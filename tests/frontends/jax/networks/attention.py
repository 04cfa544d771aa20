"""Attention: over patches, windows, the past."""

from __future__ import annotations

import jax
import numpy as np
import torch
import torch.nn.functional as F
from flax import linen, nnx
from jax import numpy as jnp
from torch import nn

from tests.frontends.jax.networks import Lambda, Residual, network, shapes_alone, tokens


class AttentionTwin(nn.Module):
    """Attention over (N, T, C), causal or free, with a learned bias for each pair of positions, if any."""

    def __init__(self, channels, heads, *, causal=False, length=0):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.project, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.bias = nn.Parameter(torch.randn(heads, length, length)) if length else None

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = self.project(x).reshape(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        out = F.scaled_dot_product_attention(q, k, v, self.bias, is_causal=self.causal)
        return self.out(out.transpose(1, 2).reshape(n, t, c))


def block_twin(channels, heads, **options):
    return nn.Sequential(
        Residual(nn.LayerNorm(channels), AttentionTwin(channels, heads, **options)),
        Residual(
            nn.LayerNorm(channels),
            nn.Linear(channels, 2 * channels),
            nn.GELU(),
            nn.Linear(2 * channels, channels),
        ),
    )


class Block(linen.Module):
    causal: bool = False

    @linen.compact
    def __call__(self, x):
        mask = linen.make_causal_mask(jnp.ones(x.shape[:2])) if self.causal else None
        x = x + linen.MultiHeadDotProductAttention(2)(linen.LayerNorm()(x), mask=mask)
        y = linen.gelu(linen.Dense(2 * x.shape[-1])(linen.LayerNorm()(x)))
        return x + linen.Dense(x.shape[-1])(y)


@tokens("causal transformer", (2, 12, 8), lambda: nn.Sequential(
    nn.Linear(8, 8), block_twin(8, 2, causal=True), block_twin(8, 2, causal=True)))  # fmt: skip
def causal():
    return linen.Sequential([linen.Dense(8), Block(causal=True), Block(causal=True)])


class PatchesTwin(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch, self.block = nn.Conv2d(3, 8, 4, 4), block_twin(8, 2)
        self.token, self.places = nn.Parameter(torch.zeros(1, 1, 8)), nn.Parameter(torch.zeros(1, 17, 8))

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places
        return x, self.block(x)


class Patches(linen.Module):
    @linen.compact
    def __call__(self, x):
        x = linen.Conv(8, (4, 4), 4, padding="VALID")(x)
        x = x.reshape(x.shape[0], -1, 8)
        token = self.param("token", linen.initializers.zeros, (1, 1, 8))
        x = jnp.concatenate([jnp.tile(token, (x.shape[0], 1, 1)), x], 1)
        x = x + self.param("places", linen.initializers.normal(), (1, 17, 8))
        return x, Block()(x)


network("ViT", (1, 16, 16, 3), PatchesTwin, moved=(0, 1, 2))(Patches)


def shifted_mask(size, window, shift):
    """Which pairs of places of a window come from one region of the image that was rolled."""
    region = np.zeros((size, size), int)
    bands = (slice(0, -window), slice(-window, -shift), slice(-shift, None))
    for number, (rows, columns) in enumerate((a, b) for a in bands for b in bands):
        region[rows, columns] = number
    parts = region.reshape(size // window, window, size // window, window).transpose(0, 2, 1, 3)
    flat = parts.reshape(-1, window * window)
    return flat[:, None, :] == flat[:, :, None]


class WindowsTwin(nn.Module):
    def __init__(self, channels, size, window, shift):
        super().__init__()
        self.size, self.window, self.shift = size, window, shift
        self.project, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        same = torch.as_tensor(shifted_mask(size, window, shift)) if shift else None
        self.register_buffer("mask", torch.where(same, 0.0, -torch.inf) if shift else None)

    def forward(self, x):
        n, h, w, c = x.shape
        x = torch.roll(x, (-self.shift, -self.shift), (1, 2))
        x = x.reshape(n, h // self.window, self.window, w // self.window, self.window, c)
        x = x.permute(0, 1, 3, 2, 4, 5).reshape(-1, self.window**2, c)
        q, k, v = self.project(x).chunk(3, -1)
        weights = q @ k.transpose(-1, -2)
        if self.mask is not None:
            weights = weights + self.mask
        x = self.out(weights.softmax(-1) @ v)
        x = x.reshape(n, h // self.window, w // self.window, self.window, self.window, c)
        x = x.permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)
        return torch.roll(x, (self.shift, self.shift), (1, 2))


class Windows(linen.Module):
    window: int
    shift: int

    @linen.compact
    def __call__(self, x):
        n, h, w, c = x.shape
        x = jnp.roll(x, (-self.shift, -self.shift), (1, 2))
        x = x.reshape(n, h // self.window, self.window, w // self.window, self.window, c)
        x = x.transpose(0, 1, 3, 2, 4, 5).reshape(-1, self.window**2, c)
        q, k, v = jnp.split(linen.Dense(3 * c)(x), 3, -1)
        weights = jnp.einsum("bqc,bkc->bqk", q, k)
        if self.shift:
            same = shifted_mask(h, self.window, self.shift)
            weights = weights + jnp.where(same, 0.0, -jnp.inf)
        x = linen.Dense(c)(jnp.einsum("bqk,bkc->bqc", jax.nn.softmax(weights), v))
        x = x.reshape(n, h // self.window, w // self.window, self.window, self.window, c)
        x = x.transpose(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)
        return jnp.roll(x, (self.shift, self.shift), (1, 2))


@network("shifted windows", (1, 16, 16, 4), lambda: nn.Sequential(
    Lambda(lambda x: x.permute(0, 2, 3, 1)), WindowsTwin(4, 16, 4, 0), WindowsTwin(4, 16, 4, 2),
    Lambda(lambda x: x.permute(0, 3, 1, 2))))  # fmt: skip
def shifted_windows():
    return linen.Sequential([Windows(4, 0), Windows(4, 2)])


class Relative(nnx.Module):
    def __init__(self, channels, heads, length, rngs):
        self.heads = heads
        self.project = nnx.Linear(channels, 3 * channels, rngs=rngs)
        self.out = nnx.Linear(channels, channels, rngs=rngs)
        self.table = nnx.Embed(2 * length - 1, heads, rngs=rngs)

    def __call__(self, x):
        n, t, c = x.shape
        q, k, v = jnp.moveaxis(self.project(x).reshape(n, t, 3, self.heads, c // self.heads), 2, 0)
        places = jnp.arange(t)
        bias = self.table(places[:, None] - places + t - 1).transpose(2, 0, 1)
        return self.out(jax.nn.dot_product_attention(q, k, v, bias[None]).reshape(n, t, c))


@tokens("relative positions", (1, 9, 8), lambda: AttentionTwin(8, 2, length=9))
@shapes_alone
def relative():
    return Relative(8, 2, 9, nnx.Rngs(0))


class MixerTwin(nn.Module):
    def __init__(self, length, channels):
        super().__init__()
        self.norm, self.other = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.across = nn.Sequential(nn.Linear(length, 6), nn.GELU(), nn.Linear(6, length))
        self.within = nn.Sequential(nn.Linear(channels, 6), nn.GELU(), nn.Linear(6, channels))

    def forward(self, x):
        x = x + self.across(self.norm(x).transpose(1, 2)).transpose(1, 2)
        return x + self.within(self.other(x))


class Mixer(linen.Module):
    @linen.compact
    def __call__(self, x):
        length, channels = x.shape[1:]
        y = linen.LayerNorm()(x).transpose(0, 2, 1)
        x = x + linen.Dense(length)(linen.gelu(linen.Dense(6)(y))).transpose(0, 2, 1)
        return x + linen.Dense(channels)(linen.gelu(linen.Dense(6)(linen.LayerNorm()(x))))


tokens("mixer", (1, 10, 4), lambda: MixerTwin(10, 4))(Mixer)
