"""PyTorch modules for ops that PyTorch has no single module for, on (N, C, *spatial)."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, relu, scaled_dot_product_attention

if TYPE_CHECKING:
    from collections.abc import Sequence


class Padded(nn.Module):
    """Padding (negative amounts crop), then another module."""

    def __init__(
        self, amounts: Sequence[tuple[int, int]], then: nn.Module | None = None, mode: str = "constant"
    ) -> None:
        super().__init__()
        self.amounts = [side for pair in reversed(amounts) for side in pair]
        self.then = then or nn.Identity()
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        """The padded input, through the module."""
        out: Tensor = self.then(pad(x, self.amounts, mode=self.mode))
        return out


class Resized(nn.Module):
    """Interpolation to a multiple or a fraction of the extents."""

    def __init__(self, factors: Sequence[int], larger: bool, mode: str, *, corners: bool) -> None:
        super().__init__()
        self.factors, self.larger, self.mode = factors, larger, mode
        self.corners = corners if mode != "nearest" else None

    def forward(self, x: Tensor) -> Tensor:
        """The resized input."""
        pairs = zip(x.shape[2:], self.factors, strict=True)
        size = [n * factor if self.larger else n // factor for n, factor in pairs]
        return interpolate(x, size, mode=self.mode, align_corners=self.corners)


class Shuffled(nn.Module):
    """Channels to space, along any number of axes."""

    def __init__(self, factors: Sequence[int]) -> None:
        super().__init__()
        self.factors = list(factors)

    def forward(self, x: Tensor) -> Tensor:
        """The shuffled input."""
        rank, block = len(self.factors), prod(self.factors)
        split = x.reshape(x.shape[0], x.shape[1] // block, *self.factors, *x.shape[2:])
        order = [place for axis in range(rank) for place in (2 + rank + axis, 2 + axis)]
        wide = [n * factor for n, factor in zip(x.shape[2:], self.factors, strict=True)]
        return split.permute(0, 1, *order).reshape(x.shape[0], x.shape[1] // block, *wide)


class Unshuffled(nn.Module):
    """Space to channels, along any number of axes."""

    def __init__(self, factors: Sequence[int]) -> None:
        super().__init__()
        self.factors = list(factors)

    def forward(self, x: Tensor) -> Tensor:
        """The unshuffled input."""
        rank = len(self.factors)
        short = [n // factor for n, factor in zip(x.shape[2:], self.factors, strict=True)]
        pieces = [part for pair in zip(short, self.factors, strict=True) for part in pair]
        split = x.reshape(*x.shape[:2], *pieces)
        order = (*range(3, 3 + 2 * rank, 2), *range(2, 2 + 2 * rank, 2))
        return split.permute(0, 1, *order).reshape(x.shape[0], x.shape[1] * prod(self.factors), *short)


class OnChannels(nn.Module):
    """A module for last axes, on the channels of each position."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """The module on the channels."""
        out: Tensor = self.inner(x.movedim(1, -1))
        return out.movedim(-1, 1)


class Gated(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.squeeze, self.excite = nn.Linear(channels, hidden), nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """The input times its gate."""
        mean = x.flatten(2).mean(2)
        gate = torch.sigmoid(self.excite(relu(self.squeeze(mean))))
        return x * gate.reshape(*gate.shape, *(1,) * (x.dim() - 2))


class Attention(nn.Module):
    """Self-attention between positions, inside windows that tile the input, or causal."""

    def __init__(self, channels: int, heads: int, window: Sequence[int] | None, *, causal: bool) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.heads, self.window, self.causal = heads, window, causal

    def forward(self, x: Tensor) -> Tensor:
        """The input, attended to."""
        extents, rank = x.shape[2:], x.dim() - 2
        sides = list(self.window or extents)
        counts = [n // side for n, side in zip(extents, sides, strict=True)]
        pieces = [part for pair in zip(counts, sides, strict=True) for part in pair]
        split = x.movedim(1, -1).reshape(x.shape[0], *pieces, x.shape[1])
        outer, inner = range(1, 1 + 2 * rank, 2), range(2, 2 + 2 * rank, 2)
        order = [0, *outer, *inner, 1 + 2 * rank]
        tokens = split.permute(order).reshape(-1, prod(sides), x.shape[1])
        q, k, v = (
            part.reshape(*tokens.shape[:2], self.heads, -1).transpose(1, 2)
            for part in self.qkv(tokens).chunk(3, -1)
        )
        mixed = scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        out = self.out(mixed.transpose(1, 2).reshape(tokens.shape))
        back = out.reshape(x.shape[0], *counts, *sides, x.shape[1])
        turned = back.permute([order.index(axis) for axis in range(len(order))])
        whole: Tensor = turned.reshape(x.shape[0], *extents, x.shape[1])
        return whole.movedim(-1, 1)


class Recurrent(nn.Module):
    """A recurrent module over (T, N, C), on (N, C, T); its outputs alone."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """The outputs of all steps."""
        out: Tensor = self.inner(x.permute(2, 0, 1))[0]
        return out.permute(1, 2, 0)
