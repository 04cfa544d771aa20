"""What a process does, by the audit events of Python: everything that is not plainly harmless is written down.

A hook cannot be taken away, and sees what happens in Python and its standard library; opens in C it misses, so there is
`test_traced.py` beside it. The events: https://docs.python.org/3/library/audit_events.html.
"""

from __future__ import annotations

import inspect
import os
import sys
import sysconfig
from pathlib import Path
from types import FrameType
from typing import Any

QUIET = frozenset(
    "object.__getattr__ object.__setattr__ object.__delattr__ sys._getframe sys._current_frames builtins.id "
    "gc.get_objects mmap.__new__ sys.unraisablehook sys.excepthook".split()
)
"""Events that reach nothing outside of the process."""

_PLACES = {
    *map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib")),
    sys.base_prefix,
    sys.prefix,
}
_ROOTS = tuple(os.path.realpath(place) + os.sep for place in _PLACES if place)
_SOURCES = str(Path(__file__).resolve().parents[2] / "src" / "eyeshot") + os.sep
_LOADER = "<frozen importlib._bootstrap"
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Watch:
    """Writes down events while it is ``on``.

    ``allowed`` is the one file that may be opened, ``words`` what the user wrote, in which calls of factories are parsed.
    """

    def __init__(self) -> None:
        self.on = False
        self.allowed = ""
        self.words = ""
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on or event in QUIET:
            return
        self.on = False  # what follows calls functions that raise events themselves
        try:
            if not self._harmless(event, arguments, _callers(sys._getframe(1))):
                self.seen.append(f"{event}{tuple(str(each)[:200] for each in arguments[:3])}")
        finally:
            self.on = True

    def _harmless(self, event: str, arguments: tuple[Any, ...], callers: tuple[str, str]) -> bool:
        loading = callers[0].startswith(_LOADER)
        match event, arguments:
            case "open", (int(), *_):
                return True
            case "open", (path, _, flags, *_):
                here = os.path.realpath(os.fsdecode(path))
                return not flags & _WRITING and (here == self.allowed or (loading and _ours(here)))
            case "os.listdir" | "marshal.loads", _:
                return loading
            case "import", (name, *_):
                return _known(name)
            case "exec", (code, *_):
                return _ours(code.co_filename)
            case "compile", (bytes() as source, _) if source.decode() in self.words:
                return True
            case "compile", (_, name):
                # `inspect` parses what functions written in C say of their arguments.
                return (loading and _ours(str(name))) or callers[1] == inspect.__file__
            case "os.putenv" | "os.unsetenv", (
                b"PYDANTIC_DISABLE_PLUGINS",
                *_,
            ):  # typer, for every command line
                return True
            case _:
                return False


def _callers(frame: FrameType | None) -> tuple[str, str]:
    """The files of the function that did it, and of the one that called that."""
    back = frame.f_back if frame else None
    return frame.f_code.co_filename if frame else "", back.f_code.co_filename if back else ""


def _ours(path: str) -> bool:
    """Whether a file belongs to Python, an installed package or eyeshot."""
    return os.path.realpath(path).startswith((*_ROOTS, _SOURCES))


def _known(name: str) -> bool:
    """Whether a module belongs to eyeshot, NumPy or the standard library; what else is needed is loaded before."""
    root = name.partition(".")[0]
    return root in {"eyeshot", "numpy"} or root in sys.stdlib_module_names
