"""Messages that point at the character."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from eyeshot.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH = 72
"""Characters of a long line that are shown around the one that is wrong."""


def fault(text: str, position: int, problem: str) -> SpecError:
    """The error for a character of a text: the problem, the line it stands in, and a caret under it."""
    position = min(position, len(text))
    begin = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    end = len(text) if end < 0 else end
    number = text.count("\n", 0, position) + 1
    first = max(begin, min(position - WIDTH // 2, end - WIDTH))
    last = min(end, first + WIDTH)
    excerpt = "".join(" " if not shown.isprintable() else shown for shown in text[first:last])
    before, after = "…" if first > begin else "", "…" if last < end else ""
    where = f"line {number}, character" if "\n" in text.strip() else "character"
    caret = " " * (len(before) + position - first) + "^"
    return SpecError(
        f"{where} {position - begin + 1}: {problem}\n  {before}{excerpt}{after}\n  {caret}", position
    )


def meant(given: str, known: Iterable[str], otherwise: str) -> str:
    """A question for what is known and near; else what is ``otherwise`` said."""
    near = get_close_matches(given, list(known), 3)
    return f"did you mean {' or '.join(near)}?" if near else otherwise
