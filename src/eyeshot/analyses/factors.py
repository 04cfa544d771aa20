"""Axes as products of factors: how reshapes and joins re-cut them.

A tensor axis of extent 56 may be held as factors (8, 7), row-major. A cutting of a tensor is one tuple of factors an
axis; every axis has at least one factor, and an axis of extent 1 has ``(1,)``.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain, pairwise
from math import prod
from typing import NamedTuple

Cutting = tuple[tuple[int, ...], ...]


class Group(NamedTuple):
    """``held`` old factors, starting at old position ``first``, become the factors ``sizes``."""

    first: int
    held: int
    sizes: tuple[int, ...]


class Recut(NamedTuple):
    """The groups that turn one flat list of factors into another, and the cutting that results."""

    groups: tuple[Group, ...]
    cutting: Cutting


@lru_cache(maxsize=4096)
def flat(cutting: Cutting) -> tuple[int, ...]:
    """All factors of a tensor in order."""
    return tuple(chain.from_iterable(cutting))


@lru_cache(maxsize=4096)
def positions(cutting: Cutting, axis: int) -> range:
    """The flat positions of one axis's factors."""
    first = 0
    for factors in cutting[:axis]:
        first += len(factors)
    return range(first, first + len(cutting[axis]))


@lru_cache(maxsize=4096)
def reshaped(old: tuple[int, ...], shape: tuple[int, ...]) -> Recut:
    """How flat factors ``old`` serve the axes of ``shape``: kept where boundaries meet, split where they divide.

    Where an axis ends inside a factor that it does not divide, the factors up to the next common boundary are merged and
    cut anew.
    """
    waiting = [(size, number) for number, size in enumerate(old)][::-1]
    groups: list[Group] = []
    cutting: list[tuple[int, ...]] = []
    axis = 0
    while axis < len(shape):
        if shape[axis] == 1:
            kept = bool(waiting) and waiting[-1][0] == 1
            groups.append(Group(waiting.pop()[1], 1, (1,)) if kept else Group(-1, 0, (1,)))
            cutting.append((1,))
            axis += 1
            continue
        taken: list[int] = []
        axes = [shape[axis]]
        first = waiting[-1][1]
        while prod(taken) != prod(axes):
            if prod(taken) < prod(axes):
                taken.append(waiting.pop()[0])
            else:
                axis += 1
                axes.append(shape[axis])
        axis += 1
        _settle(taken, axes, first, groups, cutting)
    groups.extend(Group(number, 1, ()) for _, number in reversed(waiting))
    return Recut(tuple(groups), tuple(cutting))


def _settle(
    taken: list[int], axes: list[int], first: int, groups: list[Group], cutting: list[tuple[int, ...]]
) -> None:
    """Turn the old factors ``taken`` (from old position ``first`` on) into the factors of the axes ``axes``."""
    boundaries = _chain([_suffixes(taken), _suffixes(axes)])
    if boundaries is None:
        groups.append(Group(first, len(taken), tuple(axes)))
        cutting.extend((size,) for size in axes)
        return
    rest = list(_from_suffixes(boundaries))
    cut = [tuple(_consume(rest, size)) or (1,) for size in axes]
    cutting.extend(cut)
    pieces = list(chain.from_iterable(cut))
    for number, size in enumerate(taken, first):
        sizes = _consume(pieces, size) if number < first + len(taken) - 1 else pieces
        groups.append(Group(number, 1, tuple(sizes)))


def _consume(sizes: list[int], product: int) -> list[int]:
    """Take factors from the front of ``sizes`` until their product is ``product``."""
    out: list[int] = []
    while prod(out) < product:
        out.append(sizes.pop(0))
    return out


def _suffixes(sizes: list[int] | tuple[int, ...]) -> set[int]:
    return {prod(sizes[i:]) for i in range(len(sizes))} - {1}


def _chain(sets: list[set[int]]) -> list[int] | None:
    """All boundaries in descending order if each divides the one before; None otherwise."""
    merged = sorted(set().union(*sets), reverse=True)
    divides = all(big % small == 0 for big, small in pairwise(merged))
    return merged if divides else None


def _from_suffixes(boundaries: list[int]) -> tuple[int, ...]:
    return tuple(big // small for big, small in zip(boundaries, [*boundaries[1:], 1], strict=True))


@lru_cache(maxsize=4096)
def common(cuttings: tuple[Cutting, ...]) -> Cutting:
    """The coarsest cutting that refines all given ones; an axis whose cuts do not nest becomes one factor."""
    out = []
    for cuts in zip(*cuttings, strict=True):
        boundaries = _chain([_suffixes(cut) for cut in cuts])
        out.append((prod(cuts[0]),) if not boundaries else _from_suffixes(boundaries))
    return tuple(out)


@lru_cache(maxsize=4096)
def recut(old: Cutting, new: Cutting) -> Recut:
    """The groups between two cuttings of the same axes."""
    groups = []
    first = 0
    for before, after in zip(old, new, strict=True):
        if before == after:
            groups += [Group(first + i, 1, (size,)) for i, size in enumerate(before)]
        elif len(after) == 1:
            groups.append(Group(first, len(before), after))
        else:
            inner = reshaped(before, after)
            groups += [Group(first + group.first if group.held else -1, group.held, group.sizes)
                       for group in inner.groups]  # fmt: skip
        first += len(before)
    return Recut(tuple(groups), new)
