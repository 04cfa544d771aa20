"""What any unit of a neural network can see of its input.

The names below are the public ones. They load on first use, so ``import eyeshot`` costs next to nothing
and imports neither a framework nor NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "Box",
    "CaptureError",
    "EffectiveField",
    "EyeshotError",
    "Field",
    "FileFormatError",
    "GraphError",
    "InputError",
    "MissingExtraError",
    "ModelReferenceError",
    "Monitor",
    "OcclusionMap",
    "QuestionError",
    "Report",
    "Spec",
    "SpecError",
    "UnsafeFileError",
    "UnsupportedOpError",
    "__version__",
    "analyze",
    "effective_field",
    "explain",
    "occlude",
    "parse",
    "receptive_field",
    "verify",
]

if TYPE_CHECKING:
    from eyeshot.effective import EffectiveField, Monitor, OcclusionMap, effective_field, occlude
    from eyeshot.errors import (
        CaptureError,
        EyeshotError,
        FileFormatError,
        GraphError,
        InputError,
        MissingExtraError,
        ModelReferenceError,
        QuestionError,
        SpecError,
        UnsafeFileError,
        UnsupportedOpError,
    )
    from eyeshot.fields import Field, Report
    from eyeshot.frontends.spec.parsing import parse
    from eyeshot.frontends.spec.tree import Spec
    from eyeshot.geometry import Box, receptive_field
    from eyeshot.pipeline import analyze
    from eyeshot.proof import verify
    from eyeshot.views.explain import explain
else:
    # Hidden from type checkers, to whom a module __getattr__ makes every misspelt name legal.
    _HOMES = {
        "Box": "geometry",
        "EffectiveField": "effective",
        "Field": "fields",
        "Monitor": "effective",
        "OcclusionMap": "effective",
        "Report": "fields",
        "Spec": "frontends.spec.tree",
        "analyze": "pipeline",
        "effective_field": "effective",
        "explain": "views.explain",
        "occlude": "effective",
        "parse": "frontends.spec.parsing",
        "receptive_field": "geometry",
        "verify": "proof",
    }

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'eyeshot' has no attribute {name!r}")
        value = getattr(import_module(f"eyeshot.{_HOMES.get(name, 'errors')}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
