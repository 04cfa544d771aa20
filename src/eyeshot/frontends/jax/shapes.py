"""Shapes that stand for arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np


def struct(shape: Sequence[int], dtype: Any = np.float32) -> Any:
    """An array of which shape and dtype are known, and no numbers."""
    make: Any = jax.ShapeDtypeStruct
    return make(tuple(shape), jax.dtypes.canonicalize_dtype(dtype, allow_extended_dtype=True))


def shape_of(value: Any) -> Any:
    """What stands for an array."""
    return struct(value.shape, value.dtype)


def is_array(value: Any) -> bool:
    """Whether a leaf is an array, or stands for one."""
    return hasattr(value, "shape") and hasattr(value, "dtype")
