"""Running a model on many images that differ from one in a window: only what the window changes is computed again."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from eyeshot.execution.patches import EVERYTHING, Change, Patch, Step, plan
from eyeshot.execution.program import Program, last_uses
from eyeshot.frontends.torch.macs import count_macs
from eyeshot.frontends.torch.trace import Call, Value, values_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyeshot.execution.patches import Everything


class Incremental:
    """A model on ``image`` with one window changed at a time.

    ``starts`` (windows, spatial axes) and ``size`` are the windows' boxes on the image's last axes. ``macs`` are the
    multiply-accumulates of one window, ``dense_macs`` those of a whole forward. Every call takes ``batch`` windows.
    """

    def __init__(
        self, model: nn.Module, image: Tensor, starts: NDArray[np.int64], size: Sequence[int], *, batch: int
    ) -> None:
        self.batch = batch
        self._one = Program(model, image.shape)
        self._many = Program(model, (batch, *image.shape[1:]))
        for program in (self._one, self._many):
            program.prepare(_channels_last)
        axes = tuple(range(image.ndim - len(size), image.ndim))
        window = Patch(axes, tuple(size), starts)
        changes: dict[Value, Change] = {self._one.input: window}
        self._changes = changes
        self._window = window
        self._steps = [
            (call, twin, plan(call, changes), ending)
            for (call, ending), twin in zip(last_uses(self._one.calls), self._many.calls, strict=True)
        ]
        with torch.no_grad():
            self._base = self._one.replay(_channels_last(image))
        self._padded: dict[tuple[Value, Any], Tensor] = {}
        self.dense_macs = sum(count_macs(call) for call in self._one.calls)
        self.macs = sum(_macs(call, step) for call, _, step, _ in self._steps)

    @property
    def reference(self) -> list[Tensor]:
        """The outputs for the image as it is."""
        return [self._base[value] for value in self._one.outputs]

    def __call__(self, windows: NDArray[np.int64], content: Tensor) -> list[Tensor]:
        """The model's outputs, (batch, ...), where the windows of these numbers hold ``content``, (batch, C, *size)."""
        made: dict[Value, Tensor] = {self._one.input: _channels_last(content)}
        with torch.no_grad():
            for call, twin, step, ending in self._steps:
                if step is None:
                    continue
                parts = (
                    self._partly(step, made, windows)
                    if isinstance(step, Step)
                    else self._whole(call, twin, made, windows)
                )
                made.update({value: part for value, part in zip(call.outputs, parts, strict=False) if value})
                for value in ending:
                    if value not in self._one.outputs:
                        made.pop(value, None)
            return [self._full(value, made, windows, value.shape) for value in self._one.outputs]

    def _partly(self, step: Step, made: dict[Value, Tensor], windows: NDArray[np.int64]) -> list[Tensor]:
        def read(value: Value) -> Tensor:
            box = step.reads.get(value)
            return self._base[value] if box is None else self._cut(value, box, step, made, windows)

        args = [self._one.real(arg, read) for arg in step.args]
        kwargs = {key: self._one.real(arg, read) for key, arg in step.call.kwargs.items()}
        return self._one.run(step.call, args, kwargs)

    def _cut(
        self, value: Value, box: Patch, step: Step, made: dict[Value, Tensor], windows: NDArray[np.int64]
    ) -> Tensor:
        """A box of a tensor for every window: what was there, and over it what the window changed."""
        change = self._changes.get(value)
        changed = made.get(value)
        if (
            isinstance(change, Patch)
            and change.size == box.size
            and np.array_equal(change.starts, box.starts)
        ):
            assert changed is not None
            return changed
        base = self._surrounded(value, step)
        before = np.array([low for low, _ in step.padding] or [0] * len(box.axes))
        out = _empty((self.batch, *box.shape(value.shape)[1:]), base)
        starts = box.starts[windows]
        for place, start in enumerate((starts + before).tolist()):
            index: list[slice] = [slice(None)] * (base.ndim - 1)
            for axis, first, extent in zip(box.axes, start, box.size, strict=True):
                index[axis - 1] = slice(first, first + extent)
            out[place] = base[0][tuple(index)]
        if isinstance(change, Patch):
            assert changed is not None
            _paste(out, changed, change.starts[windows] - starts, change)
        return out

    def _surrounded(self, value: Value, step: Step) -> Tensor:
        """A base tensor with the padding that a step wants around it, kept for the next windows."""
        base = self._base[value]
        if not any(amount for pair in step.padding for amount in pair):
            return base
        key = (value, (step.padding, step.fill))
        if key not in self._padded:
            amounts = [amount for pair in reversed(step.padding) for amount in pair]
            self._padded[key] = _channels_last(pad(base, amounts, value=step.fill))
        return self._padded[key]

    def _whole(
        self, call: Call, twin: Call, made: dict[Value, Tensor], windows: NDArray[np.int64]
    ) -> list[Tensor]:
        pairs = zip(values_in([twin.args, twin.kwargs]), values_in([call.args, call.kwargs]), strict=True)
        own = dict(pairs)

        def read(value: Value) -> Tensor:
            return self._full(own[value], made, windows, value.shape)

        args = [self._many.real(arg, read) for arg in twin.args]
        kwargs = {key: self._many.real(arg, read) for key, arg in twin.kwargs.items()}
        return self._many.run(twin, args, kwargs)

    def _full(
        self,
        value: Value,
        made: dict[Value, Tensor],
        windows: NDArray[np.int64],
        shape: tuple[int, ...],
    ) -> Tensor:
        """A tensor for all windows of a batch, whole."""
        changed, change = made.get(value), self._changes.get(value)
        if changed is not None and not isinstance(change, Patch):
            return changed
        base = self._base[value]
        times = [self.batch if axis == 0 else 1 for axis in range(base.ndim)]
        if shape != value.shape:
            times = [wide // narrow for wide, narrow in zip(shape, base.shape, strict=True)]
        out = base.repeat(times)
        if isinstance(change, Patch) and changed is not None:
            _paste(out, changed, change.starts[windows], change)
        return out


def _paste(out: Tensor, changed: Tensor, offsets: NDArray[np.int64], patch: Patch) -> None:
    """Write each window's box into its tensor, as far as it lies inside; ``offsets`` are relative to that."""
    for place, offset in enumerate(offsets.tolist()):
        into: list[slice] = [slice(None)] * (out.ndim - 1)
        held: list[slice] = [slice(None)] * (out.ndim - 1)
        for axis, first, extent in zip(patch.axes, offset, patch.size, strict=True):
            low, high = max(0, first), min(out.shape[axis], first + extent)
            into[axis - 1] = slice(low, max(low, high))
            held[axis - 1] = slice(low - first, max(low, high) - first)
        out[place][tuple(into)] = changed[place][tuple(held)]


def _macs(call: Call, step: Step | Everything | None) -> int:
    """Multiply-accumulates of a call for one window."""
    if step is None:
        return 0
    total = count_macs(call)
    if step is EVERYTHING or not total or call.outputs[0] is None:
        return total
    assert isinstance(step, Step)
    return total * prod(step.out.shape(call.outputs[0].shape)) // prod(call.outputs[0].shape)


def _channels_last(tensor: Tensor) -> Tensor:
    if tensor.ndim == 4:
        return tensor.contiguous(memory_format=torch.channels_last)
    return tensor.contiguous(memory_format=torch.channels_last_3d) if tensor.ndim == 5 else tensor


def _empty(shape: tuple[int, ...], like: Tensor) -> Tensor:
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    memory_format = formats.get(len(shape), torch.contiguous_format)
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=memory_format)
