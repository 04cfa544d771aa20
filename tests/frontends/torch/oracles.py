"""What an op's outputs really depend on, asked of PyTorch itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

# Inputs are of order 1: what is smaller is a zero coefficient, rounded.
ROUNDING = 1e-13

Matrices = dict[tuple[int, int], np.ndarray]


def floating_outputs(result: Any) -> list[torch.Tensor]:
    """The floating tensors of any structure, in order."""
    return [part for part in pytree.tree_leaves(result) if torch.is_tensor(part) and part.is_floating_point()]


def gradient(function: Callable[..., Any], inputs: list[torch.Tensor]) -> Matrices:
    """Nonzero derivatives: (output, input) -> booleans, output shape + input shape."""
    asked = [i for i, x in enumerate(inputs) if x.is_floating_point()]
    leaves = [x.detach().clone().requires_grad_(x.is_floating_point()) for x in inputs]
    outputs = floating_outputs(function(*leaves))
    found = _empty(inputs, outputs)
    for o, output in enumerate(outputs):
        if not output.requires_grad:
            continue
        for place, element in enumerate(output.reshape(-1)):
            wanted = [leaves[i] for i in asked]
            slopes = torch.autograd.grad(element, wanted, retain_graph=True, allow_unused=True)
            for i, slope in zip(asked, slopes, strict=True):
                if slope is not None:
                    read = slope.abs() > ROUNDING
                    found[o, i].reshape(output.numel(), -1)[place] = read.reshape(-1).numpy()
    return found


def nan_probe(function: Callable[..., Any], inputs: list[torch.Tensor]) -> Matrices:
    """Outputs that turn NaN when one input element does: (output, input) -> booleans, as `gradient`."""
    with torch.no_grad():
        found = _empty(inputs, floating_outputs(function(*inputs)))
        for i, x in enumerate(inputs):
            if not x.is_floating_point():
                continue
            for element in range(x.numel()):
                poisoned = x.clone(memory_format=torch.contiguous_format)
                poisoned.view(-1)[element] = torch.nan
                outputs = floating_outputs(function(*inputs[:i], poisoned, *inputs[i + 1 :]))
                for o, output in enumerate(outputs):
                    column = output.isnan().reshape(-1).numpy()
                    found[o, i].reshape(-1, x.numel())[:, element] = column
    return found


def _empty(inputs: list[torch.Tensor], outputs: list[torch.Tensor]) -> Matrices:
    return {
        (o, i): np.zeros((*output.shape, *x.shape), bool)
        for o, output in enumerate(outputs)
        for i, x in enumerate(inputs)
        if x.is_floating_point()
    }
