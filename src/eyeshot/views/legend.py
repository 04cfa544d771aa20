"""The marks beside a field's size, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from eyeshot.graph.reasons import REASONS

if TYPE_CHECKING:
    from eyeshot.fields import Field

ALL = "all"
PHASES, MISALIGNED, HOLES, SOUND, AT_SIZE, NO_LAW = "~", "≠", "∘", "≤", "†", "‡"

_MEANING = {
    PHASES: "units differ in phases: the largest size, the smallest offset",
    MISALIGNED: "branches with different centers or strides meet here",
    HOLES: "the field has holes: some units see less than their whole box",
    AT_SIZE: "holds at this input size only",
}


def marks(field: Field) -> list[str]:
    """The marks that a field earns, in the order of the legend."""
    found = []
    if any(len(set(law.phases)) > 1 for law in field.law):
        found.append(PHASES)
    if field.misaligned:
        found.append(MISALIGNED)
    if field.holes:
        found.append(HOLES)
    if field.reasons:
        found.append(SOUND)
    if any(law.at_size for law in field.law):
        found.append(AT_SIZE)
    if any(field.clipped):
        found.append(NO_LAW)
    return found


def legend(fields: Sequence[Field]) -> Iterator[Text]:
    """A line for every mark in use, and where fields became global."""
    used = {mark for field in fields for mark in marks(field)}
    since = dict.fromkeys(field.global_since for field in fields if field.unbounded)
    if since:
        yield _line(
            ALL,
            "magenta",
            f"as far as the input goes, whatever its size; since {_some([s for s in since if s])}",
        )
    for mark, meaning in _MEANING.items():
        if mark in used:
            yield _line(mark, "yellow", meaning)
    if SOUND in used:
        reasons = sorted({reason for field in fields for reason in field.reasons})
        yield _line(SOUND, "yellow", "at most this: the box contains the field, and may be too wide")
        for reason in reasons:
            yield Text(f"        {reason}: {REASONS.get(reason, 'no more is known')}", "dim")
    if NO_LAW in used:
        causes = sorted(
            {law.why or "" for field in fields for law in field.law if NO_LAW in marks(field) and law.why}
        )
        yield _line(
            NO_LAW, "yellow", f"no law ({_some(causes)}): the largest extent at this input size, clipped"
        )


def _line(mark: str, style: str, meaning: str) -> Text:
    return Text.assemble("  ", (f"{mark:<4}", f"bold {style}"), (meaning, "dim"))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
