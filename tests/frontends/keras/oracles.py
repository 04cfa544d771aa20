"""What a model's outputs really depend on, asked of Keras itself; all questions of one kind in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

ROUNDING = 1e-12

Matrices = dict[tuple[int, int], np.ndarray]
Function = Callable[..., list[torch.Tensor]]


def gradient(function: Function, inputs: list[torch.Tensor]) -> Matrices:
    """Nonzero derivatives: (output, input) -> booleans, output shape + input shape."""
    found = {}
    for i, x in enumerate(inputs):
        for o, slope in enumerate(_slopes(_of(function, inputs, i), x)):
            found[o, i] = (slope.abs() > ROUNDING).numpy()
    return found


def nan_probe(function: Function, inputs: list[torch.Tensor]) -> Matrices:
    """Outputs that turn NaN when one input element does, as `gradient`."""
    return _asked(function, inputs, lambda x: [torch.full_like(x, torch.nan)], lambda new, _: new.isnan())


def change(function: Function, inputs: list[torch.Tensor], values: tuple[float, ...]) -> Matrices:
    """Outputs that change when one input element takes any of the values, as `gradient`."""
    return _asked(
        function,
        inputs,
        lambda x: [torch.full_like(x, value) for value in values],
        lambda new, old: (new - old).abs() > ROUNDING,
    )


def _of(
    function: Function, inputs: list[torch.Tensor], place: int
) -> Callable[[torch.Tensor], tuple[Any, ...]]:
    return lambda x: tuple(function(*inputs[:place], x, *inputs[place + 1 :]))


def _slopes(one: Callable[[torch.Tensor], tuple[Any, ...]], x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Jacobians; element by element where that cannot be done at once."""
    try:
        return torch.func.jacrev(one)(x)
    except (RuntimeError, ValueError, TypeError):
        return torch.autograd.functional.jacobian(one, x)


def _asked(
    function: Function,
    inputs: list[torch.Tensor],
    wholes: Callable[[torch.Tensor], list[torch.Tensor]],
    differs: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> Matrices:
    """One element at a time replaced by that of each whole: which outputs differ from those of the inputs."""
    found: Matrices = {}
    with torch.no_grad():
        before = function(*inputs)
        for i, x in enumerate(inputs):
            one = _of(function, inputs, i)
            for whole in wholes(x):
                eye = torch.eye(x.numel(), dtype=torch.bool).reshape(x.numel(), *x.shape)
                for o, after in enumerate(_each(one, torch.where(eye, whole, x))):
                    seen = (
                        differs(after, before[o]).movedim(0, -1).reshape(*before[o].shape, *x.shape).numpy()
                    )
                    found[o, i] = found.get((o, i), False) | seen
    return found


def _each(one: Callable[[torch.Tensor], tuple[Any, ...]], xs: torch.Tensor) -> Iterator[torch.Tensor]:
    """Outputs for every input, stacked; one by one where that cannot be done at once."""
    try:
        yield from torch.func.vmap(one)(xs)
    except (RuntimeError, ValueError, TypeError):
        yield from (torch.stack(parts) for parts in zip(*(one(x) for x in xs), strict=True))
