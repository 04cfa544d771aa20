"""What a report says beside what oracles find, cell by cell."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from eyeshot.analyses.reach import Reach
from eyeshot.fields.proof import Mismatch, Oracle
from eyeshot.proof.gradient import Gradients
from eyeshot.proof.nan import NanMode, pixel, slab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch
    from numpy.typing import NDArray

    from eyeshot.execution.running import Setup
    from eyeshot.fields import Field, Report
    from eyeshot.proof.gradient import Recording

    Bools = NDArray[np.bool_]

NAN, GRADIENT = "NaN probe", "linearised gradient"


@dataclass(slots=True)
class Tally:
    """Counts what one oracle was compared on, and keeps one mismatch a comparison."""

    oracle: str
    cells: int = 0
    one_way: int = 0
    tensors: set[str] = field(default_factory=set)
    mismatches: list[Mismatch] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, found: Bools, expected: Bools, *, missing: bool, extra: bool) -> Bools | None:
        """Compare; where they differ, or None. ``missing``: what is found has to be expected; ``extra``: the reverse."""
        if not (missing or extra):
            return None
        self.tensors.add(name)
        self.cells += found.size
        self.one_way += 0 if missing and extra else found.size
        differs = found != expected
        if not missing:
            differs &= ~found
        if not extra:
            differs &= found
        return differs if differs.any() else None

    def done(self) -> Oracle:
        """As a value."""
        return Oracle(self.oracle, self.cells, self.one_way, len(self.tensors))


class Comparison:
    """One report against one recorded run of its model."""

    def __init__(self, report: Report, setup: Setup, recording: Recording, seed: int) -> None:
        self.report = report
        self.setup = setup
        self.recording = recording
        self.draw = random.Random(seed)  # noqa: S311 - a printed seed, no secret
        self.source = report.graph.inputs[report.input]
        self.spatial = report.spatial[report.input].axes
        outputs = {f".{each.name}" if each.name != "output" else "": each for each in report.outputs}
        self.fields: dict[str, Field] = {}
        self.strangers: list[str] = []
        for name, shape in recording.shapes.items():
            known = outputs.get(name) if not name or name[0] in ".:" else report.get(name)
            if known is None or known.shape != shape:
                self.strangers.append(name)
            else:
                self.fields[name] = known

    # Gradients

    def gradients(self, units: int) -> Tally:
        """Random units of tensors at all depths: their mask on the whole input, and their box."""
        tally = Tally(GRADIENT)
        chosen = list(self._units(units))
        gradients = Gradients(self.recording, [name for name, _ in chosen], self.setup.x.device)
        lost = 0
        for name, unit in chosen:
            known = self.fields[name]
            found, whole = gradients.reads(name, unit)
            lost += not whole
            exact = whole and not known.reasons and not self.recording.flags(name, "misses")
            expected = known.mask(*unit, axes="all")
            differs = tally.add(known.name, found, expected, missing=True, extra=exact)
            if differs is not None:
                first = _first(differs)
                said = bool(expected[first])
                tally.mismatches.append(
                    Mismatch(known.name, unit, first, GRADIENT, said, not said, int(differs.sum()))
                )
            self._box(tally, known, unit, found, exact=exact)
        if lost:
            tally.notes.append(
                f"{lost} of its gradients reach the end of float64, and may have lost elements: they bind one way"
            )
        return tally

    def _units(self, count: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        """One unit of a tensor of every depth in turn."""
        names = list(self.fields)
        for number in range(count if names else 0):
            low, high = (len(names) * n // count for n in (number, number + 1))
            name = names[self.draw.randrange(low, max(high, low + 1))]
            yield name, tuple(self.draw.randrange(extent) for extent in self.fields[name].shape)

    def _box(self, tally: Tally, known: Field, unit: tuple[int, ...], found: Bools, *, exact: bool) -> None:
        """The hull of what was found against the box."""
        others = tuple(axis for axis in range(found.ndim) if axis not in self.spatial)
        seen = np.asarray(found.any(others))
        box = known.at(*unit)
        inside = np.zeros(seen.shape, bool)
        inside[box.slices] = True
        hull = np.zeros(seen.shape, bool)
        hull[_hull(seen)] = True
        differs = tally.add(known.name, hull, inside, missing=True, extra=exact)
        if differs is not None:
            first = _first(differs)
            element: list[int | None] = [None] * found.ndim
            for axis, place in zip(self.spatial, first, strict=True):
                element[axis] = place
            said = bool(inside[first])
            tally.mismatches.append(
                Mismatch(known.name, unit, tuple(element), GRADIENT, said, not said, int(differs.sum()))
            )

    # NaN

    def nan(self, elements: int) -> Tally:
        """Slabs along every spatial axis against all boxes, single pixels and elements against what sees them."""
        tally = Tally(NAN)
        x = self.setup.x
        for axis, letter in enumerate(self.spatial):
            position = self.draw.randrange(x.shape[letter])
            for prefix in (True, False):
                self._slab(tally, axis, position, prefix=prefix)
        for number in range(elements):
            place: list[int | None] = [self.draw.randrange(extent) for extent in x.shape]
            if number % 2 == 0:
                place = [each if axis in self.spatial else None for axis, each in enumerate(place)]
            reach = Reach(self.report.graph, self.source, place)
            self._probe(tally, pixel(x, tuple(place)), tuple(place), _reached(reach))
        return tally

    def _slab(self, tally: Tally, axis: int, position: int, *, prefix: bool) -> None:
        def expected(known: Field) -> Bools:
            starts, stops, occupied = known.boxes()
            hit = starts[axis] <= position if prefix else stops[axis] > position
            return np.broadcast_to(occupied & hit, known.shape)

        place: list[int | None] = [None] * self.setup.x.dim()
        place[self.spatial[axis]] = position
        poisoned = slab(self.setup.x, self.spatial[axis], position, prefix=prefix)
        self._probe(tally, poisoned, tuple(place), expected)

    def _probe(
        self,
        tally: Tally,
        poisoned: torch.Tensor,
        place: tuple[int | None, ...],
        expected: Callable[[Field], Bools],
    ) -> None:
        def seen(name: str, tensor: torch.Tensor) -> None:
            known = self.fields.get(name)
            if known is None or known.shape != tuple(tensor.shape) or name in self.recording.spoilt:
                return
            flags = self.recording.flags
            extra = not known.reasons and not flags(name, "hides")
            missing = not flags(name, "leaks")
            if not (missing or extra):
                return
            found = tensor.detach().isnan().cpu().numpy()
            wanted = expected(known)
            differs = tally.add(known.name, found, wanted, missing=missing, extra=extra)
            if differs is not None:
                unit = _first(differs)
                said = bool(wanted[unit])
                tally.mismatches.append(
                    Mismatch(known.name, unit, place, NAN, said, not said, int(differs.sum()))
                )

        try:
            self.setup.run(seen, poisoned, NanMode())  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001 - any model may refuse NaN in its own way
            tally.notes.append(f"the model raises where its input is NaN ({type(error).__name__}: {error})")


def _reached(reach: Reach) -> Callable[[Field], Bools]:
    return lambda known: reach.at(known.node)


def _first(differs: Bools) -> tuple[int, ...]:
    return tuple(int(place) for place in np.argwhere(differs)[0])


def _hull(seen: Bools) -> tuple[slice, ...]:
    """The bounding box, as slices."""
    slices = []
    for axis in range(seen.ndim):
        hit = np.flatnonzero(seen.any(tuple(a for a in range(seen.ndim) if a != axis)))
        slices.append(slice(int(hit[0]), int(hit[-1]) + 1) if len(hit) else slice(0, 0))
    return tuple(slices)
