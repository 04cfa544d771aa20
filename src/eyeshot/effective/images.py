"""What a model is shown: arrays, photographs, or random numbers, one image after another.

Photographs (files, PIL images, or uint8 arrays of height, width and colours) are brought to the size of the input and
normalised as the model says: by ``pretrained_cfg`` (timm's), else by the mean and deviation of ImageNet, which models of
torchvision take. Arrays and tensors of numbers are taken as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from eyeshot.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyeshot.fields import Report

    Framing = Literal["stretch", "fill", "evaluation"]

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of its colours, from 0 to 1."""

SUFFIXES = frozenset(".bmp .gif .jpeg .jpg .png .ppm .tif .tiff .webp".split())
_CROP = 0.875


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a photograph becomes an input: colours from 0 to 1, less ``mean``, by ``deviation``.

    ``stretch`` resizes to the input's size whatever the proportions; ``fill`` keeps them and cuts at the center;
    ``evaluation`` does so after leaving a margin (``crop``), as timm's evaluation does. ``stated`` says whether the model
    itself says so.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    interpolation: str = "bicubic"
    crop: float = _CROP
    mode: str = "center"
    stated: bool = True


def preparation(model: Any) -> Preparation:
    """What a model says about its photographs, or ImageNet's."""
    for attribute in ("pretrained_cfg", "default_cfg"):
        config = getattr(model, attribute, None)
        if isinstance(config, Mapping) and config.get("mean") and config.get("std"):
            return Preparation(
                tuple(config["mean"]),
                tuple(config["std"]),
                str(config.get("interpolation") or "bicubic"),
                float(config.get("crop_pct") or _CROP),
                str(config.get("crop_mode") or "center"),
            )
    return Preparation(*IMAGENET, stated=False)


class Images:
    """A number of images of the shape that a report is about, made as they are asked for."""

    def __init__(self, given: Any, report: Report, model: Any, framing: Framing, seed: int) -> None:
        self._report, self._model, self._framing, self._seed = report, model, framing, seed
        self._shape = report.input_shape[1:]
        self._items: Sequence[Any] | NDArray[Any] | None = None
        self._count = 0
        if isinstance(given, int | np.integer) and not isinstance(given, bool):
            self._count = int(given)
        elif is_array(given) and not photographs(given):
            self._items = self._checked(given)
        else:
            self._items = listed(given)
        if self._items is not None:
            self._count = len(self._items)
        if self._count < 1:
            raise InputError(f"images={given!r} are no images: give at least one, or a number of random ones")

    def __len__(self) -> int:
        return self._count

    @property
    def random(self) -> bool:
        """Whether they are random numbers."""
        return self._items is None

    @cached_property
    def notes(self) -> list[str]:
        """What was assumed to make inputs of them."""
        if self.random:
            return [f"images are standard normal numbers, drawn with seed {self._seed}"]
        if isinstance(self._items, np.ndarray) or self._preparation.stated:
            return []
        return ["photographs are normalised with ImageNet's mean and deviation: the model states none"]

    def batches(self, size: int) -> Iterator[NDArray[np.float32]]:
        """All of them in order, at most ``size`` at once."""
        for start in range(0, self._count, size):
            stop = min(start + size, self._count)
            if isinstance(self._items, np.ndarray):
                yield self._items[start:stop].astype(np.float32, copy=False)
            else:
                yield np.stack([self[place] for place in range(start, stop)])

    def __getitem__(self, place: int) -> NDArray[np.float32]:
        if self._items is None:
            # A stream of numbers for each image: the same whatever the batches are.
            generator = np.random.default_rng([self._seed, place])
            return generator.standard_normal(self._shape, np.float32)
        if isinstance(self._items, np.ndarray):
            return np.asarray(self._items[place], np.float32)
        return self._arranged(self._photograph(self._items[place]))

    def shown(self, place: int = 0) -> NDArray[np.float64] | None:
        """A photograph as it was cut for the model, colours from 0 to 1; None where there is none to show."""
        if self._items is None or isinstance(self._items, np.ndarray):
            return None
        return self._photograph(self._items[place])

    @cached_property
    def _preparation(self) -> Preparation:
        return preparation(self._model)

    def _checked(self, given: Any) -> NDArray[Any]:
        array = numbers(given)
        if array.ndim == len(self._shape):
            array = array[None]
        if array.shape[1:] != self._shape:
            raise InputError(
                f"images have shape {tuple(array.shape)}, {self._report.model} takes (N, "
                f"{', '.join(map(str, self._shape))}): resize them, or analyze the model at their size"
            )
        if array.dtype.kind not in "fiub":
            raise InputError(f"images hold {array.dtype}, not real numbers")
        return array

    def _photograph(self, item: Any) -> NDArray[np.float64]:
        """Height, width, colours of one photograph at the input's size, from 0 to 1."""
        from PIL import Image

        image = opened(item)
        axes = self._report.spatial[self._report.input].axes
        size = tuple(self._report.input_shape[axis] for axis in axes)
        if len(size) != 2:
            raise InputError(
                f"the input of {self._report.model} is no picture ({self._report.axes}): give arrays"
            )
        channels = self._shape[self._channels]
        if channels != len(self._preparation.mean) or channels not in (1, 3):
            raise InputError(
                f"{self._report.model} takes {channels} channels, for which photographs have no normalisation: give "
                "arrays, made as in its training"
            )
        image = image.convert("L" if channels == 1 else "RGB")
        if self._framing == "evaluation" and self._preparation.mode != "center":
            raise InputError(
                f"{self._report.model} is evaluated on images cut in another way ({self._preparation.mode}): give arrays"
            )
        how = Image.Resampling[_RESAMPLING.get(self._preparation.interpolation, "BICUBIC")]
        crop = self._preparation.crop if self._framing == "evaluation" else 1.0
        framed = framed_to(image, size, how, None if self._framing == "stretch" else crop)
        return np.asarray(framed, np.float64).reshape(*size, channels) / 255

    def _arranged(self, photograph: NDArray[np.float64]) -> NDArray[np.float32]:
        how = self._preparation
        normal = (photograph - np.asarray(how.mean)) / np.asarray(how.deviation)
        made: NDArray[np.float32] = np.moveaxis(normal, -1, self._channels).astype(np.float32)
        return made

    @property
    def _channels(self) -> int:
        """The axis of colours in one image."""
        axes = self._report.spatial[self._report.input].axes
        left = [axis for axis in range(1, len(self._report.input_shape)) if axis not in axes]
        if len(left) != 1:
            raise InputError(f"the input of {self._report.model} has no one axis of colours: give arrays")
        return left[0] - 1


