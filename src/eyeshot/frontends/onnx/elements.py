"""Elements of tensors, computed only if somebody asks: most are never looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

MOST = 1 << 22
"""Elements of a tensor up to which they are computed."""
MOST_IN_ALL = 1 << 27
"""Elements that one model may have computed."""


class Pool:
    """Counts what one model has computed."""

    def __init__(self) -> None:
        self.left = MOST_IN_ALL

    def spend(self, count: int) -> bool:
        """Whether ``count`` more elements may be computed."""
        self.left -= count
        return self.left >= 0


class Elements:
    """The elements of one tensor: an array, or how to make it from the elements of others.

    ``make`` is called with the operands' arrays (None where an input is left out) and gives None where they can't
    be known after all.
    """

    __slots__ = ("held", "make", "operands", "pool")

    def __init__(
        self,
        make: Callable[..., Array | None],
        operands: Sequence[Elements | None] = (),
        pool: Pool | None = None,
    ) -> None:
        self.make: Callable[..., Array | None] | None = make
        self.operands = operands
        self.pool = pool
        self.held: Array | None = None

    @staticmethod
    def of(values: Any, dtype: str = "int64") -> Elements:
        """Elements that are there already."""
        there = np.asarray(values, dtype)
        return Elements(lambda: there)

    def array(self) -> Array | None:
        """The elements; None where they can't be known. Long chains don't recurse."""
        waiting = [self]
        while waiting:
            last = waiting[-1]
            missing = [each for each in last.operands if each is not None and each.make is not None]
            if last.make is not None and missing:
                waiting.extend(missing)
                continue
            waiting.pop()
            last.settle()
        return self.held

    def settle(self) -> None:
        """Compute now; the operands are there."""
        if self.make is None:
            return
        arrays = [None if each is None else each.held for each in self.operands]
        lost = any(
            each is not None and array is None for each, array in zip(self.operands, arrays, strict=True)
        )
        cost = 1 + sum(array.size for array in arrays if array is not None)
        if not lost and (self.pool is None or self.pool.spend(cost)):
            self.held = self.make(*arrays)
        self.make, self.operands = None, ()
