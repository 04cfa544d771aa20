"""The evaluators of ops on constants, by the name of the op without its overload."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np

EVALUATORS: dict[str, Callable[..., Any]] = {}


class Out(NamedTuple):
    """What an output has to be."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def fits(self, shape: tuple[int, ...]) -> None:
        """Refuse to compute an array that isn't the one that is wanted, before it takes memory.

        Raises
        ------
        ValueError
            where the numbers of elements differ.
        """
        if prod(shape) != prod(self.shape):
            raise ValueError(f"{shape} is not {self.shape}")


def evaluates(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function for ops, by their names without "aten." and overload.

    It is called as ``function(outs, *args, **kwargs)`` with an array in the place of every tensor, and returns an array,
    or one an output. Its results are cast to the dtypes that torch gave the outputs, so it may compute in any.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        EVALUATORS.update(dict.fromkeys(names, function))
        return function

    return register
