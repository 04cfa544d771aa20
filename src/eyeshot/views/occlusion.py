"""Occlusion maps: what covering each window changes, as text and as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rich.text import Text

from eyeshot.geometry import Box
from eyeshot.views import plots
from eyeshot.views.text import extent, percent
from eyeshot.views.units import span

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console, ConsoleOptions, RenderResult

    from eyeshot.effective import OcclusionMap

FRAME = "#1b1b1b"


@dataclass(frozen=True, slots=True)
class Occluded:
    """One occlusion map in numbers; print it with rich. ``seconds`` is what it took, shown if given."""

    found: OcclusionMap
    seconds: float | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        found = self.found
        yield Text.assemble((found.model, "bold"), "  ", (f"{found.layer} {_unit(found)}", "bold"))
        yield Text(
            f"{extent(found.window)} windows every {extent(found.stride)}, covered with {found.baseline}: "
            f"{extent(found.effects.shape)} of them",
            "dim",
        )
        yield Text()
        yield Text.assemble("reference   ", (f"{found.reference:.5g}", "bold cyan"))
        for name, place in (("largest", found.effects.argmax()), ("smallest", found.effects.argmin())):
            at = np.unravel_index(int(place), found.effects.shape)
            first = [int(step) * int(position) for step, position in zip(found.stride, at, strict=True)]
            yield Text(f"{name:<12}{found.effects[at]:+.5g} at the window from {tuple(first)}")
        yield Text(f"seen        {extent(found.box.size)} pixels, {span(found.box)}")
        shown = f"{found.windows:,} of {found.effects.size:,} windows run"
        if found.macs:
            shown += f", {percent(found.macs / found.dense_macs)} of a whole forward each"
        yield Text(shown, "dim")
        for note in found.notes:
            yield Text.assemble(("note: ", "yellow"), note)
        if self.seconds is not None:
            yield Text(f"{self.seconds:.1f} s", "dim")


def figure(found: OcclusionMap) -> Figure:
    """The effects over the image: orange where covering lowers the target, purple where it raises it.

    Inputs of one axis get a curve; of inputs with more than two, the last two are shown, averaged over the others.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

    spread = found.map
    if spread.ndim == 1:
        sheet = Figure(figsize=(9.5, 3.8), dpi=150, facecolor="white")
        chart = sheet.add_axes((0.08, 0.16, 0.89, 0.62))
        chart.axhline(0, color=plots.FAINT, linewidth=1)
        chart.fill_between(np.arange(len(spread)), spread, color=plots.PALETTE[0], alpha=0.5, step="mid")
        chart.set_xlabel("element of the input", color=plots.INK)
        chart.spines[:].set_visible(False)
        _head(sheet, found, 0.08)
        return sheet
    plane = spread.reshape(-1, *spread.shape[-2:]).mean(0)
    high, wide = plane.shape
    scale = min(6.4 / wide, 5.6 / high)
    across, down = wide * scale, high * scale
    size = across + 1.75, down + 1.15
    sheet = Figure(figsize=size, dpi=150, facecolor="white")
    scene = sheet.add_axes((0.3 / size[0], 0.25 / size[1], across / size[0], down / size[1]))
    if found.photograph is not None:
        scene.imshow(
            found.photograph.mean(2),
            cmap="gray",
            vmin=0,
            vmax=1.15,
            extent=(-0.5, wide - 0.5, high - 0.5, -0.5),
        )
    most = float(abs(plane).max()) or 1.0
    strength = (
        np.clip(abs(plane) / most, 0, 1) ** 0.6 if found.photograph is not None else np.ones_like(plane)
    )
    heat = scene.imshow(
        plane, cmap="PuOr_r", vmin=-most, vmax=most, alpha=0.85 * strength, interpolation="bilinear"
    )
    if found.box.size[-2:] != plane.shape:
        plots.box(scene, _last_two(found), FRAME)
    scene.set(xlim=(-0.5, wide - 0.5), ylim=(high - 0.5, -0.5), xticks=[], yticks=[])
    scene.spines[:].set_visible(False)
    key = sheet.add_axes(((0.3 + across + 0.2) / size[0], 0.25 / size[1], 0.16 / size[0], down / size[1]))
    bar = sheet.colorbar(ScalarMappable(heat.norm, heat.cmap), cax=key)
    bar.outline.set_visible(False)
    key.tick_params(length=0, labelsize=8, colors=plots.INK)
    _head(sheet, found, 0.3 / size[0])
    return sheet


def _head(sheet: Figure, found: OcclusionMap, left: float) -> None:
    height = sheet.get_figheight()
    sheet.text(
        left, 1 - 0.36 / height, f"What covering a window takes from {found.layer} {_unit(found)}", fontsize=12.5,
        weight="bold", color=plots.INK, va="center",
    )  # fmt: skip
    told = (
        f"{found.model}, reference {found.reference:.4g}; {extent(found.window)} windows every {extent(found.stride)}, "
        f"covered with {found.baseline}"
    )
    sheet.text(left, 1 - 0.66 / height, told, fontsize=8.5, color=plots.INK, va="center")


def _last_two(found: OcclusionMap) -> Box:
    return Box(found.box.start[-2:], found.box.stop[-2:])


def _unit(found: OcclusionMap) -> str:
    def shown(place: object) -> str:
        if isinstance(place, slice):
            return f"{place.start}:{place.stop}"
        return "*" if place is None else str(place)

    return f"({', '.join(map(shown, found.unit))})"
