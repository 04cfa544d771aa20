"""A model aimed at a target: run up to the target's layer, on the part of the input that the target needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from eyeshot.errors import QuestionError
from eyeshot.execution.crop import Crop, crop, uncropped
from eyeshot.execution.running import explained, watched
from eyeshot.frontends.torch.modules import unwrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyeshot.execution.target import Target
    from eyeshot.fields import Report

_SAME = 1e-4


class Part(nn.Module):
    """A model up to one layer: its forward stops as soon as that has its output, which it returns."""

    def __init__(self, model: nn.Module, layer: str) -> None:
        super().__init__()
        self.model = model
        self.layer = layer
        self.train(model.training)

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


class Aim:
    """``model``, run for ``target`` alone. ``crop`` is the part of the report's input that is run."""

    def __init__(self, model: Any, report: Report, target: Target, *, crop_input: bool = True) -> None:
        self.report, self.target = report, target
        self.part = Part(unwrap(model), _watched_name(report, target.layer))
        self.crop: Crop = (
            crop(self.part, report, target) if crop_input else uncropped(report, target, "no crop was wanted")
        )
        held = next(self.part.parameters(), None)
        self._like = torch.empty(0) if held is None else held

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the weights."""
        return self._like.dtype

    def settle(self, image: NDArray[np.floating[Any]]) -> None:
        """Run one whole image, (1, ...), and give the crop up if the target comes out differently there."""
        if self.crop.whole is not None:
            return
        everything = uncropped(
            self.report, self.target, "the model computes something else on a part of the input"
        )
        found = self.region(self.run(self.tensor(self.cut(image))))
        expected = self.region(self.run(self.tensor(image)), everything)
        largest = float(expected.abs().nan_to_num(posinf=0).max())
        if not torch.allclose(expected, found, rtol=_SAME, atol=_SAME * largest, equal_nan=True):
            self.crop = everything

    def cut(self, images: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """The part of images that is run."""
        index: list[slice] = [slice(None)] * images.ndim
        for axis, part in zip(
            self.report.spatial[self.report.input].axes, self.crop.window.slices, strict=True
        ):
            index[axis] = part
        return images[tuple(index)]

    def tensor(self, images: NDArray[np.floating[Any]]) -> Tensor:
        """Images as the model takes them: on the device and in the dtype of its weights."""
        tensor = torch.from_numpy(np.ascontiguousarray(images))
        return tensor.to(self._like.device, self._like.dtype)

    def run(self, x: Tensor) -> Tensor:
        """The layer's output, without a gradient."""
        with torch.no_grad(), explained(self.report.model):
            output: Tensor = self.part(x)
        return output

    def region(self, output: Tensor, where: Crop | None = None) -> Tensor:
        """The target's elements of a layer's output, (images, ...)."""
        places = (where or self.crop).index
        return output[(slice(None), *(slice(None) if place is None else place for place in places))]

    def reduced(self, region: Tensor) -> Tensor:
        """One number an image, as the target asks; it has no function of its own."""
        elements = region.relu() if self.target.rectified else region
        flat = elements.reshape(len(elements), -1)
        return flat.sum(1) if self.target.reduce == "sum" else flat.mean(1)


def _watched_name(report: Report, layer: str) -> str:
    """What a forward calls a layer: outputs of the model itself have no module path."""
    if any(module.name == layer for module in report.graph.modules if module.path):
        return layer
    if layer in report.graph.outputs:
        return "" if layer == "output" else f".{layer}"
    report[layer]  # a name that nobody knows is refused here
    raise QuestionError(
        f"{layer!r} is no module's output, and only those are run up to: give a layer that report.keys() lists"
    )


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
