"""Pooling and unpooling."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from tests.frontends.torch.case import Case

NAN = ("nan",)


def _unpool_inputs(generator):
    x = torch.rand((1, 2, 4, 4), generator=generator, dtype=torch.float64)
    values, indices = F.max_pool2d(x, 2, return_indices=True)
    return [values, indices]


class Fractional(nn.Module):
    """The samples are drawn once, so that the oracles see the same windows again."""

    def __init__(self, rank) -> None:
        super().__init__()
        self.pool = F.fractional_max_pool2d if rank == 2 else F.fractional_max_pool3d
        generator = torch.Generator().manual_seed(3)
        samples = torch.rand(1, 1, rank, generator=generator, dtype=torch.float64)
        self.samples = nn.Parameter(samples, requires_grad=False)
        self.rank = rank

    def forward(self, x):
        return self.pool(x, 2, output_size=(3,) * self.rank, _random_samples=self.samples % 1)


def _unpool_known(x):
    return F.max_unpool2d(x, torch.tensor([[[[3, 0], [15, 9]]], [[[1, 2], [8, 14]]]]), 2)


def _unpool3d_known(x):
    return F.max_unpool3d(x, torch.tensor([[[[[3, 0], [15, 9]]], [[[1, 2], [8, 14]]]]]), (1, 2, 2))


CASES = [
    Case("max-pool1d", nn.MaxPool1d(3, 2, 1), ((1, 2, 7),), oracles=NAN),
    Case("max-pool2d", nn.MaxPool2d(3, 2, 1), ((1, 1, 6, 5),), oracles=NAN),
    Case("max-pool2d-unbatched", nn.MaxPool2d(2), ((2, 4, 5),), oracles=NAN),
    Case("max-pool2d-dilated", nn.MaxPool2d((2, 3), 1, 1, dilation=(3, 1)), ((1, 1, 6, 5),), oracles=NAN),
    Case("max-pool2d-ceil", nn.MaxPool2d(3, 2, ceil_mode=True), ((1, 1, 6, 4),), oracles=NAN),
    Case("max-pool3d", nn.MaxPool3d(2, 1), ((1, 1, 2, 3, 3),), oracles=NAN),
    Case("avg-pool1d", nn.AvgPool1d(3, 2, 1), ((1, 2, 7),)),
    Case("avg-pool2d", nn.AvgPool2d((2, 3), (1, 2), (1, 1)), ((1, 1, 4, 5),)),
    Case("avg-pool2d-ceil", nn.AvgPool2d(3, 2, 1, ceil_mode=True), ((1, 1, 6, 4),)),
    Case("avg-pool2d-no-pad", nn.AvgPool2d(3, 2, 1, count_include_pad=False), ((1, 1, 5, 5),)),
    Case("avg-pool3d", nn.AvgPool3d(2, 1, ceil_mode=True), ((1, 1, 2, 3, 3),)),
    Case("adaptive-avg1d", nn.AdaptiveAvgPool1d(3), ((1, 2, 7),)),
    Case("adaptive-avg2d", nn.AdaptiveAvgPool2d((3, 5)), ((1, 1, 7, 3),)),
    Case("adaptive-avg2d-global", nn.AdaptiveAvgPool2d(1), ((1, 2, 3, 3),)),
    Case("adaptive-avg2d-none", nn.AdaptiveAvgPool2d((None, 2)), ((1, 1, 3, 5),)),
    Case("adaptive-avg3d", nn.AdaptiveAvgPool3d((1, 2, 3)), ((1, 1, 2, 3, 4),)),
    Case("adaptive-max1d", nn.AdaptiveMaxPool1d(3), ((1, 2, 7),), oracles=NAN),
    Case("adaptive-max2d", nn.AdaptiveMaxPool2d((3, 1)), ((1, 1, 5, 4),), oracles=NAN),
    Case("adaptive-max3d", nn.AdaptiveMaxPool3d((1, 2, 2)), ((1, 1, 2, 3, 3),), oracles=NAN),
    Case("lp-pool2d", nn.LPPool2d(2, 2, 1), ((1, 1, 4, 3),)),
    Case("max-unpool2d", nn.MaxUnpool2d(2), make=_unpool_inputs, reason="data-dependent-index"),
    Case("max-unpool2d-known", _unpool_known, ((2, 1, 2, 2),)),
    Case("max-unpool3d-known", _unpool3d_known, ((1, 2, 1, 2, 2),)),
    Case("fractional-max2d", Fractional(2), ((1, 1, 7, 8),), reason="random-index", oracles=NAN),
    Case("fractional-max3d", Fractional(3), ((1, 1, 5, 5, 6),), reason="random-index", oracles=NAN),
]
