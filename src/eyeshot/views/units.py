"""The boxes of one unit, a line a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from eyeshot.errors import QuestionError
from eyeshot.views import rows as selection
from eyeshot.views.text import extent, heading, percent, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

    from eyeshot.fields import Field, Report
    from eyeshot.geometry import Box

Unit = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Units:
    """What one unit sees, clipped and unclipped, in every layer that a glob names, else in the outputs.

    Raises QuestionError where the unit lies outside a layer.
    """

    report: Report
    unit: Unit
    layers: str | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        axes = ",".join(self.report.axes)
        yield from heading(
            self.report,
            f"boxes: {shown(self.report)}, hulls, start:stop along {axes}; centers: unclipped where that is known",
            "sees: the share of the input inside the box, clipped; filled: how much of the box is seen, holes left out",
        )
        table = Table(
            box=SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False, padding=(0, 2, 0, 0)
        )
        table.add_column("Unit", no_wrap=True)
        table.add_column(f"Box {axes} (clipped)", style="cyan", no_wrap=True)
        table.add_column("Size", style="bold cyan", justify="right", no_wrap=True)
        table.add_column("Unclipped box", no_wrap=True)
        table.add_column("Size", justify="right", no_wrap=True)
        table.add_column("Center", justify="right", no_wrap=True)
        table.add_column("Sees", justify="right", no_wrap=True)
        table.add_column("Filled", justify="right", no_wrap=True)
        table.add_column("Kind", style="dim", no_wrap=True)
        for field, box in self.boxes():
            table.add_row(*self._cells(field, box))
        yield table

    def boxes(self) -> list[tuple[Field, Box]]:
        """The chosen fields, each with the unit's box."""
        rows = (
            selection.matching(self.report, self.layers)
            if self.layers
            else selection.outputs(self.report, [])
        )
        ranks = {len(row.field.shape) for row in rows}
        if self.layers is None and len(self.unit) not in ranks:
            raise QuestionError(
                f"the outputs of {self.report.model} have units of {' or '.join(map(str, sorted(ranks)))} indices, got "
                f"{self.unit}: name layers that have such units (--layers)"
            )
        return [(row.field, row.field.at(*self.unit)) for row in rows]

    def records(self) -> list[dict[str, Any]]:
        """The same as plain data."""
        return [
            {
                "name": field.name,
                "unit": self.unit,
                "start": box.start,
                "stop": box.stop,
                "unclipped": box.unclipped and {"start": box.unclipped.start, "stop": box.unclipped.stop},
                "center": (box.unclipped or box).center,
                "share": self._share(box),
                "seen": self._seen(field, box),
                "kind": field.kind,
            }
            for field, box in self.boxes()
        ]

    def _share(self, box: Box) -> float:
        whole = 1
        for axis in self.report.spatial[self.report.input].axes:
            whole *= self.report.input_shape[axis]
        return box.volume / max(1, whole)

    def _seen(self, field: Field, box: Box) -> int:
        """The number of elements that the unit sees, all channels and samples together."""
        return 0 if box.empty else int(field.mask(*self.unit).sum())

    def _cells(self, field: Field, box: Box) -> list[str]:
        place = ",".join("*" if each is None else str(each) for each in self.unit)
        ideal = box.unclipped
        return [
            f"{field.name}[{place}]",
            "sees nothing" if box.empty else span(box),
            "" if box.empty else extent(box.size),
            "" if ideal is None else span(ideal),
            "" if ideal is None else extent(ideal.size),
            "" if box.empty else ",".join(f"{each:g}" for each in (ideal or box).center),
            percent(self._share(box)),
            percent(self._seen(field, box) / max(1, box.volume)),
            field.kind,
        ]


def span(box: Box) -> str:
    """A box as slices: 15:46,-3:28."""
    return ",".join(f"{start}:{stop}" for start, stop in zip(box.start, box.stop, strict=True))


def parse(text: str) -> Unit:
    """A unit from text: ``0,*,3,3``, where ``*`` is the union over that axis.

    Raises ValueError for anything else.
    """
    parts: Sequence[str] = [part.strip() for part in text.split(",")]
    return tuple(None if part in ("*", ":", "None") else int(part) for part in parts)
