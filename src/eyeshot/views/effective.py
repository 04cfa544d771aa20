"""Effective fields for a terminal: what a unit uses of what it may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from eyeshot.effective.field import SHARES
from eyeshot.views.text import bar, extent, percent
from eyeshot.views.units import span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, ConsoleOptions, RenderResult

    from eyeshot.effective import EffectiveField


@dataclass(frozen=True, slots=True)
class Effective:
    """One effective field in numbers; print it with rich. ``seconds`` is what it took, shown if given."""

    field: EffectiveField
    seconds: float | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        field = self.field
        yield Text.assemble((field.model, "bold"), "  ", (where(field), "bold"))
        yield Text(f"{field.method}, protocol {field.protocol}, {told(field)}", "dim")
        yield Text()
        axes = ",".join(field.axes)
        if field.box.empty:
            yield Text("It sees nothing of the input.", "bold yellow")
        else:
            yield Text.assemble(
                f"theoretical  {extent(field.box.size)} pixels  ", (f"{span(field.box)} along {axes}", "dim")
            )
        if field.dead:
            yield Text("effective    none: the gradient is 0 everywhere", "bold yellow")
        else:
            yield from self._alive(utf="utf" in options.encoding)
        for note in field.notes:
            yield Text.assemble(("note: ", "yellow"), note)
        if self.seconds is not None:
            yield Text(f"{self.seconds:.1f} s", "dim")

    def _alive(self, *, utf: bool) -> Iterable[Text | Table]:
        field = self.field
        yield Text.assemble(
            "effective    ",
            (f"{field.side:.1f}", "bold cyan"),
            f" pixels to a side, {percent(field.ratio)} of the theoretical one  ",
            (bar(field.ratio) if utf else "", "cyan"),
        )
        yield Text()
        table = Table(
            box=SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False, padding=(0, 2, 0, 0)
        )
        for head in ("Share", "Square", "of input", "Fewest pixels", "of input"):
            table.add_column(head, justify="right", no_wrap=True)
        for share in SHARES:
            square, fewest = field.square(share), field.densest(share)
            sides = ["none", ""] if square is None else [f"{square.side:.0f}", percent(square.ratio)]
            table.add_row(f"{share:.0%}", *sides, f"{fewest.pixels:,}", percent(fewest.ratio))
        yield table
        yield Text()
        yield Text(
            f"center of mass  ({_places(field.moments.center)}), off the center by ({_signed(field.offset)})"
        )
        yield Text(
            f"spread          {_places(field.moments.sigma)} pixels (standard deviation), "
            f"anisotropy {field.moments.anisotropy:.2f}, concentration {field.concentration:.2f}"
        )
        if field.gaussian is not None:
            goodness = f"{'R²' if utf else 'R2'} {field.gaussian.r_squared:.3f}"
            yield Text(f"nearest Gauss   {_places(field.gaussian.sigma)} pixels, {goodness}")


def where(field: EffectiveField) -> str:
    """The unit as an index: layer4[0,*,3,3]."""
    return f"{field.layer}[{','.join(_index(place) for place in field.unit)}]"


def told(field: EffectiveField) -> str:
    """How many images, and how sure they make it."""
    if not field.images:
        return "without images"
    images = "1 image" if field.images == 1 else f"{field.images} images"
    return images if field.stderr is None else f"{images}, standard error {field.stderr:.1%}"


def _index(place: int | slice | None) -> str:
    if place is None:
        return "*"
    if isinstance(place, int):
        return str(place)
    return ":".join("" if each is None else str(each) for each in (place.start, place.stop))


def _places(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)


def _signed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:+.1f}" for value in values)
