"""How a field comes about, as Markdown and as LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyeshot.views.explained import interval
from eyeshot.views.ways import RULE

if TYPE_CHECKING:
    from eyeshot.views.ways import Explained, Row, Way

MATHS = str.maketrans({"⋅": r" \cdot ", "−": "-", "→": r" \to ", "←": r" \leftarrow ", "×": r"\times "})
PROSE = str.maketrans(
    {
        "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}", "<": r"\textless{}",
        ">": r"\textgreater{}", "⋅": r"$\cdot$", "−": "$-$", "→": r"$\to$", "×": r"$\times$", "…": r"\ldots{}",
    }
)  # fmt: skip


def markdown(explained: Explained) -> str:
    """A heading, the rule, and a table for axes that are alike."""
    lines = [f"### {_cell(explained.title)}, {explained.shown}", ""]
    lines += [
        "One unit, followed back to the input through windows of kernel k, stride s, dilation d, padding p:"
    ]
    lines += ["", ", ".join(f"`{rule}`" for rule in RULE), ""]
    for way in explained.ways:
        lines += [f"**Along {' and '.join(way.letters)}**", ""]
        if way.rows:
            lines += [*_table(way), ""]
        for sentence in way.sentences:
            lines += [_cell(sentence), ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(way: Way) -> list[str]:
    unit = way.recurrence.place is not None
    header = [
        "Layer",
        "Window",
        "k_eff",
        "R",
        "S",
        "P",
        "Center",
        *(["Sees", "Cut to"] if unit else []),
        "Wins at joins",
    ]
    rows = [_row(row, unit=unit) for row in way.rows]
    return [
        _line(header),
        _line(["---"] * len(header)),
        *(_line([_cell(cell) for cell in row]) for row in rows),
    ]


def _row(row: Row, *, unit: bool) -> list[str]:
    last = row.last
    seen = [interval(last.seen), interval(last.clipped) if last.clipped != last.seen else ""] if unit else []
    span = str(last.span) if last.kernel else ""
    return [row.names, row.window, span, row.size, row.jump, row.offset, row.center, *seen, row.joins]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """Text that is no markup: of names, whatever they are made of."""
    for sign in "\\`*_|<>[]{}#":
        text = text.replace(sign, f"\\{sign}")
    return text


_RULE = (
    r"k_{\mathrm{eff}} &= d \cdot (k - 1) + 1, & R &\leftarrow s \cdot R + k_{\mathrm{eff}} - s, "
    r"& S &\leftarrow s \cdot S, & P &\leftarrow s \cdot P + p"
)


def latex(explained: Explained) -> str:
    """Equations in ``align*`` environments, for a document that loads amsmath."""
    lines = [
        "% needs \\usepackage{amsmath}",
        rf"\paragraph{{{prose(explained.title)}, {explained.shown}}}",
        "One unit, followed back to the input through windows of kernel $k$, stride $s$, dilation $d$, padding $p$:",
        r"\begin{align*}",
        _RULE,
        r"\end{align*}",
    ]
    for way in explained.ways:
        lines.append(rf"Along {' and '.join(way.letters)}:")
        if way.rows:
            equations = [_equations(row, number) for number, row in enumerate(way.rows, 1)]
            lines += [r"\begin{align*}", " \\\\\n".join(equations), r"\end{align*}"]
        lines += [prose(sentence) for sentence in way.sentences]
    return "\n".join(lines) + "\n"


def _equations(row: Row, number: int) -> str:
    """R, S and P of one row, and what it is."""
    equations = [
        f"{letter}_{{{number}}} &= {value.translate(MATHS)}"
        for letter, value in (("R", row.size), ("S", row.jump), ("P", row.offset))
    ]
    joins = f"; {prose(row.joins)}" if row.joins else ""
    return f"{', & '.join(equations)} && \\text{{{prose(row.names)}: {prose(row.window)}{joins}}}"


def prose(text: str) -> str:
    """Text for LaTeX, with nothing left that is markup there."""
    return text.translate(PROSE)
