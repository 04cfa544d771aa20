"""A model's target for one image with windows of it replaced, each window alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from eyeshot.errors import CaptureError, InputError
from eyeshot.execution.crop import Crop, crop, uncropped
from eyeshot.execution.gradients import Part, watched_name
from eyeshot.execution.incremental import Incremental
from eyeshot.execution.running import explained
from eyeshot.frontends.torch.modules import unwrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyeshot.execution.target import Target
    from eyeshot.fields import Report
    from eyeshot.geometry import Box

_SAME = 1e-4
_MOST = 64


class Occlusions:
    """The target of ``report``'s model for ``image`` (1, C, *spatial), window by window.

    ``starts`` (windows, axes), ``size`` are the boxes that change; ``crop`` is the part of the image that is run, which the
    boxes have to be cut to. ``dense`` says why every image is run whole, if that is so; ``macs`` are what one window takes,
    ``dense_macs`` a whole forward.
    """

    def __init__(self, model: Any, report: Report, target: Target, *, memory: int = 2 << 30) -> None:
        self._part = Part(unwrap(model), watched_name(report, target.layer))
        self._part.train(self._part.model.training)
        self._target = target
        self._report = report
        found = crop(self._part, report, target)
        self.crop: Crop = found if found.whole else self._agreeing(found)
        self.batch = int(np.clip(memory // (2 * self.crop.activations), 1, _MOST))
        self.dense: str | None = None
        self.macs = self.dense_macs = 0

    def _agreeing(self, found: Crop) -> Crop:
        """The crop, unless the target comes out differently on it; then the whole."""
        everything = uncropped(
            self._report, self._target, "the model computes something else on a part of the input"
        )
        shape = self._report.input_shape
        noise = torch.from_numpy(np.random.default_rng(0).standard_normal((1, *shape[1:])).astype(np.float32))
        with torch.no_grad(), explained(self._report.model):
            expected = self._values(self._part(self._own(noise[self._slices(everything.window)])), everything)
            got = self._values(self._part(self._own(noise[self._slices(found.window)])), found)
        close = torch.allclose(expected, got, rtol=_SAME, atol=_SAME * float(expected.abs().max()))
        return found if close else everything

    def run(
        self,
        image: NDArray[np.floating[Any]],
        starts: NDArray[np.int64],
        size: tuple[int, ...],
        content: Callable[[NDArray[np.int64]], NDArray[np.floating[Any]]],
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Numbers of windows, and the target with each of them replaced by its ``content``; first no window, the reference.

        ``image`` is the part of the image inside ``crop``, ``starts`` are relative to it.
        """
        x = self._own(torch.from_numpy(np.ascontiguousarray(image)))
        with explained(self._report.model):
            with torch.no_grad():
                reference = self._numbers(self._part(x))
            yield np.empty(0, np.int64), reference
            if not len(starts):
                return
            batch = min(self.batch, len(starts))
            incremental = self._incremental(x, starts, size, batch)
            for first in range(0, len(starts), batch):
                numbers = np.arange(first, min(first + batch, len(starts)))
                padded = np.resize(numbers, batch)
                new = self._own(torch.from_numpy(np.ascontiguousarray(content(padded))))
                if incremental is not None:
                    (output,) = incremental(padded, new)
                    if not first and not self._same(output, x, starts, size, padded, new):
                        self.dense, incremental = "what it computes depends on more than the windows", None
                if incremental is None:
                    output = self._densely(x, starts, size, padded, new)
                yield numbers, self._numbers(output)[: len(numbers)]

    def _incremental(
        self, x: Tensor, starts: NDArray[np.int64], size: tuple[int, ...], batch: int
    ) -> Incremental | None:
        try:
            found = Incremental(self._part, x, starts, size, batch=batch)
        except CaptureError as error:
            self.dense = str(error)
            return None
        self.macs, self.dense_macs = found.macs, found.dense_macs
        return found

    def _densely(
        self,
        x: Tensor,
        starts: NDArray[np.int64],
        size: tuple[int, ...],
        numbers: NDArray[np.int64],
        content: Tensor,
    ) -> Tensor:
        """Every image whole."""
        changed = x.repeat(len(numbers), *(1,) * (x.ndim - 1))
        for place, start in enumerate(starts[numbers].tolist()):
            box = tuple(slice(low, low + extent) for low, extent in zip(start, size, strict=True))
            changed[place][(slice(None), *box)] = content[place]
        with torch.no_grad():
            output: Tensor = self._part(changed)
        return output

    def _same(
        self,
        output: Tensor,
        x: Tensor,
        starts: NDArray[np.int64],
        size: tuple[int, ...],
        numbers: NDArray[np.int64],
        content: Tensor,
    ) -> bool:
        """Whether the first and the last window of a batch come out as from whole images."""
        two = np.array([0, len(numbers) - 1])
        expected = self._densely(x, starts, size, numbers[two], content[torch.from_numpy(two)])
        return torch.allclose(
            output[torch.from_numpy(two)], expected, rtol=_SAME, atol=_SAME * float(expected.abs().max())
        )

    def _own(self, tensor: Tensor) -> Tensor:
        held = next(self._part.parameters(), None)
        return tensor if held is None else tensor.to(held.device, held.dtype)

    def _slices(self, window: Box) -> tuple[slice, ...]:
        index: list[slice] = [slice(None)] * len(self._report.input_shape)
        for axis, part in zip(self._report.spatial[self._report.input].axes, window.slices, strict=True):
            index[axis] = part
        return tuple(index)

    def _values(self, output: Tensor, found: Crop) -> Tensor:
        return output[(slice(None), *(slice(None) if place is None else place for place in found.index))]

    def _numbers(self, output: Tensor) -> NDArray[np.float64]:
        """The target of every image of a batch."""
        region = self._values(output, self.crop)
        if self._target.function is not None:
            own = self._target.function(region)
            if not isinstance(own, Tensor) or own.shape != region.shape[:1]:
                raise InputError("target= has to return one number an image: a tensor of shape (images,)")
            return own.detach().double().cpu().numpy()
        elements = region.clamp(min=0) if self._target.rectified else region
        flat = elements.reshape(len(elements), -1).double()
        return (flat.sum(1) if self._target.reduce == "sum" else flat.mean(1)).cpu().numpy()


def largest(model: Any, report: Report, image: NDArray[np.floating[Any]]) -> int:
    """The number of the largest logit for one image.

    Raises
    ------
    InputError
        where the model's output is no vector of logits.
    """
    part = Part(unwrap(model), watched_name(report, next(iter(report.graph.outputs))))
    part.train(part.model.training)
    x = torch.from_numpy(np.ascontiguousarray(image))
    held = next(part.parameters(), None)
    with torch.no_grad(), explained(report.model):
        output = part(x if held is None else x.to(held.device, held.dtype))
    if output.ndim != 2:
        raise InputError(
            f"the output of {report.model} has shape {tuple(output.shape)}, no logits: give target="
        )
    return int(output[0].argmax())
