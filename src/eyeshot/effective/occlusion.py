"""Occlusion: how much a target changes when a window of the image is covered, for a grid of windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eyeshot.effective.images import Images
from eyeshot.effective.measure import module_of, suited
from eyeshot.effective.units import box_of
from eyeshot.errors import InputError, QuestionError
from eyeshot.execution.target import Target
from eyeshot.fields.index import region_index
from eyeshot.geometry import Box
from eyeshot.pipeline import analyze

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyeshot.effective.question import Progress
    from eyeshot.execution.occluding import Occlusions
    from eyeshot.fields import Report

Sizes = int | tuple[int, ...]


@dataclass(frozen=True, eq=False)
class OcclusionMap:
    """What covering each window of one image changes.

    ``effects`` is the target's ``reference`` minus its value with a window covered, on the grid of windows (rows x columns
    for images); windows outside ``box``, the target's theoretical field, have 0 by proof and were not run. ``windows`` is
    how many were. ``macs`` are the multiply-accumulates of one window, ``dense_macs`` those of a whole forward.
    ``photograph`` is the image as the model saw it, if it was one.
    """

    effects: NDArray[np.float64]
    reference: float
    extents: tuple[int, ...]
    window: tuple[int, ...]
    stride: tuple[int, ...]
    baseline: str
    model: str
    layer: str
    unit: tuple[Any, ...]
    box: Box
    windows: int
    macs: int
    dense_macs: int
    notes: tuple[str, ...] = ()
    photograph: NDArray[np.float64] | None = None

    def __repr__(self) -> str:
        grid = " x ".join(map(str, self.effects.shape))
        return f"<OcclusionMap {self.model} {self.layer!r}: {grid} windows, reference {self.reference:.4g}>"

    @property
    def map(self) -> NDArray[np.float64]:
        """The effects spread over the image: at each place the mean of the windows that cover it."""
        total, count = np.zeros(self.extents), np.zeros(self.extents)
        for place in np.ndindex(self.effects.shape):
            box = tuple(
                slice(at * step, min(at * step + size, extent))
                for at, step, size, extent in zip(place, self.stride, self.window, self.extents, strict=True)
            )
            total[box] += self.effects[place]
            count[box] += 1
        return np.divide(total, count, out=np.zeros(self.extents), where=count > 0)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        plain = {
            key: value for key, value in vars(self).items() if key not in {"effects", "box", "photograph"}
        }
        return {**plain, "effects": self.effects.tolist(), "box": asdict(self.box)}


def occlude(
    model: Any,
    image: Any,
    target: int | tuple[str, tuple[int | slice | None, ...]] | Target | Callable[[Any], Any] | None = None,
    window: Sizes = 16,
    stride: Sizes = 8,
    baseline: float | Sequence[float] | str = 0.0,
    *,
    report: Report | None = None,
    seed: int = 0,
    memory: int = 2 << 30,
    progress: Progress | None = None,
    weights: str | None = None,
) -> OcclusionMap:
    """Cover one window of an image after the other, and see what becomes of a target. Exact.

    Only what a window changes is computed again, from the activations of the image as it is; windows that the target
    cannot see are not run; and of the image no more is run than the target sees.

    Parameters
    ----------
    model, image, report, weights
        As for `eyeshot.effective_field`; one image.
    target
        A logit by number (by default the largest), ``(layer, unit)`` with a full index (n, c, h, w), a `Target`, or a
        function of the output of the network for a batch of images that returns one number an image.
    window, stride
        Extent of a window and steps between windows, for all axes or for each. Windows that would hang over the edge end
        there.
    baseline
        What a window is covered with: a number, one for each channel, ``"mean"`` (of the image's channels), ``"blur"`` (the
        image smoothed by a Gaussian of a quarter of the window) or ``"noise"`` (of the image's mean and deviation, by
        ``seed``).
    memory
        Bytes that activations may take.
    progress
        Called with the windows done and their number after each batch.

    Raises
    ------
    EyeshotError
        a typed error that names the cause and the remedy (:mod:`eyeshot.errors`).
    """
    module, notes, report = _read(model, image, report, weights)
    axes = report.spatial[report.input].axes
    given = Images(_one(image, report), report, module, "evaluation", seed)
    x = given[0]
    from eyeshot.execution.occluding import Occlusions, largest

    chosen = _target(report, largest(module, report, x[None]) if target is None else target)
    occlusions = Occlusions(module, report, chosen, x[None], memory=memory)
    extents = tuple(report.input_shape[axis] for axis in axes)
    size, step = _sizes(window, extents, "window"), _sizes(stride, extents, "stride")
    size = tuple(map(min, size, extents))
    covered = _covering(x, axes, baseline, size, seed)
    starts, grid = _starts(extents, size, step)
    seen = report[chosen.layer].mask(0, *chosen.index)
    run = _Windows(x[None], covered[None], axes, starts, size, occlusions.crop.window, seen)
    reference, effects = _measured(occlusions, run, len(starts), report, chosen, progress)
    return OcclusionMap(
        effects=effects.reshape(grid),
        reference=reference,
        extents=extents,
        window=size,
        stride=step,
        baseline=str(baseline),
        model=report.model,
        layer=chosen.layer,
        unit=(0, *chosen.index),
        box=box_of(report[chosen.layer], chosen.index),
        windows=len(run.numbers),
        macs=occlusions.macs,
        dense_macs=occlusions.dense_macs,
        notes=(*notes, *given.notes, *occlusions.notes),
        photograph=given.shown(),
    )


def _read(
    model: Any, image: Any, report: Report | None, weights: str | None
) -> tuple[Any, list[str], Report]:
    """The module, what to know about it, and its report, at the image's size where the model states none."""
    module, notes, own_size = module_of(model, weights)
    if report is None:
        shape = getattr(image, "shape", None)
        report = analyze(module, own_size if shape is None else own_size or (1, *shape[-3:]))
    return module, notes, suited(report)


