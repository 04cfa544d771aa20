"""What every step of a random network is made of, and the registry of those who propose steps."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from random import Random

import torch
from torch import nn

Shape = tuple[int, ...]
Proposal = Callable[[Random, Shape], "nn.Module | None"]

# Values larger than this end a proposal, so that every oracle stays quick.
LARGEST = 300

UNARY: dict[str, tuple[float, Proposal]] = {}
BINARY: dict[str, tuple[float, Proposal]] = {}


class Do(nn.Module):
    """A function as a step, under a text that says which.

    ``probe`` is the same function written so that NaN does not pass through a coefficient that is 0 by construction: a
    masked weight of attention, a weight of interpolation. Where it is None the function is its own probe. ``learned``
    are the shapes of parameters that it takes after its operands.
    """

    def __init__(
        self, text: str, function: Callable, probe: Callable | None = None, learned: tuple[Shape, ...] = ()
    ) -> None:
        super().__init__()
        self.text, self.function, self.written_out = text, function, probe or function
        self.learned = nn.ParameterList(nn.Parameter(torch.empty(shape)) for shape in learned)

    def forward(self, *operands):
        return self.function(*operands, *self.learned)

    def probe(self, *operands):
        return self.written_out(*operands, *self.learned)

    def __repr__(self) -> str:
        return self.text


def proposes(weight: float = 1, *, operands: int = 1) -> Callable[[Proposal], Proposal]:
    """Register a proposal: of one operand, or of two that have the same shape."""

    def register(function: Proposal) -> Proposal:
        registry = UNARY if operands == 1 else BINARY
        registry[function.__name__] = (weight, function)
        return function

    return register


def divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]


def each(rng: Random, extents: Shape, low: int, high: Callable[[int], int]) -> tuple[int, ...]:
    """One number an axis, from ``low`` to ``high(extent)``."""
    return tuple(rng.randint(low, max(low, high(extent))) for extent in extents)


def random_shape(rng: Random, elements: int, rank: int) -> Shape:
    """A shape of the given number of elements and rank."""
    shape = []
    for _ in range(rank - 1):
        shape.append(rng.choice(divisors(elements)))
        elements //= shape[-1]
    return (*shape, elements)


def fits(*shapes: Shape) -> bool:
    return all(0 < prod(shape) <= LARGEST for shape in shapes)
