"""Effective fields in closed form: moments of the gradient, propagated backwards through the weights; no image is needed.

Images that are no random numbers calibrate: on them is measured how often each channel's activation is open, and what gates
are. Assumed is that gradients of different elements are independent given their means, that slopes are independent of
them, and that each element of a max-pool's window wins as often. Shape is right as far as that is; scale is rougher.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from eyeshot.effective.question import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyeshot.effective.question import Question

    Map = NDArray[np.float64]

ASSUMED = (
    "closed form: gradients of different elements and slopes are taken as independent, windows of max-pools as fair "
    "draws; no sampling error, but an error of the assumptions"
)
CALIBRATING = 8
"""Images that are looked at, at most."""


def estimate(question: Question) -> Estimate:
    """What the protocol says of a gradient, in expectation over normal variables of the propagated moments.

    Raises
    ------
    EyeshotError
        as `eyeshot.execution.moments.propagated`.
    """
    from eyeshot.execution.moments import folded, propagated

    images = None if question.images.random else next(question.images.batches(CALIBRATING))
    window, mean, variance = propagated(question.model, question.report, question.target, images)
    others = tuple(axis - 1 for axis in range(1, mean.ndim + 1) if axis not in question.axes)
    found = np.zeros([question.report.input_shape[axis] for axis in question.axes])
    found[window.slices] = _expected(question.protocol.name, mean, variance, others, folded)
    count = 0 if images is None else len(images)
    known = "not calibrated: inputs of activations are taken as standard normal, gates as 1/2"
    notes = (ASSUMED, f"calibrated on {count} image(s)" if count else known)
    return Estimate(found, count, None, (), notes)


def _expected(
    protocol: str, mean: Map, variance: Map, channels: tuple[int, ...], folded: Callable[[Map, Map], Map]
) -> Map:
    """The expectation of a protocol's contribution."""
    if protocol == "openerf":
        count = mean.size / mean.mean(channels).size
        m, v = mean.mean(channels), variance.mean(channels) / count
        return np.asarray((folded(m, v) + m) / 2)
    absolute = folded(mean, variance)
    if protocol in {"plain", "luo2016"}:
        return np.asarray(absolute.mean(channels))
    return np.asarray(((absolute + mean) / 2).sum(channels))