def _starts(
    extents: tuple[int, ...], size: tuple[int, ...], step: tuple[int, ...]
) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    """Where each window begins, (windows, axes), and the shape of their grid; the last of an axis reach its end."""
    grid = [
        np.arange(0, max(1, -(-(extent - n) // s) + 1)) * s
        for extent, n, s in zip(extents, size, step, strict=True)
    ]
    starts = np.stack(np.meshgrid(*grid, indexing="ij"), -1).reshape(-1, len(extents))
    return starts, tuple(len(each) for each in grid)


def _measured(
    occlusions: Occlusions,
    run: _Windows,
    windows: int,
    report: Report,
    target: Target,
    progress: Progress | None,
) -> tuple[float, NDArray[np.float64]]:
    """The target for the image as it is, and what each of all windows takes from it."""
    effects = np.zeros(windows)
    reference, done = 0.0, 0
    for numbers, values in occlusions.run(run.places, run.size, run.content):
        if not len(numbers):
            reference = _finite(values, report, target)
            continue
        effects[run.numbers[numbers]] = reference - values
        done += len(numbers)
        if progress is not None:
            progress(done, len(run.numbers))
    return reference, effects


class _Windows:
    """The windows that a target sees, cut to the part of the image that is run; coordinates are relative to that.

    All patches have one ``size``: where the edge of the part cuts a window, its patch holds some of the image as it is.
    ``numbers`` are those of the windows in the grid.
    """

    def __init__(
        self,
        image: NDArray[np.float32],
        covered: NDArray[np.float32],
        axes: tuple[int, ...],
        starts: NDArray[np.int64],
        size: tuple[int, ...],
        part: Box,
        seen: NDArray[np.bool_],
    ) -> None:
        first = np.array(part.start)
        low = np.maximum(starts, first)
        high = np.minimum(starts + size, part.stop)
        kept = [bool((a < b).all() and seen[_box(a, b)].any()) for a, b in zip(low, high, strict=True)]
        self.numbers = np.flatnonzero(kept)
        self._low, self._high = low[self.numbers] - first, high[self.numbers] - first
        self.size = tuple(min(n, extent) for n, extent in zip(size, part.size, strict=True))
        self.places = np.clip(self._low, 0, np.array(part.size) - self.size)
        inside: list[slice] = [slice(None)] * image.ndim
        for axis, along in zip(axes, part.slices, strict=True):
            inside[axis] = along
        self.image, self._covered = image[tuple(inside)], covered[tuple(inside)]
        self._axes = axes

    def content(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """What the patches of some windows hold, (windows, C, *size)."""
        out = np.stack([self._at(self.image[0], self.places[n], self.places[n] + self.size) for n in numbers])
        for held, number in zip(out, numbers, strict=True):
            low, high = self._low[number], self._high[number]
            within = self._index(low - self.places[number], high - self.places[number])
            held[within] = self._at(self._covered[0], low, high)
        return out

    def _at(
        self, image: NDArray[np.float32], low: NDArray[np.int64], high: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        return image[self._index(low, high)]

    def _index(self, low: NDArray[np.int64], high: NDArray[np.int64]) -> tuple[slice, ...]:
        index: list[slice] = [slice(None)] * (self.image.ndim - 1)
        for axis, part in zip(self._axes, _box(low, high), strict=True):
            index[axis - 1] = part
        return tuple(index)


def _box(low: NDArray[np.int64], high: NDArray[np.int64]) -> tuple[slice, ...]:
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))


def _one(image: Any, report: Report) -> Any:
    """One image as `Images` takes several; a number stays one."""
    if isinstance(image, int):
        return image
    shape = getattr(image, "shape", None)
    if shape is not None and len(shape) == len(report.input_shape):
        if shape[0] != 1:
            raise InputError(f"occlude takes one image, these are {shape[0]}: pass images[:1]")
        return image
    return image[None] if shape is not None and len(shape) == len(report.input_shape) - 1 else [image]


def _target(report: Report, target: Any) -> Target:
    output = next(iter(report.graph.outputs))
    shape = report[output].shape
    if isinstance(target, Target):
        return target
    if isinstance(target, int | np.integer) and not isinstance(target, bool):
        if len(shape) != 2 or not -shape[1] <= target < shape[1]:
            raise QuestionError(
                f"target={target} is no logit: output {output!r} of {report.model} has shape {shape}; give (layer, unit)"
            )
        return Target(output, (int(target) % shape[1],))
    if callable(target):
        return Target(output, (None,) * (len(shape) - 1), function=target)
    if not (isinstance(target, tuple) and len(target) == 2 and isinstance(target[0], str)):
        raise QuestionError(
            f"target={target!r} is no target: give a logit's number, (layer, unit), or a function of the output"
        )
    name, unit = target
    return Target(name, region_index(tuple(unit), report[name].shape, name)[1:])


def _sizes(given: Sizes, extents: tuple[int, ...], what: str) -> tuple[int, ...]:
    sizes = (given,) * len(extents) if isinstance(given, int) else tuple(given)
    if len(sizes) != len(extents) or min(sizes) < 1:
        raise InputError(
            f"{what}={given!r} is no extent for {len(extents)} axes: give a number from 1, or one for each"
        )
    return sizes


def _covering(
    image: NDArray[np.float32], axes: tuple[int, ...], baseline: Any, size: tuple[int, ...], seed: int
) -> NDArray[np.float32]:
    """The image as it is all covered, (C, *spatial)."""
    along = tuple(axis - 1 for axis in axes)
    mean = image.mean(along, keepdims=True)
    if baseline == "mean":
        return np.broadcast_to(mean, image.shape)
    if baseline == "noise":
        noise = np.random.default_rng(seed).standard_normal(image.shape, np.float32)
        return np.asarray(mean + noise * image.std(along, keepdims=True), np.float32)
    if baseline == "blur":
        return _blurred(image, along, size)
    if isinstance(baseline, str):
        raise QuestionError(f'there is no baseline {baseline!r}: give numbers, "mean", "blur" or "noise"')
    channel = np.asarray(baseline, np.float32)
    others = [n for axis, n in enumerate(image.shape) if axis not in along]
    if channel.ndim and list(channel.shape) != others:
        raise InputError(f"baseline={baseline!r} has not one number for each of {others} channels")
    shaped = channel.reshape(
        [1 if axis in along or not channel.ndim else n for axis, n in enumerate(image.shape)]
    )
    return np.broadcast_to(shaped, image.shape)


def _blurred(
    image: NDArray[np.float32], along: tuple[int, ...], size: tuple[int, ...]
) -> NDArray[np.float32]:
    """The image through a Gaussian of a quarter of the window, its border repeated."""
    for axis, extent in zip(along, size, strict=True):
        sigma = max(extent / 4, 0.5)
        reach = int(3 * sigma + 1)
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
        kernel /= kernel.sum()
        padding = [(reach, reach) if other == axis else (0, 0) for other in range(image.ndim)]
        wide = np.pad(image, padding, mode="edge")
        taps = range(2 * reach + 1)
        parts = [kernel[k] * wide.take(range(k, k + image.shape[axis]), axis) for k in taps]
        image = np.asarray(np.sum(parts, axis=0), np.float32)
    return image


def _finite(values: NDArray[np.float64], report: Report, target: Target) -> float:
    if not np.isfinite(values).all():
        raise InputError(f"{target.layer!r} of {report.model} is {values[0]} for the image as it is")
    return float(values[0])
