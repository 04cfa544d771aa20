"""What a lowering works with: a builder that knows the call at hand, and the registry of lowerings."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

from eyeshot.errors import InputError, UnsafeFileError
from eyeshot.frontends.keras.options import Options
from eyeshot.graph import Builder, Ref
from eyeshot.relations import All, Identity, Prefix, Suffix, Table, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from eyeshot.frontends.files import Budget
    from eyeshot.graph.graph import Shape
    from eyeshot.relations import AxisMap, Relation

    Lowering = Callable[..., Any]

F = TypeVar("F", bound="Lowering")

LOWERINGS: dict[str, Lowering] = {}
PASSING_MASKS: set[str] = set()

UNKNOWN = "unknown-op"

LONGEST_TABLE = 1 << 20
"""Most outputs along an axis whose places are worked out one by one (repeated, padded by reflection)."""

MOST_READ = 1 << 24
"""Most elements that all outputs along one axis read together."""


def lowers(*names: str, masks: bool = False) -> Callable[[F], F]:
    """Register a function as the lowering of layers ("layers.Conv2D") or ops ("numpy.Add", "nn.Relu").

    It is called as the layer is, ``function(ctx, x, ...)``, with a `Ref` in the place of every tensor, and returns what
    the layer does: a `Ref`, or a list or dictionary of them. The layer's own configuration is ``ctx.options``. With
    ``masks`` the output keeps the Keras mask of the input.
    """

    def register(function: F) -> F:
        for name in names:
            if name in LOWERINGS:
                raise ValueError(f"{name} has two lowerings: {LOWERINGS[name].__name__}, {function.__name__}")
            LOWERINGS[name] = function
            if masks:
                PASSING_MASKS.add(name)
        return function

    return register


@dataclass(slots=True)
class Call:
    """One call of a layer: what it is, and what its lowering adds to the outputs.

    ``masks`` are the Keras masks of the tensors in the first argument. Lowerings add ``parameters`` and ``macs``, and set
    ``dtype`` and ``output_masks`` (one an output) where the defaults are wrong.
    """

    name: str
    path: str
    options: Options
    dtype: str
    depth: int = 0
    masks: list[Ref | None] = field(default_factory=list)
    arguments: dict[str, Any] = field(default_factory=dict)
    parameters: int = 0
    macs: int = 0
    output_masks: list[Ref | None] | None = None

    def mask_of(self, name: str, position: int) -> Ref | None:
        """The Keras mask of one argument."""
        args = self.arguments["args"]
        held = self.arguments["kwargs"].get(name, args[position] if position < len(args) else None)
        return getattr(held, "mask", None)


class Context(Builder):
    """A builder with the call that is being lowered."""

    call: Call

    def __init__(self, call_layer: Callable[..., Any], budget: Budget | None = None) -> None:
        super().__init__()
        self._call_layer = call_layer
        self._budget = budget

    def add(
        self, relation: Relation, operands: Iterable[Ref], shape: Shape, reason: str | None = None
    ) -> Ref:
        """As in `Builder`, with the tensors of a file counted: one layer may make a million of them."""
        if self._budget is not None:
            self._budget.grow(shape, "a tensor")
        return super().add(relation, operands, shape, reason)

    def inner(self, data: Any, x: Ref, mask: Ref | None = None, **kwargs: Any) -> Any:
        """Call a layer that the configuration of the layer at hand holds; what it returns, a `Ref` for each tensor."""
        outer = self.call
        result = self._call_layer(data, outer, x, mask, kwargs)
        self.call = outer
        return result

    @property
    def options(self) -> Options:
        """The configuration of the layer at hand."""
        return self.call.options

    @property
    def mask(self) -> Ref | None:
        """The Keras mask of the first tensor."""
        return self.call.masks[0] if self.call.masks else None

    def own(self, *shapes: Sequence[int]) -> None:
        """Count the parameters of weights of these shapes."""
        self.call.parameters += sum(prod(shape) for shape in shapes)

    def along(
        self,
        x: Ref,
        maps: Mapping[int, tuple[AxisMap, int]],
        *,
        summarises: bool = False,
        reason: str | None = None,
    ) -> Ref:
        """As in `Builder`, with what a map would take to hold bounded."""
        for axis, (amap, extent) in maps.items():
            if _entries(amap, extent) > MOST_READ:
                raise UnsafeFileError(
                    f"axis {axis} of {self.options.where} would read {_entries(amap, extent)} elements in all: more than "
                    f"{MOST_READ} along one axis are not enumerated"
                )
        return super().along(x, maps, summarises=summarises, reason=reason)

    def contract(self, subscripts: str, *operands: Ref, support: tuple[str, str, Table] | None = None) -> Ref:
        """As in `Builder`, with the extents compared."""
        extents: dict[str, int] = {}
        for term, ref in zip(subscripts.split("->", maxsplit=1)[0].split(","), operands, strict=True):
            for label, n in zip(term, ref.shape, strict=True):
                if extents.setdefault(label, n) != n:
                    shapes = ", ".join(str(each.shape) for each in operands)
                    raise InputError(
                        f"{self.options.where} multiplies {shapes} along axes of {extents[label]} and {n}"
                    )
        return super().contract(subscripts, *operands, support=support)

    def dynamic(self, x: Ref, axes: Sequence[int], *index: Ref, shape: tuple[int, ...], reason: str) -> Ref:
        """Positions computed from data: everything of ``x`` along ``axes``, and the index itself; sound, flagged."""
        kept = {axis % len(x.shape) for axis in axes}
        read = self.along(x, {axis: (All(), shape[axis]) for axis in kept}, reason=reason)
        return self.pointwise(read, *index, shape=shape)


def _entries(amap: AxisMap, extent: int) -> int:
    """How many elements all outputs along an axis read, together."""
    match amap:
        case Window():
            return amap.kernel * extent
        case Prefix() | Suffix():
            return extent * (extent + 1) // 2
        case Table():
            return len(amap.indices)
        case Identity():
            return extent
        case All():  # never enumerated
            return 0
        case _:
            assert_never(amap)


def tensors_in(items: Any) -> list[Ref]:
    """Every `Ref` inside nested lists, tuples and dictionaries, in order."""
    if isinstance(items, Ref):
        return [items]
    if isinstance(items, dict):
        items = items.values()
    elif not isinstance(items, list | tuple):
        return []
    return [ref for item in items for ref in tensors_in(item)]


def bounded(extent: int, where: str, most: int = LONGEST_TABLE) -> int:
    """An extent that a table is about to be made for, row by row.

    Raises
    ------
    UnsafeFileError
        where it is beyond ``most``.
    """
    if extent > most:
        raise UnsafeFileError(
            f"{where} asks for {extent} elements along one axis, each with a place of its own to read: more than {most} "
            "are not read"
        )
    return extent
