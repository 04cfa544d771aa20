"""How a field comes about, as a table for a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from eyeshot.views.ways import RULE

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from eyeshot.views.ways import Explained, Row, Way

_COLUMNS: dict[str, tuple[str, JustifyMethod, str]] = {
    "layer": ("Layer", "left", ""),
    "window": ("Window", "left", "dim"),
    "span": ("k_eff", "right", ""),
    "size": ("R", "right", "bold cyan"),
    "jump": ("S", "right", ""),
    "offset": ("P", "right", ""),
    "center": ("Center", "right", ""),
    "seen": ("Sees", "left", ""),
    "cut": ("Cut to", "left", "yellow"),
    "joins": ("Wins at joins", "left", "dim"),
}

_NARROWER = ("equations", "center", "span", "joins")
"""What a narrow terminal goes without, the first to go first; without equations S and P are plain numbers."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One table for axes that are alike, from the layer back to the input; print it with rich."""

    explained: Explained

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        explained = self.explained
        yield Text.assemble((explained.title, "bold"), f", {explained.shown}")
        yield Text(
            "One unit, followed back to the input through windows of kernel k, stride s, dilation d, padding p:",
            "dim",
        )
        yield Text(f"  {'   '.join(RULE)}", "dim")
        for way in explained.ways:
            yield Text()
            yield Text(f"Along {' and '.join(way.letters)}", "bold")
            if way.rows:
                table, joins = self._fitting(way, console, options)
                yield table
                yield Text()
                if not joins and any(row.joins for row in way.rows):
                    yield Text(
                        f"Wins at joins: {'; '.join(row.joins for row in way.rows if row.joins)}.", "dim"
                    )
            for sentence in way.sentences:
                yield Text(sentence)

    def _fitting(self, way: Way, console: Console, options: ConsoleOptions) -> tuple[Table, bool]:
        """The table with as much in it as the width allows, and whether that are the joins, too."""
        unit = way.recurrence.place is not None
        left_out = {"jump", "offset", "center", "span"} if unit else {"seen", "cut"}
        if not any(row.joins for row in way.rows):
            left_out.add("joins")
        if not any(row.last.clipped != row.last.seen for row in way.rows):
            left_out.add("cut")
        if all(row.last.span == row.last.kernel for row in way.rows if row.last.kernel):
            left_out.add("span")
        table = _table(way.rows, left_out)
        for part in _NARROWER:
            if console.measure(table, options=options.update(max_width=1000)).maximum <= options.max_width:
                break
            left_out.add(part)
            table = _table(way.rows, left_out)
        return table, "joins" not in left_out


def _table(rows: tuple[Row, ...], left_out: set[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    shown = [name for name in _COLUMNS if name not in left_out]
    for name in shown:
        header, justify, style = _COLUMNS[name]
        table.add_column(header, justify=justify, style=style, no_wrap=name != "joins")
    for row in rows:
        cells = _cells(row, equations="equations" not in left_out)
        table.add_row(*[Text(cells[name]) for name in shown])
    return table


def _cells(row: Row, *, equations: bool) -> dict[str, str]:
    last = row.last
    return {
        "layer": row.names,
        "window": row.window,
        "span": str(last.span) if last.kernel else "",
        "size": row.size,
        "jump": row.jump if equations else row.jump.rpartition("= ")[2],
        "offset": row.offset if equations else row.offset.rpartition("= ")[2],
        "center": row.center,
        "seen": interval(last.seen),
        "cut": interval(last.clipped) if last.clipped != last.seen else "",
        "joins": row.joins,
    }


def interval(span: tuple[int, int] | None) -> str:
    """``−3:4``, as slices are written."""
    return "" if span is None else f"{span[0]}:{span[1]}".replace("-", "−")
