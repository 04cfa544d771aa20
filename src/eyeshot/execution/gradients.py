"""Gradients of a target with respect to the input, run on no more of the input than the target sees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from eyeshot.errors import InputError, QuestionError
from eyeshot.execution.crop import Crop, crop, uncropped
from eyeshot.execution.running import explained, watched
from eyeshot.frontends.torch.modules import unwrap
from eyeshot.frontends.torch.zoo import as_given, load

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyeshot.execution.target import Target
    from eyeshot.fields import Report
    from eyeshot.geometry import Box

_SAME = 1e-4
_KEPT = 3  # what a backward pass holds, in activations of the forward pass
_MOST = 64


class Part(nn.Module):
    """A model up to one layer: its forward stops as soon as that has its output, which it returns."""

    def __init__(self, model: nn.Module, layer: str) -> None:
        super().__init__()
        self.model = model
        self.layer = layer

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """The output of the layer."""

        def seen(name: str, tensor: Tensor) -> None:
            if name == self.layer:
                raise _ReachedError(tensor)

        try:
            with watched(self.model, seen):
                self.model(*args, **kwargs)
        except _ReachedError as reached:
            return reached.tensor
        raise QuestionError(
            f"no module returned {self.layer!r} while the model ran: give a layer that report.keys() lists"
        )


class _ReachedError(BaseException):
    """Leaves the forward; no handler in a model's own code is meant to stop it."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


class Gradients:
    """The gradient of one target for any number of images.

    ``window`` is the part of the input that is run; gradients outside are 0 by proof. ``whole`` says why that is all of it,
    where it is. ``batch`` images are run at once, within ``memory`` bytes of activations.
    """

    def __init__(
        self, model: Any, report: Report, target: Target, *, memory: int = 2 << 30, crop_input: bool = True
    ) -> None:
        loaded = load(model, None, initialised=True) if isinstance(model, str) else as_given(model)
        self._part = Part(unwrap(loaded.model), watched_name(report, target.layer))
        self._part.train(self._part.model.training)
        self._target = target
        self._report = report
        self._memory = memory
        self._use(
            crop(self._part, report, target)
            if crop_input
            else uncropped(report, target, "no crop was wanted")
        )
        self._checked = self._crop.whole is not None

    def _use(self, found: Crop) -> None:
        self._crop = found
        self.batch = int(np.clip(self._memory // (_KEPT * found.activations), 1, _MOST))

    @property
    def window(self) -> Box:
        """The part of the input that is run."""
        return self._crop.window

    @property
    def whole(self) -> str | None:
        """Why the whole input is run, if it is."""
        return self._crop.whole

    def __call__(self, images: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """The gradient for each image, (images, ...) with the window's extents in the place of the input's.

        It is NaN for images that give the target's region NaN.

        Raises
        ------
        InputError
            for images of another shape than the report's input, a target that is no scalar, or one without a gradient.
        """
        if images.shape[1:] != self._report.input_shape[1:]:
            raise InputError(
                f"images have shape {images.shape[1:]}, the report is about {self._report.input_shape[1:]}"
            )
        with frozen(self._part):
            if not self._checked:
                self._checked = True
                self._compare(images[:1])
            parts = [self._gradient(images[k : k + self.batch]) for k in range(0, len(images), self.batch)]
        return np.concatenate(parts)

    def _tensor(self, images: NDArray[np.floating[Any]], window: Box) -> Tensor:
        axes = self._report.spatial[self._report.input].axes
        index: list[slice] = [slice(None)] * images.ndim
        for axis, part in zip(axes, window.slices, strict=True):
            index[axis] = part
        held = next(self._part.parameters(), None)
        tensor = torch.from_numpy(np.ascontiguousarray(images[tuple(index)]))
        return tensor if held is None else tensor.to(held.device, held.dtype)

    def _region(self, output: Tensor, index: tuple[Any, ...]) -> Tensor:
        return output[(slice(None), *(slice(None) if place is None else place for place in index))]

    def _gradient(self, images: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        x = self._tensor(images, self._crop.window).requires_grad_()
        with torch.enable_grad(), explained(self._report.model):
            region = self._region(self._part(x.clone()), self._crop.index)
            scalar = self._scalar(region)
            if not scalar.requires_grad:
                raise InputError(
                    f"nothing between the input and {self._target.layer!r} has a gradient: the target is computed by "
                    "choices (argmax, comparisons, rounding) or does not depend on the input"
                )
            (gradient,) = torch.autograd.grad(scalar, x)
            # A rectifier behind NaN has the gradient 0, which would pass for that of a dead unit.
            gradient[region.isnan().reshape(len(region), -1).any(1)] = torch.nan
        precise = gradient if gradient.dtype in {torch.float32, torch.float64} else gradient.float()
        return precise.cpu().numpy()

    def _scalar(self, region: Tensor) -> Tensor:
        if self._target.function is not None:
            own = self._target.function(region)
            if not isinstance(own, Tensor) or own.numel() != 1:
                raise InputError(
                    "target= has to return one number (a tensor of one element), summed over images"
                )
            return own.reshape(())
        elements = region.relu() if self._target.rectified else region
        flat = elements.reshape(len(elements), -1)
        return (flat.sum(1) if self._target.reduce == "sum" else flat.mean(1)).sum()

    def _compare(self, image: NDArray[np.floating[Any]]) -> None:
        """Run one image whole, and give up the crop if the target comes out differently there."""
        everything = uncropped(
            self._report, self._target, "the model computes something else on a part of the input"
        )
        with torch.no_grad(), explained(self._report.model):
            expected = self._region(self._part(self._tensor(image, everything.window)), self._target.index)
            found = self._region(self._part(self._tensor(image, self.window)), self._crop.index)
        largest = float(expected.abs().nan_to_num(posinf=0).max())
        if not torch.allclose(expected, found, rtol=_SAME, atol=_SAME * largest, equal_nan=True):
            self._use(everything)


def watched_name(report: Report, layer: str) -> str:
    """What a forward calls a layer: outputs of the model itself have no module path."""
    if layer in report or layer not in report.graph.outputs:
        named = {module.name for module in report.graph.modules if module.path}
        if layer in named:
            return layer
    return "" if layer == "output" else f".{layer}"


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """No gradients of parameters are computed, and what a forward in train mode writes into buffers is put back."""
    held = [parameter for parameter in model.parameters() if parameter.requires_grad]
    training = any(module.training for module in model.modules())
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers() if training]
    for parameter in held:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in held:
            parameter.requires_grad_(True)
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
