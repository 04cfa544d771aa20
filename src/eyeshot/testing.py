"""Promises for tests: what a model's units may and must see, as assertions for any test suite.

>>> from eyeshot.testing import assert_causal
>>> assert_causal(model, layout="NTC", input_size=(1, 64, 512))

A broken promise raises an `AssertionError` with one concrete counterexample: a unit, an input element, and the modules
between them. Importing this costs next to nothing; frameworks load when an assertion runs.
"""

from __future__ import annotations

from eyeshot.proof.broken import Counterexample, PromiseError
from eyeshot.proof.promises import (
    assert_batch_independent,
    assert_causal,
    assert_independent,
    assert_local,
    assert_same_field,
    assert_sees,
)

__all__ = [
    "Counterexample",
    "PromiseError",
    "assert_batch_independent",
    "assert_causal",
    "assert_independent",
    "assert_local",
    "assert_same_field",
    "assert_sees",
]
