"""Where a field breaks a promise: the units of all tensors are searched by their boxes, the example by exact masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from eyeshot.proof.broken import Counterexample
from eyeshot.proof.evidence import Breach, extreme, reads, seen_by, unit_where, way

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from eyeshot.fields import Field
    from eyeshot.proof.evidence import Place

    Number = int | Fraction


def too_small(field: Field, wanted: Sequence[int | None], strides: Sequence[Number | None]) -> Breach | None:
    """A field smaller than wanted, or with another stride, along some axis."""
    for which, (size, least) in enumerate(zip(field.size, wanted, strict=True)):
        if least is not None and size is not None and size < least:
            clipped = ", the largest at this input size" if field.clipped[which] else ""
            letter = field.source.asked.letters[which]
            measured = f"{field.name} sees {size} along {letter} (size {field.size}{clipped}), promised at least {least}"
            return _beside(field, which, measured)
    for which, (stride, expected) in enumerate(zip(field.stride, strides, strict=True)):
        if expected is not None and stride != expected:
            letter = field.source.asked.letters[which]
            return Breach(f"{field.name} has stride {stride} along {letter}, promised {expected}")
    return None


def _beside(field: Field, which: int, measured: str) -> Breach:
    """The unit in the middle of those that see most along an axis, and the first element beside what it sees."""
    starts, stops, occupied = field.boxes()
    extents = np.where(occupied, stops[which] - starts[which], 0)
    if not extents.any():
        return Breach(measured, notes=(f"it sees nothing of {field.input!r}",))
    most = np.flatnonzero(extents.ravel() == extents.max())
    unit = tuple(int(i) for i in np.unravel_index(most[len(most) // 2], extents.shape))
    axis = field.source.axes[which]
    mask = seen_by(field, unit)
    last = extreme(mask, axis, last=True)
    nearest, beyond = last, last[axis] + 1
    if beyond == mask.shape[axis]:
        nearest = extreme(mask, axis, last=False)
        beyond = nearest[axis] - 1
    if beyond < 0:
        return Breach(measured, notes=("this input is too small to hold an element that it does not see",))
    element = (*nearest[:axis], beyond, *nearest[axis + 1 :])
    path, _ = way(field, nearest, unit)
    return Breach(
        measured,
        Counterexample(field.name, unit, field.input, element, reads=False, path=path, nearest=nearest),
    )


def looks_ahead(field: Field, place: Place, lookahead: int) -> Breach | None:
    """A unit at y that sees an input element that begins at or after stride * (y + 1) + lookahead."""
    positions = np.arange(field.shape[place.axis])
    allowed = [-int(-place.stride * (int(y) + 1) // 1) + lookahead for y in positions]
    _, stops, occupied = field.boxes()
    limit = _along(np.array(allowed, np.int64), place.axis, len(field.shape))
    excess = np.where(occupied, stops[0] - limit, 0)
    if not (excess > 0).any():
        return None
    unit = unit_where(excess == excess.max(), len(field.shape))
    steps = int(excess.max()) + lookahead
    letter = field.source.asked.letters[0]
    step = "" if place.stride == 1 else f" (a unit stands for {place.stride} steps of the input)"
    measured = f"{field.name} looks {steps} ahead along {letter}{step}, promised at most {lookahead}"
    return _farthest(field, unit, 0, measured, last=True, limit=allowed[unit[place.axis]])


def spreads(field: Field, places: Sequence[Place], halos: Sequence[tuple[int, int]]) -> Breach | None:
    """A unit at y that sees an element outside [stride * y - low, stride * (y + 1) + high), at this size or any other."""
    starts, stops, occupied = field.boxes()
    for which, (place, halo) in enumerate(zip(places, halos, strict=True)):
        letter = field.source.asked.letters[which]
        top, under = place.stride.numerator, place.stride.denominator
        base = _along(np.arange(field.shape[place.axis]) * top, place.axis, len(field.shape))
        law = "all of it" if field.law[which].unbounded else None
        for last, promised in enumerate(halo):
            beyond = stops[which] * under - base - top if last else base - starts[which] * under
            excess = np.where(occupied, beyond - promised * under, 0)
            side = ("before", "after")[last]
            found = field.halo[which]
            if (excess > 0).any():
                unit = unit_where(excess == excess.max(), len(field.shape))
                reach = law or f"{(int(excess.max()) + promised * under) / under:g} {side} its place"
                measured = f"{field.name} reads {reach} along {letter}, promised at most {promised} {side}"
                edge = int(base.flat[unit[place.axis]])
                limit = (edge + top) // under + promised if last else -(-edge // under) - promised
                return _farthest(field, unit, which, measured, last=bool(last), limit=limit)
            if found is not None and found[last] > promised:
                return Breach(
                    f"{field.name} reads {found[last]} {side} its place along {letter}, promised at most {promised}",
                    notes=("this input is too small for a unit that shows it: borders cut every field",),
                )
    return None


def unbounded(field: Field, which: int) -> Breach:
    """A field without any place: a unit, and the last element that it sees."""
    _, _, occupied = field.boxes()
    unit = unit_where(occupied, len(field.shape))
    since = f", since {field.global_since}" if field.global_since else ""
    letter = field.source.asked.letters[which]
    element = extreme(seen_by(field, unit), field.source.axes[which], last=True)
    return Breach(
        f"{field.name} reads all of {letter}, at any input size{since}", reads(field, unit, element)
    )


def mixes(field: Field, axis: int | None) -> Breach | None:
    """A unit that sees two samples, or rows of the batch axis whose units see others' samples."""
    starts, stops, occupied = field.boxes()
    many = occupied & (stops[0] - starts[0] > 1)
    rank, batch = len(field.shape), field.source.axes[0]
    samples = field.source.shape[batch]
    usual = batch if axis is None else axis % max(rank, 1)
    if many.any():
        unit = unit_where(many, rank)
        mask = seen_by(field, unit)
        own = unit[usual] if usual < rank and field.shape[usual] == samples else 0
        read = np.flatnonzero(mask.any(tuple(i for i in range(mask.ndim) if i != batch)))
        other = int(read[read != own][0])
        element = extreme(_only(mask, batch, other, other + 1), batch, last=True)
        return Breach(
            f"one unit of {field.name} reads {len(read)} of {samples} samples", reads(field, unit, element)
        )
    wrong = {
        each: _misplaced(starts[0], occupied, each, field.shape, samples)
        for each in (range(rank) if axis is None else [usual])
    }
    if not rank or not all(found.any() for found in wrong.values()):
        return None
    shown = usual if usual in wrong else 0
    unit = unit_where(wrong[shown], rank)
    element = extreme(seen_by(field, unit), batch, last=True)
    measured = f"row {unit[shown]} (axis {shown}) of {field.name} reads sample {element[batch]}"
    return Breach(measured, reads(field, unit, element), (f"no axis of {field.name} goes with the batch",))


