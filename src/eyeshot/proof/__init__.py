"""Proofs: what a report says, checked on the user's own model by oracles that share nothing with the analyses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyeshot.fields import Mismatch, Oracle, Proof

if TYPE_CHECKING:
    from eyeshot.proof.checking import verify

__all__ = ["Mismatch", "Oracle", "Proof", "verify"]


def __getattr__(name: str) -> object:
    if name != "verify":
        raise AttributeError(f"module 'eyeshot.proof' has no attribute {name!r}")
    from eyeshot.proof.checking import verify  # loads the framework

    return verify
