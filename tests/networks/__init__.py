"""Random legal spatial networks: what `make random-networks` and the property tests run."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from random import Random

import torch
from hypothesis import strategies as st
from torch import nn

from tests.networks import layouts, mixing, windows  # noqa: F401 - they register their proposals
from tests.networks.step import BINARY, LARGEST, UNARY, Do, Shape

__all__ = ["Network", "draw_network", "networks"]


class Network(nn.Module):
    """Steps on earlier values, value 0 being the input; the last value is the output."""

    def __init__(self, shape: Shape, steps: Sequence[tuple[str, nn.Module, tuple[int, ...]]]) -> None:
        super().__init__()
        self.shape = shape
        self.families = [family for family, _, _ in steps]
        self.steps = nn.ModuleList(step for _, step, _ in steps)
        self.operands = [operands for _, _, operands in steps]

    def forward(self, x):
        return self.values(x)[-1]

    def values(self, x) -> list[torch.Tensor]:
        """Every value, the input first."""
        values = [x]
        for step, operands in zip(self.steps, self.operands, strict=True):
            values.append(step(*(values[i] for i in operands)))
        return values

    def probe(self, x):
        """The same function, as `Do.probe` says."""
        values = [x]
        for step, operands in zip(self.steps, self.operands, strict=True):
            run = step.probe if isinstance(step, Do) else step
            values.append(run(*(values[i] for i in operands)))
        return values[-1]

    def live(self) -> list[int]:
        """The steps that the output depends on."""
        wanted = {len(self.steps)}
        for number in range(len(self.steps), 0, -1):
            if number in wanted:
                wanted.update(self.operands[number - 1])
        return [number - 1 for number in sorted(wanted - {0})]

    def draw_parameters(self, seed: int) -> torch.Tensor:
        """Positive parameters, so that nothing cancels; returns a positive input."""
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in self.parameters():
                fan_in = parameter[0].numel() if parameter.dim() > 1 else 1
                parameter.uniform_(0.5 / fan_in, 1.5 / fan_in, generator=generator)
        return torch.rand(self.shape, generator=generator, dtype=torch.float64) + 0.5

    def with_skip(self, after: int, of: int) -> Network:
        """A copy in which the value that step ``after`` makes has the earlier value ``of`` added, as many elements."""
        moved = [tuple(i + (i > after + 1) for i in operands) for operands in self.operands]
        moved = [tuple(after + 2 if i == after + 1 and k > after else i for i in operands)
                 for k, operands in enumerate(moved)]  # fmt: skip
        steps = list(zip(self.families, self.steps, moved, strict=True))
        skip = Do("skip", lambda x, y: x + y.reshape(x.shape))
        steps.insert(after + 1, ("skip", skip, (after + 1, of)))
        return Network(self.shape, steps).double().eval()

    def __repr__(self) -> str:
        lines = [f"Network on {self.shape}:"]
        for number, (step, operands) in enumerate(zip(self.steps, self.operands, strict=True), 1):
            lines.append(f"  {number} = {step} of {', '.join(map(str, operands))}")
        return "\n".join(lines)


def draw_network(rng: Random) -> Network:
    """A network of two to ten steps (a step is one to a dozen ops) on an input of 4 to 160 elements."""
    rank = rng.choice([1, 2, 2, 2, 3])
    most = {1: 13, 2: 8, 3: 4}[rank]
    shape = (rng.choice([1, 1, 2]), rng.randint(1, {1: 6, 2: 4, 3: 3}[rank]),
             *(rng.randint(1, most) for _ in range(rank)))  # fmt: skip
    while prod(shape) > 160:
        shape = (*shape[:-2], shape[-2], (shape[-1] + 1) // 2)
    values = [torch.rand(shape, dtype=torch.float64)]
    steps: list[tuple[str, nn.Module, tuple[int, ...]]] = []
    for _ in range(rng.randint(2, 10)):
        for _ in range(6):
            found = _step(rng, values)
            if found is not None:
                steps.append(found[0])
                values.append(found[1])
                break
    return Network(shape, steps).double().eval()


def _step(rng: Random, values: list[torch.Tensor]):
    """A step on the latest value or, now and then, an earlier one, with the value that it makes."""
    latest = len(values) - 1
    first = latest if rng.random() < 0.9 else rng.randint(0, latest)
    peers = [i for i, value in enumerate(values) if value.shape == values[first].shape and i != first]
    binary = bool(peers) and rng.random() < 0.4
    registry = BINARY if binary else UNARY
    family = rng.choices(list(registry), [weight for weight, _ in registry.values()])[0]
    step = registry[family][1](rng, tuple(values[first].shape))
    if step is None:
        return None
    operands = (first, rng.choice(peers)) if binary else (first,)
    step = step.double().eval()
    with torch.no_grad():
        for parameter in step.parameters():
            parameter.fill_(0.5)
        out = step(*(values[i] for i in operands))
    if not 0 < out.numel() <= LARGEST or not 3 <= out.dim() <= 5:
        return None
    return (family, step, operands), out


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """A network for a property test."""
    return draw_network(draw(st.randoms(use_true_random=False)))
