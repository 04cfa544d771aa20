"""Which axes of a tensor a layer takes for space and for channels."""

from __future__ import annotations

from eyeshot.errors import InputError
from eyeshot.frontends.keras.options import Options
from eyeshot.relations import AxisMap

Maps = dict[int, tuple[AxisMap, int]]


def channels_first(options: Options) -> bool:
    """Whether channels come before space; after it by default."""
    return options.choice("data_format", "channels_last", "channels_first") == "channels_first"


def channel_axis(options: Options, shape: tuple[int, ...]) -> int:
    """The axis of channels of (N, ..., C) or (N, C, ...)."""
    return 1 if channels_first(options) else len(shape) - 1


def spatial_axes(options: Options, shape: tuple[int, ...], rank: int) -> list[int]:
    """The spatial axes of (N, ..., C) or (N, C, ...).

    Raises
    ------
    InputError
        where there are not ``rank`` of them.
    """
    if len(shape) != rank + 2 or not rank:
        raise InputError(
            f"{options.where} needs {rank} spatial axes beside batch and channels, and was given {shape}"
        )
    first = 2 if channels_first(options) else 1
    return list(range(first, first + rank))


def image_axes(options: Options, shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of one image or a batch of them."""
    rank = len(shape)
    if rank not in {3, 4}:
        raise InputError(f"{options.where} takes images (H, W, C) or batches of them, and was given {shape}")
    return (rank - 2, rank - 1) if channels_first(options) else (rank - 3, rank - 2)
