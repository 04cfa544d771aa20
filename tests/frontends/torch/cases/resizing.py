"""Resizing in every mode and alignment.

PyTorch multiplies by weights of zero at aligned positions, so only the gradient decides.
"""

from __future__ import annotations

from functools import partial

from torch.nn import functional as F

from tests.frontends.torch.case import Case


def _case(name, shape, **kwargs):
    return Case(name, partial(F.interpolate, **kwargs), (shape,), oracles=("gradient",), draws=1)


CASES = [
    _case("nearest1d", (1, 2, 4), size=7),
    _case("nearest2d-twice", (1, 1, 3, 3), scale_factor=2),
    _case("nearest2d-factors", (1, 1, 4, 3), scale_factor=(1.7, 0.5)),
    _case("nearest2d-recomputed", (1, 1, 4, 5), scale_factor=1.3, recompute_scale_factor=True),
    _case("nearest3d", (1, 1, 2, 3, 2), size=(3, 2, 5)),
    _case("nearest-exact1d", (1, 1, 5), scale_factor=0.6, mode="nearest-exact"),
    _case("nearest-exact2d", (1, 1, 3, 4), size=(5, 3), mode="nearest-exact"),
    _case("linear1d", (1, 1, 5), scale_factor=1.5, mode="linear"),
    _case("linear1d-aligned", (1, 1, 5), size=9, mode="linear", align_corners=True),
    _case("bilinear-thrice", (1, 1, 3, 2), scale_factor=3, mode="bilinear"),
    _case("bilinear-aligned", (1, 1, 3, 4), size=(7, 3), mode="bilinear", align_corners=True),
    _case("bilinear-to-one", (1, 1, 4, 3), size=(1, 1), mode="bilinear", align_corners=True),
    _case("bilinear-down", (1, 1, 6, 7), scale_factor=0.4, mode="bilinear"),
    _case("trilinear", (1, 1, 2, 3, 2), size=(3, 4, 2), mode="trilinear"),
    _case("bicubic", (1, 1, 5, 4), size=(7, 8), mode="bicubic"),
    _case("bicubic-aligned", (1, 1, 4, 6), size=(7, 3), mode="bicubic", align_corners=True),
    _case("bilinear-antialiased", (1, 1, 8, 5), size=(3, 7), mode="bilinear", antialias=True),
    _case("bicubic-antialiased", (1, 1, 9, 4), size=(3, 6), mode="bicubic", antialias=True),
    # Of a factor that keeps or doubles an extent, slopes and values tell different stories: only NaN decides.
    *(
        Case(
            f"nearest{rank}d that keeps and doubles extents by ragged factors",
            partial(F.interpolate, scale_factor=(1.3, 2.3, 1.2)[:rank]),
            ((1, 1, *(3, 4, 4)[:rank]),),
            oracles=("nan",),
            reason="kernels-differ" if rank == 2 else None,
        )
        for rank in (1, 2, 3)
    ),
    Case(
        "nearest1d doubled by a ragged factor",
        partial(F.interpolate, scale_factor=2.3),
        ((1, 1, 3),),
        oracles=("nan",),
    ),
    Case(
        "nearest2d of a large output follows the factor",
        lambda x: F.interpolate(x.expand(-1, -1, -1, 130), scale_factor=(1.3, 1.0))[..., :1],
        ((1, 1, 3, 1),),
        oracles=("nan",),
        reason="kernels-differ",
    ),
    _case("area", (1, 1, 5, 4), size=(3, 4), mode="area"),
]
