"""Bitsets: sets of input indices with their holes, sixty-four to a word."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from eyeshot.analyses.lattices import SetLattice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyeshot.analyses.terms import Term

    Words = NDArray[np.uint64]
    Mask = NDArray[np.bool_]

WORD = 64


class Bitset(SetLattice):
    """Sets of indices; the payload is the words of a set, lowest indices first."""

    ufunc = np.bitwise_or
    empty = 0
    joint = True

    def singletons(self, extent: int) -> Words:
        """The sets {0}, {1}, ..."""
        index = np.arange(extent)
        out = np.zeros((-(-extent // WORD), extent), np.uint64)
        out[index // WORD, index] = np.uint64(1) << (index % WORD).astype(np.uint64)
        return out

    def flat_identity(self, shape: Sequence[int]) -> Words:
        """Every element's own index on one flattened axis of all elements, in an array over the axes of ``shape``."""
        own = self.singletons(int(np.prod(shape)))
        return own.reshape(len(own), *shape)

    def saturated(self, sets: Words, extent: int) -> bool:
        """Whether every unit sees the whole axis, held as one set."""
        return sets.size == len(sets) and sets.tobytes() == _full(extent)

    def united(self, one: Term, other: Term) -> tuple[tuple[Words, ...], bool] | None:
        """The union of two terms where it is a product for every unit, and whether that is exact.

        It is a product where one holds the other, or where they differ on one axis alone.
        """
        unions = []
        grown = more = False
        apart = 0
        for mine, theirs in zip(one.sets, other.sets, strict=True):
            union = mine if mine is theirs else self.ufunc(mine, theirs)
            unions.append(union)
            wider = not _same(mine, union)
            others = not _same(theirs, union)
            grown |= wider
            more |= others
            apart += wider or others
            if grown and more and apart > 1 and (one.exact or other.exact):
                return None
        if (one.exact and not grown) or (other.exact and not more):
            return tuple(unions), True
        if apart <= 1 or not (one.exact or other.exact):
            return tuple(unions), one.exact and other.exact
        return None

    def covers(self, term: Term, position: int) -> bool:
        """Whether the union of products along a factor is the product of their unions.

        So it is where units with one set on the first axis have, together, all that there is on the others: a grid of
        patches, in whatever order.
        """
        varying = [one for one in term.sets if self.varies(one, position)]
        if len(varying) <= 1:
            return True
        if len(varying) > 2 or any(one.size != one.shape[0] * one.shape[position + 1] for one in varying):
            return False
        first, second = (one.reshape(len(one), -1) for one in varying)
        if position in term.masks:
            first, second = first[:, term.masks[position]], second[:, term.masks[position]]
        _, group = np.unique(first, axis=1, return_inverse=True)
        order = np.argsort(group.ravel(), kind="stable")
        starts = np.flatnonzero(np.diff(group.ravel()[order], prepend=-1))
        united = np.bitwise_or.reduceat(second[:, order], starts, axis=1)
        return bool((united == united[:, :1]).all())


def _same(one: Words, other: Words) -> bool:
    return one is other or (one.shape == other.shape and one.tobytes() == other.tobytes())


def members(words: NDArray[Any], extent: int) -> Mask:
    """Sets (payload first) as booleans: the last axis is the input's."""
    octets = np.ascontiguousarray(np.moveaxis(words, 0, -1)).astype("<u8").view(np.uint8)
    return np.unpackbits(octets, axis=-1, count=extent, bitorder="little").view(np.bool_)


@dataclass(frozen=True, slots=True)
class Run:
    """First and last member of every set, and how many there are; an empty set is (extent, -1, 0)."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    count: NDArray[np.int64]

    @property
    def whole(self) -> bool:
        """Whether no set has a hole."""
        return bool(((self.count == self.last - self.first + 1) | (self.count == 0)).all())

    def where(self, there: Mask) -> Run:
        """Empty where a term is absent."""
        return Run(
            np.where(there, self.first, np.iinfo(np.int64).max), np.where(there, self.last, -1), self.count
        )

    def hull(self, other: Run) -> Run:
        """The ends of the union."""
        return Run(np.minimum(self.first, other.first), np.maximum(self.last, other.last), self.count)

    def fills(self, hull: Run) -> Mask:
        """Where the set is all that lies between the ends of ``hull``."""
        ends = (self.first == hull.first) & (self.last == hull.last)
        filled: Mask = ends & (self.count == self.last - self.first + 1)
        return filled


def runs(words: NDArray[Any], extent: int) -> Run:
    """The ends of sets (payload first)."""
    held = members(words, extent)
    count = held.sum(-1)
    first = np.where(count > 0, held.argmax(-1), extent)
    return Run(first, np.where(count > 0, extent - 1 - held[..., ::-1].argmax(-1), -1), count)


@lru_cache(maxsize=64)
def _full(extent: int) -> bytes:
    words = np.packbits(np.ones(extent, np.uint8), bitorder="little").tobytes()
    padded = words.ljust(-(-extent // WORD) * WORD // 8, b"\0")
    return np.frombuffer(padded, "<u8").astype(np.uint64).tobytes()
