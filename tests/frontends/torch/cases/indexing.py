"""Reading and writing at positions, known and computed."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from tests.frontends.torch.case import Case

X = ((2, 3, 4),)
ROWS, COLUMNS = torch.tensor([[1], [0]]), torch.tensor([3, 0, 3])
GATHERED = torch.tensor([[[0, 2, 1, 1], [2, 0, 0, 1]]])
UNIQUE = torch.tensor([[[0, 2, 1, 0], [2, 0, 0, 1]]])
REPEATED = torch.tensor([[[0, 1, 0, 0], [2, 1, 0, 1]]])
DYNAMIC = "data-dependent-index"


def with_index(*shapes, high, size):
    """Floating inputs of these shapes, and an index of ``size`` below ``high``."""

    def make(generator):
        floats = [torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5 for shape in shapes]
        return [*floats, torch.randint(high, size, generator=generator)]

    return make


def put(x, values, accumulate=False):
    return x.index_put((torch.tensor([1, 0]), torch.tensor([2, 1])), values, accumulate)


def assign(x, y):
    out = x.clone()
    out[:, torch.tensor([0, 2])] = y
    return out


def weighted_bag(table, weights):
    indices, offsets = torch.tensor([0, 2, 2, 1]), torch.tensor([0, 2])
    return F.embedding_bag(indices, table, offsets, mode="sum", per_sample_weights=weights)


def masked_index(x):
    rows, columns = torch.tensor([[0], [5]]), torch.tensor([[1, 0, -1]])
    mask = torch.tensor([[True, False, True], [True, True, False]])
    return torch.ops.aten._unsafe_masked_index(x, mask, [rows, columns], 0.0)


def masked_index_added(x, values):
    rows, columns = torch.tensor([[0], [5]]), torch.tensor([[1, 0]])
    mask = torch.tensor([[True, False], [True, True]])
    return torch.ops.aten._unsafe_masked_index_put_accumulate(x, mask, [rows, columns], values)


def padded_bag(table, weights):
    indices, offsets = torch.tensor([0, 2, 2, 1, 3]), torch.tensor([0, 2])
    return F.embedding_bag(indices, table, offsets, mode="sum", per_sample_weights=weights, padding_idx=-2)


CASES = [
    Case("bags with a padding row", padded_bag, ((4, 3), (5,))),
    Case("index axis", lambda x: x[:, torch.tensor([2, 0, 0])], X),
    Case("index outer", lambda x: x[ROWS, torch.tensor([2, 1, 1])], X),
    Case("index adjacent", lambda x: x[:, ROWS[:, 0] + 1, COLUMNS[:2]], X),
    Case("index apart", lambda x: x[ROWS[:, 0], :, COLUMNS[:2] - 1], X),
    Case("index joint broadcast", lambda x: x[:, ROWS, COLUMNS], X),
    Case("index swapped axes", lambda x: x[COLUMNS[1:] % 2, torch.tensor([[1], [2]])], X),
    Case("index bool", lambda x: x[:, torch.tensor([True, False, True])], X),
    Case(
        "index computed",
        lambda x, i: x[:, i],
        make=with_index((2, 3, 2), high=3, size=(2, 2)),
        reason=DYNAMIC,
        oracles=("nan",),
    ),
    Case("index by value", lambda x: x[0][x[1].long() % 3], ((2, 3),), reason=DYNAMIC, oracles=("nan",)),
    Case("index_select", lambda x: x.index_select(1, torch.tensor([2, 2])), X),
    Case("gather", lambda x: x.gather(1, GATHERED), X),
    Case("gather along", lambda x: x.gather(2, torch.tensor([3, 1]).expand(2, 3, 2)), X),
    Case(
        "gather computed",
        lambda x, i: x.gather(1, i),
        make=with_index((2, 3, 2), high=3, size=(2, 2, 2)),
        reason=DYNAMIC,
    ),
    Case("take", lambda x: x.take(torch.tensor([[5, 1]])), X),
    Case("embedding computed table", lambda w: F.embedding(torch.tensor([[1, 0], [2, 2]]), w), ((3, 2),)),
    Case(
        "embedding bag",
        lambda w: F.embedding_bag(torch.tensor([0, 2, 2, 1]), w, torch.tensor([0, 2])),
        ((3, 2),),
    ),
    Case("embedding bag weighted", weighted_bag, ((3, 2), (4,))),
    Case("scatter", lambda x, y: x.scatter(1, UNIQUE, y), ((2, 3, 4), (1, 2, 4))),
    Case(
        "scatter repeated",
        lambda x, y: x.scatter(1, REPEATED, y),
        ((2, 3, 4), (1, 2, 4)),
        reason="repeated-index",
    ),
    Case("scatter value", lambda x: x.scatter(1, GATHERED, 3.0), X),
    Case(
        "scatter along", lambda x, y: x.scatter(0, torch.tensor([[1], [0]]).expand(2, 3), y), ((3, 3), (2, 3))
    ),
    Case("scatter_add", lambda x, y: x.scatter_add(1, REPEATED, y), ((2, 3, 4), (1, 2, 4))),
    Case(
        "scatter_reduce",
        lambda x, y: x.scatter_reduce(1, REPEATED, y, "sum", include_self=False),
        ((2, 3, 4), (1, 2, 4)),
        oracles=("gradient",),
    ),
    Case(
        "scatter computed",
        lambda x, y, i: x.scatter(1, i, y),
        make=with_index((2, 3), (1, 2), high=3, size=(1, 2)),
        reason=DYNAMIC,
    ),
    Case("index_put", put, ((2, 3, 2), (2, 2))),
    Case("index_put accumulate", lambda x, y: put(x, y, accumulate=True), ((2, 3, 2), (2,))),
    Case(
        "index_put computed",
        lambda x, y, i: x.index_put((i,), y),
        make=with_index((3, 2), (2, 2), high=3, size=(2,)),
        reason=DYNAMIC,
    ),
    Case("assign", assign, ((2, 3, 4), (2, 4))),
    Case("index_add", lambda x, y: x.index_add(1, torch.tensor([2, 2]), y), ((2, 3), (2, 2))),
    Case("index_copy", lambda x, y: x.index_copy(1, torch.tensor([2, 0]), y), ((2, 3), (2, 2))),
    Case("index_fill", lambda x: x.index_fill(1, torch.tensor([2]), 1), ((2, 3),)),
    Case(
        "masked_select", lambda x: x[x > 0], ((2, 2),), reason="data-dependent-shape", oracles=("gradient",)
    ),
    Case("masked_select known", lambda x: x.masked_select(UNIQUE[0, :, :3] > 0), ((2, 3),)),
    Case(
        "masked_scatter",
        lambda x, y: x.masked_scatter(UNIQUE > 0, y),
        ((1, 2, 4), (2, 3)),
        oracles=("gradient",),
    ),
    Case("masked index", masked_index, ((3, 2),)),
    Case("masked index added", masked_index_added, ((3, 2), (2, 2))),
    Case("chunk-cat", lambda x, y: torch._chunk_cat([x, y], 0, 2), ((3, 2), (2, 1, 2)), oracles=("nan",)),
    Case("resized", lambda x: x.clone().resize_(2, 2), ((2, 3),), oracles=("nan",)),
    Case("diff", lambda x: torch.diff(x, dim=1), X),
]
