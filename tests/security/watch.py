"""What a process does, by the audit events of Python: everything that is not plainly harmless is written down.

A hook cannot be taken away, and sees what happens in Python and its standard library; opens in C it misses, so there is
`test_traced.py` beside it. The events: https://docs.python.org/3/library/audit_events.html.
"""

from __future__ import annotations

import inspect
import os
import sys
import sysconfig
from typing import Any

QUIET = frozenset(
    "object.__getattr__ object.__setattr__ object.__delattr__ sys._getframe sys._current_frames builtins.id "
    "gc.get_objects mmap.__new__ cpython._PySys_ClearAuditHooks sys.unraisablehook sys.excepthook".split()
)
"""Events that reach nothing outside of the process."""

_ROOTS = tuple(
    os.path.realpath(place)
    for place in {
        *map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib")),
        sys.base_prefix,
        sys.prefix,
    }
    if place
)
_SOURCES = os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))), "src", "eyeshot"
)
_LOADER = "<frozen importlib._bootstrap_external>"


class Watch:
    """Writes down events while it is ``on``; ``allowed`` is the one file that may be opened."""

    def __init__(self) -> None:
        self.on = False
        self.allowed = ""
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on or event in QUIET:
            return
        self.on = False  # what follows calls functions that raise events themselves
        try:
            if not self._harmless(event, arguments):
                self.seen.append(f"{event}{tuple(str(each)[:200] for each in arguments[:3])}")
        finally:
            self.on = True

    def _harmless(self, event: str, arguments: tuple[Any, ...]) -> bool:
        loading = sys._getframe(3).f_code.co_filename == _LOADER
        match event, arguments:
            case "open", (int(), *_):
                return True
            case "open", (path, mode, flags, *_):
                writes = isinstance(flags, int) and flags & (
                    os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
                )
                here = os.path.realpath(os.fsdecode(path))
                return not writes and (here == self.allowed or (loading and _ours(here)))
            case "os.listdir" | "os.scandir", (path, *_):
                return loading
            case "import", (name, *_):
                return _known(name)
            case "marshal.loads", _:
                return loading
            case "exec", (code, *_):
                return _ours(code.co_filename)
            case "compile", (_, name, *_):
                return (
                    isinstance(name, str)
                    and _ours(name)
                    and sys._getframe(3).f_code.co_filename.startswith("<frozen ")
                )
            case _:
                return False


def _loads_source(name: object) -> bool:
    """Whether the import system compiles one of our own files."""
    return isinstance(name, str) and _ours(name) and sys._getframe(4).f_code.co_filename.startswith("<frozen ")


def _reads_signature() -> bool:
    """Whether `inspect` parses what a function written in C says of its arguments."""
    return sys._getframe(5).f_code.co_filename == inspect.__file__


def _ours(path: str) -> bool:
    """Whether a file belongs to Python, an installed package or eyeshot."""
    return os.path.realpath(path).startswith((*_ROOTS, _SOURCES))


def _known(name: str) -> bool:
    """Whether a module belongs to eyeshot, NumPy or the standard library; what else is needed is loaded before."""
    root = name.partition(".")[0]
    return root in {"eyeshot", "numpy"} or root in sys.stdlib_module_names
