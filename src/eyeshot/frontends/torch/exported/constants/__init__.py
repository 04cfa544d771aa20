"""Ops on constants alone, computed with NumPy: index tables, masks and shapes decide which elements are read.

A live capture lets torch do this. Here an op without an evaluator, or one with too many elements, leaves a constant whose
values nobody knows, which is sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from eyeshot.frontends.torch.exported.constants import creation, layout, pointwise, reductions  # noqa: F401 - register
from eyeshot.frontends.torch.exported.constants.registry import EVALUATORS, Out
from eyeshot.frontends.torch.exported.known import Array, holds, within_limits
from eyeshot.frontends.torch.trace import INTEGER_LIMIT, Value

_WRONG = (TypeError, ValueError, IndexError, ArithmeticError, AttributeError)


def evaluate(
    op: str,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    outputs: Sequence[tuple[tuple[int, ...], str]],
    most: int,
) -> list[Array] | None:
    """The outputs of an op whose operands are all known, if they are within the limits and within ``most`` bytes.

    ``outputs`` are their shapes and dtypes. None where the op has no evaluator, or the evaluator doesn't agree with these.
    """
    function = EVALUATORS.get(op.split(".")[1] if "." in op else op)
    kinds = [holds(dtype) for _, dtype in outputs]
    if function is None or any(prod(shape) > INTEGER_LIMIT for shape, _ in outputs):
        return None
    outs = [Out(shape, kind) for (shape, _), kind in zip(outputs, kinds, strict=True) if kind is not None]
    if len(outs) < len(outputs) or sum(prod(out.shape) * out.dtype.itemsize for out in outs) > most:
        return None
    try:
        with np.errstate(all="ignore"):
            found = function(
                outs, *_arrays(list(args)), **{key: _arrays(item) for key, item in kwargs.items()}
            )
            listed = [found] if isinstance(found, np.ndarray) else [np.asarray(part) for part in found]
            arrays = [part.astype(out.dtype) for part, out in zip(listed, outs, strict=True)]
    except _WRONG:
        return None
    fits = all(
        array.shape == out.shape and within_limits(array) for array, out in zip(arrays, outs, strict=True)
    )
    return arrays if fits else None


def extent_of(op: str, args: Sequence[Any]) -> tuple[int, ...] | None:
    """The shape of an op's output where that depends on values, if they are known: how often a mask is True."""
    match op.split("."):
        case ["aten", "nonzero", _] if args[0].known is not None:
            return int(np.count_nonzero(args[0].known)), args[0].known.ndim
        case ["aten", "masked_select", _] if args[1].known is not None:
            return (int(np.count_nonzero(np.broadcast_to(args[1].known, args[0].shape))),)
        case ["aten", "index", _] if all(table is None or table.known is not None for table in args[1]):
            return _indexed(args[0].shape, [None if table is None else table.known for table in args[1]])
        case _:
            return None


def _indexed(shape: tuple[int, ...], tables: Sequence[Array | None]) -> tuple[int, ...] | None:
    """The shape of ``x[tables]``; None where that is too much to try out."""
    masks = [table for table in tables if table is not None]
    spread = np.broadcast_shapes(*((int(t.sum()),) if t.dtype == bool else t.shape for t in masks))
    axes = sum(table.ndim if table.dtype == bool else 1 for table in masks)
    if axes > len(shape) or prod(spread) * prod(sorted(shape)[axes:]) > INTEGER_LIMIT:
        return None
    places = tuple(slice(None) if table is None else table for table in tables)
    return np.broadcast_to(np.empty((), bool), shape)[places].shape


def _arrays(item: Any) -> Any:
    if isinstance(item, Value):
        return item.known
    return [_arrays(part) for part in item] if isinstance(item, list | tuple) else item
