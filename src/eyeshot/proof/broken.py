"""What a broken promise shows: pure values."""

from __future__ import annotations

from dataclasses import dataclass

SHOWN = 4
"""Modules at each end of a long path that a message names."""


@dataclass(frozen=True, slots=True)
class Counterexample:
    """One unit and one input element that break a promise.

    ``unit`` (a full index of ``layer``) does, or does not (``reads``), see ``element`` (a full index of ``input``).
    ``path`` are the modules by which it does, from the input on; where it does not, those by which it sees ``nearest``,
    the last element on that side that it sees.
    """

    layer: str
    unit: tuple[int, ...]
    input: str
    element: tuple[int, ...]
    reads: bool = True
    path: tuple[str, ...] = ()
    nearest: tuple[int, ...] | None = None

    def __str__(self) -> str:
        verb = "reads" if self.reads else "does not read"
        lines = [f"{_written(self.layer, self.unit)} {verb} {_written(self.input, self.element)}"]
        if self.nearest is not None:
            lines.append(f"    but {_written(self.input, self.nearest)}")
        if self.path:
            lines.append(f"    by {_shortened(self.path)}")
        return "\n".join(lines)


class PromiseError(AssertionError):
    """A promise that a model does not keep.

    ``counterexample`` is None where none fits into the input; ``certain`` is False where over-approximation alone breaks
    the promise, so that the model may yet keep it.
    """

    counterexample: Counterexample | None = None
    certain: bool = True


def _written(name: str, index: tuple[int, ...]) -> str:
    return f"{name}[{', '.join(map(str, index))}]"


def _shortened(path: tuple[str, ...]) -> str:
    hidden = len(path) - 2 * SHOWN
    shown = path if hidden < 2 else (*path[:SHOWN], f"({hidden} more)", *path[-SHOWN:])
    return " → ".join(shown)