_RESAMPLING = {"bilinear": "BILINEAR", "bicubic": "BICUBIC", "nearest": "NEAREST", "lanczos": "LANCZOS"}


def framed_to(image: Any, size: tuple[int, ...], how: Any, crop: float | None) -> Any:
    """A PIL image of (height, width): stretched, or its center after the shorter sides filled ``size`` / ``crop``."""
    height, width = size
    if crop is None:
        return image.resize((width, height), how)
    wide, high = image.size
    grown = max(int(height / crop) / high, int(width / crop) / wide)
    if height == width:
        # As torchvision's Resize: the shorter side exactly, the other one rounded down.
        short = int(height / crop)
        scaled = (short, int(short * high / wide)) if wide <= high else (int(short * wide / high), short)
    else:
        scaled = (max(width, round(wide * grown)), max(height, round(high * grown)))
    image = image.resize(scaled, how)
    left, top = round((scaled[0] - width) / 2), round((scaled[1] - height) / 2)
    return image.crop((left, top, left + width, top + height))


def is_array(given: Any) -> bool:
    """Whether these are numbers: an array, a tensor, or a list of them."""
    if isinstance(given, list | tuple):
        return bool(given) and all(is_array(item) for item in given)
    return hasattr(given, "__array__") and hasattr(given, "dtype")


def photographs(given: Any) -> bool:
    """Whether numbers are those of photographs: bytes, the colours last."""
    if isinstance(given, list | tuple):
        return any(photographs(item) for item in given)
    return np.asarray(given).dtype == np.uint8 if isinstance(given, np.ndarray) else False


def numbers(given: Any) -> NDArray[Any]:
    """An array of an array, a tensor (on any device) or a list of them."""
    if isinstance(given, list | tuple):
        parts = [numbers(item) for item in given]
        if len({part.shape for part in parts}) > 1:
            raise InputError(
                f"images differ in shape: {', '.join(sorted({str(part.shape) for part in parts}))}"
            )
        return np.stack(parts)
    for method in ("detach", "cpu"):
        given = getattr(given, method, lambda given=given: given)()
    return np.asarray(given)


def listed(given: Any) -> list[Any]:
    """Photographs one by one: a path, a folder's pictures in the order of their names, or a list of paths and images."""
    several = (isinstance(given, Sequence) and not isinstance(given, str)) or getattr(given, "ndim", 0) == 4
    items = list(given) if several else [given]
    found: list[Any] = []
    for item in items:
        if isinstance(item, str | PathLike) and Path(item).is_dir():
            inside = sorted(path for path in Path(item).rglob("*") if path.suffix.lower() in SUFFIXES)
            if not inside:
                raise InputError(f"folder {str(item)!r} holds no pictures ({', '.join(sorted(SUFFIXES))})")
            found += inside
        else:
            found.append(item)
    return found


def opened(item: Any) -> Any:
    """A PIL image of a path, a PIL image, or a uint8 array of height, width and colours.

    Raises
    ------
    InputError
        for anything else, and for files that are no pictures.
    """
    if find_spec("PIL") is None:
        raise MissingExtraError(
            'photographs need Pillow, which is not installed: pip install "eyeshot[plots]"'
        )
    from PIL import Image

    if isinstance(item, Image.Image):
        return item
    if isinstance(item, str | PathLike):
        try:
            with Image.open(item) as image:
                image.load()
                return image
        except FileNotFoundError:
            raise InputError(f"image {str(item)!r}: there is no such file") from None
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise InputError(f"image {str(item)!r} cannot be read: {error}") from error
    array = np.asarray(item)
    if array.dtype == np.uint8 and array.ndim in (2, 3):
        return Image.fromarray(array)
    raise InputError(
        f"{type(item).__name__} is no image: give arrays (N, C, H, W), paths, PIL images, or a number of random ones"
    )
