"""Ops that move, repeat, join and cut tensors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from eyeshot.errors import InputError
from eyeshot.frontends.compounds.masking import triangle
from eyeshot.frontends.keras.context import Context, bounded, lowers
from eyeshot.graph import Ref
from eyeshot.graph.builder import broadcast_shape
from eyeshot.relations import Table
from eyeshot.relations.tables import flip, pad, roll, stretch, take, tile


@lowers("numpy.Reshape")
def reshape(ctx: Context, x: Ref) -> Ref:
    """The same elements under another shape; None and -1 stand for what is left."""
    given = ctx.options.get("newshape")
    wanted = [given] if isinstance(given, int) else [-1 if n is None else n for n in given]
    while wanted.count(-1) > 1:  # the batch's, and one more that the model left open
        wanted[wanted.index(-1)] = x.shape[wanted.index(-1)]
    known, total = prod(n for n in wanted if n != -1), prod(x.shape)
    if total % max(known, 1) or (-1 not in wanted and known != total):
        raise InputError(f"{ctx.options.where} reshapes {x.shape}, {total} elements, to {tuple(wanted)}")
    return ctx.reshape(x, [total // max(known, 1) if n == -1 else n for n in wanted])


@lowers("numpy.Ravel")
def ravel(ctx: Context, x: Ref) -> Ref:
    """The same elements on one axis."""
    return ctx.reshape(x, (prod(x.shape),))


@lowers("numpy.ExpandDims")
def expand_dims(ctx: Context, x: Ref) -> Ref:
    """New axes of extent 1."""
    given = ctx.options.get("axis")
    listed = [given] if isinstance(given, int) else given
    rank = len(x.shape) + len(listed)
    places = {axis % rank for axis in listed}
    rest = iter(x.shape)
    return ctx.reshape(x, [1 if axis in places else next(rest) for axis in range(rank)])


@lowers("numpy.Squeeze")
def squeeze(ctx: Context, x: Ref) -> Ref:
    """Axes of extent 1 dropped."""
    ones = [axis for axis, n in enumerate(x.shape) if n == 1]
    dropped = ones if ctx.options.get("axis") is None else ctx.options.axes("axis", len(x.shape))
    return ctx.reshape(x, [n for axis, n in enumerate(x.shape) if axis not in dropped])


@lowers("numpy.Transpose")
def transpose(ctx: Context, x: Ref) -> Ref:
    """Axes in another order; backwards by default."""
    rank = len(x.shape)
    return ctx.permute(x, ctx.options.axes("axes", rank, list(range(rank - 1, -1, -1))))


@lowers("numpy.Swapaxes")
def swapaxes(ctx: Context, x: Ref) -> Ref:
    """Two axes in each other's place."""
    order = list(range(len(x.shape)))
    a, b = ctx.options.axis("axis1", len(order)), ctx.options.axis("axis2", len(order))
    order[a], order[b] = order[b], order[a]
    return ctx.permute(x, order)


@lowers("numpy.Moveaxis")
def moveaxis(ctx: Context, x: Ref) -> Ref:
    """Some axes in other places, the rest in order."""
    rank = len(x.shape)
    moved, places = ctx.options.axes("source", rank), ctx.options.axes("destination", rank)
    order = [axis for axis in range(rank) if axis not in moved]
    for place, axis in sorted(zip(places, moved, strict=True)):
        order.insert(place, axis)
    return ctx.permute(x, order)


@lowers("numpy.BroadcastTo")
def broadcast_to(ctx: Context, x: Ref) -> Ref:
    """Axes of extent 1 repeated."""
    given = ctx.options.get("shape")
    offset = len(given) - len(x.shape)
    shape = [x.shape[axis - offset] if n is None or n == -1 else n for axis, n in enumerate(given)]
    return ctx.broadcast(x, tuple(shape))


@lowers("numpy.Concatenate")
def concatenate(ctx: Context, xs: Sequence[Ref]) -> Ref:
    """Operands end to end."""
    if ctx.options.get("axis", 0) is None:
        return ctx.concat([ctx.reshape(x, (prod(x.shape),)) for x in xs], 0)
    return ctx.concat(list(xs), ctx.options.axis("axis", len(xs[0].shape), 0))


