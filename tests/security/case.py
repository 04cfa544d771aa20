"""One hostile file: how it is made, and what has to come of opening it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

REFUSED = frozenset({10, 11})
"""Exit codes of `FileFormatError` and `UnsafeFileError`."""
ANSWERED = frozenset({0})
"""Of a file whose trap is not looked at: what is left is a network."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """A file that somebody sends.

    ``content`` is its bytes, or makes them; what is no plain file is built (with what it lures to) in a folder by
    ``build``, which says where it is. ``codes`` are the exit codes that opening it may end with.
    """

    suffix: str
    content: bytes | Callable[[], bytes] = b""
    codes: frozenset[int] = REFUSED
    build: Callable[[Path], Path] | None = None

    def write(self, folder: Path) -> Path:
        """Build it in an empty folder."""
        if self.build is not None:
            return self.build(folder)
        path = folder / f"net{self.suffix}"
        path.write_bytes(self.content if isinstance(self.content, bytes) else self.content())
        return path
