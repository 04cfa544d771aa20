"""What travels between layers, and the structures that it comes in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from eyeshot.errors import FileFormatError
from eyeshot.graph import Builder, Ref


class Held(NamedTuple):
    """A tensor between layers: the node, its dtype, and the Keras mask that travels with it."""

    ref: Ref
    dtype: str
    mask: Ref | None = None


def leaves(result: Any, name: str = "") -> Iterator[tuple[str, Held]]:
    """The tensors of a result with what tells them apart: ".0", ".key", nothing where there is only one."""
    if isinstance(result, Held):
        yield name, result
    elif isinstance(result, Mapping):
        for key in sorted(result):
            yield from leaves(result[key], f"{name}.{key}")
    elif isinstance(result, list | tuple):
        for number, part in enumerate(result):
            yield from leaves(part, f"{name}.{number}")


def named(result: Any) -> dict[str, Held]:
    """The tensors of a result by what tells them apart; a single one needs nothing."""
    found = dict(leaves(result))
    if not found:
        raise FileFormatError("a layer or model returns no tensor at all")
    return found if len(found) > 1 else dict.fromkeys(("",), *found.values())


def refs(ctx: Builder, item: Any) -> Any:
    """An argument with a `Ref` in the place of every tensor and array."""
    if isinstance(item, Held):
        return item.ref
    if isinstance(item, np.ndarray):
        return ctx.constant(item.shape)._replace(known=item)
    if isinstance(item, Mapping):
        return {key: refs(ctx, value) for key, value in item.items()}
    if isinstance(item, list | tuple):
        return [refs(ctx, part) for part in item]
    return item


def held_in(result: Any, dtype: str, masks: Iterator[Ref | None]) -> Any:
    """A result with a `Held` in the place of every `Ref`; masks are taken in their order."""
    if isinstance(result, Ref):
        return Held(result, dtype, next(masks, None))
    if isinstance(result, Mapping):
        return {key: held_in(result[key], dtype, masks) for key in sorted(result)}
    if isinstance(result, list | tuple):
        return [held_in(part, dtype, masks) for part in result]
    raise FileFormatError(f"a layer is called on {str(result)[:60]!r}, which is no tensor")


def rewrapped(item: Any, make: Callable[[Ref], Held]) -> Any:
    """Nested lists with a `Held` in the place of every `Ref`."""
    if isinstance(item, Ref):
        return make(item)
    return [rewrapped(part, make) for part in item] if isinstance(item, list) else item


def shaped(shapes: Any, make: Callable[[Sequence[int]], Ref]) -> Any:
    """A `Ref` for every shape in a structure of shapes."""
    if isinstance(shapes, Mapping):
        return {key: shaped(shapes[key], make) for key in sorted(shapes)}
    if isinstance(shapes, tuple) and all(isinstance(extent, int) for extent in shapes):
        return make(shapes)
    return [shaped(part, make) for part in shapes]
