"""What a verification found: pure values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One comparison in which a report and an oracle differ.

    ``tensor`` and ``unit`` (a full index) name a unit, ``element`` is an input element (a full index, None where the
    oracle changed all of an axis). The report says that the unit sees it: ``expected``; the oracle: ``found``. ``cells``
    counts all that differ in the same comparison, of which this is the first.
    """

    tensor: str
    unit: tuple[int, ...]
    element: tuple[int | None, ...]
    oracle: str
    expected: bool
    found: bool
    cells: int = 1

    def __str__(self) -> str:
        said = "sees" if self.expected else "does not see"
        held = "finds that it does" if self.found else "finds that it does not"
        element = ", ".join("*" if place is None else str(place) for place in self.element)
        more = f" ({self.cells - 1:,} more differ there)" if self.cells > 1 else ""
        return f"{self.tensor} {self.unit} {said} ({element}), and the {self.oracle} {held}{more}"


@dataclass(frozen=True, slots=True)
class Oracle:
    """What one oracle did: booleans compared, tensors compared, and how many of the booleans bind in one direction only."""

    name: str
    cells: int = 0
    one_way: int = 0
    tensors: int = 0


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of `eyeshot.verify`: a report compared with what its model does.

    ``units`` were checked by gradients, ``elements`` of the input by NaN; both were drawn with ``seed``. ``cells`` counts
    compared booleans. ``blind_spots`` has, for each oracle, sentences about what it cannot see in this model.
    """

    model: str
    input: str
    seed: int
    units: int
    elements: int
    oracles: tuple[Oracle, ...]
    mismatches: tuple[Mismatch, ...]
    blind_spots: dict[str, tuple[str, ...]]
    seconds: float = 0.0

    @property
    def cells(self) -> int:
        """Booleans compared, by all oracles together."""
        return sum(oracle.cells for oracle in self.oracles)

    @property
    def clean(self) -> bool:
        """Whether something was compared, and nothing differs."""
        return self.cells > 0 and not self.mismatches

    def __str__(self) -> str:
        found = f"{len(self.mismatches)} mismatch{'' if len(self.mismatches) == 1 else 'es'}"
        oracles = " and ".join(oracle.name for oracle in self.oracles if oracle.cells)
        verb = "proved" if self.clean else "not proved"
        return (
            f"{verb}: {self.units} units and {self.elements} input elements, {self.cells:,} cells, {found} "
            f"by {oracles or 'no oracle'}, seed {self.seed}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {**asdict(self), "cells": self.cells, "clean": self.clean}
