"""Fields drawn on pictures, with matplotlib: every function draws into Axes that the caller made.

Coordinates are pixels of the network's input, whole numbers at the middle of pixels, whatever the resolution
of the picture shown; rows go down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from eyeshot.errors import QuestionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patheffects import AbstractPathEffect
    from numpy.typing import NDArray

    from eyeshot.fields import Field
    from eyeshot.geometry import Box

PALETTE = ("#56B4E9", "#009E73", "#E69F00", "#D55E00", "#B03A82", "#0072B2")
"""Colours that stay apart for the colour-blind: those of Okabe and Ito (2008), the purple darker."""

INK, FAINT, PAPER = "#22272e", "#8b949e", "#f3f4f6"
DASHES = (0, (4, 2.5))


def photograph(axes: Axes, image: NDArray[Any], height: int, width: int) -> None:
    """An image of any resolution, laid over the ``height`` x ``width`` pixels that the network sees.

    Around it, where nothing is but padding, is paper.
    """
    axes.imshow(image, extent=(-0.5, width - 0.5, height - 0.5, -0.5), interpolation="lanczos", zorder=0)
    axes.set(aspect="equal", facecolor=PAPER, xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def nearest_unit(field: Field, point: Sequence[float]) -> tuple[int | None, ...]:
    """The unit of a field on two axes that looks closest to a point (row, column) of the input.

    Batch index 0, all channels; the tensor's last two axes are the spatial ones.

    Raises
    ------
    QuestionError
        where the field has no center that moves with its units.
    """
    place: list[int] = []
    for target, center, stride, extent in zip(
        point, field.center, field.stride, field.shape[-2:], strict=True
    ):
        if center is None or not stride:
            raise QuestionError(
                f"units of {field.name!r} look at no place of their own: their field has no law"
            )
        place.append(min(max(round((target - float(center)) / float(stride)), 0), extent - 1))
    return (0, *[None] * (len(field.shape) - 3), *place)


def box(axes: Axes, seen: Box, color: str, label: str = "", dot: float = 5) -> None:
    """A box: solid where it lies on the input, dashed as it would be without borders, its center marked.

    ``label`` goes above the upper left corner; ``dot`` is the center's size in points.
    """
    ideal = seen.unclipped or seen
    if (ideal.start, ideal.stop) != (seen.start, seen.stop):
        _frame(axes, ideal, color, dashed=True)
    _frame(axes, seen, color, dashed=False)
    row, column = ideal.center
    axes.plot(column, row, "o", color=color, markersize=dot, markeredgecolor="white", zorder=9 - dot / 100)
    if label:
        _tab(axes, ideal, color, label)


def key(axes: Axes) -> None:
    """What the lines of boxes mean, as a legend in one row below the axes."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=INK, linewidth=2.4, label="clipped: the pixels that can change the unit"),
        Line2D(
            [], [], color=INK, linewidth=1.5, linestyle=DASHES, label="unclipped: as if there were no borders"
        ),
        Line2D([], [], color=INK, linestyle="", marker="o", markersize=6, label="center"),
    ]
    style = {"frameon": False, "fontsize": 9.5, "labelcolor": INK, "ncols": 3, "columnspacing": 2.2}
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(-0.01, -0.01), borderpad=0.2, **style)


def _frame(axes: Axes, seen: Box, color: str, *, dashed: bool) -> None:
    from matplotlib.patches import Rectangle

    (top, left), (height, width) = seen.start, seen.size
    shape = Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor=color, joinstyle="miter")
    if dashed:
        shape.set(linewidth=1.5, linestyle=DASHES, zorder=4)
    else:
        shape.set(linewidth=2.4, path_effects=_cased(4.2), zorder=5)
    axes.add_patch(shape)


def _tab(axes: Axes, seen: Box, color: str, label: str) -> None:
    axes.annotate(
        label,
        (seen.start[1] - 0.5, seen.start[0] - 0.5),
        xytext=(1.5, 4.5),
        textcoords="offset points",
        color="white" if _dark(color) else INK,
        fontsize=9,
        fontweight="bold",
        bbox={"boxstyle": "square,pad=0.28", "facecolor": color, "edgecolor": "white", "linewidth": 0.7},
        zorder=7,
    )


def _dark(color: str) -> bool:
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(color)
    return 0.299 * red + 0.587 * green + 0.114 * blue < 0.55


def growth(axes: Axes, fields: Sequence[Field], colors: dict[str, str], axis: int = 0) -> None:
    """The unclipped size of fields along one axis, in the order given; ``colors`` picks some out by name."""
    sizes = [field.size[axis] for field in fields]
    known = [(place, size) for place, size in enumerate(sizes) if size is not None]
    axes.plot(*zip(*known, strict=True), color=FAINT, linewidth=1.2, marker="o", markersize=3.5, zorder=2)
    for place, size in known:
        color = colors.get(fields[place].name)
        if color:
            axes.plot(place, size, "o", color=color, markersize=10, markeredgecolor="white", zorder=3)
            axes.annotate(
                str(size),
                (place, size),
                xytext=(7, -3),
                textcoords="offset points",
                va="top",
                color=color,
                fontweight="bold",
                fontsize=10,
                path_effects=_cased(2.5),
            )
    axes.set_xticks(
        range(len(fields)), [field.name.rpartition(".")[2] for field in fields], fontsize=8, color=INK
    )
    axes.tick_params(length=0, colors=INK, labelsize=8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.grid(axis="y", color="#e6e8eb", linewidth=0.8)
    axes.set_axisbelow(True)


def _cased(width: float) -> list[AbstractPathEffect]:
    """A white casing, so that a colour reads on any picture."""
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=width, foreground="white"), Normal()]
