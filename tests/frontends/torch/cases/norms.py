"""Normalisations, in evaluation and in training."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from tests.frontends.torch.case import Case

IMAGE = ((2, 4, 2, 3),)


def updated(x, mean, variance):
    mean, variance = mean.clone(), variance.clone()
    results = torch._native_batch_norm_legit(x, None, None, mean, variance, True, 0.1, 1e-5)
    return *results, mean, variance


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
    Case("renorm", lambda x: x.renorm(2, 1, 0.5), ((2, 3, 2),), oracles=("gradient",)),
    Case("batch norm and its statistics", updated, ((2, 3, 2), (3,), (3,)), oracles=("nan",)),
    Case("cosine similarity", lambda x, y: torch.cosine_similarity(x, y, dim=1), ((2, 4, 3), (2, 4, 3))),
]
