"""What an operator's outputs really depend on, asked of PyTorch in three ways, each with its own blind spots.

`gradient`: a derivative of autograd that isn't 0. Blind where the function is flat, or has no derivative.
`change`: another number in one element changes the output. Blind to what is rounded away.
`nan`: a NaN in one element reaches the output. Takes 0 * NaN for a dependence; hidden by comparisons.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from eyeshot.frontends.torch.modules import leaves
from tools.conformance.samples import LARGEST_MATRIX, Sample, Skipped

Matrix = NDArray[np.bool_]
Key = tuple[int, int]

ORACLES = ("gradient", "change", "nan")
SURE = 2
PATIENCE = 30
# How many elements of a tensor are probed, by the elements of the whole sample.
PLACES = ((1 << 10, 32), (1 << 12, 16), (1 << 30, 8))
# What one element x becomes, as (a, b) of a x + b; each draw takes the next two.
CHANGES = (
    (1.3, 0.1), (-1, -0.7), (0, 1e3), (0, -1e3), (0, 1), (0, -1), (0, 0),
    (0, 0.5), (1, 0.01), (0, 2), (0.9, 0), (7, 0), (0, 0.25), (0, 8),
)  # fmt: skip
NAN = (0, math.nan)


class Oracles:
    """One sample under observation.

    ``outputs`` are its tensors as the sample itself gives them; ``columns`` the elements of each input that are probed, a
    seeded selection where there are many.
    """

    def __init__(self, sample: Sample, seed: int, *, unit: bool = False) -> None:
        self._call, self._inputs = sample.call, sample.inputs
        self._generator = torch.Generator().manual_seed(seed)
        self._seeded = False
        self._seed = 0
        self._unit = unit
        self.outputs = self._run(sample.inputs)
        self._settle()
        size = sum(x.numel() for x in (*self.outputs, *sample.inputs))
        self._places = next(places for largest, places in PLACES if size <= largest)
        self.columns = [self._some(x.numel()) for x in sample.inputs]
        self.seen: dict[str, dict[Key, Matrix]] = {
            oracle: {
                (o, i): np.zeros((output.numel(), x.numel()), np.bool_)
                for o, output in enumerate(self.outputs)
                for i, x in enumerate(sample.inputs)
            }
            for oracle in ORACLES
        }

    def observe(
        self, rules: Mapping[Key, Matrix], trusted: Mapping[Key, tuple[str, ...]], *, patient: bool
    ) -> None:
        """Ask until all that the rules say was seen by a trusted oracle, or (the sooner if not ``patient``) give up."""
        columns = self.columns
        for number, inputs in enumerate(self._draws(PATIENCE if patient else SURE + 1)):
            self._seed = number
            if number >= SURE:
                unseen = {key: rule & ~self.union(key, trusted[key]) for key, rule in rules.items()}
                columns = [
                    [c for c in every if any(unseen[key][:, c].any() for key in unseen if key[1] == i)]
                    for i, every in enumerate(self.columns)
                ]
                if not any(columns):
                    return
            try:
                base = self._run(inputs)
            except Exception:  # noqa: BLE001 - this draw is outside the operator's domain
                continue
            if [x.shape for x in base] == [x.shape for x in self.outputs]:
                self._gradient(inputs)
                for i in range(len(inputs)):
                    self._probe(inputs, base, i, columns[i], number)

    def union(self, key: Key, oracles: tuple[str, ...]) -> Matrix:
        """What any of the oracles saw of one output and one input: rows are output elements, columns input elements."""
        out = np.zeros_like(self.seen["nan"][key])
        for oracle in oracles:
            out |= self.seen[oracle][key]
        return out

    def _some(self, count: int) -> list[int]:
        if count <= self._places:
            return list(range(count))
        return sorted(torch.randperm(count, generator=self._generator)[: self._places].tolist())

    def _run(self, inputs: list[Tensor]) -> list[Tensor]:
        if self._seeded:
            torch.manual_seed(self._seed)
        with torch.no_grad():
            result = self._call(*(x.clone() for x in inputs))
        outputs = [x.detach() for _, x in leaves(result)]
        return [x.clone() if x.layout == torch.strided else x for x in outputs]

    def _settle(self) -> None:
        """Seed every run where the operator draws random numbers; refuse what can't be compared."""
        if not self.outputs:
            raise Skipped("no tensor among the results")
        if any(output.layout != torch.strided for output in self.outputs):
            raise Skipped("sparse tensors")
        if max(o.numel() for o in self.outputs) * max(x.numel() for x in self._inputs) > LARGEST_MATRIX:
            raise Skipped("too large")
        if self._differ(self.outputs, self._run(self._inputs)):
            self._seeded = True
            self.outputs = self._run(self._inputs)
            if self._differ(self.outputs, self._run(self._inputs)):
                raise Skipped("results that no seed fixes")

    @staticmethod
    def _differ(one: list[Tensor], other: list[Tensor]) -> bool:
        return any(a.shape != b.shape or bool(_changed(a, b).any()) for a, b in zip(one, other, strict=True))

    def _draws(self, count: int) -> Iterator[list[Tensor]]:
        """The sample's own numbers (unless they must lie in [0, 1), which they may not), then others."""
        if not self._unit:
            yield self._inputs
        for number in range(count - 1):
            drawn = []
            for x in self._inputs:
                noise = torch.randn(x.shape, generator=self._generator, dtype=torch.float64)
                uniform = torch.rand(x.shape, generator=self._generator, dtype=torch.float64)
                drawn.append(_drawn(3 if self._unit else number % 8, x, noise, uniform).to(x.dtype))
            yield drawn

    def _gradient(self, inputs: list[Tensor]) -> None:
        if self._seeded:
            torch.manual_seed(self._seed)
        given = [x.clone().requires_grad_() for x in inputs]
        with suppress(RuntimeError, NotImplementedError, IndexError), torch.enable_grad():
            # A copy is what the operator gets: one that writes may not write into a leaf.
            results = [x for _, x in leaves(self._call(*(x.clone() for x in given)))]
            for o, result in enumerate(results):
                if not result.requires_grad:
                    continue
                flat = result.reshape(-1)
                parts = [flat.real, flat.imag] if result.is_complex() else [flat]
                for row in self._some(flat.numel()):
                    for part in parts:
                        self._slopes(part[row], given, o, row)

    def _slopes(self, element: Tensor, given: list[Tensor], o: int, row: int) -> None:
        slopes = torch.autograd.grad(element, given, retain_graph=True, allow_unused=True)
        for i, slope in enumerate(slopes):
            if slope is not None:
                size = slope.abs().reshape(-1)
                size = torch.where(size.isfinite(), size, 0)
                rounding = 1e4 * torch.finfo(size.dtype).eps * max(1.0, float(size.max()))
                self.seen["gradient"][o, i][row] |= (size > rounding).numpy()

    def _probe(self, inputs: list[Tensor], base: list[Tensor], i: int, columns: list[int], draw: int) -> None:
        """Set one element of input ``i`` after the other to something else."""
        two = [CHANGES[(2 * draw + k) % len(CHANGES)] for k in (0, 1)]
        for column in columns:
            for change in (*two, NAN) if draw == 0 else two:
                poisoned = inputs[i].clone()
                poisoned.view(-1)[column] = change[0] * poisoned.view(-1)[column] + change[1]
                try:
                    outputs = self._run([*inputs[:i], poisoned, *inputs[i + 1 :]])
                except Exception:  # noqa: BLE001 - the operator doesn't take such a number
                    continue
                oracle = "nan" if change is NAN else "change"
                for o, (output, before) in enumerate(zip(outputs, base, strict=True)):
                    if output.shape == before.shape:
                        self.seen[oracle][o, i][:, column] |= _changed(output, before).reshape(-1).numpy()


