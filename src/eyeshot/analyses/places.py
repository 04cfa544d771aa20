"""Single units: from an index to the places of its factors, and what a dependency says there."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from eyeshot.analyses.factors import positions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyeshot.analyses.terms import Dependency, Term

    Places = Sequence[int | None]
    """One index an axis (or a factor); None is the union over it."""


def unfactored(array: NDArray[Any], dependency: Dependency, shape: tuple[int, ...]) -> NDArray[Any]:
    """An array over factors as one over axes; axes it does not vary on keep extent 1."""
    dims: list[int] = []
    target: list[int] = []
    for axis, factors in enumerate(dependency.cutting):
        held = [array.shape[position + 1] for position in positions(dependency.cutting, axis)]
        varies = prod(held) != 1
        dims += factors if varies else held
        target.append(shape[axis] if varies else 1)
    return np.broadcast_to(array, (array.shape[0], *dims)).reshape(array.shape[0], *target)


def factor_places(dependency: Dependency, index: Places) -> list[int | None]:
    """A unit's index as one index a factor."""
    places: list[int | None] = []
    for factors, given in zip(dependency.cutting, index, strict=True):
        if given is None:
            places += [None] * len(factors)
            continue
        held: list[int | None] = []
        for size in reversed(factors):
            held.append(given % size)
            given //= size  # noqa: PLW2901 - mixed-radix digits
        places += held[::-1]
    return places


def present(term: Term, places: Places) -> bool:
    """Whether a term is present at some of the given places."""
    return all(
        bool(mask.any() if places[position] is None else mask[places[position]])
        for position, mask in term.masks.items()
    )


def picked(sets: NDArray[Any], term: Term, places: Places, ufunc: np.ufunc) -> NDArray[Any]:
    """The union of a term's sets at the given places."""
    for position, place in reversed(list(enumerate(places))):
        axis = position + 1
        if sets.shape[axis] == 1:
            sets = sets.squeeze(axis)
        elif place is not None:
            sets = np.take(sets, place, axis)
        else:
            mask = term.masks.get(position)
            sets = ufunc.reduce(sets if mask is None else sets.compress(mask, axis), axis)
    return sets
