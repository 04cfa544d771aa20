"""Regions of interest: the positions are data, so the lowerings are sound."""

from __future__ import annotations

import torch
from torchvision import ops

from tests.frontends.torch.case import Case

MOVING = "data-dependent-index"


def _regions(channels):
    def make(generator):
        x = torch.rand((2, channels, 5, 6), generator=generator, dtype=torch.float64) + 0.5
        corners = [[0, 0.3, 0.6, 3.7, 4.2], [1, 1.2, 0.4, 5.1, 3.3], [0, 2.1, 1.7, 4.6, 4.9]]
        return [x, torch.tensor(corners, dtype=torch.float64)]

    return make


class Suppressed(torch.nn.Module):
    """Scores of the boxes that are kept."""

    def forward(self, boxes, scores):
        return scores[ops.nms(boxes, scores, 0.5)]


def _boxes(generator):
    corners = torch.tensor([[0.0, 0, 4, 4], [0.1, 0, 4, 4], [5, 5, 9, 9]], dtype=torch.float64)
    return [corners, torch.tensor([0.9, 0.8, 0.7], dtype=torch.float64)]


CASES = [
    Case(
        "nms",
        Suppressed(),
        make=_boxes,
        reason="data-dependent-shape data-dependent-index",
        oracles=("gradient",),
    ),
    Case(
        "roi-align",
        lambda x, r: ops.roi_align(x, r, 2),
        make=_regions(2),
        reason=MOVING,
        oracles=("gradient",),
    ),
    Case(
        "roi-pool", lambda x, r: ops.roi_pool(x, r, 2), make=_regions(2), reason=MOVING, oracles=("gradient",)
    ),
    Case(
        "ps-roi-align",
        lambda x, r: ops.ps_roi_align(x, r, 2),
        make=_regions(8),
        reason=MOVING,
        oracles=("gradient",),
    ),
    Case(
        "ps-roi-pool",
        lambda x, r: ops.ps_roi_pool(x, r, 2),
        make=_regions(8),
        reason=MOVING,
        oracles=("gradient",),
    ),
]
