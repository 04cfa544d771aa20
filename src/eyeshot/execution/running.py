"""Running the user's model for real, and leaving it as it was."""

from __future__ import annotations

import contextlib
import random
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules import module as hooks

from eyeshot.errors import CaptureError, EyeshotError
from eyeshot.frontends.torch.modules import ModuleTree, leaves, untouched

Seen = Callable[[str, Tensor], None]


@dataclass(frozen=True, slots=True)
class Setup:
    """A model with its arguments, of which ``x`` is the input that a report is about."""

    model: nn.Module
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    x: Tensor

    def run(self, seen: Seen, x: Tensor | None = None, mode: Any = None) -> None:
        """One forward; ``seen`` gets every float tensor that a module returns, by name, as soon as it does.

        ``x`` replaces the input; a dispatch ``mode`` is active while the model's own code runs.
        """
        replaced = {id(self.x): self.x if x is None else x}
        args, kwargs = swapped(self.args, replaced), swapped(dict(self.kwargs), replaced)
        with watched(self.model, seen), torch.no_grad(), mode or contextlib.nullcontext():
            self.model(*args, **kwargs)

    @contextmanager
    def unchanged(self, seed: int) -> Iterator[None]:
        """The model as it is, on plain kernels; all that a forward writes into it is put back."""
        tree = ModuleTree(self.model)
        buffers = [(buffer, buffer.detach().clone()) for buffer in self.model.buffers() if not buffer.is_meta]
        with ExitStack() as stack:
            stack.enter_context(untouched(tree))
            stack.enter_context(plain_kernels())
            torch.manual_seed(seed)
            random.seed(seed)
            try:
                yield
            finally:
                with torch.no_grad():
                    for buffer, held in buffers:
                        if not torch.equal(buffer, held):
                            buffer.copy_(held)


@contextmanager
def plain_kernels() -> Iterator[None]:
    """No kernel that hides NaN or spreads it: fused attention does one, oneDNN's Winograd convolutions the other."""
    fast, onednn = torch.backends.mha.get_fastpath_enabled(), torch._C._get_mkldnn_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    torch._C._set_mkldnn_enabled(False)  # the public flag is locked for good where torch.testing was imported
    try:
        with sdpa_kernel(SDPBackend.MATH), _uncompiled(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the model's own, which the user knows
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        torch._C._set_mkldnn_enabled(onednn)


def _uncompiled() -> Any:
    if "torch._dynamo" not in sys.modules:
        return contextlib.nullcontext()
    return torch.compiler.set_stance("force_eager")


@contextmanager
def watched(model: nn.Module, seen: Seen) -> Iterator[None]:
    """Tell ``seen`` of what modules return: `path`, `path:1` for the second call, `path.0` for parts, "" for the model.

    It is told at once: an in-place op that follows would overwrite the tensor.
    """
    paths = {id(module): path for path, module in reversed(list(model.named_modules()))}
    visits: Counter[str] = Counter()

    def hook(module: nn.Module, _args: object, output: object) -> None:
        path = paths.get(id(module))
        if path is None:
            return
        call = f"{path}:{visits[path]}" if visits[path] else path
        visits[path] += 1
        for part, tensor in leaves(output):
            if tensor.is_floating_point() and tensor.numel():
                seen(call + part, tensor)

    handle = hooks.register_module_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def swapped(item: Any, replaced: dict[int, Tensor]) -> Any:
    """A pytree with some tensors replaced, by identity."""
    if isinstance(item, Tensor):
        return replaced.get(id(item), item)
    if isinstance(item, dict):
        parts = {key: swapped(part, replaced) for key, part in item.items()}
        return parts if type(item) is dict else type(item)(parts)
    if isinstance(item, list | tuple):
        items = [swapped(part, replaced) for part in item]
        return type(item)(*items) if hasattr(item, "_fields") else type(item)(items)
    return item


@contextmanager
def explained(model: str) -> Iterator[None]:
    """Whatever the model's own code raises, as one of our errors."""
    try:
        yield
    except EyeshotError:
        raise
    except Exception as error:
        raise CaptureError(
            f"{model} could not be run for the proof: {type(error).__name__}: {error}. "
            "Give inputs= that it runs on, on the device of its weights"
        ) from error
