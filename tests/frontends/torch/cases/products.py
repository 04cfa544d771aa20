"""Matrix products and linear algebra."""

from __future__ import annotations

import torch
from torch import nn

from tests.frontends.torch.case import Case

BLOCKS = torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 3.0]], dtype=torch.float64)

CASES = [
    Case("linear", nn.Linear(3, 4), ((2, 2, 3),)),
    Case("linear functional", nn.functional.linear, ((2, 3), (4, 3), (4,))),
    Case("mm", torch.mm, ((2, 3), (3, 2))),
    Case("bmm", torch.bmm, ((2, 2, 3), (2, 3, 2))),
    Case("matmul broadcast", torch.matmul, ((2, 1, 2, 3), (2, 3, 2))),
    Case("matmul vector", torch.matmul, ((2, 2, 3), (3,))),
    Case("dot", torch.dot, ((3,), (3,))),
    Case("mv", torch.mv, ((2, 3), (3,))),
    Case("outer", torch.outer, ((2,), (3,))),
    Case("addmm", torch.addmm, ((3,), (2, 3), (3, 3))),
    Case("baddbmm", torch.baddbmm, ((2, 2, 2), (2, 2, 3), (2, 3, 2))),
    Case("einsum", lambda x, y: torch.einsum("bik,bjk->bji", x, y), ((2, 2, 3), (2, 3, 3))),
    Case("einsum implicit", lambda x, y: torch.einsum("ik,kj", x, y), ((2, 3), (3, 2))),
    Case("einsum ellipsis", lambda x, y: torch.einsum("...ij,jk->...k", x, y), ((2, 1, 2, 3), (3, 2))),
    Case("einsum diagonal", lambda x: torch.einsum("bii->bi", x), ((2, 3, 3),)),
    Case("einsum trace", lambda x, y: torch.einsum("iji,j->j", x, y), ((2, 3, 2), (3,))),
    Case(
        "einsum constant",
        lambda x: torch.einsum("oc,bchw->bohw", BLOCKS, x),
        ((1, 3, 1, 2),),
        reason="zero-coefficient",
        oracles=("gradient",),
    ),
    Case("trace", torch.trace, ((3, 2),)),
    Case("cross", lambda x, y: torch.linalg.cross(x, y, dim=1), ((2, 3), (2, 3))),
    Case("tensordot", lambda x, y: torch.tensordot(x, y, dims=([1], [0])), ((2, 3), (3, 2))),
    Case("known zeros right", lambda x: x @ BLOCKS.T, ((2, 3),), oracles=("gradient",)),
    Case("known zeros left", lambda x: BLOCKS @ x, ((3, 2),), oracles=("gradient",)),
    Case(
        "known zeros of a batch",
        lambda x: torch.stack([BLOCKS, BLOCKS.flip(0)]) @ x,
        ((3, 2),),
        oracles=("gradient",),
        reason="zero-coefficient",
    ),
    Case("bilinear", nn.Bilinear(2, 3, 2), ((2, 2), (2, 3))),
    Case("bilinear functional", nn.functional.bilinear, ((2, 2), (2, 3), (4, 2, 3), (4,))),
    Case("cdist", torch.cdist, ((2, 3, 2), (2, 2, 2))),
    Case("pdist", nn.functional.pdist, ((4, 2),)),
    Case("addr", torch.addr, ((2, 3), (2,), (3,))),
    Case("addr, no summand", lambda x, y, z: torch.addr(x, y, z, beta=0), ((2, 3), (2,), (3,))),
    Case(
        "addbmm, no product",
        lambda x, y, z: torch.addbmm(x, y, z, alpha=0),
        ((2, 2), (2, 2, 3), (2, 3, 2)),
        oracles=("gradient",),
    ),
    Case(
        "lstsq, one column",
        lambda x, y: torch.linalg.lstsq(x, y).solution,
        ((2, 3, 2), (2, 3)),
        oracles=("gradient",),
        reason="zero-coefficient",
    ),
    Case(
        "householder product",
        torch.linalg.householder_product,
        ((2, 3, 2), (2, 2)),
        oracles=("gradient",),
        reason="zero-coefficient",
    ),
    Case(
        "ormqr", torch.ormqr, ((2, 3, 2), (2, 2), (2, 3, 2)), oracles=("gradient",), reason="zero-coefficient"
    ),
    Case("inverse", torch.linalg.inv, ((2, 2, 2),)),
    Case("solve", torch.linalg.solve, ((2, 2, 2), (2, 2, 3)), oracles=("gradient",)),
]
