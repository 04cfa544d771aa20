"""The model as a tree: unwrapping, names, whose forward runs, and putting everything back."""

from __future__ import annotations

import operator
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks
from torch.nn.parameter import is_lazy

from eyeshot.errors import CaptureError
from eyeshot.frontends.torch.trace import ModuleCall, Origin, Value

_WRAPPERS = {
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "OptimizedModule": "_orig_mod",
    "_FabricModule": "_forward_module",
}


def unwrap(model: nn.Module) -> nn.Module:
    """The user's own model inside DataParallel, DistributedDataParallel, compiled and Lightning wrappers."""
    while (attribute := _WRAPPERS.get(type(model).__name__)) is not None:
        inner = getattr(model, attribute, None)
        if not isinstance(inner, nn.Module):
            break
        model = inner
    return model


def leaves(item: object, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors of a pytree with their names: ".0" for items, ".key" for keys and dataclass fields."""
    if isinstance(item, Tensor):
        yield name, item
    elif isinstance(item, dict):
        for key, part in item.items():
            yield from leaves(part, f"{name}.{key}")
    elif isinstance(item, list | tuple):
        for position, part in enumerate(item):
            yield from leaves(part, f"{name}.{position}")
    elif is_dataclass(item) and not isinstance(item, type):
        for each in fields(item):
            yield from leaves(getattr(item, each.name), f"{name}.{each.name}")


class ModuleTree:
    """Names of modules, parameters and buffers, and a full record of what they hold.

    A module, parameter or buffer that is reachable under two names has the first.
    """

    def __init__(self, model: nn.Module) -> None:
        self.paths: dict[int, str] = {}
        self.parameters: dict[str, int] = {}
        self.tensors: dict[int, tuple[str, Origin, Tensor]] = {}
        self._state: list[tuple[nn.Module, list[tuple[Any, Any]]]] = []
        for path, module in model.named_modules():
            self.paths[id(module)] = path
            prefix = f"{path}." if path else ""
            self._name_tensors(module, path, prefix)
            self._state.append((module, _held_by(module)))

    def _name_tensors(self, module: nn.Module, path: str, prefix: str) -> None:
        owned = 0
        for name, tensor in module._parameters.items():
            if tensor is not None and id(tensor) not in self.tensors:
                self.tensors[id(tensor)] = (prefix + name, "parameter", tensor)
                if is_lazy(tensor):
                    raise CaptureError(
                        f"parameter {prefix + name!r} of a lazy module has no shape yet. "
                        "Run the model once before."
                    )
                owned += tensor.numel()
        for name, buffer in module._buffers.items():
            if buffer is not None and id(buffer) not in self.tensors:
                self.tensors[id(buffer)] = (prefix + name, "buffer", buffer)
        self.parameters[path] = owned

    def restore(self) -> None:
        """Undo whatever a forward stored in the modules: caches, replaced buffers, counters."""
        for _, held in self._state:
            for current, saved in held:
                _put_back(current, saved)


_STANDARD = frozenset(nn.Module().__dict__)
_TABLES = frozenset(("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"))
_CONTAINERS = (dict, list, set)


def _held_by(module: nn.Module) -> list[tuple[Any, Any]]:
    attributes = module.__dict__
    held: list[tuple[Any, Any]] = [(attributes, dict(attributes))]
    for name, content in attributes.items():
        own = name in _TABLES or name not in _STANDARD
        if own and isinstance(content, _CONTAINERS):  # the tables of TorchScript modules are read-only views
            held.append((content, content.copy()))
    return held


def _put_back(current: Any, saved: Any) -> None:
    if not (current or saved):
        return
    if isinstance(current, list):
        if len(current) != len(saved) or not all(map(operator.is_, current, saved)):
            current[:] = saved
        return
    if isinstance(current, set):
        current &= saved
        current |= saved
        return
    same = len(current) == len(saved) and all(map(operator.is_, current.values(), saved.values()))
    if not (same and all(map(operator.eq, current, saved))):
        current.clear()
        current.update(saved)


class ModuleStack:
    """Whose forward runs now, and every forward that has finished.

    ``value_of`` turns an output tensor into its Value, ``position`` tells how many calls there are.
    """

    def __init__(self, tree: ModuleTree) -> None:
        self.path = ""
        self.visit = 0
        self.finished: list[ModuleCall] = []
        self._tree = tree
        self._visits: dict[str, int] = {}
        self._open: list[tuple[nn.Module, str, int, int]] = []
        self.value_of: Callable[[Tensor], Value]
        self.position: Callable[[], int]

    def _enter(self, module: nn.Module, args: object) -> None:
        path = self._tree.paths.get(id(module))
        if path is None:
            path = f"{self.path}.{type(module).__name__}".lstrip(".")
        visit = self._visits.get(path, 0)
        self._visits[path] = visit + 1
        self._open.append((module, path, visit, self.position()))
        self.path, self.visit = path, visit

    def _leave(self, module: nn.Module, args: object, output: object) -> None:
        while self._open:
            found, path, visit, first = self._open.pop()
            if found is module:
                break
        else:
            return
        if isinstance(output, Tensor):
            outputs = {"": self.value_of(output)}
        else:
            outputs = {name: self.value_of(tensor) for name, tensor in leaves(output)}
        owned = self._tree.parameters.get(path, 0)
        self.finished.append(
            ModuleCall(path, visit, type(module).__name__, outputs, first, self.position(), owned)
        )
        if self._open:
            _, self.path, self.visit, _ = self._open[-1]
        else:
            self.path, self.visit = "", 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Follow every module's forward through hooks that are global, so that no module carries one."""
        handles = [
            hooks.register_module_forward_pre_hook(self._enter),
            hooks.register_module_forward_hook(self._leave),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


@contextmanager
def untouched(tree: ModuleTree) -> Iterator[None]:
    """Put modules and random number generators back as they were, whatever happens inside."""
    legacy = np.random.get_state()  # noqa: NPY002 - the generator that models draw from
    states = torch.get_rng_state(), random.getstate()
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        random.setstate(states[1])
        np.random.set_state(legacy)  # noqa: NPY002 - as above
        tree.restore()
