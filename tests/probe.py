"""The NaN probe over whole networks: what does each unit of a model really read?

NaN survives every product and sum, so a unit is NaN exactly where some poisoned input element reaches it.
Poisoning all of the input up to a position (a prefix along one axis) makes NaN exactly the units whose field
starts at or before it; a suffix tells where fields stop. So a few forwards check the boxes of every unit of
every tensor, cell by cell.

The probe itself is `eyeshot.proof`'s, which shares nothing with the analyses. NaN passes PyTorch's max-pools, clamps and
activations (`test_nan_passes` holds that fact down).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from eyeshot.execution.running import plain_kernels, watched
from eyeshot.proof.nan import NanMode, slab
from eyeshot.proof.nan import pixel as pixel_poisoned

Masks = dict[str, np.ndarray]


def nan_masks(model: nn.Module, x: Tensor) -> Masks:
    """Where each module call's output is NaN, by name: `path`, `path:1`, `path.0`; "" is the model itself."""
    masks: Masks = {}

    def seen(name: str, tensor: Tensor) -> None:
        masks[name] = tensor.detach().isnan().numpy()

    with plain_kernels(), torch.no_grad(), watched(model, seen), NanMode():
        model(x)
    return masks


def _cutting(reduce: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A reduction that hands no NaN on where it leaves one value of a whole plane."""

    def cut(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        y = reduce(x, *args, **kwargs)
        pooled = y.ndim == 4 and y.shape[2:] == (1, 1)
        axes = kwargs.get("dim", args[0] if args else None)
        return y.nan_to_num() if pooled or (isinstance(axes, list | tuple) and len(axes) == 2) else y

    return cut


def local_masks(model: nn.Module, x: Tensor) -> Masks:
    """`nan_masks` with global context cut: what reaches a unit through a plane's mean or norm is left out."""
    with (
        mock.patch("torch.nn.functional.adaptive_avg_pool2d", _cutting(nn.functional.adaptive_avg_pool2d)),
        mock.patch.object(Tensor, "mean", _cutting(Tensor.mean)),
        mock.patch.object(Tensor, "norm", _cutting(Tensor.norm)),
    ):
        return nan_masks(model, x)


def clean(input_size: tuple[int, ...]) -> Tensor:
    """The same random input every time."""
    return torch.rand(input_size, generator=torch.Generator().manual_seed(0))


def poisoned(input_size: tuple[int, ...], axis: int, position: int, side: str) -> Tensor:
    """`clean`, but NaN up to and at `position` along a spatial axis ("prefix"), or from it on ("suffix")."""
    return slab(clean(input_size), axis + 2, position, prefix=side == "prefix")


@dataclass
class Outcome:
    """What a comparison found: cells compared, tensors compared, mismatching cells by tensor."""

    cells: int = 0
    tensors: set[str] = field(default_factory=set)
    mismatches: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, differs: np.ndarray) -> None:
        self.cells += differs.size
        self.tensors.add(name)
        if count := int(differs.sum()):
            self.mismatches[name] = self.mismatches.get(name, 0) + count


def fields_by_name(report: Any, names: list[str]) -> dict[str, Any]:
    """The report's field for every recorded tensor; the model's own outputs come in their order."""
    roots = [name for name in names if not name or name[0] in ".:"]
    assert len(roots) <= len(report.outputs), f"outputs {roots} against {report.outputs}"
    return dict(zip(roots, report.outputs, strict=False)) | {
        name: report[name] for name in names if name not in roots
    }


def compare(
    fields: Mapping[str, Any],
    model: nn.Module,
    input_size: tuple[int, ...],
    pixels: list[tuple[int, ...]],
    probe: Callable[[nn.Module, Tensor], Masks] = nan_masks,
) -> Outcome:
    """Probe a model at slabs through each pixel, and at the pixels, against `boxes()` of every field.

    `boxes()` gives, per spatial axis, the starts and stops of all units (broadcastable to the tensor), and
    which units read anything at all. Slabs decide hulls exactly, both ways; a pixel alone may fall into a
    hole of a field, so it only has to lie in the box of every unit that it reaches.
    """
    outcome = Outcome()
    boxes = {name: field.boxes() for name, field in fields.items()}
    for pixel in pixels:
        for axis, position in enumerate(pixel):
            for side in ("prefix", "suffix"):
                masks = probe(model, poisoned(input_size, axis, position, side))
                for name, (starts, stops, occupied) in boxes.items():
                    hit = starts[axis] <= position if side == "prefix" else stops[axis] > position
                    outcome.add(name, (occupied & hit) != masks[name])
        masks = probe(model, pixel_poisoned(clean(input_size), (None, None, *pixel)))
        for name, (starts, stops, occupied) in boxes.items():
            inside = occupied
            for axis, position in enumerate(pixel):
                inside = inside & (starts[axis] <= position) & (position < stops[axis])
            outcome.add(name, masks[name] & ~inside)
    return outcome


def hulls(
    model: nn.Module, input_size: tuple[int, ...]
) -> dict[str, tuple[list[np.ndarray], list[np.ndarray], np.ndarray]]:
    """Every unit's true box: per axis starts and stops, and which units read anything; for small inputs.

    Units that read nothing have start 0 and stop 0.
    """
    found: dict[str, tuple[list[np.ndarray], list[np.ndarray], np.ndarray]] = {}
    for axis, extent in enumerate(input_size[2:]):
        for position in range(extent):
            before = nan_masks(model, poisoned(input_size, axis, position, "prefix"))
            after = nan_masks(model, poisoned(input_size, axis, position, "suffix"))
            for name in before:
                starts, stops, _ = found.setdefault(name, ([], [], before[name]))
                if len(starts) == axis:
                    starts.append(np.zeros(before[name].shape, int))
                    stops.append(np.zeros(before[name].shape, int))
                starts[axis] += ~before[name]
                stops[axis] += after[name]
                found[name] = (starts, stops, before[name])  # the last prefix is the whole input
    for starts, _, occupied in found.values():
        for array in starts:
            array[~occupied] = 0
    return found
