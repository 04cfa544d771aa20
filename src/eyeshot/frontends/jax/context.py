"""What a lowering works with: a builder that knows the equation at hand, and the registry of lowerings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from eyeshot.graph import Builder, Ref

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jax.extend.core import ClosedJaxpr

    Lowering = Callable[..., Ref | Sequence[Ref]]

F = TypeVar("F", bound="Lowering")

RESIZES = frozenset({"_resize", "_scale_and_translate", "scale_and_translate"})
"""JAX's own functions that multiply by weights which follow from positions."""
LOWERINGS: dict[str, Lowering] = {}
CALLS: set[str] = set()


def lowers(*names: str, follows: bool = False) -> Callable[[F], F]:
    """Register a function as the lowering of JAX primitives, by their names ("conv_general_dilated").

    It is called as ``function(ctx, *operands, **params)`` with a `Ref` for every operand and the equation's own
    parameters, and returns a `Ref`, or one an output. It is not called where no operand depends on an input: that output is
    constant; unless it ``follows`` the jaxprs in its parameters, whose equations then are lowered one by one.
    """

    def register(function: F) -> F:
        for name in names:
            if name in LOWERINGS:
                raise ValueError(f"{name} has two lowerings: {LOWERINGS[name].__name__}, {function.__name__}")
            LOWERINGS[name] = function
        if follows:
            CALLS.update(names)
        return function

    return register


class Context(Builder):
    """A builder with the equation that is being lowered."""

    eqn: Any

    def __init__(self) -> None:
        super().__init__()
        self.functions: list[str] = []
        """Names of the jitted functions that are being followed, outermost first."""
        self.real: set[int] = set()
        """Nodes whose real numbers were taken for complex ones."""

    def follow(self, jaxpr: ClosedJaxpr, operands: Sequence[Ref], name: str = "") -> list[Ref]:
        """Lower the equations of an inner jaxpr; what it computes alone is called ``name``."""
        raise NotImplementedError

    def sketch(self) -> Context:
        """A context of the same kind with an empty graph, to look at what an inner jaxpr reads."""
        raise NotImplementedError

    @property
    def resizing(self) -> bool:
        """Whether an image is being resized."""
        return not RESIZES.isdisjoint(self.functions)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the equation's first output."""
        return self.output_shapes[0]

    @property
    def output_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the equation's outputs."""
        return [tuple(var.aval.shape) for var in self.eqn.outvars]
