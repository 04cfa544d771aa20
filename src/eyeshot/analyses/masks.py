"""Masks: at which indices of a factor a term is present."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eyeshot.relations import tabulate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from eyeshot.relations import AxisMap

    Mask = NDArray[np.bool_]


def presence(masks: Mapping[int, Mask], rank: int) -> Mask:
    """Where all masks (by factor position) admit a unit, as an array that broadcasts over ``rank`` factors."""
    there: Mask = np.ones((1,) * rank, np.bool_)
    for position, mask in masks.items():
        there = there & mask.reshape(-1, *(1,) * (rank - 1 - position))
    return there


def mapped_mask(amap: AxisMap, sizes: tuple[int, int], mask: Mask | None) -> Mask:
    """Which outputs read something that is present."""
    table = tabulate(amap, *sizes)
    if table.single and mask is not None:
        return mask[table.indices]
    out = np.zeros(sizes[1], np.bool_)
    if len(table.indices):
        read = np.ones(len(table.indices), np.bool_) if mask is None else mask[table.indices]
        present = np.logical_or.reduceat(read, table.starts)
        out[... if table.occupied is None else table.occupied] = present
    return out


def cut_mask(masks: Sequence[Mask | None], old: Sequence[int], sizes: Sequence[int]) -> list[dict[int, Mask]]:
    """Masks of old factors as masks of new ones: a list of products whose union they are."""
    if all(mask is None for mask in masks):
        return [{}]
    if len(masks) == len(sizes) == 1 and masks[0] is not None:
        return [{0: masks[0]}]
    whole: Mask = np.ones(1, np.bool_)
    for mask, size in zip(masks, old, strict=True):
        whole = np.logical_and.outer(whole, np.ones(size, np.bool_) if mask is None else mask)
    return _products(whole.reshape(tuple(sizes)), 0) if sizes else [{}]


def _products(mask: Mask, first: int) -> list[dict[int, Mask]]:
    """A mask of any rank as a union of products: rows with the same pattern make one."""
    if mask.ndim == 1:
        return [{} if mask.all() else {first: mask}]
    rows = mask.reshape(len(mask), -1)
    seen: Mask = np.any(rows, axis=1)
    first_pattern = rows[seen.argmax()]
    if np.array_equal(rows, seen[:, None] & first_pattern):
        groups = {first_pattern.tobytes(): np.flatnonzero(seen)}
    else:
        keys = [row.tobytes() for row in rows]
        groups = {key: np.flatnonzero([key == other for other in keys]) for key in dict.fromkeys(keys)}
    out = []
    for members in groups.values():
        pattern = rows[members[0]]
        if pattern.any():
            place = np.zeros(len(mask), np.bool_)
            place[members] = True
            head = {} if place.all() else {first: place}
            out += [head | rest for rest in _products(pattern.reshape(mask.shape[1:]), first + 1)]
    return out
