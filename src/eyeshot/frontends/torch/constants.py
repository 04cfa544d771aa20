"""Which tensors are kept real while the rest of the model runs on meta.

A value that follows from no floating parameter and no input (an index table, an additive mask,
a shape) decides which elements are read, so lowerings must be able to look at it. Limits keep
that cheap: integers and booleans up to ``INTEGER_LIMIT`` elements, floats up to ``FLOAT_LIMIT``,
and floats up to ``INTEGER_LIMIT`` where they are masks (at most ``MASK_LEVELS`` distinct values).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from eyeshot.frontends.torch.trace import FLOAT_LIMIT, INTEGER_LIMIT, MASK_LEVELS, STATISTICS


def as_array(tensor: Tensor) -> np.ndarray[Any, np.dtype[Any]]:
    """A copy of a real tensor's elements; bfloat16, which NumPy lacks, as float32."""
    tensor = tensor.detach()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.dtype is torch.bfloat16:
        tensor = tensor.float()
    return np.array(tensor.resolve_conj().resolve_neg().cpu().numpy())


def is_mask(tensor: Tensor) -> bool:
    """Whether a real tensor has at most ``MASK_LEVELS`` distinct values."""
    rest = tensor.reshape(-1)
    for _ in range(MASK_LEVELS):
        if rest.numel() == 0:
            return True
        rest = rest[rest != rest[0]]
        if rest.numel() > 64 and _levels(rest[:64]) > MASK_LEVELS:
            return False
    return rest.numel() == 0


def _levels(sample: Tensor) -> int:
    return len(set(sample.tolist()))


def within_limits(tensor: Tensor) -> bool:
    """Whether a real tensor, computed from known ones, is small enough to be kept."""
    count = tensor.numel()
    if count <= FLOAT_LIMIT:
        return True
    if count > INTEGER_LIMIT:
        return False
    return not _fractional(tensor) or is_mask(tensor)


def could_be_within_limits(tensor: Tensor) -> bool:
    """The part of ``within_limits`` that shape and dtype decide; works on meta tensors."""
    return tensor.numel() <= INTEGER_LIMIT


def held_is_known(tensor: Tensor, origin: str, name: str | None) -> bool:
    """Whether a tensor that the model holds counts as a constant.

    Integers and booleans do. Floating parameters never do. Floating buffers may be statistics or
    weights, so only those that look like masks do.
    """
    fractional = _fractional(tensor)
    if fractional and (origin == "parameter" or (name or "").endswith(STATISTICS)):
        return False
    if tensor.is_meta or tensor.layout is not torch.strided or not could_be_within_limits(tensor):
        return False
    if not fractional:
        return True
    if origin == "constant":
        return within_limits(tensor)
    return is_mask(tensor)


def _fractional(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()
