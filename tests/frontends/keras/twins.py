"""Networks written in Keras, and again in PyTorch with every padding written out by hand.

A network is a list of steps. `Step` has a name that both modules go by; `pad` is what PyTorch is told, (before, after) on
every axis, where Keras is told `padding`. `Join` runs branches side by side; an empty branch is the input itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from tests.frontends.keras.backend import keras

L = keras.layers
Pads = tuple[int, int]


@dataclass(frozen=True)
class Step:
    """One layer: `op` is "conv", "max", ...; one `size` and `stride` for all axes unless they are tuples."""

    name: str
    op: str
    size: int | tuple[int, ...] = 1
    stride: int = 1
    padding: str = "valid"
    pad: Pads | tuple[Pads, ...] = (0, 0)
    dilation: int = 1
    channels: int = 4
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Join:
    """Branches on one input, joined by "cat", "add" or "mul"."""

    name: str
    op: str
    branches: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Network:
    """`size` is the extent of the input on every spatial axis; `channels_first` only says how Keras is to lay it out."""

    name: str
    steps: tuple[Any, ...]
    size: tuple[int, ...] = (32, 32)
    channels: int = 3
    channels_first: bool = False

    @property
    def keras_size(self) -> tuple[int, ...]:
        """Shape of the Keras model's input."""
        return (1, self.channels, *self.size) if self.channels_first else (1, *self.size, self.channels)

    @property
    def torch_size(self) -> tuple[int, ...]:
        """Shape of the PyTorch module's input."""
        return (1, self.channels, *self.size)

    def keras(self) -> Any:
        """The model in Keras, for inputs of any extent where that is possible."""
        first = "channels_first" if self.channels_first else "channels_last"
        x = keras.Input(self.keras_size[1:], name="image")
        return keras.Model(x, _keras(self.steps, x, len(self.size), first), name=self.name)

    def torch(self) -> nn.Module:
        """The same in PyTorch."""
        return Twin(self).eval()

    def names(self) -> list[str]:
        """The names that both sides have."""
        return [step.name for step in _every(self.steps)]


def _every(steps: Sequence[Any]) -> Iterator[Step | Join]:
    for step in steps:
        for branch in getattr(step, "branches", ()):
            yield from _every(branch)
        yield step


def _keras(steps: Sequence[Any], x: Any, rank: int, layout: str) -> Any:
    for step in steps:
        if isinstance(step, Join):
            parts = [_keras(branch, x, rank, layout) for branch in step.branches]
            axis = 1 if layout == "channels_first" else -1
            joins = {"cat": lambda name, a=axis: L.Concatenate(a, name=name), "add": lambda name: L.Add(name=name),
                     "mul": lambda name: L.Multiply(name=name)}  # fmt: skip
            x = joins[step.op](step.name)(parts)
        else:
            x = _keras_layer(step, rank, layout)(x)
    return x


def _keras_layer(step: Step, rank: int, layout: str) -> Any:  # noqa: C901 - one case an op
    name, size, where = step.name, step.size, {"data_format": layout}
    window = {"strides": step.stride, "padding": step.padding, "name": name, **where}
    dilated = {**window, "dilation_rate": step.dilation}
    match step.op:
        case "conv":
            return getattr(L, f"Conv{rank}D")(step.channels, size, **dilated, **step.more)
        case "depthwise":
            return getattr(L, f"DepthwiseConv{rank}D")(size, **dilated)
        case "separable":
            return getattr(L, f"SeparableConv{rank}D")(step.channels, size, **dilated)
        case "transposed":
            return getattr(L, f"Conv{rank}DTranspose")(step.channels, size, **window)
        case "max" | "average":
            return getattr(L, f"{step.op.title()}Pooling{rank}D")(size, **window)
        case "up":
            return getattr(L, f"UpSampling{rank}D")(size, name=name, **where)
        case "bilinear":
            return L.UpSampling2D(size, interpolation="bilinear", name=name, **where)
        case "pad":
            return getattr(L, f"ZeroPadding{rank}D")(
                (step.pad,) * rank if rank > 1 else step.pad, name=name, **where
            )
        case "crop":
            return getattr(L, f"Cropping{rank}D")(
                (step.pad,) * rank if rank > 1 else step.pad, name=name, **where
            )
        case "global":
            return getattr(L, f"GlobalAveragePooling{rank}D")(keepdims=True, name=name, **where)
        case "norm":
            return L.BatchNormalization(axis=1 if layout == "channels_first" else -1, name=name)
        case "act":
            return L.Activation("relu", name=name)
        case "lstm":
            return L.LSTM(step.channels, return_sequences=True, name=name)
        case _:
            raise ValueError(step.op)


