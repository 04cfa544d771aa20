"""Convolutions and recurrence in time."""

from __future__ import annotations

import torch.nn.functional as F
from flax import linen, nnx
from jax import numpy as jnp
from torch import nn

from tests.frontends.jax.networks import network, shapes_alone, tokens


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
