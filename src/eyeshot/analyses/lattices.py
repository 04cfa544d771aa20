"""Set lattices: sets of input indices, one for every unit, as arrays over factors.

A lattice is an idempotent ufunc with its empty element; intervals, bitsets and booleans differ in nothing else. The
leading axis of every array is the payload: (low, -high) for an interval, so that one minimum makes a hull.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache, reduce
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from eyeshot.analyses.masks import presence
from eyeshot.relations import tabulate

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from eyeshot.relations import AxisMap, Table

    Sets = NDArray[Any]
    Mask = NDArray[np.bool_]

FAR = 1 << 40
CHEAP, LARGE, MANY = 8, 1 << 13, 1 << 21
BLOCK = 1 << 22
"""Cells that are gathered at once."""


@lru_cache(maxsize=4096)
def rearrangement(
    order: tuple[int | None, ...], rank: int
) -> tuple[tuple[int, ...], tuple[slice | int | None, ...]]:
    """How to arrange an array of ``rank`` factors behind its payload: a transposition, then an index."""
    kept = [position for position in order if position is not None]
    dropped = [position for position in range(rank) if position not in kept]
    axes = (0, *(position + 1 for position in (*kept, *dropped)))
    index = (
        slice(None),
        *(None if position is None else slice(None) for position in order),
        *(0 for _ in dropped),
    )
    return axes, index


class SetLattice(ABC):
    """One lattice of sets: an idempotent ``ufunc`` and its ``empty`` element; the operations the engine needs."""

    ufunc: np.ufunc
    empty: int
    unclipped = False
    joint = False
    counting = False
    """Whether the product of a term's sets has to be its field, not just hold it; whether paths count (see `Term`)."""

    @abstractmethod
    def singletons(self, extent: int) -> Sets:
        """The sets {0}, {1}, ... along one axis, payload first."""

    @abstractmethod
    def saturated(self, sets: Sets, extent: int) -> bool:
        """Whether every unit sees the whole axis."""

    def identity(self, sizes: Sequence[int], position: int) -> Sets:
        """Every unit's own index on the factor at ``position``, in an array over factors of ``sizes``."""
        dims = [1] * len(sizes)
        dims[position] = sizes[position]
        own = self.singletons(sizes[position])
        return own.reshape(own.shape[0], *dims)

    def key(self, sets: Sets) -> Hashable:
        """What must agree for two arrays of sets to unite without growing."""
        return sets.shape

    def settled(self, terms: list[Any]) -> list[Any]:
        """Terms before they are united; sets need no preparation."""
        return terms

    def condensed(
        self,
        held: Sequence[tuple[tuple[Sets, ...], dict[int, Mask]]],
        sizes: tuple[int, ...],
        *,
        forced: bool,
        pieces: int = 1,
    ) -> tuple[Sets, ...] | None:
        """Many terms as one whose sets are empty where no term is present.

        None where that takes too many cells: a few times what they hold now (or would, in so many ``pieces`` each),
        unless there is no other way (``forced``).

        All sets vary along every masked factor then, so what is absent stays absent in each of them alike.
        """
        masked = {position for _, masks in held for position in masks}
        parts: dict[int, tuple[tuple[Sets, ...], list[dict[int, Mask]]]] = {}
        for sets, masks in held:
            parts.setdefault(id(sets), (sets, []))[1].append(masks)
        shapes = []
        for axis in range(len(held[0][0])):
            column = [(sets[axis], len(products)) for sets, products in parts.values()]
            dims = [
                size if i in masked or any(one.shape[i + 1] != 1 for one, _ in column) else 1
                for i, size in enumerate(sizes)
            ]
            now = pieces * sum(one.size * count for one, count in column)
            if prod(dims) > self.affordable(now, forced=forced):
                return None
            shapes.append((len(column[0][0]), *dims))
        out = [self.nothing(shape, one.dtype) for shape, one in zip(shapes, held[0][0], strict=True)]
        for sets, products in parts.values():
            there = reduce(np.logical_or, [presence(masks, len(sizes)) for masks in products])
            for whole, one in zip(out, sets, strict=True):
                self.ufunc(whole, one, out=whole, where=there)
        return tuple(out)

    def affordable(self, now: int, *, forced: bool) -> float:
        """The cells that one array for many terms may take, which take ``now``."""
        return MANY if forced else CHEAP * now

    def varies(self, sets: Sets, position: int) -> bool:
        """Whether the sets differ along a factor."""
        return bool(sets.shape[position + 1] != 1)

    def value(self, sets: Sets) -> Hashable | None:
        """The one set of all units, None where sets vary."""
        return sets.tobytes() if self.constant(sets) else None

    def constant(self, sets: Sets) -> bool:
        """Whether the sets vary along nothing."""
        return len(sets) == sets.size

    def along(
        self, sets: Sets, position: int, amap: AxisMap, sizes: tuple[int, int], mask: Mask | None
    ) -> Sets:
        """Read through an axis map that reads something, from a factor of extent ``sizes[0]`` to one of ``sizes[1]``."""
        axis = position + 1
        if mask is not None:
            sets = self.blank(sets, position, mask)
        table = tabulate(amap, *sizes)
        if table.single:
            return sets.take(table.indices, axis)
        return self._gather(sets, axis, table)

    def _gather(self, sets: Sets, axis: int, table: Table) -> Sets:
        united = self._united(sets, axis, table)
        if table.occupied is None:
            return united
        shape = list(united.shape)
        shape[axis] = table.output_size
        out = self.nothing(shape, sets.dtype)
        out[(slice(None),) * axis + (table.occupied,)] = united
        return out

    def _united(self, sets: Sets, axis: int, table: Table) -> Sets:
        """The union of each row that reads anything; rows in blocks, since they read far more cells than there are."""
        rows, entries = table.starts, len(table.indices)
        step = max(1, BLOCK * sets.shape[axis] // max(1, sets.size))
        if entries <= step:
            return self.ufunc.reduceat(sets.take(table.indices, axis), rows, axis)
        cuts = np.unique([*np.searchsorted(rows, np.arange(0, entries, step)), len(rows)])
        ends = np.append(rows[1:], entries)
        blocks = [
            self.ufunc.reduceat(
                sets.take(table.indices[rows[first] : ends[last - 1]], axis),
                rows[first:last] - rows[first],
                axis,
            )
            for first, last in pairwise(cuts.tolist())
        ]
        return np.concatenate(blocks, axis)

    def nothing(self, shape: Sequence[int], dtype: np.dtype[Any]) -> Sets:
        """Empty sets."""
        return np.full(shape, self.empty, dtype) if self.empty else np.zeros(shape, dtype)

    def blank(self, sets: Sets, position: int, mask: Mask) -> Sets:
        """Empty sets where the mask is False along a factor."""
        dims = [1] * sets.ndim
        dims[position + 1] = len(mask)
        return np.where(mask.reshape(dims), sets, self.empty)

    def everything(
        self, sets: Sets, where: Sequence[int], sizes: Sequence[int], masks: dict[int, Mask]
    ) -> Sets:
        """The union along the factors ``where``, which keep extent 1."""
        for position in where:
            if position in masks and sets.shape[position + 1] != 1:
                sets = self.blank(sets, position, masks[position])
        united: Sets = self.ufunc.reduce(sets, axis=tuple(position + 1 for position in where), keepdims=True)
        return united

    def union(self, many: Sequence[Sets]) -> Sets:
        """The union, unit by unit."""
        return reduce(self.ufunc, many)

    def split(self, sets: Sets, position: int, sizes: Sequence[int]) -> Sets:
        """Cut one factor that the sets differ along into several.

        Large sets keep only the new factors that they differ along: what was merged from one is found again.
        """
        axis = position + 1
        sets = sets.reshape(*sets.shape[:axis], *sizes, *sets.shape[axis + 1 :])
        if sets.size < LARGE:
            return sets
        folded = sets
        for place in range(axis, axis + len(sizes)):
            first = folded[(slice(None),) * place + (slice(1),)]
            folded = first if np.array_equal(folded, np.broadcast_to(first, folded.shape)) else folded
        # Sets that are equal everywhere may be saturated: whether they move is no question of value.
        return sets if self.constant(folded) else folded

    def merge(self, sets: Sets, position: int, sizes: Sequence[int]) -> Sets:
        """Make one factor of several neighbours with the extents ``sizes``, along some of which the sets differ."""
        before, after = sets.shape[: position + 1], sets.shape[position + 1 + len(sizes) :]
        return np.broadcast_to(sets, (*before, *sizes, *after)).reshape(*before, prod(sizes), *after)

    def arrange(self, sets: Sets, order: Sequence[int | None]) -> Sets:
        """Factors in a new order; None is a factor that nothing varies on; factors left out are read at 0."""
        axes, index = rearrangement(tuple(order), sets.ndim - 1)
        return sets.transpose(axes)[index]

    def embed(self, sets: Sets, position: int, offset: int, sizes: tuple[int, int]) -> Sets:
        """Place a factor of extent ``sizes[0]`` at ``offset`` of one of extent ``sizes[1]``; nothing elsewhere."""
        axis = position + 1
        shape = list(sets.shape)
        shape[axis] = sizes[1]
        out = self.nothing(shape, sets.dtype)
        out[(slice(None),) * axis + (slice(offset, offset + sizes[0]),)] = sets
        return out


class Interval(SetLattice):
    """Hulls: (first, -(one past last)); nothing is (FAR, FAR)."""

    ufunc = np.minimum
    empty = FAR

    def singletons(self, extent: int) -> Sets:
        """The intervals [0, 1), [1, 2), ..."""
        index = np.arange(extent)
        return np.stack([index, -index - 1])

    def saturated(self, sets: Sets, extent: int) -> bool:
        """Whether every unit sees [0, extent), held as one interval."""
        low, high = sets.flat if sets.size == len(sets) else (1, 0)
        return bool(low == 0 and high == -extent)
