"""Proofs: what a report says, checked on the user's own model by oracles that share nothing with the analyses."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eyeshot.fields import Mismatch, Oracle, Proof
    from eyeshot.proof.verifying import verify

__all__ = ["Mismatch", "Oracle", "Proof", "verify"]


def __getattr__(name: str) -> object:
    """Each name on first use: `eyeshot.testing` loads nothing."""
    if name not in __all__:
        raise AttributeError(f"module 'eyeshot.proof' has no attribute {name!r}")
    return getattr(import_module("eyeshot.proof.verifying" if name == "verify" else "eyeshot.fields"), name)
