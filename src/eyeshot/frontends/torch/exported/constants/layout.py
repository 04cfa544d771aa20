"""Ops that move elements: views, slices, joins, gathers and scatters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eyeshot.frontends.torch.exported.constants.registry import Out, evaluates
from eyeshot.frontends.torch.exported.known import Array


@evaluates(
    "view",
    "reshape",
    "_unsafe_view",
    "_reshape_alias",
    "flatten",
    "unflatten",
    "squeeze",
    "unsqueeze",
    "ravel",
)
@evaluates("view_as", "reshape_as")
def reshape(outs: list[Out], x: Array, *args: Any, **_: Any) -> Any:
    """The same elements under the shape that torch gave them."""
    return x.reshape(outs[0].shape)


@evaluates("expand", "expand_as", "broadcast_to")
def expand(outs: list[Out], x: Array, *args: Any, **_: Any) -> Any:
    """Axes of extent 1 repeated."""
    return np.broadcast_to(x, outs[0].shape)


@evaluates("permute")
def permute(outs: list[Out], x: Array, dims: Sequence[int]) -> Any:
    """Axes in another order."""
    return x.transpose(dims)


@evaluates("transpose", "swapaxes", "swapdims")
def transpose(outs: list[Out], x: Array, dim0: int, dim1: int) -> Any:
    """Two axes swapped."""
    return np.swapaxes(x, dim0, dim1) if x.ndim else x


@evaluates("t", "numpy_T", "T")
def turned(outs: list[Out], x: Array) -> Any:
    """All axes in reverse."""
    return x.T


@evaluates("mT", "adjoint")
def matrix_turned(outs: list[Out], x: Array) -> Any:
    """The last two axes swapped."""
    return np.swapaxes(x, -1, -2)


@evaluates("movedim", "moveaxis")
def movedim(outs: list[Out], x: Array, source: Any, destination: Any) -> Any:
    """Axes moved."""
    return np.moveaxis(x, source, destination)


@evaluates("slice")
def slice_(outs: list[Out], x: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    """Python's slice along one axis."""
    return x[_along(x, dim, slice(start, end, step))]


@evaluates("select")
def select(outs: list[Out], x: Array, dim: int, index: int) -> Any:
    """One index of an axis, which goes."""
    return x.take(index, dim)


@evaluates("narrow")
def narrow(outs: list[Out], x: Array, dim: int, start: int, length: int) -> Any:
    """A range along one axis."""
    first = start % x.shape[dim] if start < 0 else start
    return x[_along(x, dim, slice(first, first + length))]


