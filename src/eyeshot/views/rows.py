"""Which layers a view shows, and how they nest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from eyeshot.errors import QuestionError

if TYPE_CHECKING:
    from eyeshot.fields import Field, Report
    from eyeshot.graph import ModuleOutput

READABLE = 40
"""Rows that the default depth stays under, where it can."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line: a field under a label, with the branches of the tree drawn before it.

    ``last`` tells for each level above, outermost first, whether the branch ends there; the top level has
    none. ``part`` numbers the outputs of one call, ``again`` marks later calls: no cost is to show twice.
    """

    field: Field
    label: str
    last: tuple[bool, ...] = ()
    parent: bool = False
    part: int = 0
    again: bool = False

    @property
    def branches(self) -> str:
        """The drawn part of the tree, two cells a level."""
        if not self.last:
            return ""
        return "".join("  " if last else "│ " for last in self.last[:-1]) + ("└╴" if self.last[-1] else "├╴")


@dataclass(slots=True)
class _Call:
    """One call of a module, with the calls that it made."""

    path: str
    names: list[str]
    inner: list[_Call] = field(default_factory=list)
    again: bool = False

    def rows(self, report: Report, depth: int, above: str, last: tuple[bool, ...]) -> Iterator[Row]:
        """This call's outputs, then what it called, down to a depth."""
        shown = self.inner if depth > 1 else []
        for part, name in enumerate(self.names):
            label = name.removeprefix(f"{above}.")
            yield Row(report[name], label, last, bool(self.inner), part, self.again)
        for position, call in enumerate(shown):
            yield from call.rows(report, depth - 1, self.path, (*last, position == len(shown) - 1))

    def count(self, depth: int) -> int:
        """How many rows that makes."""
        return len(self.names) + (sum(call.count(depth - 1) for call in self.inner) if depth > 1 else 0)


def tree(report: Report, depth: int | None = None) -> list[Row]:
    """A row for every module's output, callers before what they call.

    ``depth`` levels of calls; by default the most of three that keep the table readable.
    """
    top = _calls(report.graph.modules)
    if depth is None:
        depth = next((d for d in (3, 2) if sum(call.count(d) for call in top) <= READABLE), 1)
    return [row for call in top for row in call.rows(report, depth, "", ())]


def matching(report: Report, pattern: str) -> list[Row]:
    """A row for every module whose name fits a glob, else for every tensor whose name does.

    Raises
    ------
    QuestionError
        where neither has any.
    """
    for names in (list(report), [tensor.name for tensor in report.tensors]):
        found = [name for name in names if fnmatchcase(name, pattern)]
        if found:
            return [Row(report[name], name) for name in found]
    near = get_close_matches(pattern, report, 3, 0.4)
    hint = (
        f"did you mean {', '.join(map(repr, near))}?"
        if near
        else "without --layers the table shows the names."
    )
    raise QuestionError(
        f"no layer of {report.model} fits {pattern!r} (* stands for any part of a name): {hint}"
    )


def outputs(report: Report, rows: list[Row]) -> list[Row]:
    """Rows for the network's outputs, those left out that a row already shows."""
    shown = {row.field.node for row in rows}
    return [Row(each, each.name) for each in report.outputs if each.node not in shown]


def _calls(modules: list[ModuleOutput]) -> list[_Call]:
    """The tree of calls from the order in which they finished: a caller follows all that it called."""
    pending: list[_Call] = []
    seen: set[str] = set()
    previous: ModuleOutput | None = None
    for module in modules:
        if not module.path:
            continue
        if previous is not None and _same_call(previous, module):
            pending[-1].names.append(module.name)
            continue
        inside = len(pending)
        while inside and pending[inside - 1].path.startswith(f"{module.path}."):
            inside -= 1
        pending[inside:] = [_Call(module.path, [module.name], pending[inside:], module.path in seen)]
        seen.add(module.path)
        previous = module
    return pending


def _same_call(one: ModuleOutput, other: ModuleOutput) -> bool:
    ranges = (one.first_tensor, one.last_tensor) == (other.first_tensor, other.last_tensor)
    return one.path == other.path and ranges and one.first_tensor < one.last_tensor
