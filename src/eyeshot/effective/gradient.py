"""Effective fields by gradients: the mean, over images, of what the gradient of a unit says of each place."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from eyeshot.effective.question import Estimate
from eyeshot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from eyeshot.effective.question import Question
    from eyeshot.execution.gradients import Gradients

LEAST = 4
"""Images before the standard error is trusted to end the run."""

FAINT = 1e-5
"""Gradients so small are compared with those of one channel: less than a ten-thousandth of these is rounding."""

CANCELS = (
    "the gradients of the channels cancel, up to rounding (so they do after a layer norm without weights, whose sum over "
    "channels is constant): ask for one channel (unit=)"
)


def estimate(question: Question) -> Estimate:
    """Average contributions over images, a batch at a time, until all are seen or ``tolerance`` is met.

    Raises
    ------
    InputError
        for images with NaN or infinity, for gradients with NaN (unless the protocol leaves those images out), and for a
        target without a gradient.
    """
    from eyeshot.execution.gradients import Gradients

    gradients = Gradients(question.model, question.report, question.target, memory=question.memory // 2)
    mean = Mean()
    left_out: list[int] = []
    dead = seen = 0
    cancels = False
    convergence: list[tuple[int, float]] = []
    for batch in question.images.batches(_batch(question, gradients)):
        _finite(batch, gradients, question, seen)
        gradient = gradients(batch)
        cancels = cancels or (not seen and _cancels(question, batch[:1], gradient[:1]))
        found = _contributions(0 * gradient if cancels else gradient, question)
        whole = np.isfinite(found).all(tuple(range(1, found.ndim)))
        left_out += [seen + int(place) for place in np.flatnonzero(~whole)]
        if left_out and not question.protocol.skips_nan:
            raise InputError(
                f"image {left_out[0]} gives {question.target.layer!r} of {question.report.model}, or its gradient, NaN or "
                "infinity: something overflows there, or divides by 0"
            )
        dead += int((~found[whole].any(tuple(range(1, found.ndim)))).sum())
        mean.add(found[whole])
        seen += len(batch)
        question.progress(seen, len(question.images))
        if mean.stderr is not None:
            convergence.append((mean.count, mean.stderr))
            if mean.count >= LEAST and question.tolerance is not None and mean.stderr <= question.tolerance:
                break
    if not mean.count:
        raise InputError(
            f"all {seen} images give {question.target.layer!r} of {question.report.model}, or its gradient, NaN or "
            "infinity: something overflows, or divides by 0"
        )
    whole_map = np.zeros([question.report.input_shape[axis] for axis in question.axes])
    whole_map[gradients.window.slices] = mean.value
    notes = tuple(_notes(question, gradients, mean.count, dead, left_out, seen))
    if cancels:
        notes = (CANCELS, *notes)
    return Estimate(whole_map, mean.count, mean.stderr, tuple(convergence), notes)


class Mean:
    """The mean of maps and its standard error, updated a batch at a time (Chan, Golub and LeVeque 1983)."""

    def __init__(self) -> None:
        self.count = 0
        self.value: NDArray[np.float64] = np.zeros(())
        self._squares: NDArray[np.float64] = np.zeros(())

    def add(self, maps: NDArray[np.float64]) -> None:
        """Take in maps, (number, ...)."""
        if not len(maps):
            return
        added, total = len(maps), self.count + len(maps)
        mean = maps.mean(0, dtype=np.float64)
        apart = mean - self.value
        within = ((maps - mean) ** 2).sum(0)
        self._squares = self._squares + within + apart**2 * (self.count * added / total)
        self.value = self.value + apart * (added / total)
        self.count = total

    @property
    def stderr(self) -> float | None:
        """Standard error of the mean by the mean, both as norms over all places; None for one map, or a mean of 0."""
        size = float(np.sqrt((self.value**2).sum()))
        if self.count < 2 or not size:
            return None
        return float(np.sqrt(self._squares.sum() / (self.count - 1) / self.count)) / size


def _cancels(question: Question, image: NDArray[np.float32], gradient: NDArray[np.floating[Any]]) -> bool:
    """Whether a sum over channels has no gradient though its first channel has one."""
    index, largest = question.target.index, float(np.abs(gradient).max())
    if None not in index or question.target.function is not None or not largest < FAINT:
        return False
    first = index.index(None)
    single = replace(question.target, index=(*index[:first], 0, *index[first + 1 :]))
    from eyeshot.execution.gradients import Gradients

    one = Gradients(question.model, question.report, single, memory=question.memory)(image)
    return largest < 1e-4 * float(np.abs(one).max()) < np.inf


def _batch(question: Question, gradients: Gradients) -> int:
    """Images at once: half of the memory is for activations, half for the images and what is made of their gradients."""
    shape = question.report.input_shape
    image = prod(shape[1:])
    run = image // prod(shape[axis] for axis in question.axes) * gradients.window.volume
    # Numbers of 4 bytes: the image, two copies of what is run, two of its gradient, and what the protocol makes of that.
    return max(1, min(gradients.batch, question.memory // 2 // (4 * image + 24 * run)))


def _contributions(gradients: NDArray[np.floating[Any]], question: Question) -> NDArray[np.float64]:
    """One map an image, (images, spatial axes of the input in order)."""
    others = [axis for axis in range(1, gradients.ndim) if axis not in question.axes]
    ordered = gradients.transpose(0, *others, *question.axes)
    channels = ordered.reshape(len(ordered), -1, *ordered.shape[1 + len(others) :])
    return question.protocol.contribution(channels)


def _finite(batch: NDArray[np.float32], gradients: Gradients, question: Question, seen: int) -> None:
    index: list[slice] = [slice(None)] * batch.ndim
    for axis, part in zip(question.axes, gradients.window.slices, strict=True):
        index[axis] = part
    looked_at = np.isfinite(batch[tuple(index)]).reshape(len(batch), -1).all(1)
    if not looked_at.all():
        raise InputError(
            f"image {seen + int(looked_at.argmin())} holds NaN or infinity where {question.target.layer!r} looks"
        )


def _notes(
    question: Question, gradients: Gradients, count: int, dead: int, left_out: list[int], seen: int
) -> Iterator[str]:
    if dead == count:
        yield f"dead: the gradient is 0 everywhere, for all {count} image(s)"
    elif dead:
        yield f"{dead} of {count} images leave the unit dead: their gradient is 0 everywhere"
    if left_out:
        yield f"{len(left_out)} images left out: they give NaN or infinity"
    if seen < len(question.images):
        yield f"stopped after {seen} of {len(question.images)} images, at a standard error of {question.tolerance:g}"
    window, extents = gradients.window.size, [question.report.input_shape[axis] for axis in question.axes]
    if list(window) != extents:
        yield f"run on {' x '.join(map(str, window))} of the input: the unit sees nothing else of it"
    elif gradients.whole:
        yield f"run on the whole input: {gradients.whole}"
