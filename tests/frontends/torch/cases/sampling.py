"""Sampling at computed positions."""

from __future__ import annotations

from torch.nn import functional as F

from tests.frontends.torch.case import Case

DYNAMIC = "data-dependent-index"

CASES = [
    Case(
        "grid_sample",
        lambda x, g: F.grid_sample(x, g - 1, align_corners=False),
        ((2, 2, 3, 3), (2, 2, 2, 2)),
        reason=DYNAMIC,
        oracles=("gradient",),
    ),
    Case(
        "grid_sample 3d",
        lambda x, g: F.grid_sample(x, g - 1, align_corners=True),
        ((1, 1, 2, 2, 2), (1, 1, 2, 1, 3)),
        reason=DYNAMIC,
        oracles=("gradient",),
    ),
    Case("affine_grid", lambda t: F.affine_grid(t, (2, 1, 2, 4), align_corners=False), ((2, 2, 3),)),
    Case(
        "affine_grid odd",
        lambda t: F.affine_grid(t, (2, 1, 3, 4), align_corners=False),
        ((2, 2, 3),),
        reason="zero-coefficient",
    ),
]
