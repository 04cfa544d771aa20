"""Networks in flax and equinox, each with a twin in PyTorch that sees exactly the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import numpy as np
import torch
import torch.nn.functional as F
from flax import linen, nnx
from jax import numpy as jnp
from torch import nn

NHWC = {3: (0, 2, 1), 4: (0, 3, 1, 2), 5: (0, 4, 1, 2, 3)}
"""How to bring channels from behind to where PyTorch has them, by rank."""
SAME = ((1, 1), (1, 1))


@dataclass(frozen=True)
class Network:
    """One network twice: ``build()`` in JAX, to be given ``shape``, and ``twin()`` in PyTorch, given ``twin_shape``.

    ``layout`` and ``twin_layout`` are what `analyze` is told (None: the default). ``moved`` are the axes of a JAX output in
    the order of the twin's.
    """

    name: str
    build: Callable[[], Any]
    shape: tuple[int, ...]
    twin: Callable[[], nn.Module]
    twin_shape: tuple[int, ...]
    layout: str | None = None
    twin_layout: str | None = None
    moved: Sequence[int] | None = None

    def order(self, rank: int) -> Sequence[int]:
        """The axes of a JAX output in the order of the twin's."""
        return self.moved if self.moved is not None else NHWC[rank]


NETWORKS: list[Network] = []


def network(
    name: str,
    shape: tuple[int, ...],
    twin: Callable[[], nn.Module],
    twin_shape: tuple[int, ...] | None = None,
    **options: Any,
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Registers the JAX side of a network with its twin; images are channels last in JAX, so that the twin's shape follows."""
    turned = twin_shape or tuple(shape[axis] for axis in NHWC[len(shape)])

    def register(build: Callable[[], Any]) -> Callable[[], Any]:
        NETWORKS.append(Network(name, build, shape, twin, turned, **options))
        return build

    return register


def tokens(name: str, shape: tuple[int, ...], twin: Callable[[], nn.Module]) -> Any:
    """As `network`, for (N, T, C) on both sides."""
    return network(name, shape, twin, shape, twin_layout="NTC", moved=range(len(shape)))


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Residual(nn.Module):
    def __init__(self, *inner, skip=None):
        super().__init__()
        self.inner, self.skip = nn.Sequential(*inner), skip or nn.Identity()

    def forward(self, x):
        return self.inner(x) + self.skip(x)


# Stacks of convolutions


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
    nn.Conv2d(3, 4, 3, 1, 1), basic_twin(4, 4, 1), basic_twin(4, 8, 2), basic_twin(8, 8, 1), basic_twin(8, 8, 2)))  # fmt: skip
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
    nn.ConvTranspose2d(3, 4, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(4, 4, 3, 1, 1), nn.ConvTranspose2d(4, 2, 4, 2, 1)))  # fmt: skip
def transposed():
    return linen.Sequential(
        [
            linen.ConvTranspose(4, (4, 4), (2, 2)),
            linen.relu,
            linen.ConvTranspose(4, (3, 3)),
            linen.ConvTranspose(2, (4, 4), (2, 2)),
        ]
    )


def shapes_alone(build):
    """An nnx module whose parameters are shapes: to make up numbers for them takes far longer."""
    return lambda: nnx.eval_shape(build)


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
        nn.Conv2d(inner, inner, 3, stride, 1, groups=inner), nn.BatchNorm2d(inner), nn.ReLU6(), nn.Conv2d(inner, channels, 1),
    ]  # fmt: skip
    return Residual(*layers) if stride == 1 else nn.Sequential(*layers)


class Inverted(nnx.Module):
    def __init__(self, channels, stride, rngs):
        inner = 2 * channels
        self.widen = nnx.Conv(channels, inner, (1, 1), rngs=rngs)
        self.norm = nnx.BatchNorm(inner, use_running_average=True, rngs=rngs)
        self.depthwise = nnx.Conv(
            inner, inner, (3, 3), stride, padding=SAME, feature_group_count=inner, rngs=rngs
        )
        self.narrow = nnx.Conv(inner, channels, (1, 1), rngs=rngs)
        self.residual = stride == 1

    def __call__(self, x):
        y = self.narrow(nnx.relu6(self.depthwise(nnx.relu6(self.norm(self.widen(x))))))
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
    nn.Conv3d(2, 4, 3, 1, 1), nn.ReLU(), nn.MaxPool3d((1, 2, 2)), nn.Conv3d(4, 4, (3, 1, 1), padding=(1, 0, 0)), nn.AvgPool3d(2)))  # fmt: skip
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


# equinox: one sample, channels first; a batch by vmap


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


# Sequences


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


class WaveTwin(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv1d(4, 8, 2, dilation=2**k) for k in range(4)])

    def forward(self, x):
        for k, conv in enumerate(self.convs):
            a, b = conv(F.pad(x, (2**k, 0))).chunk(2, 1)
            x = x + a.tanh() * b.sigmoid()
        return x


class Wave(nnx.Module):
    def __init__(self, rngs):
        self.convs = nnx.List(
            [nnx.Conv(4, 8, (2,), kernel_dilation=2**k, padding="CAUSAL", rngs=rngs) for k in range(4)]
        )

    def __call__(self, x):
        for conv in self.convs:
            a, b = jnp.split(conv(x), 2, -1)
            x = x + jnp.tanh(a) * nnx.sigmoid(b)
        return x


network("WaveNet", (1, 40, 4), WaveTwin)(shapes_alone(lambda: Wave(nnx.Rngs(0))))


class RecurrentTwin(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)[0]


@tokens("LSTM", (2, 7, 3), lambda: RecurrentTwin(nn.LSTM(3, 4, batch_first=True)))
@shapes_alone
def lstm():
    rngs = nnx.Rngs(0)
    return nnx.RNN(nnx.LSTMCell(3, 4, rngs=rngs), rngs=rngs)


class Both(linen.Module):
    @linen.compact
    def __call__(self, x):
        return linen.Bidirectional(linen.RNN(linen.GRUCell(4)), linen.RNN(linen.GRUCell(4)))(x)


tokens(
    "GRU, both ways", (2, 6, 3), lambda: RecurrentTwin(nn.GRU(3, 4, batch_first=True, bidirectional=True))
)(Both)
