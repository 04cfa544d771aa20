"""Reductions, softmax, scans and sorts."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from tests.frontends.torch.case import Case

X = ((2, 3, 4),)

CASES = [
    Case("sum", torch.sum, X),
    Case("mean axes", lambda x: x.mean((0, 2)), X),
    Case("mean keep", lambda x: x.mean(1, keepdim=True), X),
    Case("var", lambda x: x.var(1), X),
    Case("std whole", torch.std, X),
    Case("var_mean", lambda x: torch.var_mean(x, (1, 2), correction=0), X),
    Case("amax", lambda x: x.amax((1,)), X, draws=40),
    Case("max axis", lambda x: x.max(1).values, X, draws=40),
    Case("min whole", torch.min, ((2, 2),), draws=40),
    Case("mode of the last axis", lambda x: x.mode().values, X, oracles=("gradient",), draws=40),
    Case("logsumexp", lambda x: x.logsumexp(2), X),
    Case("prod", lambda x: x.prod(1), X),
    Case("vector norm", lambda x: torch.linalg.vector_norm(x, dim=1), X),
    Case("normalize", lambda x: F.normalize(x, dim=1), X),
    Case("softmax", lambda x: x.softmax(1), X),
    Case("log_softmax", lambda x: x.log_softmax(-1), X),
    Case("softmax backward", lambda g, y: torch._softmax_backward_data(g, y, 1, y.dtype), (X[0], X[0])),
    Case("quantile", lambda x: x.quantile(0.3, 1), X, oracles=("nan",)),
    Case("quantiles of all", lambda x, q: x.quantile(q % 1), ((2, 2), (3,)), oracles=("gradient",), draws=60),
    Case("quantiles of one", lambda x, q: x.quantile(q % 1, dim=1), ((2, 1), (3,)), oracles=("gradient",)),
    Case("nanquantile", lambda x: x.nanquantile(0.5, -1, keepdim=True), X, oracles=("gradient",), draws=60),
    Case(
        "segments",
        lambda x: torch.segment_reduce(x, "sum", lengths=torch.tensor([2, 0, 1]), axis=0),
        ((3, 2),),
        oracles=("gradient",),
    ),
    Case(
        "segments apart",
        lambda x: torch.segment_reduce(x, "max", offsets=torch.tensor([[0, 1, 3], [0, 2, 3]]), axis=1),
        ((2, 3),),
        oracles=("nan",),
    ),
    Case("cumsum", lambda x: x.cumsum(1), X),
    Case("cumprod", lambda x: x.cumprod(2), X),
    Case("logcumsumexp", lambda x: x.logcumsumexp(1), X),
    Case("cummax", lambda x: x.cummax(1).values, X, oracles=("gradient",), draws=60),
    Case("sort", lambda x: x.sort(1).values, X, oracles=("gradient",), draws=60),
    Case("topk", lambda x: x.topk(2, dim=1).values, X, oracles=("gradient",), draws=60),
]
