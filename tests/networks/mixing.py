"""Steps that gather along whole axes: products, norms, reductions, scans, attention; and what data decides."""

from __future__ import annotations

from math import prod
from random import Random

import torch
from torch import nn
from torch.nn import functional as F

from tests.networks.step import Do, Shape, divisors, fits, proposes


@proposes(2)
def pointwise(rng: Random, shape: Shape) -> nn.Module | None:
    layers = [nn.ReLU(), nn.GELU(), nn.Sigmoid(), nn.SiLU(), nn.BatchNorm1d(shape[1], affine=True)]
    if len(shape) != 3:
        layers.pop()
    if shape[-1] % 2 == 0:
        layers.append(nn.GLU(-1))
    return rng.choice(layers)


@proposes(2)
def linear(rng: Random, shape: Shape) -> nn.Module | None:
    """A product along any axis."""
    axis = rng.randrange(len(shape))
    out = rng.randint(1, 6)
    if not fits((*shape[:axis], out, *shape[axis + 1 :])):
        return None
    weight = ((out, shape[axis]),)
    if rng.random() < 0.3:
        letters = "abcde"[: len(shape)]
        formula = f"{letters},z{letters[axis]}->{letters.replace(letters[axis], 'z')}"
        return Do(
            f"einsum {formula}", lambda x, w: torch.einsum(formula, x, w) / x.shape[axis], learned=weight
        )
    return Do(
        f"linear({shape[axis]}, {out}) on axis {axis}",
        lambda x, w: F.linear(x.movedim(axis, -1), w / x.shape[axis]).movedim(-1, axis),
        learned=weight,
    )


@proposes(2.5)
def norm(rng: Random, shape: Shape) -> nn.Module | None:
    """Norms over at least two elements each, since over one they are constant."""
    options: list[nn.Module] = []
    channels, spatial = shape[1], shape[2:]
    if shape[-1] > 1:
        options += [Do("softmax(-1)", lambda x: x.softmax(-1)), nn.LayerNorm(shape[-1], eps=0.5)]
        options += [Do("rms_norm", lambda x: F.rms_norm(x, shape[-1:], eps=0.5))]
    if prod(spatial) > 1:
        options += [Do("instance_norm", lambda x: F.instance_norm(x, eps=0.5))]
        options += [nn.GroupNorm(rng.choice(divisors(channels)), channels, eps=0.5)]
        options += [nn.LayerNorm(spatial, eps=0.5)]
    if channels > 1:
        options += [
            Do("softmax(1)", lambda x: x.softmax(1)),
            Do("normalize(1)", lambda x: F.normalize(x, dim=1)),
        ]
    if prod(shape) // channels > 1:
        options += [
            Do("batch_norm in training", lambda x: F.batch_norm(x, None, None, training=True, eps=0.5))
        ]
    return rng.choice(options) if options else None


@proposes(1.5)
def reduction(rng: Random, shape: Shape) -> nn.Module | None:
    axes = tuple(sorted(rng.sample(range(len(shape)), rng.choice([1, 1, 2]))))
    keep = rng.random() < 0.6 or len(shape) - len(axes) < 3
    kind = rng.choice(["mean", "mean", "sum", "amax", "logsumexp"])
    return Do(f"{kind}({axes}, keepdim={keep})", lambda x: getattr(x, kind)(axes, keepdim=keep))


@proposes(1.5)
def gate(rng: Random, shape: Shape) -> nn.Module | None:
    """Squeeze and excite; or a gate that is the mean along one axis."""
    if rng.random() < 0.5:
        axis = rng.randrange(len(shape))
        return Do(f"x * sigmoid(mean({axis}))", lambda x: x * x.mean(axis, keepdim=True).sigmoid())
    squeezed = tuple(range(2, len(shape)))

    def excite(x, w):
        pooled = x.mean(squeezed)
        return x * F.linear(pooled, w / x.shape[1]).sigmoid().reshape(*pooled.shape, *(1 for _ in squeezed))

    return Do("squeeze and excite", excite, learned=((shape[1], shape[1]),))


@proposes(2)
def scan(rng: Random, shape: Shape) -> nn.Module | None:
    """Cumulative ops and recurrent layers, forwards, backwards, both."""
    axis = rng.randrange(len(shape))
    kind = rng.choice(["cumsum", "reversed", "logcumsumexp", "recurrent", "recurrent"])
    if kind == "cumsum":
        return Do(f"cumsum({axis})", lambda x: x.cumsum(axis) / x.shape[axis])
    if kind == "reversed":
        return Do(f"flipped cumsum({axis})", lambda x: x.flip(axis).cumsum(axis).flip(axis) / x.shape[axis])
    if kind == "logcumsumexp":
        return Do(f"logcumsumexp({axis})", lambda x: x.logcumsumexp(axis))
    if len(shape) != 3 or prod(shape) > 60:
        return None
    layer = rng.choice([nn.LSTM, nn.GRU, nn.RNN])
    return Recurrent(layer(shape[2], rng.randint(1, 3), batch_first=True, bidirectional=rng.random() < 0.6))


