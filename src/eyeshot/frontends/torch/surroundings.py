"""How torch itself is set while a model is captured; all of it is put back."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor


@contextmanager
def no_autograd() -> Iterator[None]:
    """Inference mode, also for views of the model's own tensors, which it would treat as tracked."""
    tracked = torch._C.DispatchKeySet(torch._C.DispatchKey.ADInplaceOrView)
    with torch.inference_mode(), torch._C._ExcludeDispatchKeyGuard(tracked):
        yield


@contextmanager
def plain_torch() -> Iterator[None]:
    """No compiled code, no fused transformer kernels, and Python's numbers survive where the device is meta.

    torch makes a tensor from a list without any dispatch, and on meta drops its numbers.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    literal, convert = torch.tensor, torch.as_tensor
    replaced: dict[tuple[Any, str], Any] = {
        (torch, "tensor"): _on_cpu(literal),
        (torch, "as_tensor"): _on_cpu(convert),
        (Tensor, "new_tensor"): lambda self, data, **options: _on_cpu(literal)(
            data, dtype=options.get("dtype") or self.dtype
        ),
        (Tensor, "__getitem__"): _with_tensor_index(Tensor.__getitem__),
        (Tensor, "__setitem__"): _with_tensor_index(Tensor.__setitem__),
    }
    own = {key: vars(key[0]).get(key[1]) for key in replaced}
    for (holder, name), function in replaced.items():
        setattr(holder, name, function)
    try:
        with _uncompiled():
            yield
    finally:
        for (holder, name), function in own.items():
            if function is None:
                delattr(holder, name)
            else:
                setattr(holder, name, function)
        torch.backends.mha.set_fastpath_enabled(fast)


@contextmanager
def _uncompiled() -> Iterator[None]:
    """Compiled functions and modules inside the model run as they were written; torch loads Dynamo where there are any."""
    if "torch._dynamo" not in sys.modules:
        yield
        return
    with torch.compiler.set_stance("force_eager"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using `torch.compile.module.` when there are global hooks")
        yield


def _on_cpu(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def literal(data: Any, *args: Any, **options: Any) -> Tensor:
        if not isinstance(data, Tensor):
            options.pop("device", None)
        return function(data, *args, **options)

    return literal


def _with_tensor_index(method: Callable[..., Any]) -> Callable[..., Any]:
    def indexed(self: Tensor, index: Any, *value: Any) -> Any:
        if isinstance(index, list | np.ndarray):
            index = _as_index(index)
        elif isinstance(index, tuple):
            index = tuple(_as_index(i) if isinstance(i, list | np.ndarray) else i for i in index)
        return method(self, index, *value)

    return indexed


def _as_index(numbers: list[Any] | np.ndarray[Any, Any]) -> Any:
    if isinstance(numbers, list) and any(isinstance(n, Tensor | slice | None | type(...)) for n in numbers):
        return numbers
    return torch.tensor(numbers) if len(numbers) else torch.zeros(0, dtype=torch.long)
