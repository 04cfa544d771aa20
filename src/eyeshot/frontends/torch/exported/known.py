"""Constants whose values are looked at: which ones, up to what size, and how raw bytes become an array."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from eyeshot.errors import FileFormatError
from eyeshot.frontends.torch.trace import FLOAT_LIMIT, INTEGER_LIMIT, MASK_LEVELS, STATISTICS

if TYPE_CHECKING:
    from eyeshot.frontends.torch.exported.schema import Meta
    from eyeshot.frontends.torch.trace import Origin

Array = NDArray[Any]

# Bytes of all constants of one program together; what comes after is not looked at.
TOTAL = 64 << 20


def holds(dtype: str) -> np.dtype[Any] | None:
    """The NumPy dtype that holds one of torch's; float32 for bfloat16, None for what NumPy has no arithmetic of."""
    if dtype == "bfloat16":
        return np.dtype("float32")
    if dtype.startswith("float8") or dtype == "complex32":
        return None
    return np.dtype(dtype)


def fractional(dtype: str) -> bool:
    """Whether a dtype has values between the whole numbers."""
    return "float" in dtype or "complex" in dtype


def is_mask(values: Array) -> bool:
    """Whether there are at most `MASK_LEVELS` distinct values."""
    rest = values.reshape(-1)
    for _ in range(MASK_LEVELS):
        if rest.size == 0:
            return True
        rest = rest[rest != rest[0]]
        if rest.size > 64 and len(np.unique(rest[:64])) > MASK_LEVELS:
            return False
    return rest.size == 0


def within_limits(values: Array) -> bool:
    """Whether computed values are few enough to be kept."""
    if values.size <= FLOAT_LIMIT:
        return True
    return values.size <= INTEGER_LIMIT and (values.dtype.kind not in "fc" or is_mask(values))


def worth_reading(meta: Meta, origin: Origin, name: str) -> bool:
    """Whether a tensor that the model holds may count as a constant, by its dtype and size.

    Integers and booleans do. Floating parameters and statistics never do. Of other floating buffers only masks count,
    which takes a look.
    """
    count = prod(meta.shape)
    if count > INTEGER_LIMIT or holds(meta.dtype) is None:
        return False
    return not fractional(meta.dtype) or (origin != "parameter" and not name.endswith(STATISTICS))


def counts(values: Array, origin: Origin) -> bool:
    """Whether a tensor that is `worth_reading` is a constant, by its values."""
    if values.dtype.kind not in "fc":
        return True
    return within_limits(values) if origin == "constant" else is_mask(values)


def from_bytes(data: bytes, meta: Meta, offset: int, name: str) -> Array:
    """The elements of a tensor in the raw bytes of its storage, by its strides and the offset of its first element.

    Raises
    ------
    FileFormatError
        where the bytes are too few for it.
    """
    kind = np.dtype("uint16") if meta.dtype == "bfloat16" else holds(meta.dtype)
    assert kind is not None
    last = offset + sum((n - 1) * stride for n, stride in zip(meta.shape, meta.strides, strict=True))
    if 0 in meta.shape:
        return np.zeros(meta.shape, holds(meta.dtype))
    if offset < 0 or min(meta.strides, default=0) < 0 or (last + 1) * kind.itemsize > len(data):
        raise FileFormatError(
            f"constant {name!r} has {len(data):,} bytes, too few for its shape {meta.shape}"
        )
    storage = np.frombuffer(data, kind, len(data) // kind.itemsize)
    strides = [stride * kind.itemsize for stride in meta.strides]
    values = as_strided(storage[offset:], meta.shape, strides, writeable=False)
    if meta.dtype == "bfloat16":
        return np.asarray(np.left_shift(values.astype("uint32"), 16).view("float32"))
    return values.astype(kind.newbyteorder("="))
