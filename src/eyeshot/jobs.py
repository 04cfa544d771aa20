"""Long work. For now: work that must not be interrupted by the garbage collector."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def uncollected() -> Iterator[None]:
    """Hold back cyclic garbage collection.

    One pass over the heap of an imported framework takes longer (0.3 s with PyTorch) than a whole analysis, which makes
    many small objects and no cycles worth collecting.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
