"""Pointwise ops, static masks and factories."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from tests.frontends.torch.case import Case

X = ((2, 3),)
CHECKER = torch.tensor([[True, False, True], [False, True, True]])
BAND = torch.tensor([[True, False, True]])

UNARY = {
    "relu": F.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "hardswish": F.hardswish,
    "elu": F.elu,
    "mish": F.mish,
    "softplus": F.softplus,
    "log_sigmoid": F.logsigmoid,
    "dropout": lambda x: F.dropout(x, training=False),
    "cast": lambda x: x.float().double(),
    "scalar": lambda x: 1 - 2 * x**3 / 7,
    "clamp": lambda x: x.clamp(min=0.1, max=5),
    "lerp": lambda x: torch.lerp(x, torch.ones(3, dtype=torch.float64), 0.3),
    "complex": lambda x: torch.complex(x, 2 * x).abs(),
    "copy": lambda x: torch.empty_like(x).copy_(x),
    "like": lambda x: x + torch.zeros_like(x) + torch.ones_like(x) + torch.full_like(x, 3) + x.new_zeros(3),
}

CASES = [
    *(Case(name, function, X) for name, function in UNARY.items()),
    Case("add broadcast", torch.add, ((2, 3), (3,))),
    Case("add new axes", lambda x, y: x + y[:, None], ((3,), (2,))),
    Case("addcmul", torch.addcmul, ((2, 3), (3,), (2, 1))),
    Case("addcdiv", torch.addcdiv, ((2, 3), (2, 3), (2, 3))),
    Case("lerp tensors", torch.lerp, ((2, 3), (2, 3), (2, 3))),
    Case("prelu", torch.nn.PReLU(3), X, oracles=("nan",)),
    Case("maximum", torch.maximum, ((2, 3), (2, 3)), draws=12),
    Case(
        "where unknown",
        lambda x, y: torch.where(x > 1, x, y),
        ((2, 3), (2, 3)),
        oracles=("gradient",),
        draws=12,
    ),
    Case("where known", lambda x, y: torch.where(CHECKER, x, y), ((2, 3), (2, 3))),
    Case("where separable", lambda x, y: torch.where(BAND, x, y), ((2, 3), (2, 3))),
    Case("masked_fill known", lambda x: x.masked_fill(CHECKER, 0), X),
    Case("masked_fill known band", lambda x: x.masked_fill(BAND, 7), X),
    Case("mul known zeros", lambda x: x * CHECKER, X, oracles=("gradient",)),
    Case("tril", torch.tril, ((2, 3, 3),), oracles=("gradient", "nan")),
    Case("triu 3d", lambda x: torch.triu(x, 1), ((2, 3, 4),), oracles=("gradient", "nan")),
    Case("glu", lambda x: F.glu(x, 1), ((2, 4, 3),)),
    Case("rrelu", F.rrelu, X),
    Case("frexp", lambda x: torch.frexp(x).mantissa, X),
    Case("loss", F.mse_loss, ((2, 3), (2, 3))),
    Case("loss unreduced", lambda x, y: F.huber_loss(x, y, reduction="none"), ((2, 3), (2, 3))),
    Case("fill", lambda x: torch.zeros_like(x).fill_(x[0, 0]), X),
]
