"""What a lowering works with: a builder that knows the node at hand, and the registry of lowerings.

A lowering is one function: its positional parameters are the operator's inputs, its keyword-only ones those
attributes that decide what is read. It returns a `Ref` (or a `Value`, which has a dtype of its own) for each output, and
its shapes are the shape inference: nothing else computes any. An output that is a sequence is a list in that list.

    @lowers("Trilu")
    def trilu(ctx: Context, x: Ref, k: Ref | None = None, *, upper: int = 1) -> Ref: ...

Tensors arrive as `Ref`, sequences as lists of `Value`, absent inputs as None. Attributes are int, float, str, lists of
those, `Blob` (a tensor inside the file: ``shape``, ``dtype``, ``array()``) and `Graph` (a body, for `Context.run`).
Elements are asked for by the input's position: `Context.known` (they follow from no input of the network: exact) or
`Context.value` (or the user gave them: they may decide shapes and axes, never which element is read).
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, TypeVar

from eyeshot.errors import InputError, UnsafeFileError
from eyeshot.frontends.onnx.model import Node
from eyeshot.frontends.onnx.rules import DEFAULT_DOMAIN, Registry, Rule
from eyeshot.graph import Builder, Ref
from eyeshot.relations import Pointwise, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from eyeshot.frontends.files import Budget
    from eyeshot.frontends.onnx.elements import Elements
    from eyeshot.frontends.onnx.model import Graph as Subgraph
    from eyeshot.relations import AxisMap, Relation

    Array = NDArray[Any]
    Shape = tuple[int, ...]

F = TypeVar("F", bound="Callable[..., Any]")

LOWERINGS = Registry()


def lowers(
    *ops: str, since: int = 1, domain: str = DEFAULT_DOMAIN, dtype: str | tuple[str | None, ...] | None = None
) -> Callable[[F], F]:
    """Register a function as the lowering of operators from opset ``since`` on.

    ``dtype`` is that of every output, or of each; by default (and where None) they have the first input's. It is called
    where no operand depends on an input, too: it still gives the shape.
    """
    dtypes = dtype if isinstance(dtype, tuple) else (dtype,)

    def register(function: F) -> F:
        for op in ops:
            LOWERINGS.add(domain, op, Rule.of(function, since, dtypes))
        return function

    return register


class Value:
    """A tensor of the model: its `Ref`, its dtype in NumPy's words, and where its elements come from.

    ``loose`` says that its extents are upper bounds: how many elements there are depends on data.
    """

    __slots__ = ("dtype", "elements", "loose", "ref")

    def __init__(
        self, ref: Ref, dtype: str, elements: Elements | None = None, *, loose: bool = False
    ) -> None:
        self.ref, self.dtype, self.elements, self.loose = ref, dtype, elements, loose


Item = Value | list[Any] | None
"""What a name stands for: a tensor, a sequence, or nothing (an optional without content)."""


class Context(Builder):
    """A builder with the node that is being lowered.

    ``inputs`` are the node's as `Item`, ``opset`` is the version of its operator set, ``outputs`` tells how many outputs
    it names. A lowering adds to ``macs`` what multiply-accumulates the op takes.
    """

    node: Node
    opset: int
    inputs: list[Item]
    macs: int
    run: Callable[[Subgraph, Sequence[Item]], list[Item]]
    """Lower a subgraph of the node with these inputs; names outside are seen."""
    declared: Callable[[str], tuple[Shape, str] | None]
    """Shape and dtype that the file declares for a tensor of the outermost graph, None where it leaves anything open."""

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self.budget, self.node = budget, Node()
        self.inputs, self.macs, self.opset = [], 0, 1
        self.settling: set[int] = set()

    def taken_as_given(self) -> list[str]:
        """Inputs of the network whose elements decided a shape or an axis: the graph holds for these elements alone."""
        before = self.graph.ancestors(list(self.settling))
        return [name for name, node in self.graph.inputs.items() if node in before]

    @property
    def op(self) -> str:
        """The operator's name."""
        return self.node.op

    @property
    def outputs(self) -> int:
        """How many outputs the node has, those that it leaves without a name at the end not counted."""
        return len(self.node.outputs)

    @property
    def label(self) -> str:
        """The node as an error names it."""
        return f"{self.node.op} node {self.node.name!r}"

    def add(
        self, relation: Relation, operands: Iterable[Ref], shape: Shape, reason: str | None = None
    ) -> Ref:
        """Append one node, if its shape stays under the limits."""
        return super().add(relation, operands, self.bounded(shape), reason)

    def along(
        self,
        x: Ref,
        maps: Mapping[int, tuple[AxisMap, int]],
        *,
        summarises: bool = False,
        reason: str | None = None,
    ) -> Ref:
        """As `Builder.along`, for windows that a table can hold."""
        for amap, count in maps.values():
            most = self.budget.limits.entries
            if isinstance(amap, Window) and amap.kernel * count > most:
                raise UnsafeFileError(
                    f"{self.label} has {count:,} windows of {amap.kernel:,} elements along one axis; more than "
                    f"{most:,} elements in all are refused"
                )
        return super().along(x, maps, summarises=summarises, reason=reason)

    def bounded(self, shape: Iterable[int]) -> Shape:
        """A shape that a file asks for, checked before anything of that size is made (a table, an array).

        Raises
        ------
        UnsafeFileError, FileFormatError
            where an extent is too long, or negative.
        """
        return self.budget.grow(tuple(shape), self.label)

    def dtype(self, position: int = 0) -> str:
        """Dtype of an input."""
        value = self._input(position)
        return value.dtype if isinstance(value, Value) else "float32"

    def value(self, position: int) -> Array | None:
        """Elements of an input where they are known or the user gave them; None elsewhere, and where it is left out."""
        value = self._input(position)
        if not isinstance(value, Value) or value.elements is None:
            return None
        found = value.elements.array()
        if found is not None and not self.is_constant(value.ref):
            self.settling.add(value.ref.node)
        return found

    def known(self, position: int) -> Array | None:
        """Elements of an input that follow from no input of the network; None elsewhere."""
        value = self._input(position)
        fixed = isinstance(value, Value) and self.is_constant(value.ref)
        return self.value(position) if fixed else None

    def held(self, position: int) -> Ref:
        """An input's `Ref` with its elements in ``known``, if they are."""
        value = self._input(position)
        assert isinstance(value, Value)
        known = self.known(position)
        return value.ref if known is None else value.ref._replace(known=known)

    def absent(self, position: int) -> bool:
        """Whether an input is left out."""
        return self._input(position) is None

    def integers(self, position: int, what: str) -> list[int] | None:
        """The elements of an input that shapes or axes follow from (``what`` names it); None where it is left out.

        Raises
        ------
        InputError
            where they depend on data that nobody gave.
        """
        if self.absent(position):
            return None
        found = self.value(position)
        if found is None:
            raise self.unsettled(position, what)
        return [int(number) for number in found.reshape(-1).tolist()]

    def argument(self, attribute: Sequence[int] | int | None, position: int, what: str) -> list[int] | None:
        """What was an attribute in old opsets and is an input in new ones; None where neither is there."""
        if attribute is not None:
            return [attribute] if isinstance(attribute, int) else list(attribute)
        return self.integers(position, what)

    def unsettled(self, position: int, what: str) -> InputError:
        """The error of a shape that depends on data."""
        name = self.node.inputs[position] if position < len(self.node.inputs) else "?"
        return InputError(
            f"the shape that {self.label} gives depends on data: its {what} {name!r} is computed from an input of the "
            "network, or too large to hold. Pass inputs={...} with the arrays that settle it"
        )

    def typed(self, ref: Ref, dtype: str, elements: Elements | None = None) -> Value:
        """An output with a dtype that is not the first input's."""
        return Value(ref, dtype, elements)

    def upper(self, ref: Ref, dtype: str | None = None) -> Value:
        """An output whose extents are upper bounds, since data decides how many elements there are.

        The ref has the reason "data-dependent-shape" already, if it depends on an input.
        """
        return Value(ref, dtype or self.dtype(), loose=not self.is_constant(ref))

    def flagged(self, x: Ref, reason: str) -> Ref:
        """``x`` with a reason why it may read less."""
        return x if self.is_constant(x) else self.add(Pointwise(), (x,), x.shape, reason)

    def _input(self, position: int) -> Item:
        return self.inputs[position] if position < len(self.inputs) else None


def size(x: Ref) -> int:
    """How many elements a tensor has."""
    return prod(x.shape)
