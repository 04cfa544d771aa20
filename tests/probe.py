"""A NaN probe in eager PyTorch, independent of eyeshot: what does each unit of a model really read?

NaN survives every product and sum, so a unit is NaN exactly where some poisoned input element reaches it.
Poisoning all of the input up to a position (a prefix along one axis) makes NaN exactly the units whose field
starts at or before it; a suffix tells where fields stop. So a few forwards check the boxes of every unit of
every tensor, cell by cell.

NaN passes PyTorch's max-pools, clamps and activations (`test_nan_passes` holds that fact down). It says too
much in one place: a resize multiplies neighbours by coefficients that are zero by construction, which are no
dependence; there the probe finds the nonzero coefficients itself and spreads NaN by those alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

Masks = dict[str, np.ndarray]
_resize = nn.functional.interpolate


def parts(output: object, suffix: str = "") -> Iterator[tuple[str, Tensor]]:
    """The float tensors inside a module's output, named by their place in it."""
    if isinstance(output, Tensor):
        if output.is_floating_point():
            yield suffix, output
    elif isinstance(output, Mapping):
        for key, part in output.items():
            yield from parts(part, f"{suffix}.{key}")
    elif isinstance(output, list | tuple):
        for index, part in enumerate(output):
            yield from parts(part, f"{suffix}.{index}")


def _coefficients(extent: int, axis: int, rank: int, settings: dict[str, Any]) -> Tensor:
    """Which input index each output index of a resize reads along one axis: float64 (out, in), 1 or 0."""
    settings = dict(settings)
    if settings.get("size") is not None:
        size = settings["size"]
        settings["size"] = tuple(
            (size if isinstance(size, int) else size[a]) if a == axis else 1 for a in range(rank)
        )
    if settings.get("scale_factor") is not None:
        scale = settings["scale_factor"]
        settings["scale_factor"] = tuple(
            (scale if isinstance(scale, int | float) else scale[a]) if a == axis else 1.0 for a in range(rank)
        )
    one_hot = torch.eye(extent, dtype=torch.float64).reshape(
        extent, 1, *(extent if a == axis else 1 for a in range(rank))
    )
    answer = _resize(one_hot, **settings).movedim(axis + 2, -1)
    return (answer.reshape(extent, -1, answer.shape[-1])[:, 0].T.abs() > 1e-10).double()


def _interpolate(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`interpolate` that hands NaN on where a coefficient isn't zero."""
    names = ("size", "scale_factor", "mode", "align_corners", "recompute_scale_factor", "antialias")
    settings = dict(zip(names, args, strict=False)) | kwargs
    if settings.get("mode", "nearest") not in {"linear", "bilinear", "trilinear", "bicubic"}:
        return _resize(x, **settings)
    reach = x.isnan().double()
    for axis, extent in enumerate(x.shape[2:]):
        matrix = _coefficients(extent, axis, x.ndim - 2, settings)
        reach = (reach.movedim(axis + 2, -1) @ matrix.T).movedim(-1, axis + 2)
    return _resize(x.nan_to_num(), **settings).masked_fill(reach > 0, torch.nan)


@contextmanager
def _hooks(model: nn.Module, masks: Masks) -> Iterator[None]:
    visits: dict[str, int] = {}

    def record(path: str):
        def hook(_module: nn.Module, _args: object, output: object) -> None:
            visit = visits[path] = visits.get(path, -1) + 1
            for part, tensor in parts(output):
                # Read at once: an in-place op that follows would overwrite it.
                masks[(f"{path}:{visit}" if visit else path) + part] = tensor.detach().isnan().numpy()

        return hook

    # oneDNN may choose Winograd kernels, which mix the pixels of a tile and so spread NaN beyond the field.
    onednn = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False
    handles = [module.register_forward_hook(record(path)) for path, module in model.named_modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        torch.backends.mkldnn.enabled = onednn


def nan_masks(model: nn.Module, x: Tensor) -> Masks:
    """Where each module call's output is NaN, by name: `path`, `path:1`, `path.0`; "" is the model itself."""
    masks: Masks = {}
    with torch.no_grad(), mock.patch("torch.nn.functional.interpolate", _interpolate), _hooks(model, masks):
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
    x = clean(input_size)
    along = x.movedim(axis + 2, 0)
    (along[: position + 1] if side == "prefix" else along[position:]).fill_(torch.nan)
    return x


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
        masks = probe(model, _poisoned_pixel(input_size, pixel))
        for name, (starts, stops, occupied) in boxes.items():
            inside = occupied
            for axis, position in enumerate(pixel):
                inside = inside & (starts[axis] <= position) & (position < stops[axis])
            outcome.add(name, masks[name] & ~inside)
    return outcome


def _poisoned_pixel(input_size: tuple[int, ...], pixel: tuple[int, ...]) -> Tensor:
    x = clean(input_size)
    x[(slice(None), slice(None), *pixel)] = torch.nan
    return x


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
