"""Constants reshaped, gathered, cut, joined and filled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyeshot.frontends.onnx.tensors import Blob
from eyeshot.frontends.onnx.values import Call, evaluates

Array = NDArray[Any]


@evaluates("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(call: Call, x: Array, *given: Array | None) -> Array:
    """The shape is the lowering's."""
    return x.reshape(call.shapes[0])


@evaluates("Expand")
def expand(call: Call, x: Array, shape: Array) -> Array:
    """As `reshape`; nothing is copied."""
    return np.broadcast_to(x, call.shapes[0])


@evaluates("Transpose")
def transpose(call: Call, x: Array, *, perm: Sequence[int] | None = None) -> Array:
    """Axes in another order."""
    return x.transpose(perm)


@evaluates("Concat")
def concat(call: Call, *parts: Array, axis: int = 1) -> Array:
    """End to end."""
    return np.concatenate(parts, axis)


@evaluates("Split")
def split(call: Call, x: Array, given: Array | None = None, *, axis: int = 0) -> tuple[Array, ...]:
    """Pieces as long as the lowering found them."""
    stops = np.cumsum([shape[axis] for shape in call.shapes])[:-1]
    return tuple(np.split(x, stops, axis))


@evaluates("Slice")
def slices(
    call: Call,
    x: Array,
    starts_: Array | None = None,
    ends_: Array | None = None,
    axes_: Array | None = None,
    steps: Array | None = None,
    *,
    starts: Sequence[int] = (),
    ends: Sequence[int] = (),
    axes: Sequence[int] | None = None,
) -> Array:
    """Slices as in Python; attributes in old opsets, inputs in new ones."""
    first = list(starts) if starts_ is None else starts_.tolist()
    last = list(ends) if ends_ is None else ends_.tolist()
    named = axes if axes_ is None else axes_.tolist()
    every = [1] * len(first) if steps is None else steps.tolist()
    for place, axis in enumerate(range(len(first)) if named is None else named):
        inside = slice(first[place], last[place], every[place]).indices(x.shape[axis])
        x = np.take(x, np.arange(*inside), axis)
    return x


@evaluates("Pad")
def pad(
    call: Call,
    x: Array,
    pads_: Array | None = None,
    value_: Array | None = None,
    axes_: Array | None = None,
    *,
    pads: Sequence[int] = (),
    mode: str = "constant",
    value: float = 0.0,
) -> Array | None:
    """Constants around every axis."""
    amounts = list(pads) if pads_ is None else pads_.tolist()
    if mode != "constant" or axes_ is not None or min(amounts, default=0) < 0:
        return None
    filling = value if value_ is None else value_.item()
    around = list(zip(amounts[: x.ndim], amounts[x.ndim :], strict=True))
    return np.pad(x, around, constant_values=filling)


@evaluates("Tile")
def tile(call: Call, x: Array, repeats: Array) -> Array:
    """Every axis repeated end to end."""
    return np.tile(x, repeats.tolist())


@evaluates("Gather")
def gather(call: Call, x: Array, indices: Array, *, axis: int = 0) -> Array:
    """Slices by their indices."""
    return np.take(x, indices, axis)


@evaluates("GatherElements")
def gather_elements(call: Call, x: Array, indices: Array, *, axis: int = 0) -> Array:
    """Elements by their indices along an axis."""
    cut = tuple(slice(None) if a == axis % x.ndim else slice(n) for a, n in enumerate(indices.shape))
    return np.take_along_axis(x[cut], indices, axis)


@evaluates("GatherND")
def gather_nd(call: Call, x: Array, indices: Array, *, batch_dims: int = 0) -> Array | None:
    """Slices by vectors of indices."""
    return None if batch_dims else x[tuple(np.moveaxis(indices, -1, 0))]


@evaluates("ScatterND")
def scatter_nd(
    call: Call, x: Array, indices: Array, updates: Array, *, reduction: str = "none"
) -> Array | None:
    """Slices written at vectors of indices."""
    if reduction != "none":
        return None
    out = x.copy()
    out[tuple(np.moveaxis(indices, -1, 0))] = updates
    return out


@evaluates("NonZero")
def nonzero(call: Call, x: Array) -> Array:
    """Places of what is not 0, one column each."""
    return np.array(np.nonzero(x), np.int64)


@evaluates("ConstantOfShape")
def constant_of_shape(call: Call, shape: Array, *, value: Blob | None = None) -> Array | None:
    """One number everywhere, held once."""
    number = np.zeros(1, np.float32) if value is None else value.array()
    return None if number is None else np.broadcast_to(number.reshape(()), call.shapes[0])


@evaluates("EyeLike")
def eye(call: Call, x: Array, *, k: int = 0) -> Array:
    """Ones on a diagonal."""
    rows, columns = call.shapes[0]
    return np.eye(rows, columns, k).astype(call.dtypes[0])


@evaluates("OneHot")
def one_hot(call: Call, indices: Array, depth: Array, values: Array, *, axis: int = -1) -> Array:
    """One of two values, by whether a place is the index."""
    count = int(depth.reshape(-1)[0])
    wrapped = np.where(indices < 0, indices + count, indices)
    hot = np.moveaxis(wrapped[..., None] == np.arange(count), -1, axis)
    return np.asarray(np.where(hot, values[1], values[0]))


@evaluates("Trilu")
def triangle(call: Call, x: Array, k: Array | None = None, *, upper: int = 1) -> Array:
    """One triangle of the last two axes."""
    diagonal = 0 if k is None else int(k.reshape(-1)[0])
    return np.triu(x, diagonal) if upper else np.tril(x, diagonal)
