"""What differs between two reports of one network."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from eyeshot.fields import Field, Report


@dataclass
class Comparison:
    """``rows`` fields of ``modules`` were compared, with ``units`` units; ``differing`` names what is not the same.

    ``absent`` are modules of the first report without a row in the second, with their kinds.
    """

    rows: int = 0
    modules: int = 0
    units: int = 0
    differing: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def compare(known: Report, other: Report) -> Comparison:
    """Compare every module's output that both reports name, and all outputs in their order."""
    outcome = Comparison(modules=len(known))
    pairs = [(name, known[name], other[name]) for name in known if name in other]
    outcome.absent = [f"{name} ({known[name].op})" for name in known if name not in other]
    outcome.rows = len(pairs)
    pairs += [(f"output {one.name}", one, two) for one, two in zip(known.outputs, other.outputs, strict=True)]
    for name, one, two in pairs:
        outcome.units += int(np.prod(one.shape))
        problem = difference(one, two)
        if problem:
            outcome.differing.append(f"{name}: {problem}")
    return outcome


def difference(one: Field, two: Field) -> str:
    """What of two fields is not the same: a number, or the box of some unit. "" if nothing."""
    for what in ("shape", "size", "stride", "offset", "kind", "reasons"):
        if getattr(one, what) != getattr(two, what):
            return f"{what} {getattr(one, what)} and {getattr(two, what)}"
    (starts, stops, seen), (other_starts, other_stops, other_seen) = one.boxes(), two.boxes()
    if not np.array_equal(*np.broadcast_arrays(seen, other_seen)):
        return "which units see nothing"
    for ours, theirs in zip((*starts, *stops), (*other_starts, *other_stops), strict=True):
        unequal = (ours != theirs) & seen
        if unequal.any():
            return f"{int(np.broadcast_to(unequal, one.shape).sum())} ends of boxes"
    return ""


def work(argument: list[str]) -> dict[str, Any]:
    """What a child of the campaign does with a way, a network and a variant."""
    way, network, variant = argument
    return asdict(compare(*import_module(f"tools.ways_in.{way}").both(network, variant)))
