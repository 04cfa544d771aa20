"""One row of the table of layers and ops: what to call, on which shapes, and which oracles decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Oracle = Literal["gradient", "nan", "change"]


@dataclass(frozen=True)
class Case:
    """A function of symbolic Keras tensors, which a functional model is made of, and what is expected of it.

    Where `reason` is None the lowering must equal every oracle in `oracles`; otherwise it must contain them and flag the
    reason. `"change"` sets each element of the inputs in turn to each of `values`, from `draws` random beginnings, and sees
    which outputs change: for integers, comparisons and masks, which the others are blind to. The gradient is the union over
    `draws`, too.
    """

    name: str
    function: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    oracles: tuple[Oracle, ...] = ("gradient", "nan")
    reason: str | None = None
    draws: int = 1
    values: tuple[float, ...] = ()
    dtype: str = "float64"

    def inputs(self, seed: int) -> list[np.ndarray]:
        """Random inputs of one draw."""
        generator = np.random.default_rng(seed)
        if self.values:
            return [
                generator.choice(np.array(self.values), shape).astype(self.dtype) for shape in self.shapes
            ]
        return [generator.uniform(0.5, 1.5, shape).astype(self.dtype) for shape in self.shapes]
