"""What passes between `effective_field` and the methods that estimate one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from eyeshot.effective.images import Images
    from eyeshot.effective.protocols import Protocol
    from eyeshot.execution.target import Target
    from eyeshot.fields import Report

Progress = Callable[[int, int], None]
"""Called with the number of images that are done, and of all."""


@dataclass(frozen=True, slots=True)
class Question:
    """A model and the target whose effective field is wanted."""

    model: Any
    report: Report
    target: Target
    images: Images
    protocol: Protocol
    tolerance: float | None
    memory: int
    progress: Progress

    @property
    def axes(self) -> tuple[int, ...]:
        """The spatial axes of the input."""
        return self.report.spatial[self.report.input].axes


@dataclass(frozen=True, slots=True)
class Estimate:
    """A method's answer: the mean contribution of each place, not yet finished by the protocol.

    ``map`` lies on the input's spatial axes; ``images``, ``stderr``, ``convergence`` and ``notes`` are as in
    `EffectiveField`.
    """

    map: NDArray[np.float64]
    images: int
    stderr: float | None
    convergence: tuple[tuple[int, float], ...]
    notes: tuple[str, ...]
