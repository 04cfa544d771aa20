"""An op that no lowering knows, and models to say no with."""

import torch
from torch import nn


@torch.library.custom_op("eyeshot_tests::mystery", mutates_args=())
def mystery(x: torch.Tensor) -> torch.Tensor:
    return x.flip(-1)


@mystery.register_fake
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


class Mystery(nn.Module):
    def forward(self, x):
        return mystery(x)


class Refuses(nn.Module):
    def forward(self, x):
        raise ValueError("the lens cap is on")


def plain():
    """Two layers that can be followed by hand: fields of 3 and 7, strides of 2."""
    return nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.Conv2d(4, 5, 3))


def strange():
    return nn.Sequential(nn.Conv2d(3, 4, 3), Mystery(), nn.Conv2d(4, 4, 3))


def refusing():
    return nn.Sequential(nn.Conv2d(3, 4, 3), Refuses())


def no_model():
    return 3
