"""Fields of the reference networks by hand: one axis at a time, on unclipped integers, with phases.

This shares nothing with eyeshot: it walks modules, not graphs, and knows the layers of `notation` alone. It
serves to tell whether a network here is the one that a published figure speaks of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

from torch import nn

from tests.reference_networks.notation import Parallel

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
PADS = (nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d)
POINTWISE = (nn.ReLU, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.Dropout, nn.Identity)


@dataclass(frozen=True)
class Law:
    """Unit y reads [start, stop) of the input; y + period reads the same, `shift` further on."""

    starts: tuple[int, ...]
    stops: tuple[int, ...]
    shift: int

    @property
    def period(self) -> int:
        return len(self.starts)

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(stop - start for start, stop in zip(self.starts, self.stops, strict=True))

    @property
    def stride(self) -> Fraction:
        return Fraction(self.shift, self.period)

    def at(self, unit: int) -> tuple[int, int]:
        turns, phase = divmod(unit, self.period)
        return self.starts[phase] + turns * self.shift, self.stops[phase] + turns * self.shift

    def reading(self, period: int, shift: int, inputs: Callable[[int], list[int]]) -> Law:
        """The law of a layer on top, whose unit y reads the units `inputs(y)` of this one."""
        boxes = [[self.at(i) for i in inputs(y)] for y in range(period)]
        starts = [min(start for start, _ in box) for box in boxes]
        stops = [max(stop for _, stop in box) for box in boxes]
        for p in range(1, period + 1):
            if period % p == 0 and shift * p % period == 0:
                step = shift * p // period
                if all(starts[y] == starts[y % p] + y // p * step for y in range(period)) and all(
                    stops[y] == stops[y % p] + y // p * step for y in range(period)
                ):
                    return Law(tuple(starts[:p]), tuple(stops[:p]), step)
        raise AssertionError("p = period always holds")


def _join(laws: list[Law]) -> Law:
    assert len({law.stride for law in laws}) == 1, (
        f"branches with strides {[str(law.stride) for law in laws]}"
    )
    period = lcm(*(law.period for law in laws))
    boxes = [[law.at(y) for law in laws] for y in range(period)]
    union = Law(
        tuple(min(start for start, _ in box) for box in boxes),
        tuple(max(stop for _, stop in box) for box in boxes),
        int(laws[0].stride * period),
    )
    return union.reading(period, union.shift, lambda y: [y])


def _entry(setting: int | tuple[int, ...], axis: int) -> int:
    return setting if isinstance(setting, int) else setting[axis]


def _leaf(module: nn.Module, law: Law, axis: int) -> Law:
    if isinstance(module, POINTWISE):
        return law
    if isinstance(module, PADS):
        low = module.padding[-2 * (axis + 1)]
        return law.reading(law.period, law.shift, lambda y: [y - low])
    assert isinstance(module, CONVOLUTIONS + POOLS + TRANSPOSED), (
        f"{type(module).__name__} is no layer of the notation"
    )
    k, s, p = (_entry(getattr(module, name), axis) for name in ("kernel_size", "stride", "padding"))
    d = _entry(getattr(module, "dilation", 1), axis)
    if isinstance(module, TRANSPOSED):
        taps = [d * t - p for t in range(k)]
        return law.reading(
            law.period * s, law.shift, lambda y: [(y - tap) // s for tap in taps if (y - tap) % s == 0]
        )
    period = law.period // gcd(law.period, s)
    return law.reading(
        period, law.shift * s * period // law.period, lambda y: [s * y - p + d * t for t in range(k)]
    )


def laws(network: nn.Module, axis: int) -> dict[str, Law]:
    """The law of every module's output along one spatial axis, by module path."""
    found: dict[str, Law] = {}

    def walk(module: nn.Module, path: str, law: Law) -> Law:
        children = [(f"{path}.{name}".lstrip("."), child) for name, child in module.named_children()]
        if isinstance(module, Parallel):
            law = _join([walk(child, name, law) for name, child in children])
        elif isinstance(module, nn.Sequential):
            for name, child in children:
                law = walk(child, name, law)
        else:
            law = _leaf(module, law, axis)
        found[path] = law
        return law

    walk(network, "", Law((0,), (1,), 1))
    return found