@evaluates("slice_scatter")
def slice_scatter(
    outs: list[Out], x: Array, src: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Any:
    """A copy with a slice written to."""
    out = x.copy()
    out[_along(x, dim, slice(start, end, step))] = src
    return out


@evaluates("select_scatter")
def select_scatter(outs: list[Out], x: Array, src: Array, dim: int, index: int) -> Any:
    """A copy with one index of an axis written to."""
    out = x.copy()
    out[_along(x, dim, index)] = src
    return out


def _along(x: Array, axis: int, what: slice | int) -> tuple[slice | int, ...]:
    return (*([slice(None)] * (axis % x.ndim)), what)


@evaluates("cat", "concat", "concatenate")
def cat(outs: list[Out], tensors: Sequence[Array], dim: int = 0) -> Any:
    """End to end; empty vectors drop out."""
    return np.concatenate([x for x in tensors if x.shape != (0,)] or [tensors[0]], dim)


@evaluates("stack")
def stack(outs: list[Out], tensors: Sequence[Array], dim: int = 0) -> Any:
    """End to end along a new axis."""
    return np.stack(tensors, dim)


@evaluates("split", "split_with_sizes", "chunk", "tensor_split")
def split(outs: list[Out], x: Array, size: Any, dim: int = 0) -> Any:
    """Consecutive ranges, as long as torch made them."""
    return np.split(x, np.cumsum([out.shape[dim] for out in outs])[:-1], dim)


@evaluates("unbind")
def unbind(outs: list[Out], x: Array, dim: int = 0) -> Any:
    """Every index of an axis, which goes."""
    return [x.take(index, dim) for index in range(len(outs))]


@evaluates("flip")
def flip(outs: list[Out], x: Array, dims: Sequence[int]) -> Any:
    """Axes read backwards."""
    return np.flip(x, tuple(dims))


@evaluates("roll")
def roll(outs: list[Out], x: Array, shifts: Any, dims: Any = ()) -> Any:
    """Axes turned."""
    axes = (dims,) if isinstance(dims, int) else tuple(dims)
    return np.roll(x, shifts, axes or None)


@evaluates("repeat", "tile")
def repeat(outs: list[Out], x: Array, repeats: Sequence[int]) -> Any:
    """The whole over and over."""
    rank = max(x.ndim, len(repeats))
    shape, times = ((1,) * (rank - len(each)) + tuple(each) for each in (x.shape, repeats))
    outs[0].fits(tuple(n * by for n, by in zip(shape, times, strict=True)))
    return np.tile(x, repeats)


@evaluates("repeat_interleave")
def repeat_interleave(
    outs: list[Out], x: Array, repeats: Any = None, dim: int | None = None, **_: Any
) -> Any:
    """Each element several times; alone, ``x`` says how often each index."""
    if repeats is None:
        outs[0].fits((int(x.sum()),))
        return np.repeat(np.arange(len(x)), x)
    if isinstance(repeats, int):
        outs[0].fits((x.size * repeats,))
    else:
        outs[0].fits(
            (int(np.sum(repeats)) * (x.size // max(1, x.shape[dim] if dim is not None else x.size)),)
        )
    return np.repeat(x, repeats, dim)


@evaluates("tril")
def tril(outs: list[Out], x: Array, diagonal: int = 0) -> Any:
    """The lower triangle of each matrix."""
    return np.tril(x, diagonal)


@evaluates("triu")
def triu(outs: list[Out], x: Array, diagonal: int = 0) -> Any:
    """The upper triangle of each matrix."""
    return np.triu(x, diagonal)


@evaluates("diagonal")
def diagonal(outs: list[Out], x: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """A diagonal of two axes, which comes last."""
    return x.diagonal(offset, dim1, dim2)


@evaluates("index")
def index(outs: list[Out], x: Array, indices: Sequence[Array | None]) -> Any:
    """NumPy's indexing by tables."""
    places = tuple(slice(None) if table is None else table for table in indices)
    spread = np.broadcast_shapes(
        *(table.shape for table in indices if table is not None and table.dtype != bool)
    )
    rest = [n for n, table in zip(x.shape, [*indices, *([None] * x.ndim)], strict=False) if table is None]
    if all(table is None or table.dtype != bool for table in indices):
        outs[0].fits((*spread, *rest))
    return x[places]


@evaluates("index_select")
def index_select(outs: list[Out], x: Array, dim: int, table: Array) -> Any:
    """Indices of one axis."""
    outs[0].fits((*x.shape[:dim], table.size, *x.shape[dim % max(1, x.ndim) + 1 :]))
    return x.take(table, dim)


@evaluates("gather")
def gather(outs: list[Out], x: Array, dim: int, table: Array, **_: Any) -> Any:
    """Along one axis an index each."""
    cut = tuple(slice(n) if axis != dim % x.ndim else slice(None) for axis, n in enumerate(table.shape))
    return np.take_along_axis(x[cut], table, dim)


@evaluates("embedding")
def embedding(outs: list[Out], weight: Array, table: Array, *args: Any) -> Any:
    """Rows."""
    outs[0].fits((*table.shape, *weight.shape[1:]))
    return weight[table]


@evaluates("index_put")
def index_put(
    outs: list[Out], x: Array, indices: Sequence[Array | None], values: Array, accumulate: bool = False
) -> Any:
    """A copy written to at tables of indices."""
    out = x.copy()
    places: Any = tuple(slice(None) if table is None else table for table in indices)
    if accumulate:
        np.add.at(out, places, values)
    else:
        out[places] = values
    return out


@evaluates("constant_pad_nd")
def constant_pad_nd(outs: list[Out], x: Array, pad: Sequence[int], value: float = 0) -> Any:
    """A number around it; negative amounts crop."""
    out = np.full(outs[0].shape, value, x.dtype)
    low = [0] * (x.ndim - len(pad) // 2) + list(pad[::2])[::-1]
    taken = tuple(
        slice(max(0, -before), max(0, n - before)) for before, n in zip(low, out.shape, strict=True)
    )
    part = x[taken]
    put = tuple(slice(max(0, before), max(0, before) + n) for before, n in zip(low, part.shape, strict=True))
    out[put] = part
    return out


@evaluates("meshgrid")
def meshgrid(outs: list[Out], tensors: Sequence[Array], *, indexing: str = "ij") -> Any:
    """Coordinates of a grid."""
    outs[0].fits(tuple(x.size for x in tensors))
    return np.meshgrid(*tensors, indexing="xy" if indexing == "xy" else "ij")


@evaluates("one_hot")
def one_hot(outs: list[Out], x: Array, num_classes: int = -1) -> Any:
    """A one at each element's place of a new axis."""
    return x[..., None] == np.arange(outs[0].shape[-1])
