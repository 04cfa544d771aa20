"""One row of the table of ops: what to run, on which shapes, and which oracles decide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

Oracle = Literal["gradient", "nan"]
Inputs = Sequence[torch.Tensor]


@dataclass(frozen=True)
class Case:
    """A function of tensors (or a module, whose parameters are drawn positive) and what is expected of it.

    `shapes` are those of its floating inputs; `make` builds the inputs instead where some are integers or
    need special values, from a seeded generator. Only floating inputs and outputs are compared.

    Where `reason` is None the lowering must equal every oracle in `oracles`; otherwise it must contain them
    and flag the reason (or reasons, with spaces between). The gradient is the union over `draws` of random
    positive inputs: it knows of zero coefficients, and misses what no draw selects. NaN probing finds every
    selection, and takes 0 * NaN for a dependence.
    """

    name: str
    function: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...] = ()
    make: Callable[[torch.Generator], Inputs] | None = None
    oracles: tuple[Oracle, ...] = ("gradient", "nan")
    reason: str | None = None
    draws: int = 2

    def inputs(self, seed: int) -> list[torch.Tensor]:
        """The positional inputs of one draw, in double precision where floating."""
        generator = torch.Generator().manual_seed(seed)
        if self.make is not None:
            return list(self.make(generator))
        return [torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5 for shape in self.shapes]
