"""`explain`: how the field of a layer comes about, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from eyeshot.errors import QuestionError
from eyeshot.fields import Report
from eyeshot.pipeline import analyze
from eyeshot.views.ways import Explained

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyeshot.fields.field import View

Format = Literal["text", "markdown", "latex"]
WIDTH = 120
"""Columns of text."""


def explain(
    model: Any,
    layer: str | None = None,
    unit: Sequence[int | None] | None = None,
    format: Format = "text",  # noqa: A002 - what the command line calls it
    *,
    input_size: Sequence[int] | None = None,
    view: View | None = None,
    **how: Any,
) -> str:
    """Tell how the field of a layer comes about: the recurrence with the numbers put in, layer by layer.

    One unit is followed back to the input, at joins along the branch that sees most, by the rules of Araujo, Norris & Sim
    ("Computing Receptive Fields of Convolutional Neural Networks", Distill 2019): R <- s R + k_eff - s, S <- s S,
    P <- s P + p. It says which branch won at a join and by how much, which units the borders cut, and where and why a
    field has no bound or no law.

    Parameters
    ----------
    model
        A `Report`, a `Spec`, or anything that `eyeshot.analyze` takes.
    layer
        Any name of the report; its first output by default.
    unit
        The full index of one unit, (n, c, h, w), None for all of an axis: its intervals are shown, too, and where clipping
        sets in.
    format
        ``"text"``, ``"markdown"`` or ``"latex"`` (``align*`` environments; needs amsmath).
    input_size, how
        As for `eyeshot.analyze`.
    view
        ``"full"`` or ``"local"`` (without global context); a report's own by default.

    Raises
    ------
    EyeshotError
        as `eyeshot.analyze`; QuestionError for a layer, unit or format that there is not.

    Examples
    --------
    >>> print(eyeshot.explain("spec:conv7s2p3 > maxpool3s2p1"))
    """
    if format not in get_args(Format):
        raise QuestionError(f"there is no format {format!r}: it is {', '.join(map(repr, get_args(Format)))}")
    report = model if isinstance(model, Report) else analyze(model, input_size, **how)
    if report is model and (input_size is not None or how):
        raise QuestionError(
            "a report has its input already: leave out input_size and what else analyze takes"
        )
    if view is not None:
        report = report.view(view)
    return told(Explained(report, layer, None if unit is None else tuple(unit)), format)


def told(explained: Explained, format: Format) -> str:  # noqa: A002 - as above
    """An explanation in one of the formats."""
    if format == "markdown":
        from eyeshot.views.written import markdown

        return markdown(explained)
    if format == "latex":
        from eyeshot.views.written import latex

        return latex(explained)
    from rich.console import Console

    from eyeshot.views.explained import Explanation

    console = Console(width=WIDTH, no_color=True, highlight=False, legacy_windows=False)
    with console.capture() as captured:
        console.print(Explanation(explained))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"
