"""Attention: fused, masked, decomposed."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from tests.frontends.torch.case import Case

QKV = ((2, 2, 3, 2), (2, 2, 4, 2), (2, 2, 4, 2))
MASK = torch.tensor([[True, False, True, True], [True, True, False, False], [False, False, True, True]])
MASKS = torch.stack([MASK, MASK.flip(1)])
ADDED = torch.zeros(3, 4, dtype=torch.float64).masked_fill(~MASK, float("-inf"))


class SelfAttention(nn.Module):
    """nn.MultiheadAttention of a tensor with itself, that sees one step ahead at most."""

    def __init__(self, need_weights):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.need_weights = need_weights
        self.register_buffer("mask", torch.triu(torch.ones(3, 3), 2).bool())

    def forward(self, x):
        return self.attention(x, x, x, attn_mask=self.mask, need_weights=self.need_weights)[0]


class WrittenOut(nn.Module):
    """Self-attention with a triangle of ones in a buffer, as language models write it."""

    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(4, 12)
        self.register_buffer("bias", torch.tril(torch.ones(5, 5), 1).view(1, 1, 5, 5))

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = (part.view(n, t, 2, c // 2).transpose(1, 2) for part in self.qkv(x).split(c, dim=2))
        scores = (q @ k.transpose(-2, -1)) / 2**0.5
        scores = scores.masked_fill(self.bias[:, :, :t, :t] == 0, float("-inf"))
        weights = F.dropout(F.softmax(scores, dim=-1), training=self.training)
        return (weights @ v).transpose(1, 2).reshape(n, t, c)


def shifted(q, k, v):
    """Heads under masks of their own, of which the union counts."""
    return (q @ k.mT).masked_fill(~MASKS, float("-inf")).softmax(-1) @ v


def decomposed(q, k, v):
    """Attention as models write it out."""
    scores = (q @ k.transpose(-2, -1)) * 0.5
    weights = scores.masked_fill(~MASK, float("-inf")).softmax(-1)
    return weights @ v


MINIMUM = torch.finfo(torch.float64).min
DEAD = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]).bool()


def by_hand(q, k, v):
    """The softmax too is written out."""
    scores = (q @ k.mT).masked_fill(~MASK, float("-inf"))
    weights = (scores - scores.amax(-1, keepdim=True)).exp()
    return (weights / weights.sum(-1, keepdim=True)) @ v


def by_einsum(q, k, v):
    """Scores and values through einsum, as many write it."""
    scores = torch.einsum("bhid,bhjd->bhij", q, k).masked_fill(~MASK, MINIMUM)
    return torch.einsum("bhij,bhjd->bhid", scores.softmax(-1), v)


def assigned(q, k, v):
    """The mask is an assignment."""
    scores = q @ k.mT
    scores[:, :, ~MASK] = float("-inf")
    return scores.softmax(-1) @ v


def dead_row_filled(x):
    """A row that is masked whole with a finite number weighs all values alike."""
    return (x @ x.mT).masked_fill(~DEAD, -1e30).softmax(-1) @ x


def dead_row_added(x):
    """As `dead_row_filled`, with minima added to the scores."""
    return (x @ x.mT + torch.zeros(4, 4, dtype=x.dtype).masked_fill(~DEAD, MINIMUM)).softmax(-1) @ x


# A softmax over one key has no slope, so every query sees two; and the fused kernel swallows NaN.
CASES = [
    Case("sdpa", F.scaled_dot_product_attention, QKV, oracles=("gradient",)),
    Case(
        "sdpa causal",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)[:, :, 1:],
        QKV,
        oracles=("gradient",),
    ),
    Case(
        "sdpa bool mask",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, MASK),
        QKV,
        oracles=("gradient",),
    ),
    Case(
        "sdpa float mask",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, ADDED),
        QKV,
        oracles=("gradient",),
    ),
    Case("sdpa computed mask", F.scaled_dot_product_attention, (*QKV, (2, 1, 3, 4)), oracles=("gradient",)),
    Case(
        "sdpa grouped",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True),
        ((1, 4, 3, 2), (1, 2, 3, 2), (1, 2, 3, 2)),
        oracles=("gradient",),
    ),
    Case("decomposed", decomposed, QKV, oracles=("gradient",)),
    Case("decomposed added", lambda q, k, v: (q @ k.mT + ADDED).softmax(-1) @ v, QKV, oracles=("gradient",)),
    Case("decomposed by hand", by_hand, QKV, oracles=("gradient",)),
    Case("decomposed by einsum", by_einsum, QKV, oracles=("gradient",)),
    Case("mask assigned", assigned, QKV, oracles=("gradient",)),
    Case("dead row filled", dead_row_filled, ((2, 2, 4, 2),), oracles=("gradient",)),
    Case("dead row added", dead_row_added, ((2, 2, 4, 2),), oracles=("gradient",)),
    Case(
        "dead row, fused",
        lambda x: F.scaled_dot_product_attention(
            x, x, x, torch.zeros(4, 4, dtype=x.dtype).masked_fill(~DEAD, MINIMUM)
        ),
        ((2, 2, 4, 2),),
        oracles=("gradient",),
    ),
    Case(
        "mask lost in a roll",
        lambda q, k, v: (q @ k.mT).masked_fill(~MASK, float("-inf")).roll(1, -1).softmax(-1) @ v,
        QKV,
        oracles=("gradient",),
        reason="lost-mask",
    ),
    Case("weights", lambda q, k: (q @ k.mT + ADDED).softmax(-1), QKV[:2], oracles=("gradient",)),
    Case(
        "masked scores",
        lambda q, k: torch.relu((q @ k.mT).masked_fill(~MASK, float("-inf"))),
        QKV[:2],
        oracles=("gradient",),
    ),
    Case("written out", WrittenOut(), ((1, 3, 4),), oracles=("gradient",)),
    Case(
        "sdpa masks of heads",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, MASKS),
        QKV,
        oracles=("gradient",),
        reason="mask-varies",
    ),
    Case("masks of heads", shifted, QKV, oracles=("gradient",), reason="mask-varies"),
    Case(
        "grouped queries of one sample",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True),
        ((4, 2, 3), (2, 2, 3, 3), (2, 2, 3, 2)),
    ),
    Case("multi-head", SelfAttention(need_weights=False), ((2, 3, 4),), oracles=("gradient",)),
    Case("multi-head with weights", SelfAttention(need_weights=True), ((2, 3, 4),), oracles=("gradient",)),
]