def _misplaced(
    read: NDArray[np.int64], occupied: NDArray[np.bool_], axis: int, shape: tuple[int, ...], samples: int
) -> NDArray[np.bool_]:
    """Units that read another sample than their row of an axis: its own number where there are as many rows as samples."""
    read, occupied = np.broadcast_arrays(read, occupied)
    if shape[axis] == samples:
        return np.asarray(occupied & (read != _along(np.arange(samples), axis, len(shape))))
    others = tuple(i for i in range(len(shape)) if i != axis)
    first = np.where(occupied, read, samples).min(others, keepdims=True)
    return np.asarray(occupied & (read != first))


def depends(
    field: Field, unit: Sequence[int | slice | None], element: Sequence[int | slice | None]
) -> Breach | None:
    """A unit among some that sees an element among some."""
    mask = seen_by(field, unit)
    among = np.zeros_like(mask)
    among[tuple(slice(None) if place is None else place for place in element)] = True
    if not (mask & among).any():
        return None
    first = unit_where(mask & among, mask.ndim)
    path, one = way(field, first, unit)
    return Breach(
        f"{field.name} depends on {field.input}",
        Counterexample(field.name, one, field.input, first, path=path),
    )


def _farthest(
    field: Field, unit: tuple[int, ...], which: int, measured: str, *, last: bool, limit: int
) -> Breach:
    """The element that a unit sees farthest out, past the limit along an axis."""
    axis = field.source.axes[which]
    mask = seen_by(field, unit)
    past = _only(mask, axis, limit, mask.shape[axis]) if last else _only(mask, axis, 0, max(limit, 0))
    if not past.any():
        return Breach(measured, confirmed=False)
    return Breach(measured, reads(field, unit, extreme(past, axis, last=last)))


def _only(mask: NDArray[np.bool_], axis: int, start: int, stop: int) -> NDArray[np.bool_]:
    index = np.arange(mask.shape[axis])
    inside: NDArray[np.bool_] = mask & _along((index >= start) & (index < stop), axis, mask.ndim)
    return inside


def _along(values: NDArray[Any], axis: int, rank: int) -> NDArray[Any]:
    return values.reshape([-1 if i == axis else 1 for i in range(rank)])
