"""What a network's output depends on, asked of PyTorch itself: two oracles that bound the truth from both sides."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch

from tests.networks import Network

# Values are of order 1: what is smaller is a zero coefficient, rounded.
ROUNDING = 1e-13
STEP = 0.25  # of a finite difference


@dataclass(frozen=True)
class Truth:
    """Booleans, output shape + input shape.

    ``reached`` are the outputs that turn NaN when one input element does, where coefficients that are 0 by construction
    pass nothing; ``proved`` those with a derivative other than 0 in one of the draws. ``proved`` is contained in the
    truth; ``reached`` is the truth, but for ops that decide by value what they read (which hide NaN).

    A derivative counts where NaN does not reach only if the output differs when the element does: some gradients of
    PyTorch are wrong (batch norm's, for a slope that lies in memory as channels_last does). ``refuted`` tells of that.
    """

    reached: np.ndarray
    proved: np.ndarray
    refuted: bool = False


def truth(network: Network, draws: int = 2) -> Truth:
    """Both oracles, the gradient over up to three times as many draws while the two differ."""
    reached = nan_probe(network, network.draw_parameters(0))
    proved = np.zeros_like(reached)
    refuted = False
    for seed in range(3 * draws):
        x = network.draw_parameters(seed)
        found = gradient(network, x)
        if (found & ~reached).any():
            confirmed = found & (reached | differences(network, x, found & ~reached))
            refuted |= bool((found & ~confirmed).any())
            found = confirmed
        proved |= found
        if seed + 1 >= draws and (proved == reached).all():
            break
    return Truth(reached, proved, refuted)


def differences(network: Network, x: torch.Tensor, asked: np.ndarray) -> np.ndarray:
    """Where the output changes with an element of the input, for the elements that are asked about."""
    out = np.zeros_like(asked).reshape(-1, x.numel())
    with torch.no_grad():
        expected = network(x)
        for element in np.flatnonzero(asked.reshape(-1, x.numel()).any(0)):
            other = x.clone()
            other.view(-1)[element] += STEP
            out[:, element] = (network(other) != expected).reshape(-1).numpy()
    return out.reshape(asked.shape)


def gradient(network: Network, x: torch.Tensor) -> np.ndarray:
    """Where the Jacobian is not 0."""
    x = x.clone().requires_grad_()
    y = network(x)
    shape = (*y.shape, *x.shape)
    if not y.requires_grad:
        return np.zeros(shape, bool)
    rows = torch.eye(y.numel(), dtype=y.dtype).reshape(-1, *y.shape)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some ops are slower in a batch
            (slopes,) = torch.autograd.grad(
                y, x, rows, is_grads_batched=True, allow_unused=True, retain_graph=True
            )
    except RuntimeError:
        parts = [torch.autograd.grad(y, x, row, allow_unused=True, retain_graph=True)[0] for row in rows]
        slopes = None if parts[0] is None else torch.stack(parts)
    if slopes is None:
        return np.zeros(shape, bool)
    return (slopes.abs() > ROUNDING).reshape(shape).numpy()


def nan_probe(network: Network, x: torch.Tensor) -> np.ndarray:
    """Where the output turns NaN with one element of the input."""
    with torch.no_grad():
        expected, found = network(x), network.probe(x)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
        poisoned = x.repeat(x.numel(), *(1 for _ in x.shape))
        poisoned.view(x.numel(), -1).fill_diagonal_(torch.nan)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # as above
                outputs = torch.vmap(network.probe)(poisoned)
        except RuntimeError:
            outputs = torch.stack([network.probe(one) for one in poisoned])
    return outputs.isnan().movedim(0, -1).reshape(*expected.shape, *x.shape).numpy()
