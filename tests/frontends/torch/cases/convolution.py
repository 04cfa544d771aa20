"""Convolutions of every kind."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from tests.frontends.torch.case import Case


def _deform_inputs(generator):
    def draw(*shape):
        return torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5

    return [draw(1, 2, 4, 4), draw(1, 8, 3, 3), draw(1, 4, 3, 3)]


class Deform(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(3, 2, 2, 2))

    def forward(self, x, offset, mask):
        from torchvision.ops import deform_conv2d

        return deform_conv2d(x, offset, self.weight, mask=mask)


class Tbc(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.rand(3, 2, 3)), nn.Parameter(torch.rand(3))

    def forward(self, x):
        return torch.conv_tbc(x, self.weight, self.bias, 1)


CASES = [
    Case("conv1d", nn.Conv1d(2, 3, 3, padding=1), ((2, 2, 6),)),
    Case(
        "conv1d known zeros",
        lambda x: F.conv1d(x, torch.tensor([[[1.0, 0.0, -1.0]]], dtype=torch.float64), padding=1),
        ((1, 1, 4),),
        oracles=("gradient",),
        reason="zero-coefficient",
    ),
    Case("conv1d-unbatched", nn.Conv1d(2, 3, 3, padding=1), ((2, 6),)),
    Case("conv2d", nn.Conv2d(2, 2, (3, 2), stride=(2, 1), padding=(1, 0)), ((1, 2, 5, 4),)),
    Case("conv2d-1x1", nn.Conv2d(3, 2, 1), ((1, 3, 3, 3),)),
    Case("conv2d-dilated", nn.Conv2d(1, 1, 3, dilation=(2, 1), padding=(2, 1)), ((1, 1, 6, 4),)),
    Case("conv2d-wide-padding", nn.Conv2d(1, 1, 2, padding=3, stride=2), ((1, 1, 3, 4),)),
    Case("conv2d-same", nn.Conv2d(1, 1, (4, 3), padding="same"), ((1, 1, 5, 4),)),
    Case("conv2d-same-dilated", nn.Conv2d(1, 1, (2, 3), padding="same", dilation=3), ((1, 1, 5, 7),)),
    Case("conv2d-valid", nn.Conv2d(1, 1, 3, padding="valid"), ((1, 1, 5, 4),)),
    Case("conv2d-reflect", nn.Conv2d(1, 1, 3, padding=2, padding_mode="reflect"), ((1, 1, 4, 5),)),
    Case("conv2d-circular", nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"), ((1, 1, 4, 5),)),
    Case("conv2d-groups", nn.Conv2d(4, 6, 2, groups=2), ((2, 4, 3, 3),)),
    Case("conv2d-depthwise", nn.Conv2d(3, 3, 3, groups=3, padding=1), ((1, 3, 3, 4),)),
    Case("conv2d-depthwise-multiplied", nn.Conv2d(3, 6, 2, groups=3), ((1, 3, 3, 3),)),
    Case("conv3d", nn.Conv3d(1, 2, (1, 2, 3), stride=(1, 1, 2), padding=(0, 1, 1)), ((1, 1, 2, 3, 4),)),
    Case("transposed1d", nn.ConvTranspose1d(2, 2, 4, stride=2, padding=1), ((1, 2, 4),)),
    Case("transposed1d-sparse", nn.ConvTranspose1d(1, 1, 2, stride=3, output_padding=2), ((1, 1, 4),)),
    Case("transposed2d", nn.ConvTranspose2d(2, 3, 3, (2, 1), (1, 2), (1, 0)), ((1, 2, 3, 4),)),
    Case("transposed2d-dilated", nn.ConvTranspose2d(1, 1, 3, 2, 1, dilation=(2, 3)), ((1, 1, 3, 3),)),
    Case("transposed2d-groups", nn.ConvTranspose2d(4, 6, 2, 2, groups=2), ((1, 4, 2, 2),)),
    Case("transposed3d", nn.ConvTranspose3d(1, 1, 2, 2, 0, 1), ((1, 1, 1, 2, 2),)),
    Case("conv2d-computed-weights", F.conv2d, ((1, 2, 4, 4), (3, 2, 2, 2), (3,))),
    Case(
        "conv2d-computed-weights-grouped",
        lambda x, w: F.conv2d(x, w, groups=2, stride=2),
        ((1, 4, 4, 4), (2, 2, 2, 2)),
    ),
    Case(
        "conv2d-computed-weights-padded",
        lambda x, w: F.conv2d(x, w, padding=1),
        ((1, 2, 3, 3), (2, 2, 2, 2)),
        oracles=("gradient",),  # a NaN weight times the 0 of padding is NaN
    ),
    Case(
        "transposed2d-computed-weights",
        lambda x, w: F.conv_transpose2d(x, w, stride=2, groups=2),
        ((1, 4, 2, 2), (4, 2, 2, 2)),
    ),
    Case(
        "conv2d-computed-weights-same",
        lambda x, w: F.conv2d(x, w, padding="same"),
        ((1, 1, 3, 4), (1, 1, 2, 4)),
        oracles=("gradient",),
    ),
    Case(
        "conv1d-computed-weights-cropped",
        lambda x, w: F.conv1d(F.pad(x, (-1, 1)), w, padding=1),
        ((1, 1, 5), (1, 1, 3)),
        oracles=("gradient",),
    ),
    Case(
        "transposed1d-computed-weights-padded",
        lambda x, w: F.conv_transpose1d(x, w, stride=2, padding=2, output_padding=1, dilation=2),
        ((1, 2, 5), (2, 1, 3)),
    ),
    Case(
        "conv-tbc-computed-weights",
        lambda x, w, b: torch.conv_tbc(x, w, b, 1),
        ((4, 1, 2), (3, 2, 2), (2,)),
        oracles=("gradient",),
    ),
    Case("conv-tbc", Tbc(), ((4, 1, 2),)),
    Case("deformable", Deform(), make=_deform_inputs, reason="data-dependent-index", oracles=("gradient",)),
]
