"""The ops of the language: what each may be written with, what is filled in, and the registry of their lowerings."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from eyeshot.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

    from eyeshot.frontends.spec.context import Context
    from eyeshot.frontends.spec.tree import Op, Sizes
    from eyeshot.graph import Ref

    Lowering = Callable[[Context, Ref, Op], Ref]

F = TypeVar("F", bound="Lowering")

ALIASES = {"fc": "linear", "convt": "deconv", "swish": "silu", "bilinear": "linear", "bicubic": "cubic"}
"""Other spellings of ops and modes, read as the usual one."""


@dataclass(frozen=True, slots=True)
class Word:
    """What an op may be written with.

    ``size`` says what the number behind its name means (empty: it takes none), ``optional`` whether it may be left out;
    ``letters`` and ``modes`` are those it takes; ``channels`` whether it takes ``:64``, ``ranks`` the numbers of spatial
    axes it exists for. ``pairs``: sizes may be two an axis, before and after.
    """

    lowering: Lowering
    size: str = ""
    optional: bool = False
    letters: str = ""
    modes: tuple[str, ...] = ()
    channels: bool = False
    ranks: tuple[int, ...] = (1, 2, 3)
    pairs: bool = False


_WORDS: dict[str, Word] = {}


def word(
    *names: str,
    size: str = "",
    optional: bool = False,
    letters: str = "",
    modes: tuple[str, ...] = (),
    channels: bool = False,
    ranks: tuple[int, ...] = (1, 2, 3),
    pairs: bool = False,
) -> Callable[[F], F]:
    """Register a function as the lowering of ops: ``function(ctx, x, op)`` gives the `Ref` of the output."""

    def register(function: F) -> F:
        for name in names:
            _WORDS[name] = Word(function, size, optional, letters, modes, channels, ranks, pairs)
        return function

    return register


@cache
def words() -> dict[str, Word]:
    """Every op by its name."""
    ops = importlib.import_module("eyeshot.frontends.spec.ops")
    for module in pkgutil.iter_modules(ops.__path__):
        importlib.import_module(f"{ops.__name__}.{module.name}")
    return dict(sorted(_WORDS.items()))


class Numbers(NamedTuple):
    """The window of an op along one axis, with nothing left out; ``before`` and ``after`` are its padding."""

    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    output_padding: int = 0

    @property
    def span(self) -> int:
        """k_eff: elements from the first tap to the last."""
        return self.dilation * (self.kernel - 1) + 1


def windows(op: Op, rank: int) -> list[Numbers]:
    """The window of an op along each axis.

    What was not written: stride 1 (of pools: the kernel), dilation 1, and padding ``d (k - 1) / 2`` (as many outputs as
    inputs) where the kernel is odd and the stride 1, else 0. Causal windows pad ``d (k - 1)`` in front.
    """
    kernels = whole(op.size, rank, 1)
    strides = kernels if "pool" in op.kind and not op.stride else whole(op.stride, rank, 1)
    dilations = whole(op.dilation, rank, 1)
    extra = whole(op.output_padding, rank, 0)
    paddings = whole(op.padding, rank, 0)
    found = []
    for k, s, d, p, o in zip(kernels, strides, dilations, paddings, extra, strict=True):
        same = d * (k - 1) // 2 if k % 2 and s == 1 else 0
        before = after = p if op.padding else same
        if "causal" in op.modes:
            before, after = d * (k - 1), 0
        found.append(Numbers(k, s, d, before, after, o))
    return found


def whole(sizes: Sizes, rank: int, default: int) -> list[int]:
    """One number an axis."""
    return [before for before, _ in pairs(sizes, rank, default)]


def pairs(sizes: Sizes, rank: int, default: int = 0) -> list[tuple[int, int]]:
    """Two numbers an axis, before and after; the same where one is written.

    Raises
    ------
    SpecError
        where as many numbers are written as there are axes in another network.
    """
    if len(sizes) not in {0, 1, rank}:
        axes = "axis" if rank == 1 else "axes"
        raise SpecError(f"{len(sizes)} numbers are written, and the network has {rank} spatial {axes}")
    listed = [(each, each) if isinstance(each, int) else each for each in sizes or (default,)]
    return listed * rank if len(listed) == 1 else listed
