"""One ATen op as it ran, and the registry of rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

if TYPE_CHECKING:
    from eyeshot.proof.program import Linear, Twins

    Rule = Callable[["Call"], Linear | None]

Blindness = Literal["misses", "hides", "leaks"]
"""What a flag says: the gradient ``misses`` dependences here; NaN ``hides``, or ``leaks`` to where nothing depends."""

R = TypeVar("R", bound="Rule")

_RULES: dict[str, Rule] = {}

_SETTINGS = frozenset("dtype device layout pin_memory memory_format non_blocking out".split())
_DATA = frozenset("self src source values value input tensors".split())


def rule(*names: str) -> Callable[[R], R]:
    """Register a rule for ATen ops by name, without overload and without the underscore of in-place ones."""

    def register(function: R) -> R:
        _RULES.update({name: function for text in names for name in text.split()})
        return function

    return register


def rule_of(call: Call) -> Rule | None:
    """The rule for an op; what torch itself calls pointwise has one, others have none where nobody wrote it."""
    found = _RULES.get(call.name)
    return _RULES["pointwise"] if found is None and torch.Tag.pointwise in call.func.tags else found


class Call:
    """One ATen op as it ran: its arguments by name, its outputs, and what is known of their dependence.

    A rule may change ``count`` (how many of the outputs depend on the input), add ``flags`` and set ``support``: where the
    first output is not 0 by construction.
    """

    def __init__(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], slots: Any) -> None:
        schema = func._schema
        namespace, _, full = schema.name.partition("::")
        self.func = func
        self.written = [
            a.name for a in schema.arguments if a.alias_info is not None and a.alias_info.is_write
        ]
        in_place = full.endswith("_") and not full.endswith("__") and bool(self.written)
        self.name = (full[:-1] if in_place else full) if namespace == "aten" else schema.name
        self.replaces = in_place or "out" in self.written
        self.args: dict[str, Any] = {a.name: a.default_value for a in schema.arguments}
        self.args.update(zip((a.name for a in schema.arguments), args, strict=False))
        self.args.update(kwargs)
        self.positional = [a.name for a in schema.arguments if not a.kwarg_only]
        self.outputs: list[Tensor] = []
        self.count = 0
        self.support: Tensor | None = None
        self.flags: set[tuple[str, str]] = set()
        self._slots = slots

    def returned(self, out: Any) -> None:
        """Take what the op returned."""
        self.outputs = [leaf for leaf in pytree.tree_leaves(out) if isinstance(leaf, Tensor)]
        self.count = len(self.outputs)

    def flag(self, *kinds: Blindness) -> None:
        """Say that an oracle is blind here."""
        self.flags.update((kind, self.name) for kind in kinds)

    @property
    def shape(self) -> torch.Size:
        """Shape of the first output."""
        return self.outputs[0].shape

    def slot(self, item: Any) -> int | None:
        """The slot of a tensor (or the argument of that name) that depends on the input, else None."""
        tensor = self.args.get(item) if isinstance(item, str) else item
        found: int | None = self._slots.slot(tensor) if isinstance(tensor, Tensor) else None
        return found

    def tensors(self) -> Iterator[Tensor]:
        """Every tensor among the arguments."""
        for leaf in pytree.tree_leaves(list(self.args.values())):
            if isinstance(leaf, Tensor):
                yield leaf

    def dependents(self) -> list[int]:
        """The slots of all operands that depend on the input."""
        return list(
            dict.fromkeys(slot for tensor in self.tensors() if (slot := self.slot(tensor)) is not None)
        )

    def support_of(self, item: Any) -> Tensor | None:
        """Where an operand is not 0 by construction, None if nothing says so."""
        slot = self.slot(item)
        found: Tensor | None = None if slot is None else self._slots.supports.get(slot)
        return found

    def zeros(self, item: Any) -> Tensor | None:
        """Where a constant operand is not 0, if it is known by construction and is 0 somewhere."""
        tensor = self.args.get(item) if isinstance(item, str) else item
        if not isinstance(tensor, Tensor) or self.slot(tensor) is not None or self._slots.learned(tensor):
            return None
        kept: Tensor = tensor != 0
        return None if bool(kept.all()) else kept

    def constant(self, item: Any) -> bool:
        """Whether an operand follows from no learned number and no input."""
        return isinstance(item, Tensor) and self.slot(item) is None and not self._slots.learned(item)

    def dims(self, name: str = "dim", rank: int | None = None) -> list[int]:
        """Axes that an argument names; all where it is None or empty."""
        given, n = self.args.get(name), self.args["self"].dim() if rank is None else rank
        if given is None or (isinstance(given, list | tuple) and not given):
            return list(range(n))
        return [axis % max(n, 1) for axis in ([given] if isinstance(given, int) else given)] if n else []

    def same_op(self, **replaced: Any) -> Callable[[Twins], Any]:
        """The op itself on twins: constants among its data are 0, indices and masks are what they were."""
        for name, value in self.args.items():
            if name not in _DATA and any(
                self.slot(leaf) is not None for leaf in pytree.tree_leaves(value) if isinstance(leaf, Tensor)
            ):
                self.flag("misses", "hides")
        frozen = {
            name: replaced.get(name, pytree.tree_map(lambda leaf, n=name: self._frozen(n, leaf), value))
            for name, value in self.args.items()
            if name not in _SETTINGS
        }
        packet, names = getattr(torch.ops.aten, self.name), self.positional

        def linear(twins: Twins) -> Any:
            given = {
                name: pytree.tree_map(lambda leaf: _thawed(leaf, twins), value)
                for name, value in frozen.items()
            }
            positional = [given.pop(name) for name in names if name in given]
            return packet(*positional, **given)

        return linear

    def _frozen(self, name: str, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        slot = self.slot(leaf)
        if name not in _DATA:
            return leaf.detach().clone()  # it may be written later
        return _Slot(slot) if slot is not None else _Nothing(leaf.shape)


class _Slot:
    """The place of a twin."""

    def __init__(self, slot: int) -> None:
        self.slot = slot


class _Nothing:
    """The place of a constant."""

    def __init__(self, shape: torch.Size) -> None:
        self.shape = shape


def _thawed(leaf: Any, twins: Twins) -> Any:
    if isinstance(leaf, _Slot):
        return twins[leaf.slot]
    return twins[0].new_zeros(leaf.shape) if isinstance(leaf, _Nothing) else leaf
