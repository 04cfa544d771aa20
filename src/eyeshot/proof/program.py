"""Linear programs: what a network does to dependence, as steps that autograd can run backwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from eyeshot.errors import GraphError

Twins = Mapping[int, Tensor]
Linear = Callable[[Twins], Sequence[Tensor]]


@dataclass(frozen=True, slots=True)
class Step:
    """One linear map, standing for ``op``: the twins in ``outputs`` from those in ``inputs``."""

    op: str
    linear: Linear
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(slots=True)
class Program:
    """The steps of one forward, from the twin of the input (slot 0) on.

    A *twin* is a float64 tensor of the shape of the tensor that it stands for; it is a positive linear function of the
    input's twin, and depends on exactly the elements that the tensor depends on. ``flags`` says, for each slot, which
    ops on the way an oracle is blind at, by the kind of blindness.
    """

    shape: tuple[int, ...]
    steps: list[Step] = field(default_factory=list)
    flags: dict[int, frozenset[tuple[str, str]]] = field(default_factory=lambda: {0: frozenset()})

    def add(
        self,
        op: str,
        linear: Linear,
        inputs: Sequence[int],
        outputs: int,
        flags: Iterable[tuple[str, str]] = (),
    ) -> list[int]:
        """Append a step with so many outputs; their slots."""
        first = len(self.flags)
        slots = list(range(first, first + outputs))
        inherited = frozenset[tuple[str, str]]().union(flags, *(self.flags[slot] for slot in inputs))
        self.flags.update(dict.fromkeys(slots, inherited))
        self.steps.append(Step(op, linear, tuple(inputs), tuple(slots)))
        return slots

    def run(self, x: Tensor, wanted: set[int]) -> dict[int, Tensor]:
        """The wanted twins for this twin of the input; others are dropped as soon as nothing reads them."""
        wanted = {0, *wanted}
        needed = self._needed(wanted)
        last = {slot: number for number in needed for slot in self.steps[number].inputs}
        twins: dict[int, Tensor] = {0: x}
        with torch.enable_grad():
            for number in needed:
                step = self.steps[number]
                with excused(step.op):
                    twins.update(zip(step.outputs, step.linear(twins), strict=False))
                for slot in {*step.inputs, *step.outputs}:
                    if last.get(slot, -1) <= number and slot not in wanted:
                        twins.pop(slot, None)
        return {slot: twins[slot] for slot in wanted}

    def _needed(self, wanted: set[int]) -> list[int]:
        """The steps that the wanted slots rest on, in order."""
        open_slots, found = set(wanted), []
        for number in reversed(range(len(self.steps))):
            if not open_slots.isdisjoint(self.steps[number].outputs):
                open_slots.update(self.steps[number].inputs)
                found.append(number)
        return found[::-1]


@contextmanager
def excused(op: str) -> Iterator[None]:
    """A rule that fails is a defect of ours, and no model's."""
    try:
        yield
    except Exception as error:
        raise GraphError(
            f"the linear form of {op} failed: {type(error).__name__}: {error}. "
            "This is a defect of eyeshot's proof, not of the model or the report; please report it"
        ) from error


def thin(twin: Tensor) -> Tensor:
    """A twin with extent 1 along the axes that it was expanded along: it is the same everywhere there."""
    for axis, (extent, stride) in enumerate(zip(twin.shape, twin.stride(), strict=True)):
        if stride == 0 and extent > 1:
            twin = twin.narrow(axis, 0, 1)
    return twin


def mean(twin: Tensor, axes: Sequence[int]) -> Tensor:
    """The mean along axes, which stay with extent 1."""
    small = thin(twin)
    varying = [axis for axis in axes if small.shape[axis] != 1]
    return small.mean(varying, keepdim=True) if varying else small