@lowers("numpy.Append")
def append(ctx: Context, x1: Ref, x2: Ref) -> Ref:
    """Operands end to end; flattened where no axis is named."""
    return concatenate(ctx, [x1, x2])


@lowers("numpy.Stack")
def stack(ctx: Context, x: Sequence[Ref]) -> Ref:
    """Operands side by side on a new axis."""
    shape = broadcast_shape(*(ref.shape for ref in x))
    axis = ctx.options.axis("axis", len(shape) + 1, 0)
    return ctx.concat([ctx.reshape(ref, (*shape[:axis], 1, *shape[axis:])) for ref in x], axis)


@lowers("numpy.Hstack", "numpy.Vstack", "numpy.Dstack")
def stacked(ctx: Context, xs: Sequence[Ref]) -> Ref:
    """Operands joined along the first, second or third axis, which they may have to be given first."""
    name = ctx.call.name
    least = {"numpy.Hstack": 1, "numpy.Vstack": 2, "numpy.Dstack": 3}[name]
    wide = []
    for x in xs:
        shape = (
            x.shape
            if len(x.shape) >= least
            else (1, *x.shape)
            if len(x.shape) and least > 1
            else (1,) * least
        )
        wide.append(ctx.reshape(x, (*shape, *(1,) * (least - len(shape)))))
    axis = {"numpy.Hstack": 0 if len(wide[0].shape) == 1 else 1, "numpy.Vstack": 0, "numpy.Dstack": 2}[name]
    return ctx.concat(wide, axis)


