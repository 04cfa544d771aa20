"""Every error that eyeshot raises on purpose.

EyeshotError
├── ModelReferenceError    a model reference that names nothing loadable          exit 2
├── MissingExtraError      a framework that is not installed                      exit 3
├── InputError             inputs that do not fit the model, or the question      exit 4
├── CaptureError           the model's own code raised while it was captured      exit 5
├── UnsupportedOpError     ops without a lowering, all of them listed             exit 6
├── GraphError             a graph that breaks the relations' rules (our defect)  exit 7
├── QuestionError          a layer, unit or input that the report does not have   exit 8
├── FileFormatError        a file that is not what its name says, or damaged      exit 10
├── UnsafeFileError        a file that asks for what is never done unasked        exit 11
└── SpecError              a network's text that is no network                    exit 12

A message names the thing, its value, the cause and the remedy.
"""

from __future__ import annotations

from collections.abc import Mapping

LONGEST = 8000
"""Characters of a message; of longer ones the middle is left out."""


def legible(text: str, most: int, *, plain: str = "") -> str:
    """Text that is safe to print, whoever wrote it: at most about ``most`` characters, control characters spelled out.

    So are half characters, and those that turn the direction of writing; ``plain`` ones stay.
    """
    if len(text) > most:
        text = f"{text[: most * 2 // 3]} [{len(text) - most:,} characters left out] {text[-(most // 3) :]}"
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in plain else ascii(each)[1:-1] for each in text)


class EyeshotError(Exception):
    """Base of all errors raised on purpose; ``exit_code`` is what the CLI returns."""

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(legible(message, LONGEST, plain="\n"))


class ModelReferenceError(EyeshotError):
    """A model reference that names nothing loadable."""

    exit_code = 2


class MissingExtraError(EyeshotError):
    """A framework that is needed and not installed; the message names the extra."""

    exit_code = 3


class InputError(EyeshotError):
    """Inputs that do not fit the model: rank, channels, extent, emptiness."""

    exit_code = 4


class CaptureError(EyeshotError):
    """The model's own code raised while it ran for capture."""

    exit_code = 5


class UnsupportedOpError(EyeshotError):
    """Ops without a lowering.

    ``ops`` maps each op's name to the places (module paths) that call it.
    """

    exit_code = 6

    def __init__(self, ops: Mapping[str, list[str]]) -> None:
        self.ops = dict(ops)
        listed = "\n".join(
            f"  {legible(op, 200)}  (at {legible(', '.join(places[:3]), 600)})"
            for op, places in sorted(ops.items())
        )
        super().__init__(
            f"no lowering for {len(ops)} op(s):\n{listed}\n"
            "Either register one with @lowers(name) (CONTRIBUTING, 'Adding an op'), "
            'or pass on_unknown="dense" (--on-unknown dense): sound, and flagged.'
        )


class GraphError(EyeshotError):
    """A graph that breaks the relations' rules: a defect of a lowering, never of the model."""

    exit_code = 7


class QuestionError(EyeshotError):
    """A layer, unit, axis or input that the report does not have."""

    exit_code = 8


class FileFormatError(EyeshotError):
    """A file that is not what its name says, or damaged; nothing of it was used."""

    exit_code = 10


class UnsafeFileError(EyeshotError):
    """A file that asks for what is never done unasked: run code, open other files, take more than its share.

    What reading a file may take stands in ``eyeshot.frontends.files.Limits``.
    """

    exit_code = 11


class SpecError(EyeshotError):
    """A network written as text or YAML that cannot be read.

    ``position`` is the offset of the first character that is wrong, None where the network as a whole is. The message
    ends with the line it stands in, and a caret under it.
    """

    exit_code = 12

    def __init__(self, message: str, position: int | None = None) -> None:
        self.position = position
        super().__init__(message)