def _drawn(kind: int, x: Tensor, normal: Tensor, uniform: Tensor) -> Tensor:
    match kind:
        case 0:
            return x + 0.05 * normal
        case 1:
            return uniform + 0.5
        case 2:
            return normal
        case 3:
            return uniform
        case 4:
            return normal * (uniform > 0.5)
        case 5:
            return 5 * uniform
        case _:
            return 3 * normal


def _changed(output: Tensor, before: Tensor) -> Tensor:
    """Where a tensor differs by more than rounding; NaN equals NaN."""
    if not (output.is_floating_point() or output.is_complex()):
        return output != before
    limit = 1e4 * torch.finfo(output.dtype).eps
    same = (output == before) | (output.isnan() & before.isnan())
    size = torch.maximum(output.abs(), before.abs())
    largest = torch.where(size.isfinite(), size, 0).amax() if size.numel() else 0
    near = (output - before).abs() <= limit * torch.clamp(torch.as_tensor(largest), min=1)
    return ~(same | near)


def runs(call: nn.Module, inputs: list[Tensor]) -> bool:
    """Whether the sample runs on this machine at all."""
    try:
        with torch.no_grad():
            call(*(x.clone() for x in inputs))
    except Exception:  # noqa: BLE001 - whatever PyTorch says
        return False
    return True
