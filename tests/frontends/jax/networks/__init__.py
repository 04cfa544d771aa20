"""Networks in flax and equinox, each with a twin in PyTorch that sees exactly the same: `NETWORKS`, of all files here."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flax import nnx
from torch import nn

NHWC = {3: (0, 2, 1), 4: (0, 3, 1, 2), 5: (0, 4, 1, 2, 3)}
"""How to bring channels from behind to where PyTorch has them, by rank."""
SAME = ((1, 1), (1, 1))


@dataclass(frozen=True)
class Network:
    """One network twice: ``build()`` in JAX, to be given ``shape``, and ``twin()`` in PyTorch, given ``twin_shape``.

    ``layout`` and ``twin_layout`` are what `analyze` is told (None: the default). ``moved`` are the axes of a JAX output in
    the order of the twin's.
    """

    name: str
    build: Callable[[], Any]
    shape: tuple[int, ...]
    twin: Callable[[], nn.Module]
    twin_shape: tuple[int, ...]
    layout: str | None = None
    twin_layout: str | None = None
    moved: Sequence[int] | None = None

    def order(self, rank: int) -> Sequence[int]:
        """The axes of a JAX output in the order of the twin's."""
        return self.moved if self.moved is not None else NHWC[rank]


NETWORKS: list[Network] = []


def network(
    name: str,
    shape: tuple[int, ...],
    twin: Callable[[], nn.Module],
    twin_shape: tuple[int, ...] | None = None,
    **options: Any,
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Registers the JAX side of a network with its twin, whose shape follows where JAX has channels last."""
    turned = twin_shape or tuple(shape[axis] for axis in NHWC[len(shape)])

    def register(build: Callable[[], Any]) -> Callable[[], Any]:
        NETWORKS.append(Network(name, build, shape, twin, turned, **options))
        return build

    return register


def tokens(name: str, shape: tuple[int, ...], twin: Callable[[], nn.Module]) -> Any:
    """As `network`, for (N, T, C) on both sides."""
    return network(name, shape, twin, shape, twin_layout="NTC", moved=range(len(shape)))


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Residual(nn.Module):
    def __init__(self, *inner, skip=None):
        super().__init__()
        self.inner, self.skip = nn.Sequential(*inner), skip or nn.Identity()

    def forward(self, x):
        return self.inner(x) + self.skip(x)


def shapes_alone(build):
    """An nnx module whose parameters are shapes: to make up numbers for them takes far longer."""
    return lambda: nnx.eval_shape(build)


for _file in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_file.name}")
