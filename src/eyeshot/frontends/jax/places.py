"""Reads and writes whose places are known: each axis of a tensor by the axes of the result that steer it.

Places are one array an axis of the tensor, of the result's rank, with extent 1 along every axis of the result that does not
steer it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyeshot.frontends.jax.laws import lawful
from eyeshot.graph import gathers
from eyeshot.relations import Window
from eyeshot.relations.tables import take

if TYPE_CHECKING:
    from eyeshot.graph import Builder, Ref

Places = Sequence[NDArray[np.int64]]
Shape = tuple[int, ...]


def narrowed(places: Places) -> list[NDArray[np.int64]]:
    """The same places, with extent 1 wherever they are the same along an axis."""
    out = []
    for given in places:
        array = given
        for axis, extent in enumerate(array.shape):
            head = array.take([0], axis) if extent > 1 else None
            if head is not None and (array == head).all():
                array = head
        out.append(array)
    return out


def read(ctx: Builder, x: Ref, places: Places, shape: Shape) -> Ref:
    """Each element of the result reads ``x`` at its places; axes that are steered apart stay apart."""
    if not prod(shape):
        return ctx.constant(shape)
    places = narrowed(places)
    groups = _groups(places, len(shape))
    moved = ctx.permute(x, [axis for axes, _ in groups for axis in axes])
    merged = ctx.reshape(moved, [prod(x.shape[axis] for axis in axes) for axes, _ in groups])
    maps = {}
    for number, (axes, steered) in enumerate(groups):
        line = _line([places[axis] for axis in axes], [x.shape[axis] for axis in axes], steered, shape)
        maps[number] = (lawful(take(line, merged.shape[number])), len(line))
    picked = ctx.along(merged, maps)
    order = [axis for _, steered in groups for axis in steered]
    split = ctx.reshape(picked, [shape[axis] for axis in order])
    turned = ctx.permute(split, np.argsort(order).tolist())
    wide = ctx.reshape(turned, [n if axis in order else 1 for axis, n in enumerate(shape)])
    return ctx.broadcast(wide, shape)


def _groups(places: Places, rank: int) -> list[tuple[list[int], list[int]]]:
    """The axes of the tensor, together where they are steered by the same axes of the result, with those."""
    groups: list[tuple[list[int], set[int]]] = []
    for axis, array in enumerate(places):
        axes, steered = [axis], {a for a in range(rank) if array.shape[a] > 1}
        for group in [group for group in groups if group[1] & steered]:
            groups.remove(group)
            axes, steered = group[0] + axes, steered | group[1]
        groups.append((sorted(axes), steered))
    return [(axes, sorted(steered)) for axes, steered in sorted(groups, key=lambda group: group[0])]


def _line(places: Places, extents: Sequence[int], steered: Sequence[int], shape: Shape) -> NDArray[np.int64]:
    """Places on several axes, merged, in the order of the axes that steer them."""
    index = tuple(slice(None) if axis in steered else 0 for axis in range(len(shape)))
    grid = [np.broadcast_to(array[index], [shape[axis] for axis in steered]) for array in places]
    if not grid:
        return np.zeros(1, np.int64)
    return np.ravel_multi_index(grid, extents).reshape(-1).astype(np.int64)


def write(ctx: Builder, x: Ref, updates: Ref, places: Places, kept: NDArray[np.bool_], *, adds: bool) -> Ref:
    """``x`` with the updates written (or added) to their places, but for those that are not ``kept``."""
    places = narrowed(places)
    box = _box(places, updates.shape) if kept.all() else None
    if box is not None:
        return overwritten(ctx, x, ctx.permute(updates, box[1]), box[0], adds=adds)
    whole = _whole(places, x.shape)
    rest = [axis for axis in range(len(x.shape)) if axis not in whole]
    others = [axis for axis in range(len(updates.shape)) if axis not in whole.values()]
    base = ctx.permute(x, [*whole, *rest])
    sent = ctx.permute(updates, [*whole.values(), *others])
    extents = [updates.shape[axis] for axis in others]
    flat = ctx.reshape(sent, (*sent.shape[: len(whole)], prod(extents)))
    lines = [np.broadcast_to(_behind(places[axis], others), extents).reshape(-1) for axis in rest]
    mask = np.broadcast_to(_behind(kept, others), extents).reshape(-1)
    if not mask.all():
        picked = np.flatnonzero(mask)
        flat = ctx.along(flat, {-1: (take(picked, len(mask)), len(picked))})
        lines = [line[picked] for line in lines]
    if not rest:
        base, lines = ctx.reshape(base, (*base.shape, 1)), [np.zeros(flat.shape[-1], np.int64)]
    index: list[Any] = [*[None] * len(whole), *lines]
    out = ctx.reshape(
        gathers.index_put(ctx, base, index, flat, accumulate=adds),
        [x.shape[axis] for axis in (*whole, *rest)],
    )
    return ctx.permute(out, np.argsort([*whole, *rest]).tolist())


def _behind(array: NDArray[Any], axes: Sequence[int]) -> NDArray[Any]:
    """An array along some axes; along the others it is everywhere the same."""
    return array[tuple(slice(None) if axis in axes else 0 for axis in range(array.ndim))]


def _steps(array: NDArray[np.int64]) -> tuple[int, int | None] | None:
    """First place and steering axis of places one step apart along one axis (None: a single place)."""
    axes = [axis for axis, extent in enumerate(array.shape) if extent > 1]
    line = array.reshape(-1)
    if len(axes) > 1 or (np.diff(line) != 1).any():
        return None
    return int(line[0]), axes[0] if axes else None


def _whole(places: Places, shape: Shape) -> dict[int, int]:
    """Axes that are written from end to end by one axis of the updates that steers no other, and those."""
    found: dict[int, int] = {}
    for axis, array in enumerate(places):
        steps = _steps(array)
        if steps is None or steps[1] is None or array.size != shape[axis]:
            continue
        if all(other is array or other.shape[steps[1]] == 1 for other in places):
            found[axis] = steps[1]
    return found


def _box(places: Places, updates: Shape) -> tuple[list[int], list[int]] | None:
    """Where one box is written: its first place, and the axes of the updates in the order of the tensor's."""
    steps = [_steps(array) for array in places]
    starts = [step[0] for step in steps if step]
    axes = [step[1] for step in steps if step and step[1] is not None]
    single = [axis for axis, extent in enumerate(updates) if extent == 1]
    if len(starts) < len(places) or len(set(axes)) < len(axes) or len(axes) + len(single) < len(updates):
        return None
    order = [step[1] for step in steps if step]
    spare = iter(single)
    if order.count(None) != len(single):
        return None
    return starts, [next(spare) if axis is None else axis for axis in order]


def overwritten(ctx: Builder, x: Ref, update: Ref, starts: Sequence[int], *, adds: bool = False) -> Ref:
    """``x`` with a box of it replaced by (or added to) ``update``, which lies at ``starts``."""
    if adds:
        maps = {
            axis: (Window(1, padding=start), x.shape[axis])
            for axis, start in enumerate(starts)
            if update.shape[axis] != x.shape[axis]
        }
        return ctx.pointwise(x, ctx.along(update, maps))
    inner = [axis for axis in range(len(x.shape)) if update.shape[axis] != x.shape[axis]]
    if not inner:
        return update
    axis = inner[0]
    start, stop = starts[axis], starts[axis] + update.shape[axis]
    middle = ctx.slice(x, axis, start, stop)
    rest = [0 if other == axis else at for other, at in enumerate(starts)]
    parts = [ctx.slice(x, axis, 0, start)] if start else []
    parts.append(overwritten(ctx, middle, update, rest))
    parts += [ctx.slice(x, axis, stop, x.shape[axis])] if stop < x.shape[axis] else []
    return ctx.concat(parts, axis)
