"""Normalisations, in evaluation and in training."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from tests.frontends.torch.case import Case

IMAGE = ((2, 4, 2, 3),)

CASES = [
    Case("batch norm", nn.BatchNorm2d(4), IMAGE),
    Case("batch norm train", lambda x: F.batch_norm(x, None, None, training=True), IMAGE),
    Case("instance norm", nn.InstanceNorm2d(4), IMAGE),
    Case("layer norm", nn.LayerNorm(3), IMAGE),
    Case("layer norm two axes", nn.LayerNorm((2, 3)), IMAGE),
    Case("group norm", nn.GroupNorm(2, 4), IMAGE),
    Case("group norm, one group of one sample", nn.GroupNorm(1, 2), ((1, 2, 2, 2),)),
    Case("rms norm", nn.RMSNorm(3), IMAGE),
    Case("local response norm", nn.LocalResponseNorm(3), ((1, 5, 2, 2),)),
    Case("cosine similarity", lambda x, y: torch.cosine_similarity(x, y, dim=1), ((2, 4, 3), (2, 4, 3))),
]