class Twin(nn.Module):
    """The network in PyTorch: steps are children by their names, called as the lists say."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.steps = network.steps
        self._build(network.steps, network.channels, len(network.size))

    def _build(self, steps: Sequence[Any], channels: int, rank: int) -> int:
        for step in steps:
            if isinstance(step, Join):
                counts = [self._build(branch, channels, rank) for branch in step.branches]
                channels = sum(counts) if step.op == "cat" else max(counts)
                self.add_module(step.name, Joined(step.op))
            else:
                module, channels = _torch_layer(step, channels, rank)
                self.add_module(step.name, module)
        return channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run all steps."""
        return self._run(self.steps, x)

    def _run(self, steps: Sequence[Any], x: torch.Tensor) -> torch.Tensor:
        for step in steps:
            module = self.get_submodule(step.name)
            parts = [self._run(branch, x) for branch in step.branches] if isinstance(step, Join) else [x]
            x = module(*parts)
        return x


class Joined(nn.Module):
    """Tensors side by side, added or multiplied."""

    def __init__(self, op: str) -> None:
        super().__init__()
        self.op = op

    def forward(self, *xs: torch.Tensor) -> torch.Tensor:
        """Join them."""
        if self.op == "cat":
            return torch.cat(xs, 1)
        out = xs[0]
        for x in xs[1:]:
            out = out + x if self.op == "add" else out * x
        return out


class Recurrent(nn.Module):
    """An LSTM over (N, C, T)."""

    def __init__(self, channels: int, units: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, units, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run it."""
        return self.lstm(x.transpose(1, 2))[0].transpose(1, 2)


def _torch_layer(step: Step, channels: int, rank: int) -> tuple[nn.Module, int]:  # noqa: C901 - as above
    def of(name: str) -> Callable[..., nn.Module]:
        return getattr(nn, f"{name}{rank}d")

    pads = step.pad if isinstance(step.pad[0], tuple) else (step.pad,) * rank
    flat = [amount for pair in reversed(pads) for amount in pair]
    out = step.channels
    match step.op:
        case "conv":
            conv = of("Conv")(
                channels, out, step.size, step.stride, 0, step.dilation, step.more.get("groups", 1)
            )
            return nn.Sequential(of("ConstantPad")(flat, 0.0), conv), out
        case "depthwise":
            conv = of("Conv")(channels, channels, step.size, step.stride, 0, step.dilation, channels)
            return nn.Sequential(of("ConstantPad")(flat, 0.0), conv), channels
        case "separable":
            conv = of("Conv")(channels, channels, step.size, step.stride, 0, step.dilation, channels)
            return nn.Sequential(of("ConstantPad")(flat, 0.0), conv, of("Conv")(channels, out, 1)), out
        case "transposed":
            cut = of("ConstantPad")([-amount for amount in flat], 0.0)
            return nn.Sequential(of("ConvTranspose")(channels, out, step.size, step.stride), cut), out
        case "max":
            return nn.Sequential(
                of("ConstantPad")(flat, float("-inf")), of("MaxPool")(step.size, step.stride)
            ), channels
        case "average":
            return nn.Sequential(
                of("ConstantPad")(flat, 0.0), of("AvgPool")(step.size, step.stride)
            ), channels
        case "up":
            return nn.Upsample(scale_factor=step.size, mode="nearest"), channels
        case "bilinear":
            return nn.Upsample(scale_factor=step.size, mode="bilinear"), channels
        case "pad" | "crop":
            return of("ConstantPad")([n if step.op == "pad" else -n for n in flat], 0.0), channels
        case "global":
            return of("AdaptiveAvgPool")(1), channels
        case "norm":
            return of("BatchNorm")(channels), channels
        case "act":
            return nn.ReLU(), channels
        case "lstm":
            return Recurrent(channels, out), out
        case _:
            raise ValueError(step.op)