class Recurrent(nn.Module):
    """A recurrent layer without its last states."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0]


def _masks(rng: Random, rows: int, columns: int) -> tuple[str, torch.Tensor | None]:
    """Which keys each query may read; a query reads one at least."""
    kind = rng.choice(["whole", "causal", "band", "scattered"])
    if kind == "whole":
        return kind, None
    i, j = torch.arange(rows)[:, None], torch.arange(columns)[None]
    if kind == "causal":
        return kind, j <= i
    if kind == "band":
        return kind, (i - j).abs() <= rng.randint(1, 2) + max(0, rows - columns)
    allowed = torch.tensor([[rng.random() < 0.5 for _ in range(columns)] for _ in range(rows)])
    allowed[torch.arange(rows), torch.arange(rows) % columns] = True
    return kind, allowed


def _attend(q, k, v, allowed, form):
    """Attention as models write it; ``form`` says how the mask is applied."""
    if form == "sdpa":
        return F.scaled_dot_product_attention(q, k, v, allowed)
    if form == "causal":
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if allowed is not None and form == "add":
        scores = scores + torch.zeros(allowed.shape, dtype=q.dtype).masked_fill(~allowed, float("-inf"))
    elif allowed is not None:
        scores = scores.masked_fill(~allowed, float("-inf"))
    return scores.softmax(-1) @ v


def _attend_probe(q, k, v, allowed):
    """Each query attends to the keys that it may read, and to no other, not even with weight 0."""
    rows = []
    for i in range(q.shape[-2]):
        kept = slice(None) if allowed is None else allowed[i].nonzero()[:, 0]
        scores = q[..., i : i + 1, :] @ k[..., kept, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        rows.append(scores.softmax(-1) @ v[..., kept, :])
    return torch.cat(rows, -2)


@proposes(3)
def attention(rng: Random, shape: Shape) -> nn.Module | None:
    """Self-attention of tokens (N, T, C), in heads; of images along their last two axes."""
    tokens, features = shape[-2:]
    kind, allowed = _masks(rng, tokens, tokens)
    form = rng.choice(["fill", "add", "sdpa"])
    if kind == "causal" and rng.random() < 0.5:
        form = "causal"
    heads = rng.choice(divisors(features))
    if len(shape) == 5 or tokens < 2:
        return None

    def split(x):
        return x.reshape(*x.shape[:-1], heads, -1).transpose(-3, -2)

    def around(x, w, attend):
        q, k, v = (split(part) for part in F.linear(x, w / features).chunk(3, -1))
        return attend(q, k, v).transpose(-3, -2).reshape(x.shape)

    return Do(
        f"attention {kind} by {form}, {heads} heads{'' if allowed is None else allowed.long().tolist()}",
        lambda x, w: around(x, w, lambda q, k, v: _attend(q, k, v, allowed, form)),
        lambda x, w: around(x, w, lambda q, k, v: _attend_probe(q, k, v, allowed)),
        learned=((3 * features, features),),
    )


@proposes(1.5, operands=2)
def cross_attention(rng: Random, shape: Shape) -> nn.Module | None:
    """Queries of one tensor, keys and values of another."""
    kind, allowed = _masks(rng, shape[-2], shape[-2])
    form = rng.choice(["fill", "add", "sdpa"])
    return Do(
        f"cross-attention {kind} by {form}{'' if allowed is None else allowed.long().tolist()}",
        lambda x, y: _attend(x, y, y, allowed, form),
        lambda x, y: _attend_probe(x, y, y, allowed),
    )


def _triangle(x, y):
    """Causal attention without a softmax."""
    return (x @ y.transpose(-2, -1)).tril() @ y / x.shape[-2]


def _triangle_probe(x, y):
    rows = [
        x[..., i : i + 1, :] @ y[..., : i + 1, :].transpose(-2, -1) @ y[..., : i + 1, :]
        for i in range(x.shape[-2])
    ]
    return torch.cat(rows, -2) / x.shape[-2]


@proposes(2, operands=2)
def product(rng: Random, shape: Shape) -> nn.Module | None:
    """Matrix products of two computed tensors."""
    if not fits((*shape[:-1], shape[-2])):
        return None
    kind = rng.choice(["product", "triangle", "contraction"])
    if kind == "product":
        return Do("x @ y.mT", lambda x, y: x @ y.transpose(-2, -1) / x.shape[-1])
    if kind == "triangle":
        return Do("tril(x @ y.mT) @ y", _triangle, _triangle_probe)
    letters = "abcde"[: len(shape)]
    formula = f"{letters},{letters}->{letters[0]}{letters[2:]}"
    if len(shape) < 4:
        return None
    return Do(f"einsum {formula}", lambda x, y: torch.einsum(formula, x, y) / x.shape[1])


@proposes(1.4)
def by_data(rng: Random, shape: Shape) -> nn.Module | None:
    """What is read depends on values: answers are `sound` from here."""
    kind = rng.choice(["masked_scatter"] * 4 + ["gather", "index", "grid_sample"])
    if kind == "masked_scatter":
        return Do("masked_scatter", lambda x: x.masked_scatter(x > x.mean(), x.flip(-1)))
    if kind == "grid_sample" and len(shape) == 4:
        grid = (shape[0], 2, 2, 2)
        return Do(
            "grid_sample at the mean",
            lambda x, g: F.grid_sample(
                x, x.mean((1, 2, 3))[:, None, None, None].tanh() * g, align_corners=False
            ),
            learned=(grid,),
        )
    axis = rng.randrange(len(shape))
    if kind == "index":
        return Do(
            f"x[axis {axis}, computed]",
            lambda x: x.index_select(axis, (x.mean()[None] * 7).long().clamp(0, shape[axis] - 1)),
        )
    return Do(
        f"gather({axis}, computed)",
        lambda x: x.gather(axis, (x * 7).long() % shape[axis]),
    )
