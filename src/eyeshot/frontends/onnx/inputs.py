"""The inputs of a graph: declared shapes, and what the user says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from eyeshot.errors import InputError
from eyeshot.frontends.onnx.context import Context, Item, Value
from eyeshot.frontends.onnx.elements import Elements
from eyeshot.frontends.onnx.model import Declared, Dimension, Graph, TensorType, Type
from eyeshot.frontends.onnx.tensors import dtype_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from eyeshot.frontends.registry import Request

    Shape = tuple[int, ...]


@dataclass(slots=True)
class Bound:
    """An item for every input, how many tensors there are, and notes on what was assumed.

    ``settling`` names the inputs whose given elements decided a shape or an axis.
    """

    items: dict[str, Item] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    tensors: int = 0
    settling: list[str] = field(default_factory=list)


def bind(graph: Graph, ctx: Context, request: Request, doubled: Sequence[int] = ()) -> Bound:
    """Make the inputs; with ``doubled`` axes the only one has twice its extents along these.

    Constants that are declared as inputs too are no inputs. A symbol stands for one extent, wherever it is. Where the
    first axis of an input is left open by the file and the user, it is taken as 1.

    Raises
    ------
    InputError
        where extents are missing, or differ from those that the file declares.
    """
    fixed = {blob.name for blob in graph.constants}
    declared = [each for each in graph.inputs if each.name not in fixed]
    given = _given(request, [each.name for each in declared])
    bound = Bound()
    symbols: dict[str, int] = {}
    for each in declared:
        tensor = _tensor(each.type)
        if tensor is not None and each.name in given:
            _learn(each.name, tensor, np.shape(given[each.name]) if not _is_shape(given[each.name]) else given[each.name],
                   symbols)  # fmt: skip
    missing: list[str] = []
    for each in declared:
        item = _item(ctx, each, given, symbols, bound, missing, doubled)
        bound.items[each.name] = item
    if missing:
        raise InputError(
            f"{ctx.budget.name} leaves extents of its inputs open: {', '.join(missing)}. Give a shape for the first input, "
            "as in input_size=(1, 3, 224, 224) (--input-size 1,3,224,224), or one for each by its name"
        )
    return bound


def _is_shape(given: Any) -> bool:
    return isinstance(given, tuple) and all(type(extent) is int for extent in given)


def _given(request: Request, names: list[str]) -> dict[str, Any]:
    """What the user says of inputs, by name: shapes, or arrays."""
    said = request.inputs if request.inputs is not None else request.input_size
    if said is None:
        return {}
    if isinstance(said, Mapping):
        unknown = [name for name in said if name not in names]
        if unknown:
            raise InputError(
                f"there is no input {unknown[0]!r}: the inputs are {', '.join(map(repr, names))}"
            )
        return dict(said)
    if request.inputs is None or hasattr(said, "shape"):
        said = [said]
    if len(said) > len(names):
        raise InputError(
            f"{len(said)} inputs are given, and there are {len(names)}: {', '.join(map(repr, names))}"
        )
    return dict(zip(names, said, strict=False))


def _tensor(kind: Type | None) -> TensorType | None:
    """The tensor type in a declared one, inside an optional too."""
    while kind is not None and kind.optional is not None:
        kind = kind.optional.inner
    return kind.tensor if kind is not None else None


def _dims(tensor: TensorType) -> Sequence[Dimension] | None:
    return None if tensor.shape is None else tensor.shape.dims


def _learn(name: str, tensor: TensorType, shape: Iterable[int], symbols: dict[str, int]) -> None:
    """What a given shape says about symbols; it must agree with the declared one."""
    extents, dims = tuple(shape), _dims(tensor)
    if dims is None:
        return
    if len(dims) != len(extents):
        raise InputError(f"input {name!r} has {len(dims)} axes, and the shape given for it is {extents}")
    for axis, (dim, extent) in enumerate(zip(dims, extents, strict=True)):
        if dim.value is not None and dim.value > 0 and dim.value != extent:
            raise InputError(
                f"axis {axis} of input {name!r} has extent {dim.value} in the file, and {extent} was given ({extents})"
            )
        if dim.symbol and symbols.setdefault(dim.symbol, extent) != extent:
            raise InputError(
                f"{dim.symbol!r} stands for {symbols[dim.symbol]} and for {extent} (input {name!r})"
            )


def _item(
    ctx: Context,
    declared: Declared,
    given: Mapping[str, Any],
    symbols: Mapping[str, int],
    bound: Bound,
    missing: list[str],
    doubled: Sequence[int],
) -> Item:
    name = declared.name
    said = given.get(name)
    tensor = _tensor(declared.type)
    if tensor is None:
        return _composite(ctx, declared, said, missing)
    if said is None and declared.type is not None and declared.type.optional is not None:
        return None
    shape = _shape(name, tensor, said, symbols, bound, missing)
    if doubled:
        shape = tuple(2 * extent if axis in doubled else extent for axis, extent in enumerate(shape))
    bound.tensors += bool(shape)
    elements = None
    if (
        said is not None
        and not _is_shape(said)
        and not doubled
        and isinstance(said, np.ndarray | np.generic | int | float | bool | list)
    ):
        held = np.asarray(said)
        elements = Elements(lambda: held)
    dtype = dtype_name(tensor.data_type)
    return Value(ctx.input(name, shape), dtype, elements)


def _shape(
    name: str,
    tensor: TensorType,
    said: Any,
    symbols: Mapping[str, int],
    bound: Bound,
    missing: list[str],
) -> Shape:
    if said is not None:
        return tuple(int(extent) for extent in (said if _is_shape(said) else np.shape(said)))
    dims = _dims(tensor)
    if dims is None:
        missing.append(f"{name!r} (of unknown rank)")
        return ()
    extents, open_ = [], []
    for axis, dim in enumerate(dims):
        extent = symbols.get(dim.symbol) if dim.symbol else dim.value
        if extent is None or extent < 0:
            open_.append(axis)
            extent = 1
        extents.append(extent)
    if open_ == [0] and len(dims) > 1:
        symbol = dims[0].symbol or "the first axis"
        bound.notes.append(f"the file leaves {symbol} of input {name} open; it was taken as 1")
    elif open_:
        shown = [dim.symbol or ("?" if axis in open_ else str(dim.value)) for axis, dim in enumerate(dims)]
        missing.append(f"{name!r} ({', '.join(shown)})")
    return tuple(extents)


def _composite(ctx: Context, declared: Declared, said: Any, missing: list[str]) -> Item:
    """A sequence of tensors, or an optional one."""
    kind = declared.type
    while kind is not None and kind.optional is not None:
        if said is None:
            return None
        kind = kind.optional.inner
    inner = kind.sequence.inner if kind is not None and kind.sequence is not None else None
    tensor = _tensor(inner)
    if tensor is None or not isinstance(said, list | tuple):
        missing.append(f"{declared.name!r} (a sequence: a list of arrays)")
        return None
    dtype = dtype_name(tensor.data_type)
    return [
        Value(ctx.input(f"{declared.name}.{place}", tuple(np.shape(part))), dtype)
        for place, part in enumerate(said)
    ]
