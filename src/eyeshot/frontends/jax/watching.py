"""Which module computes what: calls of flax and equinox modules marked while they are traced.

A marked call puts its number into JAX's name scopes, and names what it returns; both are there in the jaxpr, whatever
``jit``, ``vmap`` or ``scan`` lies between. The modules' own code is not changed for longer than the trace takes.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

import jax
import numpy as np
from jax import ad_checkpoint

from eyeshot.frontends.jax.naming import MARK, Call


class Watch:
    """The calls that were marked, by number, and the parameters that each module owns itself."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.owned: Counter[str] = Counter()
        self._paths: dict[int, str] = {}
        self._active: list[int] = []
        self._alive: list[Any] = []
        self._counted: set[int] = set()

    def marked(self, path: str, kind: str, function: Callable[[], Any]) -> Any:
        """The result of a call, which computes under a scope of its own."""
        number = len(self.calls)
        self.calls.append(Call(path, kind))
        with jax.named_scope(f"{MARK}{number}"):
            out = function()
        named: Any = ad_checkpoint.checkpoint_name

        def marked(keys: Any, leaf: Any) -> Any:
            return named(leaf, f"{MARK}{number}:{path_of(keys)}") if _is_array(leaf) else leaf

        return jax.tree_util.tree_map_with_path(marked, out)

    def add(self, root: Any, prefix: str = "") -> None:
        """Know a module, and those in it, by their paths."""
        for path, module in modules_in(root):
            full = ".".join(part for part in (prefix, path) if part)
            if id(module) not in self._paths:
                self._paths[id(module)] = full
                self._alive.append(module)
                self.owned[full] += self._own(module)

    def _own(self, module: Any) -> int:
        """Elements of the parameters that a module holds itself, each counted once."""
        total = 0
        for value in vars(module).values():
            for part in value if isinstance(value, list | tuple) else (value,):
                array = _parameter(part)
                if array is not None and id(part) not in self._counted:
                    self._counted.add(id(part))
                    self._alive.append(part)
                    total += int(np.prod(array.shape))
        return total

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Calls of the known modules, and of every flax.linen module, are marked."""
        with ExitStack() as stack:
            linen = sys.modules.get("flax.linen")
            if linen is not None:
                stack.enter_context(linen.intercept_methods(self._linen))
            patched: set[type] = set()
            for module in list(self._alive):
                for cls in type(module).__mro__:
                    if (
                        "__call__" in vars(cls)
                        and cls is not object
                        and cls not in patched
                        and is_module(module)
                    ):
                        patched.add(cls)
                        self._patch(cls, stack)
            yield

    def _patch(self, cls: type, stack: ExitStack) -> None:
        original = vars(cls)["__call__"]
        stack.callback(setattr, cls, "__call__", original)

        @wraps(original)
        def call(module: Any, *args: Any, **kwargs: Any) -> Any:
            path = self._paths.get(id(module))
            if path is None or id(module) in self._active:
                return original(module, *args, **kwargs)
            self._active.append(id(module))
            try:
                return self.marked(path, type(module).__name__, lambda: original(module, *args, **kwargs))
            finally:
                self._active.pop()

        setattr(cls, "__call__", call)  # noqa: B010 - a method, but of any class

    def _linen(self, function: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
        if context.method_name != "__call__":
            return function(*args, **kwargs)
        path = ".".join(map(str, context.module.path))
        return self.marked(path, type(context.module).__name__, lambda: function(*args, **kwargs))


def is_module(value: object) -> bool:
    """Whether a value is a module of flax.nnx or of equinox."""
    nnx, equinox = sys.modules.get("flax.nnx"), sys.modules.get("equinox")
    return (nnx is not None and isinstance(value, nnx.Module)) or (
        equinox is not None and isinstance(value, equinox.Module)
    )


def modules_in(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every module reachable through attributes, lists, tuples and dictionaries, with its path."""
    if is_module(value):
        yield path, value
        parts = [(k, v) for k, v in vars(value).items() if not k.startswith("_pytree__")]
    elif isinstance(value, dict):
        parts = list(value.items())
    else:
        parts = []
    if isinstance(value, list | tuple) or type(value).__name__ == "List":
        parts = list(enumerate(value))
    for key, part in parts:
        if is_module(part) or isinstance(part, list | tuple | dict):
            yield from modules_in(part, f"{path}.{key}" if path else str(key))


def path_of(keys: Any) -> str:
    """The way to a leaf of a pytree: ``.0``, ``.key``."""
    parts = (getattr(key, "name", getattr(key, "key", getattr(key, "idx", None))) for key in keys)
    return "".join(f".{part}" for part in parts)


def _parameter(value: Any) -> Any:
    """What a module may learn: parameters of flax, floating-point arrays of equinox; None for anything else."""
    nnx = sys.modules.get("flax.nnx")
    if nnx is not None and isinstance(value, nnx.Variable):
        return value if isinstance(value, nnx.Param) and hasattr(value, "shape") else None
    return value if _is_array(value) and np.issubdtype(value.dtype, np.inexact) else None


def _is_array(value: Any) -> bool:
    return isinstance(value, jax.Array)
