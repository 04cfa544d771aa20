"""When meta is not enough: example inputs for a real CPU forward, and when to take one."""

from __future__ import annotations

import torch
from torch import Tensor

from eyeshot.frontends.torch.nodes import DataDependent


def needs_real(error: BaseException) -> bool:
    """Whether a failure on meta tensors says that real numbers are wanted, not that the model is wrong."""
    if isinstance(error, DataDependent | NotImplementedError):
        return True
    message = str(error).lower()
    return isinstance(error, RuntimeError | TypeError | ValueError) and (
        "meta" in message or "data-dependent" in message or "unbacked" in message
    )


def why(error: BaseException, place: str) -> str:
    """A note for the user on what made a real forward necessary."""
    cause = str(error).splitlines()[0] if str(error) else type(error).__name__
    where = f"module {place!r}" if place else "the model's own forward"
    return f"captured by a real forward on the CPU: in {where}, {cause}"


def real_input(tensor: Tensor, generator: torch.Generator) -> Tensor:
    """The user's own example if it has elements, else floats in [0, 1) from a fixed generator, or ones."""
    if not tensor.is_meta:
        return tensor.detach().cpu().clone()
    if tensor.is_floating_point():
        return torch.rand(tensor.shape, generator=generator).to(tensor.dtype)
    return torch.ones(tensor.shape, dtype=tensor.dtype)
