"""The campaign's results as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eyeshot.jobs import Outcome


def write(root: Path, outcomes: Mapping[str, Outcome]) -> None:
    """To be written."""
