"""The linearised gradient: which elements of the input one unit of a model depends on.

The model runs once for real, and every ATen op of it is written down as a linear map of float64 tensors with positive
coefficients (:mod:`eyeshot.proof.rules`): activations become the identity, what is summed becomes a mean (positive
weights 1/fan-in), normalisation and softmax keep an element and add the mean of what they look at, products of two
tensors become sums. Nothing cancels, and no activation is off. So the gradient of a unit of that program is nonzero
exactly where the unit can depend on the input.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from eyeshot.frontends.torch.modules import leaves
from eyeshot.proof.recorder import Recorder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyeshot.execution.running import Setup
    from eyeshot.proof.program import Program

SMALLEST = 1e-290
"""Gradients this small are near the end of float64: others may have vanished."""


@dataclass(slots=True)
class Recording:
    """A program, with the slot of every tensor that a module returned (None: it is constant) and its shape.

    ``spoilt`` names tensors that hold NaN or infinities without any poison.
    """

    program: Program
    slots: dict[str, int | None] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    spoilt: set[str] = field(default_factory=set)
    scalars: bool = False

    def flags(self, name: str, kind: str) -> set[str]:
        """The ops on the way to a tensor at which an oracle is blind in this way."""
        slot = self.slots[name]
        return {op for each, op in self.program.flags[slot] if each == kind} if slot is not None else set()


def record(setup: Setup) -> Recording:
    """Run the model once, on clean input."""
    given = [t for item in (setup.args, dict(setup.kwargs)) for _, t in leaves(item)]
    recorder = Recorder(setup.x, setup.model, given)
    recording = Recording(recorder.program)

    def seen(name: str, tensor: Tensor) -> None:
        recording.slots[name] = recorder.slot(tensor)
        recording.shapes[name] = tuple(tensor.shape)
        if not recorder.finite(tensor):
            recording.spoilt.add(name)

    setup.run(seen, mode=recorder)
    recording.scalars = recorder.scalars
    return recording


class Gradients:
    """Answers about single units of some tensors of a recording."""

    def __init__(self, recording: Recording, names: list[str], device: torch.device) -> None:
        self._slots = {name: recording.slots[name] for name in names}
        self._x = torch.zeros(recording.program.shape, dtype=torch.float64, device=device, requires_grad=True)
        wanted = {slot for slot in self._slots.values() if slot is not None}
        self._twins = recording.program.run(self._x, wanted)

    def reads(self, name: str, unit: tuple[int, ...]) -> tuple[NDArray[np.bool_], bool]:
        """Which input elements a unit depends on, and whether none can have been lost to the range of float64."""
        slot = self._slots[name]
        nothing = np.zeros(tuple(self._x.shape), bool)
        if slot is None or not self._twins[slot].requires_grad:
            return nothing, True
        (slope,) = torch.autograd.grad(self._twins[slot][unit], self._x, retain_graph=True)
        found = slope != 0
        smallest = slope.where(found, torch.inf).min()
        whole = bool(slope.isfinite().all()) and bool(smallest > SMALLEST)
        return found.cpu().numpy(), whole
