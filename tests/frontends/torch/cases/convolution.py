"""Convolutions of every kind."""

from __future__ import annotations

from tests.frontends.torch.case import Case
from torch import nn

CASES = [
    Case("conv1d", nn.Conv1d(2, 3, 3, padding=1), ((2, 2, 6),)),
    Case("conv2d", nn.Conv2d(2, 2, (3, 2), stride=(2, 1), padding=(1, 0)), ((1, 2, 5, 4),)),
]
