"""Rows of the benchmark: a measurement beside its peer, what was promised, and how the sides take turns."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

HEADS = ("what", "ours (ms)", "peer (ms)", "peer", "ratio", "promise", "kept")
Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """A measurement in milliseconds beside its peer, and what was promised; ``kept`` is None where nothing was."""

    what: str
    ours: float | None = None
    peer: float | None = None
    rival: str = ""
    ratio: float | None = None
    promise: str = ""
    kept: bool | None = None

    def cells(self) -> list[str]:
        """The row's cells, as in HEADS."""
        ours, peer = ("" if value is None else f"{value:.2f}" for value in (self.ours, self.peer))
        ratio = "" if self.ratio is None else f"{self.ratio:.3g}x"
        kept = "" if self.kept is None else "yes" if self.kept else "**no**"
        return [self.what, ours, peer, self.rival, ratio, self.promise, kept]


def faster(what: str, ours: float, peer: float, rival: str, limit: float | None = None) -> Row:
    """The ratio is peer / ours, and at least ``limit`` was promised."""
    ratio = peer / ours
    promise, kept = ("", None) if limit is None else (f"at least {limit:g}x faster", ratio >= limit)
    return Row(what, ours, peer, rival, ratio, promise, kept)


def within(what: str, ours: float, peer: float, rival: str, limit: float | None = None) -> Row:
    """The ratio is ours / peer, and at most ``limit`` was promised."""
    ratio = ours / peer
    promise, kept = ("", None) if limit is None else (f"at most {limit:g}x of the peer", ratio <= limit)
    return Row(what, ours, peer, rival, ratio, promise, kept)


def alternate(works: Sequence[Work], rounds: int) -> list[float]:
    """Median milliseconds of each, taken in turns; a first turn is not counted."""
    found: list[list[float]] = [[] for _ in works]
    for _ in range(rounds + 1):
        for work, times in zip(works, found, strict=True):
            gc.collect()
            started = time.perf_counter()
            work()
            times.append(1e3 * (time.perf_counter() - started))
    return [statistics.median(times[1:]) for times in found]


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    return [f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows)]
