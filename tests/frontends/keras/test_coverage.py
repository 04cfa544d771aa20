"""Every public layer of Keras, and every op, is lowered or refused by name and with a reason."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

from eyeshot.frontends.keras.context import LOWERINGS
from eyeshot.frontends.keras.lower import load_lowerings
from eyeshot.frontends.keras.refused import REFUSED
from eyeshot.frontends.keras.walk import INPUT
from tests.frontends.keras.backend import keras
from tests.frontends.keras.support_page import page

load_lowerings()
PAGE = Path(__file__).parents[3] / "docs" / "support_keras.md"


def _public_layers():
    found = [getattr(keras.layers, name) for name in dir(keras.layers)]
    return {f"layers.{each.__name__}" for each in found if inspect.isclass(each)}


def _ops():
    for module in ("numpy", "nn", "core", "image", "linalg", "math", "einops"):
        found = importlib.import_module(f"keras.src.ops.{module}")
        for name, each in vars(found).items():
            if (
                inspect.isclass(each)
                and issubclass(each, keras.Operation)
                and each.__module__ == found.__name__
            ):
                yield f"{module}.{name}"


def test_every_layer_is_lowered_or_refused():
    unanswered = _public_layers() - set(LOWERINGS) - set(REFUSED) - {INPUT}
    assert not unanswered


def test_every_op_is_lowered_or_refused():
    assert not set(_ops()) - set(LOWERINGS) - set(REFUSED)


def test_what_is_named_exists():
    # These were public in other versions of Keras 3, or are keras.applications' own.
    others = {"layers.GroupQueryAttention", "layers.LayerScale", "layers.CustomScaleLayer"}
    assert {*LOWERINGS, *REFUSED} - _public_layers() - set(_ops()) == others


def test_nothing_is_both_lowered_and_refused():
    assert not set(LOWERINGS) & set(REFUSED)


def test_the_page_is_that_of_the_tables():
    assert PAGE.read_text() == page(), (
        "rewrite it: python -m tests.frontends.keras.support_page > docs/support_keras.md"
    )
