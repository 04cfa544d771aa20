"""The dispatch mode that records a forward: every ATen op becomes a Call over Values.

Three kinds of tensors flow through the user's code. *Unknown* ones are empty meta tensors (real
ones in a real forward). *Known* ones are real CPU tensors, small and independent of inputs and
floating parameters; ops on known ones alone run for real and leave no Call. What the model holds
is replaced by a twin at its first use, so the user's own tensors are never written to.

Autograd must be off by inference mode: composite ops then arrive whole, and this mode decides
which of them (``opinfo.KEPT``) stay whole and which are taken apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from eyeshot.errors import CaptureError
from eyeshot.frontends.torch import aliases, constants
from eyeshot.frontends.torch.aliases import Group, Node, Step, step_of
from eyeshot.frontends.torch.holdings import Holdings
from eyeshot.frontends.torch.modules import ModuleStack, ModuleTree
from eyeshot.frontends.torch.nodes import DataDependent, dtype_name, node_of
from eyeshot.frontends.torch.opinfo import OpInfo, describe
from eyeshot.frontends.torch.specials import SPECIALS
from eyeshot.frontends.torch.trace import Call, Origin, Value

_PLAIN = frozenset((int, float, bool, str, complex, type(None)))
_TOO_LARGE = object()
_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records into ``calls``; ``real`` runs every kernel on real numbers."""

    def __init__(self, tree: ModuleTree, stack: ModuleStack, real: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[Call] = []
        self.real = real
        self.device = torch.device("cpu" if real else "meta")
        self._holdings = Holdings(tree, real)
        self._stack = stack
        self._twins: dict[int, tuple[Tensor, Tensor]] = {}
        self._reshaped: dict[Value, Value] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise torch wraps the handler in a guard that imports its compiler (seconds).
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        info = describe(func)
        special = SPECIALS.get(info.name)
        if special is not None:
            answer = special(self, func, args, kwargs)
            if answer is not NotImplemented:
                return answer
        if info.composite:
            with self:
                return func._op_dk(_COMPOSITE, *args, **kwargs)
        if info.written:
            return self.write(func, info, args, kwargs)
        return self.apply(func, args, kwargs)

    # Tensors -------------------------------------------------------------------------------

    def own(self, tensor: Tensor) -> Tensor:
        """The tensor itself if this recorder made it, else its twin."""
        node = tensor.__dict__.get("_eyeshot")
        if node is not None and node.group.owner is self:
            return tensor
        held = self._twins.get(id(tensor))
        if held is None:
            twin, value = self._holdings.twin(tensor)
            self.adopt(twin, value, value.known is not None)
            held = self._twins[id(tensor)] = (tensor, twin)
        return held[1]

    def adopt(self, tensor: Tensor, value: Value | None, known: bool = False) -> Tensor:
        """Make ``tensor`` a fresh one that stands for ``value``."""
        group = Group(self, known, tensor if known else None)
        shape = value.shape if value is not None else tuple(tensor.shape)
        dtype = value.dtype if value is not None else dtype_name(tensor.dtype)
        tensor.__dict__["_eyeshot"] = Node(group, value, shape, dtype, ordered=tensor.is_contiguous())
        return tensor

    def fresh(self, value: Value, real: Tensor | None = None) -> Tensor:
        """A new unknown tensor that stands for ``value``."""
        if real is None:
            real = torch.empty(value.shape, dtype=getattr(torch, value.dtype), device=self.device)
        return self.adopt(real, value)

    def _view(self, tensor: Tensor, parent: Node, value: Value | None, step: Step) -> Tensor:
        group = parent.group
        group.views += 1
        tensor.__dict__["_eyeshot"] = Node(
            group, value, tuple(tensor.shape), dtype_name(tensor.dtype), group.version, parent, step
        )
        return tensor

    def value_of(self, tensor: Tensor) -> Value:
        """What ``tensor`` stands for now."""
        tensor = self.own(tensor)
        node = node_of(tensor)
        if not node.group.known:
            return aliases.current(node, self.emit)
        if node.value is None or node.stamp != node.group.version:
            node.value = Value(node.shape, node.dtype, "constant", known=constants.as_array(tensor))
            node.stamp = node.group.version
        return node.value

    def owner_of(self, tensor: Tensor) -> Tensor:
        """The root of the views that ``tensor`` belongs to, as a tensor over the same memory."""
        node = root = node_of(tensor)
        while root.parent is not None:
            root = root.parent
        if not root.ordered:
            raise CaptureError(
                f"as_strided takes strides in memory that is not in the order of the elements (shape "
                f"{root.shape}). Call .contiguous() on the tensor first."
            )
        if root is node:
            return tensor
        strides = torch.empty(root.shape, device="meta").stride()
        owner = torch.as_strided(tensor, root.shape, strides, 0)
        owner.__dict__["_eyeshot"] = root
        return owner

    def is_known(self, tensor: Tensor) -> bool:
        """Whether the tensor's elements are known; ``tensor`` must be the recorder's own."""
        return node_of(tensor).group.known

    def _physical(self, tensor: Tensor) -> Tensor:
        if self.real or tensor.is_meta:
            return tensor
        node = node_of(tensor)
        if node.meta is None:
            node.meta = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
        return node.meta

    # Recording ------------------------------------------------------------------------------

    def emit(
        self, op: str, args: tuple[Any, ...], kwargs: dict[str, Any], shape: tuple[int, ...], dtype: str
    ) -> Value:
        """Record a call with one output; going back through a reshape finds what was there before."""
        if op == "aten.view.default":
            source: Value = self._reshaped.get(args[0], args[0])
            if source.shape == shape:
                return source
        value = Value(shape, dtype, "call")
        self._record(op, args, kwargs, (value,))
        return value

    def _record(
        self, op: str, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: tuple[Value | None, ...]
    ) -> None:
        if op == "aten.view.default" and outputs[0] is not None and len(args) == 2:
            self._reshaped[outputs[0]] = self._reshaped.get(args[0], args[0])
        self.calls.append(Call(op, args, kwargs, outputs, self._stack.path, self._stack.visit))

    def recorded(self, item: Any) -> Any:
        """An argument as pure data."""
        kind = type(item)
        if kind in _PLAIN:
            return item
        if isinstance(item, Tensor):
            return self.value_of(item)
        if isinstance(item, list | tuple):
            return kind(map(self.recorded, item)) if kind in (list, tuple) else list(item)
        if isinstance(item, torch.dtype | torch.memory_format | torch.layout):
            return str(item)[6:]
        if isinstance(item, torch.device):
            return str(item)
        if isinstance(item, torch.Generator):
            return None
        return int(item) if isinstance(item, torch.SymInt) else item

    def _map(self, items: Iterable[Any], change: Callable[[Tensor], Tensor]) -> list[Any]:
        out: list[Any] = []
        for item in items:
            kind = type(item)
            if kind in _PLAIN:
                out.append(item)
            elif isinstance(item, Tensor):
                out.append(change(item))
            elif (kind is list or kind is tuple) and not _PLAIN.issuperset(map(type, item)):
                out.append(self._map(item, change))
            else:
                out.append(item)
        return out

    # Running --------------------------------------------------------------------------------

    def apply(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Run an op that writes to nothing, for real if all its operands are known."""
        info = describe(func)
        seen: list[Tensor] = []

        def noted(tensor: Tensor) -> Tensor:
            own = self.own(tensor)
            seen.append(own)
            return own

        args = self._map(args, noted)
        if kwargs:
            kwargs = {key: self._map((item,), noted)[0] for key, item in kwargs.items()}
        if not info.random and (info.shape_only or all(map(self.is_known, seen))):
            out = self._run_known(func, info, args, kwargs, seen)
            if out is not _TOO_LARGE:
                return out
        elif info.dynamic and not self.real:
            raise DataDependent(info.name)
        return self._run_unknown(func, info, args, kwargs, seen)

    def _run_known(
        self, func: Any, info: OpInfo, args: Any, kwargs: dict[str, Any], seen: list[Tensor]
    ) -> Any:
        if "device" in kwargs or info.shape_only:
            kwargs = {**kwargs, "device": torch.device("cpu")}
        if info.shape_only:
            args = self._map(args, self._physical)
        if not (info.views or info.dynamic) and not self._may_be_known(func, args, kwargs):
            return _TOO_LARGE
        out = func(*args, **kwargs)
        parts = [
            part for part in (out if isinstance(out, list | tuple) else (out,)) if isinstance(part, Tensor)
        ]
        if not info.views and not all(map(constants.within_limits, parts)):
            return _TOO_LARGE
        for index, part in enumerate(parts):
            if info.views:
                step = step_of(info.name, args, kwargs, index, part, self.recorded)
                self._view(part, node_of(seen[0]), None, step)
                node_of(part).value = None
            elif "_eyeshot" not in part.__dict__:
                self.adopt(part, None, known=True)
        return out

    def _may_be_known(self, func: Any, args: Any, kwargs: dict[str, Any]) -> bool:
        """Whether the outputs stay within the limits, asked of the meta kernel before running for real."""
        metas = self._map(args, _on_meta)
        options = {key: self._map((item,), _on_meta)[0] for key, item in kwargs.items()}
        if "device" in options:
            options["device"] = torch.device("meta")
        try:
            out = func(*metas, **options)
        except (RuntimeError, NotImplementedError):
            return True
        parts = out if isinstance(out, list | tuple) else (out,)
        return all(constants.could_be_within_limits(part) for part in parts if isinstance(part, Tensor))

    def _run_unknown(
        self, func: Any, info: OpInfo, args: Any, kwargs: dict[str, Any], seen: list[Tensor]
    ) -> Any:
        out = self._outputs(func, info, args, kwargs, seen)
        parts = list(out) if isinstance(out, list | tuple) else [out]
        if not any(isinstance(part, Tensor) for part in parts):
            if self.real or info.static_answer or not seen:
                return out
            raise DataDependent(info.name)
        origin: Origin = "constant" if info.shape_only or not seen else "call"
        values = tuple(
            Value(tuple(part.shape), dtype_name(part.dtype), origin) if isinstance(part, Tensor) else None
            for part in parts
        )
        if origin == "call":
            rargs = tuple(map(self.recorded, args))
            rkwargs = {key: self.recorded(item) for key, item in kwargs.items()}
            self._record(info.functional, rargs, rkwargs, values)
        for index, (part, value) in enumerate(zip(parts, values, strict=True)):
            if value is None or "_eyeshot" in part.__dict__:
                continue
            if info.views:
                step = step_of(info.name, args, kwargs, index, part, self.recorded)
                self._view(part, node_of(seen[0]), value, step)
            else:
                self.adopt(part, value)
        return out

    def _outputs(self, func: Any, info: OpInfo, args: Any, kwargs: dict[str, Any], seen: list[Tensor]) -> Any:
        if not (self.real or all(tensor.is_meta for tensor in seen)):
            args = self._map(args, self._physical)
            kwargs = {key: self._map((item,), self._physical)[0] for key, item in kwargs.items()}
        if "device" in kwargs:
            kwargs = {**kwargs, "device": self.device}
        if not self.real and info.shortcut is not None:
            out = info.shortcut(*args, **kwargs)
            if out is not None:
                return out
        return func(*args, **kwargs)

    # Writing --------------------------------------------------------------------------------

    def taint(self, tensor: Tensor) -> None:
        """From now on the elements of the tensor's group are unknown, because an unknown is written to it."""
        node = node_of(tensor)
        group = node.group
        if not group.known:
            return
        root = node
        while root.parent is not None:
            root = root.parent
        assert group.anchor is not None
        root.value = self.value_of(group.anchor)
        group.known, group.anchor = False, None
        group.version += 1
        root.stamp = group.version

    def write(self, func: Any, info: OpInfo, args: Any, kwargs: dict[str, Any]) -> Any:
        """Run an in-place or out= op; what it writes to stands for a new Value afterwards."""
        seen: list[Tensor] = []

        def noted(tensor: Tensor) -> Tensor:
            own = self.own(tensor)
            seen.append(own)
            return own

        args = self._map(args, noted)
        kwargs = {key: self._map((item,), noted)[0] for key, item in kwargs.items()}
        targets = [args[i] if i < len(args) else kwargs[name] for i, name in info.written]
        if not info.random and all(map(self.is_known, seen)):
            func(*args, **kwargs)
            for target in targets:
                node_of(target).group.version += 1
        elif info.moves:
            self._move(func, info, args, kwargs)
        else:
            self._write_unknown(func, info, args, kwargs, targets, seen)
        return targets[0] if len(targets) == 1 else tuple(targets)

    def _move(self, func: Any, info: OpInfo, args: Any, kwargs: dict[str, Any]) -> None:
        target = args[0]
        old = node_of(target)
        value = self.value_of(target)
        func(*args, **kwargs)
        step = Step(info.functional, tuple(map(self.recorded, args[1:])), {})
        self._view(target, old, None, step)
        node_of(target).value = self.emit(
            info.functional, (value, *step.rest), {}, tuple(target.shape), dtype_name(target.dtype)
        )

    def _write_unknown(
        self,
        func: Any,
        info: OpInfo,
        args: Any,
        kwargs: dict[str, Any],
        targets: list[Tensor],
        seen: list[Tensor],
    ) -> None:
        for target in targets:
            self.taint(target)
        rargs = tuple(map(self.recorded, args))
        rkwargs = {key: self.recorded(item) for key, item in kwargs.items() if key not in info.out_names}
        if self.real:
            func(*args, **kwargs)
        else:
            inputs = {key: item for key, item in kwargs.items() if key not in info.out_names}
            answered = info.shortcut is not None and self._shortcut_answers(info, args, inputs)
            if not answered:
                func(
                    *self._map(args, self._physical),
                    **{key: self._map((item,), self._physical)[0] for key, item in kwargs.items()},
                )
        self.assign(info, rargs, rkwargs, targets, independent=info.random and len(seen) == len(targets))

    def _shortcut_answers(self, info: OpInfo, args: Any, kwargs: dict[str, Any]) -> bool:
        assert info.shortcut is not None
        out = info.shortcut(*self._map(args, self._physical), **kwargs)
        return out is not None and not info.out_names and out.shape == args[0].shape

    def assign(
        self,
        info: OpInfo,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        targets: list[Tensor],
        independent: bool,
    ) -> None:
        """Give every target its new Value, and record the call that makes it unless it depends on nothing."""
        origin: Origin = "constant" if independent else "call"
        values = tuple(Value(tuple(t.shape), dtype_name(t.dtype), origin) for t in targets)
        if not independent:
            self._record(info.functional, args, kwargs, values)
        for target, value in zip(targets, values, strict=True):
            node_of(target).shape = value.shape
            aliases.written(node_of(target), value)


def _on_meta(tensor: Tensor) -> Tensor:
    return tensor if tensor.is_meta else tensor.to("meta")
