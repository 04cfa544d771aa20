"""Recording: one real forward, every ATen op of it written down as a linear step."""

from __future__ import annotations

import math
from collections.abc import Iterable, MutableMapping
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import TensorWeakRef, WeakTensorKeyDictionary

from eyeshot.proof.blind import HIDING
from eyeshot.proof.program import Linear, Program, Twins, excused
from eyeshot.proof.rules import Call, rule_of

_LEVELS = 4
_CREATE = ("empty", "zeros", "ones", "full", "rand", "new_", "randint")


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes a `Program` while a model runs for real; the model's own numbers are what they always are.

    ``x`` is the input asked about; ``others`` are inputs too, none of whose elements is known.

    ``supports`` has, for some slots, where the tensor is not 0 by construction: what a softmax leaves of masked scores.
    """

    def __init__(self, x: Tensor, model: nn.Module, others: Iterable[Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.program = Program(tuple(x.shape))
        self.supports: dict[int, Tensor] = {}
        self.scalars = False
        self._paused = False
        self._slots: MutableMapping[Tensor, int] = WeakTensorKeyDictionary()
        self._slots[x] = 0
        self._learned: MutableMapping[Tensor, bool] = WeakTensorKeyDictionary()
        self._aliases: dict[int, list[TensorWeakRef]] = {}
        self._enlist(x)
        for other in others:
            if other is not x:
                (self._slots[other],) = self.program.add("input", _nothing(other.shape), (), 1)
        for buffer in model.buffers():
            self._learned[buffer] = buffer.is_floating_point() and not _is_mask(buffer)

    def slot(self, tensor: Tensor) -> int | None:
        """The slot of a tensor that depends on the input."""
        return self._slots.get(tensor)

    def learned(self, tensor: Tensor) -> bool:
        """Whether a constant follows from parameters (or from buffers that look like some), or was drawn at random."""
        return isinstance(tensor, nn.Parameter) or self._learned.get(tensor, False)

    def finite(self, tensor: Tensor) -> bool:
        """Whether all numbers of a tensor are finite; asked while the model runs, and not recorded."""
        self._paused = True
        try:
            return bool(tensor.isfinite().all())
        finally:
            self._paused = False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if self._paused:
            return func(*args, **(kwargs or {}))
        call = Call(func, args, kwargs or {}, self)
        slots = call.dependents()
        learned = torch.Tag.nondeterministic_seeded in func.tags or any(map(self.learned, call.tensors()))
        out = func(*args, **(kwargs or {}))
        call.returned(out)
        if slots and call.name == "_local_scalar_dense":
            self.scalars = True
        if not slots or call.name.startswith(_CREATE) or call.name.endswith("_like"):
            self._constant(call, learned=learned)
        else:
            self._dependent(call, slots)
        return out

    def _constant(self, call: Call, *, learned: bool) -> None:
        for tensor in call.outputs:
            self._learned[tensor] = learned
            self._enlist(tensor)
        for tensor in self._targets(call) if call.replaces else ():
            if self.slot(tensor) is not None or self._kin(tensor):
                self._write(tensor, None)

    def _dependent(self, call: Call, slots: list[int]) -> None:
        if call.name in HIDING:
            call.flag("hides")
        rule = rule_of(call)
        with excused(call.name):
            linear = rule(call) if rule else None
        if linear is None:
            call.flag("misses", "hides")
            shapes = [tensor.shape for tensor in call.outputs]
            linear, call.count = (lambda twins: [twins[0].new_zeros(s) for s in shapes]), len(shapes)
        new = self.program.add(call.name, linear, slots, call.count, call.flags)
        if call.support is not None and new:
            self.supports[new[0]] = call.support
        if call.replaces:
            for tensor, slot in zip_longest(self._targets(call), new):
                self._write(tensor, slot)
            return
        for tensor, slot in zip(call.outputs, new, strict=False):
            self._slots[tensor] = slot
            self._enlist(tensor)

    @staticmethod
    def _targets(call: Call) -> list[Tensor]:
        return [tensor for name in call.written if isinstance(tensor := call.args[name], Tensor)]

    # Writes reach every other view of the same memory.

    def _enlist(self, tensor: Tensor) -> None:
        if tensor.layout is torch.strided:
            self._aliases.setdefault(tensor.untyped_storage()._cdata, []).append(TensorWeakRef(tensor))

    def _kin(self, tensor: Tensor) -> list[Tensor]:
        """The other live tensors that share memory with one."""
        if tensor.layout is not torch.strided:
            return []
        key = tensor.untyped_storage()._cdata
        living = [t for ref in self._aliases.get(key, ()) if (t := ref()) is not None]
        own = {id(t): t for t in living if t.untyped_storage()._cdata == key}
        self._aliases[key] = [TensorWeakRef(t) for t in own.values()]
        return [t for t in own.values() if t is not tensor]

    def _write(self, tensor: Tensor, slot: int | None) -> None:
        """``tensor`` now has this twin (None: it is constant), and its other views see that."""
        kin = self._kin(tensor)
        if slot is None:
            if tensor in self._slots:
                del self._slots[tensor]
        else:
            self._slots[tensor] = slot
            self._enlist(tensor)
        for other in kin:
            self._rewrite(other, tensor, slot)

    def _rewrite(self, other: Tensor, written: Tensor, slot: int | None) -> None:
        before = self.slot(other)
        if before is None and slot is None:
            return
        place, hit = _overlap(other, written)
        if not bool(hit.any()):
            return
        shape = other.shape

        def linear(twins: Twins) -> list[Tensor]:
            zero = twins[0].new_zeros(())
            old = zero.expand(shape).reshape(-1) if before is None else twins[before].reshape(-1)
            new = zero if slot is None else twins[slot].reshape(-1)[place]
            return [torch.where(hit, new, old).reshape(shape)]

        inputs = [each for each in (before, slot) if each is not None]
        (self._slots[other],) = self.program.add("a write into a view", linear, inputs, 1)


def _nothing(shape: torch.Size) -> Linear:
    return lambda twins: [twins[0].new_zeros(shape)]


def _positions(tensor: Tensor, extent: int) -> Tensor:
    """Where in its memory each element of a tensor lies."""
    every = torch.arange(extent)
    return every.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset()).reshape(-1)


def _overlap(tensor: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """For each element of ``tensor`` the place of the same memory in ``other``, and whether there is any."""
    extent = math.ceil(tensor.untyped_storage().nbytes() / tensor.element_size())
    if other.element_size() != tensor.element_size():
        return torch.zeros(tensor.numel(), dtype=torch.int64), torch.zeros(tensor.numel(), dtype=torch.bool)
    places = torch.full((extent,), -1)
    places[_positions(other, extent)] = torch.arange(other.numel())
    place = places[_positions(tensor, extent)]
    return place.clamp(min=0), place >= 0


def _is_mask(buffer: Tensor) -> bool:
    """Whether a buffer holds a few levels, as masks do, and not numbers that may have been learned."""
    rest = buffer.detach().reshape(-1)
    for _ in range(_LEVELS):
        if rest.numel():
            rest = rest[rest != rest[0]]
    return not rest.numel()