@lowers("numpy.Split", "numpy.ArraySplit", "numpy.Hsplit", "numpy.Vsplit", "numpy.Dsplit")
def split(ctx: Context, x: Ref) -> list[Ref]:
    """Parts of an axis."""
    fixed = {"numpy.Hsplit": 0 if len(x.shape) == 1 else 1, "numpy.Vsplit": 0, "numpy.Dsplit": 2}
    axis = fixed.get(ctx.call.name, ctx.options.axis("axis", len(x.shape), 0))
    given, n = ctx.options.get("indices_or_sections"), x.shape[axis]
    if isinstance(given, int):
        sections = ctx.options.whole("indices_or_sections", high=max(n, 1))
        long = n % sections  # so many of the first have one more
        starts = [i * (n // sections) + min(i, long) for i in range(sections)]
    else:
        starts = [0, *(slice(place).indices(n)[1] for place in given)]
    return [ctx.slice(x, axis, a, max(a, b)) for a, b in pairwise([*starts, n])]


@lowers("core.Unstack")
def unstack(ctx: Context, x: Ref) -> list[Ref]:
    """The slices of an axis, which is dropped."""
    axis = ctx.options.axis("axis", len(x.shape), 0)
    rest = (*x.shape[:axis], *x.shape[axis + 1 :])
    return [ctx.reshape(ctx.slice(x, axis, i, i + 1), rest) for i in range(x.shape[axis])]


@lowers("numpy.Flip", "numpy.Fliplr", "numpy.Flipud")
def flipped(ctx: Context, x: Ref) -> Ref:
    """Axes read backwards."""
    fixed = {"numpy.Fliplr": (1,), "numpy.Flipud": (0,)}
    axes = fixed.get(ctx.call.name) or ctx.options.axes("axis", len(x.shape), list(range(len(x.shape))))
    return ctx.along(x, {axis: (flip(x.shape[axis]), x.shape[axis]) for axis in axes})


@lowers("numpy.Rot90")
def rot90(ctx: Context, array: Ref) -> Ref:
    """Two axes turned by a quarter, ``k`` times."""
    a, b = ctx.options.axes("axes", len(array.shape), (0, 1))
    for _ in range(ctx.options.get("k", 1) % 4):
        array = ctx.along(array, {b: (flip(array.shape[b]), array.shape[b])})
        order = list(range(len(array.shape)))
        order[a], order[b] = b, a
        array = ctx.permute(array, order)
    return array


@lowers("numpy.Roll")
def rolled(ctx: Context, x: Ref) -> Ref:
    """Axes turned; all of them as one where none is named."""
    shift = ctx.options.get("shift")
    if ctx.options.get("axis") is None:
        flat = ctx.reshape(x, (prod(x.shape),))
        total = shift if isinstance(shift, int) else sum(shift)
        return ctx.reshape(ctx.along(flat, {0: (roll(total, flat.shape[0]), flat.shape[0])}), x.shape)
    axes = ctx.options.axes("axis", len(x.shape))
    shifts = [shift] * len(axes) if isinstance(shift, int) else shift
    for axis, amount in zip(axes, shifts, strict=True):
        x = ctx.along(x, {axis: (roll(amount, x.shape[axis]), x.shape[axis])})
    return x


@lowers("numpy.Tile")
def tiled(ctx: Context, x: Ref) -> Ref:
    """The tensor repeated end to end."""
    given = ctx.options.get("repeats")
    times = [given] if isinstance(given, int) else list(given)
    rank = max(len(times), len(x.shape))
    x = ctx.reshape(x, (*(1,) * (rank - len(x.shape)), *x.shape))
    times = [1] * (rank - len(times)) + times
    extents = [bounded(k * n, ctx.options.where) for k, n in zip(times, x.shape, strict=True)]
    return ctx.along(x, {axis: (tile(k, x.shape[axis]), extents[axis]) for axis, k in enumerate(times)})


@lowers("numpy.Repeat")
def repeated(ctx: Context, x: Ref) -> Ref:
    """Each element several times in place."""
    if ctx.options.get("axis") is None:
        x = ctx.reshape(x, (prod(x.shape),))
    axis, times = ctx.options.axis("axis", len(x.shape), 0), ctx.options.whole("repeats")
    n = x.shape[axis]
    return ctx.along(x, {axis: (stretch(times, n), bounded(times * n, ctx.options.where))})


@lowers("numpy.Pad")
def padded(ctx: Context, x: Ref, constant_values: Any = None) -> Ref:
    """Axes padded with constants, or with their own elements."""
    given, mode = ctx.options.get("pad_width"), ctx.options.choice(
        "mode", "constant", "edge", "reflect", "symmetric", "wrap", "empty"
    )  # fmt: skip
    pairs = np.broadcast_to(np.asarray(given, int), (len(x.shape), 2)).tolist()
    names = {"edge": "replicate", "wrap": "circular", "empty": "constant"}
    maps = {}
    for axis, (before, after) in enumerate(pairs):
        extent = bounded(x.shape[axis] + before + after, ctx.options.where)
        maps[axis] = (pad(before, after, x.shape[axis], names.get(mode, mode)), extent)
    out = ctx.along(x, maps)
    return ctx.pointwise(out, constant_values) if isinstance(constant_values, Ref) else out


@lowers("numpy.Tril", "numpy.Triu")
def triangular(ctx: Context, x: Ref) -> Ref:
    """Elements of one triangle; the others are 0."""
    k = ctx.options.get("k", 0)
    if len(x.shape) == 1:
        x = ctx.broadcast(x, (x.shape[0], x.shape[0]))
    return triangle(ctx, x, k, lower=ctx.call.name == "numpy.Tril")


@lowers("numpy.Diagonal", "numpy.Trace")
def diagonal(ctx: Context, x: Ref) -> Ref:
    """Elements of one diagonal, on a last axis; or all of them summed."""
    rank, offset = len(x.shape), ctx.options.get("offset", 0)
    a, b = ctx.options.axis("axis1", rank, 0), ctx.options.axis("axis2", rank, 1)
    rows, columns = x.shape[a], x.shape[b]
    moved = ctx.permute(x, [*(axis for axis in range(rank) if axis not in {a, b}), a, b])
    flat = ctx.reshape(moved, (*moved.shape[:-2], rows * columns))
    places = np.arange(rows * columns).reshape(rows, columns).diagonal(offset)
    out = ctx.along(flat, {-1: (take(places, rows * columns), len(places))})
    return out if ctx.call.name == "numpy.Diagonal" else ctx.reduce(out, [-1], keep=False, summarises=False)


@lowers("numpy.Diag", "numpy.Diagflat")
def diag(ctx: Context, x: Ref) -> Ref:
    """A matrix with the elements on one diagonal; or that diagonal of a matrix."""
    k = ctx.options.get("k", 0)
    if ctx.call.name == "numpy.Diagflat":
        x = ctx.reshape(x, (prod(x.shape),))
    if len(x.shape) == 1:
        n = x.shape[0]
        size = bounded((n + abs(k)) ** 2, ctx.options.where)
        placed = np.diag(np.arange(1, n + 1), k).reshape(-1)
        table = Table.of_rows(([i - 1] if i else [] for i in placed.tolist()), n)
        return ctx.reshape(ctx.along(x, {0: (table, size)}), (n + abs(k), n + abs(k)))
    flat = ctx.reshape(x, (prod(x.shape),))
    places = np.arange(prod(x.shape)).reshape(x.shape).diagonal(k)
    return ctx.along(flat, {0: (take(places, flat.shape[0]), len(places))})


@lowers("numpy.Meshgrid")
def meshgrid(ctx: Context, *x: Ref) -> list[Ref]:
    """Each operand along an axis of its own."""
    order = list(range(len(x)))
    if ctx.options.get("indexing", "xy") == "xy" and len(x) > 1:
        order[:2] = [1, 0]
    lengths = [prod(ref.shape) for ref in x]
    shape = [0] * len(x)
    for place, n in zip(order, lengths, strict=True):
        shape[place] = n
    rows = []
    for place, ref in zip(order, x, strict=True):
        lone = ctx.reshape(ref, [n if axis == place else 1 for axis, n in enumerate(shape)])
        rows.append(ctx.broadcast(lone, tuple(shape)))
    return rows


@lowers("einops.Rearrange")
def rearrange(ctx: Context, tensor: Ref, pattern: str, **lengths: int) -> Ref:
    """Axes split, moved and joined by their names."""
    left, right = (re.findall(r"\([^)]*\)|\S+", side) for side in pattern.split("->"))
    extents: dict[str, int] = dict(lengths)
    order: list[str] = []
    for part, n in zip(left, tensor.shape, strict=True):
        names = part.strip("()").split()
        free = [name for name in names if name not in extents and name != "1"]
        known = prod(extents.get(name, 1) for name in names)
        extents.update(dict.fromkeys(free, n // known))
        order += [name for name in names if name != "1"]
    split_ = ctx.reshape(tensor, [extents[name] for name in order])
    target = [part.strip("()").split() for part in right]
    flat = [name for names in target for name in names if name != "1"]
    moved = ctx.permute(split_, [order.index(name) for name in flat])
    return ctx.reshape(moved, [prod(extents.get(name, 1) for name in names) for names in target])


@lowers("nn.DepthToSpace", "nn.SpaceToDepth")
def pixel_shuffle(ctx: Context, x: Ref) -> Ref:
    """Blocks of pixels into channels, or channels into blocks; the block's places lie before the channels."""
    k, first = ctx.options.whole("block_size"), ctx.options.get("data_format") == "channels_first"
    x = ctx.permute(x, (0, 2, 3, 1)) if first else x
    n, h, w, c = x.shape
    if ctx.call.name == "nn.DepthToSpace":
        split_ = ctx.reshape(x, (n, h, w, k, k, c // (k * k)))
        out = ctx.reshape(ctx.permute(split_, (0, 1, 3, 2, 4, 5)), (n, h * k, w * k, c // (k * k)))
    else:
        split_ = ctx.reshape(x, (n, h // k, k, w // k, k, c))
        out = ctx.reshape(ctx.permute(split_, (0, 1, 3, 2, 4, 5)), (n, h // k, w // k, k * k * c))
    return ctx.permute(out, (0, 3, 1, 2)) if first else out
