"""Elements of constants: the operators that shapes, axes, indices and masks are computed with, as NumPy functions."""

from __future__ import annotations

from itertools import zip_longest
from math import ceil
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from eyeshot.frontends.onnx.rules import DEFAULT_DOMAIN, Registry, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from eyeshot.frontends.onnx.model import Node

    Array = NDArray[Any]

F = TypeVar("F", bound="Callable[..., Any]")

EVALUATIONS = Registry()


def evaluates(*ops: str) -> Callable[[F], F]:
    """Register ``function(call, *arrays, **attributes)`` as what an operator computes.

    ``call`` is a `Call`: ``shapes`` and ``dtypes`` are the outputs', as the lowering found them; a result of another shape
    counts as not known. It gives an array, a tuple of them for several outputs, or None where the elements can't be known.
    """

    def register(function: F) -> F:
        for op in ops:
            EVALUATIONS.add(DEFAULT_DOMAIN, op, Rule.of(function, 1, ()))
        return function

    return register


class Call:
    """One node whose elements are computed."""

    def __init__(self, node: Node, opset: int, shapes: list[tuple[int, ...]], dtypes: list[str]) -> None:
        self.node, self.opset, self.shapes, self.dtypes = node, opset, shapes, dtypes
        self.op = node.op
        self._results: tuple[Array | None, ...] | None = None

    @property
    def label(self) -> str:
        """The node as an error names it."""
        return f"{self.op} node {self.node.name!r}"

    def part(self, rule: Rule, attributes: Mapping[str, Any], place: int) -> Callable[..., Array | None]:
        """What makes the output at ``place`` of the inputs' arrays; all outputs are computed at once."""

        def make(*arrays: Array | None) -> Array | None:
            if self._results is None:
                self._results = self._computed(rule, list(arrays), attributes)
            return self._results[place]

        return make

    def _computed(
        self, rule: Rule, arrays: list[Array | None], attributes: Mapping[str, Any]
    ) -> tuple[Array | None, ...]:
        with np.errstate(all="ignore"):
            found = rule.call(self, arrays, attributes)
        listed = found if isinstance(found, tuple) else (found,)
        return tuple(
            None if array is None or array.shape != shape else array
            for array, shape in zip_longest(map(_array, listed), self.shapes)
        )


def _array(found: Any) -> Array | None:
    return None if found is None else np.asarray(found)


def range_length(start: Any, limit: Any, delta: Any) -> int:
    """How many numbers ``Range`` gives.

    Raises
    ------
    ValueError
        where they never end.
    """
    first, last, step = (np.asarray(each).reshape(-1)[0].item() for each in (start, limit, delta))
    if not step or not np.isfinite([first, last, step]).all():
        raise ValueError(f"a range from {first} to {last} in steps of {step} has no length")
    return int(max(0, ceil((last - first) / step)))
