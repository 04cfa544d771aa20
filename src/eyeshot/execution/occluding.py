"""A model's target for one image with windows of it replaced, each window alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from eyeshot.errors import CaptureError, InputError
from eyeshot.execution.aim import Aim, frozen
from eyeshot.execution.crop import Crop
from eyeshot.execution.incremental import Incremental
from eyeshot.execution.running import explained
from eyeshot.execution.target import Target

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyeshot.fields import Report

_SAME = 1e-4
_MOST = 64


class Occlusions:
    """The target of ``report``'s model for an image (1, C, *spatial), window by window.

    ``crop`` is the part of the image that is run, which windows have to be cut to. ``macs`` are what one window takes,
    ``dense_macs`` a whole forward; ``notes`` say why every image was run whole, if that was so.
    """

    def __init__(
        self,
        model: Any,
        report: Report,
        target: Target,
        image: NDArray[np.floating[Any]],
        *,
        memory: int = 2 << 30,
    ) -> None:
        self._aim = Aim(model, report, target)
        with frozen(self._aim.part):
            self._aim.settle(image)
        self._image = self._aim.cut(image)
        self.batch = int(np.clip(memory // (2 * self.crop.activations), 1, _MOST))
        self.notes: list[str] = []
        self.macs = self.dense_macs = 0

    @property
    def crop(self) -> Crop:
        """The part of the image that is run."""
        return self._aim.crop

    def run(
        self,
        starts: NDArray[np.int64],
        size: tuple[int, ...],
        content: Callable[[NDArray[np.int64]], NDArray[np.floating[Any]]],
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Numbers of windows, and the target with each of them replaced by its ``content``; first no window, the reference.

        ``starts`` (windows, axes) and ``size`` are the boxes that change, relative to the crop.
        """
        x = self._aim.tensor(self._image)
        with frozen(self._aim.part), explained(self._aim.report.model):
            yield np.empty(0, np.int64), self._numbers(self._aim.run(x))
            if not len(starts):
                return
            batch = min(self.batch, len(starts))
            incremental = self._incremental(x, starts, size, batch)
            for first in range(0, len(starts), batch):
                numbers = np.arange(first, min(first + batch, len(starts)))
                padded = np.resize(numbers, batch)
                new = self._aim.tensor(content(padded))
                if incremental is not None:
                    (output,) = incremental(padded, new)
                    if not first and not self._same(output, x, starts[padded], new):
                        self.notes.append(
                            "every image was run whole: its target depends on more than the windows"
                        )
                        incremental = None
                if incremental is None:
                    output = self._densely(x, starts[padded], new)
                yield numbers, self._numbers(output)[: len(numbers)]

    def _incremental(
        self, x: Tensor, starts: NDArray[np.int64], size: tuple[int, ...], batch: int
    ) -> Incremental | None:
        try:
            found = Incremental(self._aim.part, x, starts, size, batch=batch)
        except CaptureError as error:
            self.notes.append(f"every image was run whole: {error}")
            return None
        self.macs, self.dense_macs = found.macs, found.dense_macs
        return found

    def _densely(self, x: Tensor, starts: NDArray[np.int64], content: Tensor) -> Tensor:
        """Every image whole."""
        changed = x.repeat(len(starts), *(1,) * (x.ndim - 1))
        for image, new, start in zip(changed, content, starts.tolist(), strict=True):
            extents = new.shape[-len(start) :]
            box = tuple(slice(low, low + extent) for low, extent in zip(start, extents, strict=True))
            image[(..., *box)] = new
        return self._aim.run(changed)

    def _same(self, output: Tensor, x: Tensor, starts: NDArray[np.int64], content: Tensor) -> bool:
        """Whether the first and the last window of a batch come out as from whole images."""
        two = [0, len(starts) - 1]
        expected = self._densely(x, starts[two], content[two])
        return torch.allclose(output[two], expected, rtol=_SAME, atol=_SAME * float(expected.abs().max()))

    def _numbers(self, output: Tensor) -> NDArray[np.float64]:
        """The target of every image of a batch."""
        region = self._aim.region(output)
        function = self._aim.target.function
        if function is None:
            return self._aim.reduced(region.double()).cpu().numpy()
        own = function(region)
        if not isinstance(own, Tensor) or own.shape != region.shape[:1]:
            raise InputError("target= has to return one number an image: a tensor of shape (images,)")
        return own.detach().double().cpu().numpy()


def largest(model: Any, report: Report, image: NDArray[np.floating[Any]]) -> int:
    """The number of the largest logit for one image.

    Raises
    ------
    InputError
        where the model's output is no vector of logits.
    """
    name = next(iter(report.graph.outputs))
    aim = Aim(model, report, Target(name, (None,) * (len(report[name].shape) - 1)), crop_input=False)
    with frozen(aim.part):
        output = aim.run(aim.tensor(image))
    if output.ndim != 2:
        raise InputError(
            f"the output of {report.model} has shape {tuple(output.shape)}, no logits: give target="
        )
    return int(output[0].argmax())
