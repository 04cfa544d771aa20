"""What a lowering works with: a builder that knows the call at hand, and the registry of lowerings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from eyeshot.graph import Builder, Ref

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eyeshot.frontends.torch.trace import Call, Value

    Lowering = Callable[..., Ref | Sequence[Ref | None] | None]

F = TypeVar("F", bound="Lowering")

LOWERINGS: dict[str, Lowering] = {}


def lowers(*names: str) -> Callable[[F], F]:
    """Register a function as the lowering of ATen ops, by their full names ("aten.add.Tensor").

    It is called as ``function(ctx, *args, **kwargs)`` with a `Ref` in the place of every tensor, and returns a `Ref`, or
    one a tensor output in their order; an output left out (or None) is dense if it is read at all. It is not called where
    no operand depends on an input: that output is constant.
    """

    def register(function: F) -> F:
        for name in names:
            if name in LOWERINGS:
                raise ValueError(f"{name} has two lowerings: {LOWERINGS[name].__name__}, {function.__name__}")
            LOWERINGS[name] = function
        return function

    return register


class Context(Builder):
    """A builder with the call that is being lowered."""

    call: Call

    def __init__(self) -> None:
        super().__init__()
        # Outputs that a lowering left out, with the operands of their call: dense, should anybody read them.
        self.unsaid: dict[Value, list[Ref]] = {}

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the call's first tensor output, as the framework computed it."""
        return self.output_shapes[0]

    @property
    def output_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the call's tensor outputs, absent ones left out."""
        return [value.shape for value in self.call.outputs if value is not None]


def tensors_in(items: Any) -> list[Ref]:
    """Every `Ref` inside nested lists, tuples and dictionaries, in order."""
    if isinstance(items, Ref):
        return [items]
    if isinstance(items, dict):
        items = items.values()
    elif not isinstance(items, list | tuple):
        return []
    return [ref for item in items for ref in tensors_in(item)]
