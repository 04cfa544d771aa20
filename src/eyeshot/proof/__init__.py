"""Proofs: what a report says, checked on the user's own model by oracles that share nothing with the analyses."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from eyeshot.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eyeshot.fields import Mismatch, Oracle, Proof, Report

__all__ = ["Mismatch", "Oracle", "Proof", "verify"]


def __getattr__(name: str) -> object:
    """Each name on first use: `eyeshot.testing` loads nothing."""
    if name not in __all__:
        raise AttributeError(f"module 'eyeshot.proof' has no attribute {name!r}")
    return getattr(import_module("eyeshot.fields"), name)


def verify(
    model: Any,
    report: Report,
    units: int = 64,
    seed: int = 0,
    *,
    elements: int = 4,
    inputs: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    weights: str | None = None,
) -> Proof:
    """Check a report on its model with two oracles that share nothing with the analyses.

    The **linearised gradient** finds all that ``units`` random units, of tensors at all depths, depend on. The **NaN
    probe** poisons slabs and ``elements`` single places of the input in real forwards, and looks at every unit of every
    tensor that a module returns. The model is the same afterwards. A mismatch is reported, never raised.

    Parameters
    ----------
    model
        What the report was made of: a module, in the mode that it was read in, or a reference.
    inputs, kwargs
        As `eyeshot.analyze` took them, with real elements. Without them the one input is drawn at random.
    weights
        A ``.safetensors`` file for a referenced model; without it, its random ones.

    Raises
    ------
    EyeshotError
        where the model cannot be run on such inputs, or the report is a local view.

    Examples
    --------
    >>> report = eyeshot.analyze("timm:resnet18", input_size=(1, 3, 64, 64))
    >>> proof = eyeshot.verify("timm:resnet18", report)
    >>> len(proof.mismatches)
    0
    """
    if find_spec("torch") is None:
        raise MissingExtraError(
            f'verifying {report.model} runs it in PyTorch, which is not installed: pip install "eyeshot[torch]"'
        )
    from eyeshot.proof import checking

    return checking.verify(
        model, report, units, seed, elements=elements, inputs=inputs, kwargs=kwargs, weights=weights
    )
