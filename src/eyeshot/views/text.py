"""A report as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from eyeshot.views import rows as selection
from eyeshot.views.legend import ALL, legend, marks
from eyeshot.views.proofs import line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from eyeshot.fields import Report
    from eyeshot.views.rows import Row

BAR = 8
_EIGHTHS = " ▏▎▍▌▋▊▉█"

_COLUMNS: dict[str, tuple[str, JustifyMethod, str]] = {
    "layer": ("Layer", "left", ""),
    "kind": ("Kind", "left", "dim"),
    "shape": ("Output", "right", "dim"),
    "size": ("Size", "right", "bold cyan"),
    "marks": ("", "left", "yellow"),
    "local": ("Local", "right", "cyan"),
    "stride": ("Stride", "right", ""),
    "offset": ("Offset", "right", ""),
    "share": ("Sees", "right", ""),
    "bar": ("", "left", "cyan"),
    "params": ("Params", "right", ""),
    "macs": ("MACs", "right", ""),
}

_OPTIONAL = ("bar", "kind", "macs", "params", "offset", "shape", "local")
"""Columns that a narrow terminal goes without, the first to go first."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The table of a network's fields, with what it shows above and the totals below; print it with rich.

    ``depth`` counts levels of modules (by default as many as stay readable); ``layers`` is a glob of names
    instead. ``seconds`` is what the report took, shown if given.
    """

    report: Report
    depth: int | None = None
    layers: str | None = None
    seconds: float | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        report = self.report
        if self.layers is None:
            rows = selection.tree(report, self.depth)
            rows += selection.outputs(report, rows)
        else:
            rows = selection.matching(report, self.layers)
        yield from heading(
            report,
            f"size, stride, offset: {shown(report)}, unclipped hulls, in elements along {' x '.join(report.axes)}",
            "sees: the share of the input inside the central unit's box, clipped",
        )
        yield _fitting(report, rows, console, options)
        yield Text()
        yield from legend([row.field for row in rows])
        yield from self._totals()

    def _totals(self) -> Iterable[Text]:
        cost = self.report.cost
        parts = [
            f"{cost.parameters:,} parameters",
            f"{short(cost.macs)} multiply-accumulates",
            f"{cost.activation_bytes / 1e6:,.1f} MB of activations",
        ]
        if self.seconds is not None:
            loading = self.report.provenance.get("loading", 0.0)
            parts.append(f"loaded in {loading:.2f} s, read in {self.seconds - loading:.2f} s")
        yield Text(" · ".join(parts), "bold")
        if self.report.proof is not None:
            yield line(self.report.proof)
        for note in self.report.notes:
            yield Text.assemble(("note: ", "yellow"), note)


def heading(report: Report, *meanings: str) -> Iterable[Text]:
    """What was read, and lines that say what the numbers are."""
    shape = "x".join(map(str, report.input_shape))
    yield Text.assemble((report.model, "bold"), "  on ", (report.input, "bold"), f" {shape}")
    for meaning in meanings:
        yield Text(meaning, "dim")
    yield Text()


def shown(report: Report) -> str:
    """Which fields a report holds, in words."""
    return "full fields" if report.shown == "full" else "local fields (without global context)"


def extent(size: Sequence[int | None]) -> str:
    """A size: once where all axes agree, else one number an axis; ``all`` where nothing bounds it."""
    if not any(each is None or each for each in size):
        return "nothing"
    return joined([ALL if each is None else str(each) for each in size])


def joined(parts: Sequence[str]) -> str:
    """One text for all axes where they agree, else one an axis."""
    return parts[0] if len(set(parts)) == 1 else "x".join(parts)


def short(count: float) -> str:
    """A count in three digits and a unit: 25.6M."""
    for unit in ("", "k", "M", "G", "T"):
        if count < 999.5 or unit == "T":
            digits = 0 if not unit or count >= 99.95 else 1 if count >= 9.995 else 2
            return f"{count:.{digits}f}{unit}"
        count /= 1000
    raise AssertionError


def steps(values: Sequence[int | Fraction | None]) -> str:
    """Strides or offsets: as sizes are written, a comma between axes that differ (offsets have signs)."""
    parts = ["" if each is None else str(each) for each in values]
    return parts[0] if len(set(parts)) == 1 else ",".join(each or "-" for each in parts)


def bar(share: float) -> str:
    """A share between 0 and 1 as a bar of ``BAR`` cells."""
    eighths = min(BAR * 8, max(round(share * BAR * 8), 1 if share > 0 else 0))
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def percent(share: float) -> str:
    """A share between 0 and 1, rounded so that only the whole is 100%."""
    if share >= 1:
        return "100%"
    return f"{min(share, 0.999):.1%}" if share >= 0.001 or share == 0 else "<0.1%"


def _fitting(report: Report, rows: list[Row], console: Console, options: ConsoleOptions) -> Table:
    """The table with as many columns as the width allows."""
    left_out: set[str] = set()
    local = _locals(report, rows)
    if not any(local):
        left_out.add("local")
    if not any(marks(row.field) for row in rows):
        left_out.add("marks")
    if "utf" not in options.encoding:
        left_out.add("bar")
    for column in (None, *_OPTIONAL):
        if column:
            left_out.add(column)
        table = _table(rows, local, left_out)
        if console.measure(table, options=options.update(max_width=1000)).maximum <= options.max_width:
            break
    return table


def _locals(report: Report, rows: list[Row]) -> list[str]:
    """The local size of each field that only context makes global."""
    if report.shown == "local":
        return [""] * len(rows)
    near = [replace(row.field, view="local") if row.field.unbounded else None for row in rows]
    return ["" if field is None or field.unbounded else extent(field.size) for field in near]


def _table(rows: list[Row], local: list[str], left_out: set[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    shown = [name for name in _COLUMNS if name not in left_out]
    for name in shown:
        header, justify, style = _COLUMNS[name]
        table.add_column(header, justify=justify, style=style, no_wrap=True)
    for row, near in zip(rows, local, strict=True):
        cells = _cells(row, near)
        table.add_row(*[cells[name] for name in shown])
    return table


def _cells(row: Row, local: str) -> dict[str, Text | str]:
    field = row.field
    size = extent(field.size)
    return {
        "layer": Text.assemble((row.branches, "dim"), (row.label, "bold" if row.parent else "")),
        "kind": Text(field.op),
        "shape": "x".join(map(str, field.shape)),
        "size": Text(size, "bold magenta" if ALL in size else ""),
        "marks": "".join(marks(field)),
        "local": local,
        "stride": steps(field.stride),
        "offset": steps(field.offset),
        "share": percent(field.share),
        "bar": bar(field.share),
        "params": "" if row.part or row.again else _count(field.cost.parameters),
        "macs": "" if row.part else _count(field.cost.macs),
    }


def _count(count: int) -> str:
    return short(count) if count else ""
