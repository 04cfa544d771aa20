"""What the model holds (parameters, buffers, plain tensors) and the stand-ins that a capture uses instead."""

from __future__ import annotations

import torch
from torch import Tensor

from eyeshot.frontends.torch import constants
from eyeshot.frontends.torch.modules import ModuleTree
from eyeshot.frontends.torch.nodes import dtype_name
from eyeshot.frontends.torch.trace import Origin, Value


class Holdings:
    """Makes stand-ins; with ``real`` they all have elements."""

    def __init__(self, tree: ModuleTree, real: bool) -> None:
        self._tree = tree
        self._real = real
        self._storages: dict[int, tuple[str, Origin]] | None = None

    def twin(self, tensor: Tensor) -> tuple[Tensor, Value]:
        """A stand-in for a tensor that the model holds, and its Value; known ones are real copies."""
        name, origin = self._whence(tensor)
        known = constants.held_is_known(tensor, origin, name)
        shape = tuple(tensor.shape)
        if known or (self._real and not tensor.is_meta):
            twin = tensor.detach().cpu().clone()
        elif self._real:
            twin = _invented(tensor.detach(), name)
        elif tensor.layout is not torch.strided or tensor.is_contiguous():
            twin = torch.empty(shape, dtype=tensor.dtype, device="meta")
        else:
            twin = torch.empty_strided(shape, tensor.stride(), dtype=tensor.dtype, device="meta")
        value = Value(shape, dtype_name(tensor.dtype), origin, name)
        if known:
            value.known = constants.as_array(twin)
        return twin, value

    def _whence(self, tensor: Tensor) -> tuple[str | None, Origin]:
        found = self._tree.tensors.get(id(tensor))
        if found is not None:
            return found[0], found[1]
        if tensor.is_meta or tensor.layout is not torch.strided:
            return None, "constant"
        if self._storages is None:
            self._storages = {
                held.untyped_storage()._cdata: (name, origin)
                for name, origin, held in self._tree.tensors.values()
                if held.layout is torch.strided
            }
        return self._storages.get(tensor.untyped_storage()._cdata, (None, "constant"))


def _invented(tensor: Tensor, name: str | None) -> Tensor:
    """Plausible elements for a tensor without any: small weights, unit variances."""
    if not tensor.is_floating_point():
        return torch.zeros(tensor.shape, dtype=tensor.dtype)
    if (name or "").endswith("running_var") or (tensor.dim() == 1 and (name or "").endswith("weight")):
        return torch.ones(tensor.shape, dtype=tensor.dtype)
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(tensor.shape, generator=generator) * 0.02).to(tensor.dtype)
