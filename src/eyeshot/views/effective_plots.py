"""Effective fields as pictures, with matplotlib: a heat map over what the unit was shown, profiles, numbers.

Coordinates are pixels of the network's input. Colours stand for contribution on a scale of each picture's own; contours
hold 50% and 95% of it, and are drawn on a slightly smoothed map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from eyeshot.effective import metrics
from eyeshot.effective.field import SHARES
from eyeshot.geometry import Box
from eyeshot.views import plots
from eyeshot.views.effective import told, where
from eyeshot.views.text import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from eyeshot.effective import EffectiveField

    Map = NDArray[np.float64]

HEAT = "inferno"
FRAME, FITTED = plots.PALETTE[0], plots.PALETTE[3]
CONTOURS: tuple[tuple[float, str, Literal["solid", "dashed"]], ...] = (
    (0.5, "#ffffff", "solid"),
    (0.95, plots.PALETTE[2], "dashed"),
)
_GAMMA = 0.5
_MARGIN = 0.12
_LEAST = 24
_NUMBERS, _EDGE = 2.75, 0.35


@dataclass(frozen=True, slots=True)
class _View:
    """What of the map is drawn, on two axes: the theoretical field with a margin; ``box`` and ``map`` are whole."""

    map: Map
    box: Box
    start: tuple[int, int]
    stop: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        return self.stop[0] - self.start[0], self.stop[1] - self.start[1]


def figure(field: EffectiveField) -> Figure:
    """One effective field as a whole picture; save it with ``.savefig(path)``.

    Inputs of one axis get the profile alone; of inputs with more than two, the last two are shown, summed over the others.
    """
    from matplotlib.figure import Figure

    if field.map.ndim == 1:
        sheet = Figure(figsize=(9.5, 4.2), dpi=150, facecolor="white")
        chart = sheet.add_axes((0.07, 0.16, 0.9, 0.58))
        profile(chart, field, 0)
        chart.set_xlabel(f"{field.axes}, in elements of the input", fontsize=9.5, color=plots.INK)
        _head(sheet, field, 0.07)
        return sheet
    view = _view(field)
    high, wide = view.size
    scale = min(5.4 / wide, 5.0 / high)
    across, down = wide * scale, high * scale
    sheet_size = 0.4 + across + 0.1 + 0.95 + 0.45 + _NUMBERS + _EDGE, 0.62 + down + 0.1 + 0.85 + 0.95
    sheet = Figure(figsize=sheet_size, dpi=150, facecolor="white")

    def axes(left: float, bottom: float, width: float, height: float) -> Axes:
        return sheet.add_axes(
            (left / sheet_size[0], bottom / sheet_size[1], width / sheet_size[0], height / sheet_size[1])
        )

    scene = axes(0.4, 0.62, across, down)
    scene_of(scene, field)
    if not field.dead:
        above = axes(0.4, 0.62 + down + 0.1, across, 0.85)
        profile(above, field, field.map.ndim - 1, bare=True)
        above.set_xlim(scene.get_xlim())
        beside = axes(0.4 + across + 0.1, 0.62, 0.95, down)
        profile(beside, field, field.map.ndim - 2, bare=True, upright=True)
        beside.set_ylim(scene.get_ylim())
    _key(scene, field)
    _head(sheet, field, 0.4 / sheet_size[0])
    _numbers(axes(0.4 + across + 0.1 + 0.95 + 0.45, 0.62, _NUMBERS, down + 0.95), field)
    return sheet


def side_by_side(rows: Mapping[str, Sequence[EffectiveField]]) -> Figure:
    """Effective fields in rows with a name each: models, or checkpoints, and in every column one layer."""
    from matplotlib.figure import Figure

    columns = max(len(fields) for fields in rows.values())
    size = 0.45 + 2.6 * columns, 0.3 + 2.95 * len(rows)
    sheet = Figure(figsize=size, dpi=110, facecolor="white")
    for row, (name, fields) in enumerate(rows.items()):
        bottom = size[1] - 2.95 * (row + 1)
        sheet.text(
            0.18 / size[0], (bottom + 1.2) / size[1], name, rotation=90, fontsize=11, fontweight="bold",
            color=plots.INK, va="center", ha="center",
        )  # fmt: skip
        for column, field in enumerate(fields):
            scene = sheet.add_axes(
                ((0.45 + 2.6 * column) / size[0], bottom / size[1], 2.4 / size[0], 2.4 / size[1])
            )
            scene_of(scene, field)
            scene.set(xticks=[], yticks=[])
            said = (
                "dead"
                if field.dead
                else f"{field.side:.0f} of {field.theoretical:.0f} px, {percent(field.ratio)}"
            )
            scene.set_title(f"{field.layer}\n{said}", fontsize=9, loc="left", color=plots.INK, pad=5)
    return sheet


def scene_of(axes: Axes, field: EffectiveField) -> None:
    """The heat map over the photograph (or alone), the theoretical box, contours of the effective field."""
    view = _view(field)
    high, wide = view.map.shape
    extent = (-0.5, wide - 0.5, high - 0.5, -0.5)
    axes.set_facecolor(plots.PAPER)
    if field.photograph is not None:
        shade = field.photograph.mean(2)
        axes.imshow(shade, cmap="gray", vmin=0, vmax=1.15, extent=extent, interpolation="lanczos", zorder=0)
    if field.dead:
        axes.text(
            0.5, 0.97, "dead: the gradient is 0 everywhere", transform=axes.transAxes, ha="center", va="top",
            fontsize=12, color=plots.INK, bbox={"facecolor": "white", "edgecolor": plots.FAINT, "pad": 6}, zorder=9,
        )  # fmt: skip
    else:
        _heat(axes, view, extent, over=field.photograph is not None)
    if not view.box.empty:
        plots.box(axes, view.box, FRAME, dot=4)
    axes.set(
        xlim=(view.start[1] - 0.5, view.stop[1] - 0.5),
        ylim=(view.stop[0] - 0.5, view.start[0] - 0.5),
        aspect="equal",
    )
    axes.tick_params(length=0, colors=plots.INK, labelsize=8)
    axes.spines[:].set_visible(False)


def profile(
    axes: Axes, field: EffectiveField, axis: int, *, bare: bool = False, upright: bool = False
) -> None:
    """Contribution along one axis (summed over the others), with the nearest Gaussian and the theoretical extent.

    ``bare`` leaves out the ticks, ``upright`` draws the axis downwards, beside a picture.
    """
    others = tuple(other for other in range(field.map.ndim) if other != axis)
    total = field.map.sum() or 1.0
    along = field.map.sum(others) / total
    places = np.arange(len(along))
    start, stop = field.box.start[axis] - 0.5, field.box.stop[axis] - 0.5
    band = axes.axhspan if upright else axes.axvspan
    band(start, stop, color=FRAME, alpha=0.14, linewidth=0, zorder=0)
    fill = axes.fill_betweenx if upright else axes.fill_between
    fill(places, along, color=plots.INK, alpha=0.82, linewidth=0, step="mid", zorder=2)
    fit = field.gaussian
    if fit is not None and fit.r_squared > 0:
        fine = np.linspace(places[0], places[-1], 4 * len(places))
        curve = np.exp(-(((fine - fit.center[axis]) / fit.sigma[axis]) ** 2) / 2)
        curve *= fit.share / (np.sqrt(2 * np.pi) * fit.sigma[axis])
        axes.plot(*((curve, fine) if upright else (fine, curve)), color=FITTED, linewidth=1.4, zorder=3)
    (axes.set_xlim if upright else axes.set_ylim)(0, 1.08 * along.max() or 1)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, colors=plots.INK, labelsize=8)
    if bare:
        axes.set(xticks=[], yticks=[])


def _heat(axes: Axes, view: _View, extent: tuple[float, float, float, float], *, over: bool) -> None:
    from matplotlib import colormaps

    strength = (view.map / view.map.max()) ** _GAMMA
    colours = colormaps[HEAT](0.25 + 0.75 * strength if over else strength)
    if over:
        colours[..., 3] = np.clip(strength * 1.5 - 0.06, 0, 0.96)
    axes.imshow(colours, extent=extent, interpolation="nearest", zorder=1)
    smooth = _smoothed(view)
    for share, colour, dashes in CONTOURS:
        bound = metrics.level(smooth, share)
        if smooth.min() < bound < smooth.max():
            for width, line, order in ((2.8, plots.INK, 2), (1.4, colour, 3)):
                axes.contour(
                    smooth, levels=[bound], colors=[line], linewidths=width, linestyles=dashes, zorder=order
                )


def _smoothed(view: _View) -> Map:
    """The map blurred by a little of its own extent: contours of noise are no help to the eye."""
    sigma = max(0.5, min(metrics.moments(view.map).sigma) / 6)
    reach = int(3 * sigma) + 1
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    kernel /= kernel.sum()
    smooth: Map = view.map / view.map.sum()
    for axis in (0, 1):
        padded = np.pad(smooth, [(reach * (other == axis),) * 2 for other in (0, 1)], "symmetric")
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis)
        smooth = np.asarray(windows @ kernel)
    return smooth


def _view(field: EffectiveField) -> _View:
    leading = tuple(range(field.map.ndim - 2))
    seen = field.box
    ideal = seen.unclipped and Box(seen.unclipped.start[-2:], seen.unclipped.stop[-2:])
    box = Box(seen.start[-2:], seen.stop[-2:], ideal)
    flat = field.map.sum(leading)
    low, high = [], []
    for axis, extent in enumerate(flat.shape):
        start, stop = (box.start[axis], box.stop[axis]) if not box.empty else (0, extent)
        margin = max(_LEAST, round((stop - start) * _MARGIN))
        whole = ideal or box
        # Beyond the border as far as the field would reach, but no more than a margin.
        low.append(max(start - margin, min(0, whole.start[axis])))
        high.append(min(stop + margin, max(extent, whole.stop[axis])))
    return _View(flat, box, (low[0], low[1]), (high[0], high[1]))


def _head(sheet: Figure, field: EffectiveField, left: float) -> None:
    high = sheet.get_size_inches()[1]
    sheet.text(left, 1 - 0.42 / high, where(field), fontsize=15, fontweight="bold", color=plots.INK)
    sheet.text(
        left, 1 - 0.68 / high, f"{field.model}   ·   {field.method}, protocol {field.protocol}, {told(field)}",
        fontsize=9.5, color=plots.INK,
    )  # fmt: skip


def _key(scene: Axes, field: EffectiveField) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patheffects import Normal, Stroke

    cased = [Stroke(linewidth=3, foreground=plots.INK), Normal()]
    handles = [Line2D([], [], color=FRAME, linewidth=2.4, label="theoretical field")]
    for share, colour, dashes in () if field.dead else CONTOURS:
        line = Line2D([], [], color=colour, linewidth=1.5, linestyle=dashes, label=f"{share:.0%} inside")
        line.set_path_effects(cased)
        handles.append(line)
    if field.gaussian is not None:
        handles.append(Line2D([], [], color=FITTED, linewidth=1.4, label="nearest Gaussian"))
    scene.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(-0.01, -0.045), ncols=4, frameon=False, fontsize=8.5,
        labelcolor=plots.INK, borderpad=0.2, columnspacing=1.4, handlelength=1.7,
    )  # fmt: skip


def _numbers(axes: Axes, field: EffectiveField) -> None:
    """The main figures as text."""
    axes.axis("off")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    high = axes.get_position().height * axes.figure.get_figheight()  # type: ignore[union-attr]
    place = 1.0
    for label, value, strong in _lines(field):
        size = 17 if strong else 10
        if value:
            axes.text(1.0, place, value, ha="right", va="top", fontsize=size, fontweight="bold" if strong else "normal",
                      color=plots.INK)  # fmt: skip
        axes.text(0, place - (0.075 if strong else 0) / high, label, va="top", fontsize=10, color=plots.INK)
        place -= (0.42 if strong else 0.25) / high
    if not field.dead:
        axes.text(0, 0, "colour: the square root of contribution", fontsize=8, color=plots.FAINT)


def _lines(field: EffectiveField) -> list[tuple[str, str, bool]]:
    found = [("theoretical side", f"{field.theoretical:.0f} px", False)]
    if field.dead:
        return [*found, ("effective side", "dead", True)]
    found = [
        ("effective side", f"{field.side:.1f} px", True),
        ("of the theoretical", percent(field.ratio), True),
        *found,
        ("", "", False),
        ("square that holds", "side (of the input)", False),
    ]
    for share in SHARES:
        area = field.square(share)
        found.append(
            (
                f"    {share:.0%}",
                "none" if area is None else f"{area.side:.0f} ({percent(area.ratio)})",
                False,
            )
        )
    sigma, fit = field.moments.sigma, field.gaussian
    found += [
        ("", "", False),
        ("standard deviation", " x ".join(f"{each:.1f}" for each in sigma), False),
        ("off the center by", ", ".join(f"{each:+.1f}" for each in field.offset), False),
        ("anisotropy", f"{field.moments.anisotropy:.2f}", False),
        ("concentration", f"{field.concentration:.2f}", False),
    ]
    return found if fit is None else [*found, ("like a Gaussian, R²", f"{fit.r_squared:.2f}", False)]
