"""Gradients of a target with respect to the input, run on no more of the input than the target sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from eyeshot.errors import InputError
from eyeshot.execution.aim import Aim, frozen
from eyeshot.execution.running import explained

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyeshot.execution.target import Target
    from eyeshot.fields import Report
    from eyeshot.geometry import Box

_KEPT = 3  # what a backward pass holds, in activations of the forward pass
_MOST = 64


class Gradients:
    """The gradient of one target for any number of images.

    ``window`` is the part of the input that is run; gradients outside are 0 by proof. ``whole`` says why that is all of it,
    where it is. ``batch`` images are run at once, within ``memory`` bytes of activations.
    """

    def __init__(
        self, model: Any, report: Report, target: Target, *, memory: int = 2 << 30, crop_input: bool = True
    ) -> None:
        self._aim = Aim(model, report, target, crop_input=crop_input)
        self._memory = memory
        self._settled = False

    @property
    def batch(self) -> int:
        """Images at once."""
        return int(np.clip(self._memory // (_KEPT * self._aim.crop.activations), 1, _MOST))

    @property
    def window(self) -> Box:
        """The part of the input that is run."""
        return self._aim.crop.window

    @property
    def whole(self) -> str | None:
        """Why the whole input is run, if it is."""
        return self._aim.crop.whole

    def __call__(self, images: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """The gradient for each image, (images, ...) with the window's extents in the place of the input's.

        It is NaN for images that give the target's region NaN.

        Raises
        ------
        InputError
            for images of another shape than the report's input, a target that is no scalar, or one without a gradient.
        """
        expected = self._aim.report.input_shape[1:]
        if images.shape[1:] != expected:
            raise InputError(f"images have shape {images.shape[1:]}, the report is about {expected}")
        with frozen(self._aim.part):
            if not self._settled:
                self._settled = True
                self._aim.settle(images[:1])
            parts = [self._gradient(images[k : k + self.batch]) for k in range(0, len(images), self.batch)]
        return np.concatenate(parts)

    def _gradient(self, images: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        x = self._aim.tensor(self._aim.cut(images)).requires_grad_()
        with torch.enable_grad(), explained(self._aim.report.model):
            region = self._aim.region(self._aim.part(x.clone()))
            scalar = self._scalar(region)
            if not scalar.requires_grad:
                raise InputError(
                    f"nothing between the input and {self._aim.target.layer!r} has a gradient: the target is computed by "
                    "choices (argmax, comparisons, rounding) or does not depend on the input"
                )
            (gradient,) = torch.autograd.grad(scalar, x)
            # A rectifier behind NaN has the gradient 0, which would pass for that of a dead unit.
            gradient[region.isnan().reshape(len(region), -1).any(1)] = torch.nan
        precise = gradient if gradient.dtype in {torch.float32, torch.float64} else gradient.float()
        return precise.cpu().numpy()

    def _scalar(self, region: Tensor) -> Tensor:
        if self._aim.target.function is None:
            return self._aim.reduced(region).sum()
        own = self._aim.target.function(region)
        if not isinstance(own, Tensor) or own.numel() != 1:
            raise InputError("target= has to return one number (a tensor of one element), summed over images")
        return own.reshape(())
