"""Small models of keras.applications against NaN, and published figures."""

from __future__ import annotations

import pytest

import eyeshot
from tests.frontends.keras.backend import keras
from tools.keras_applications import probed


@pytest.mark.parametrize(
    ("name", "options"),
    [("MobileNetV2", {"alpha": 0.35}), ("MobileNet", {"alpha": 0.25})],
    ids=str,
)
def test_boxes_are_what_nan_says(name, options):
    model = getattr(keras.applications, name)(
        weights=None, include_top=False, input_shape=(None, None, 3), **options
    )
    cells, wrong = probed(model, (1, 97, 112, 3), places=1)
    assert cells > 1_000_000
    assert wrong == 0


@pytest.mark.parametrize(
    ("name", "layer", "size", "stride"),
    [
        # Araujo, Norris & Sim, "Computing Receptive Fields of Convolutional Neural Networks" (Distill 2019)
        ("ResNet50", "conv5_block3_out", 483, 32),
        ("VGG16", "block5_pool", 212, 32),
    ],
)
def test_published_figures(name, layer, size, stride):
    model = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(None, None, 3))
    field = eyeshot.analyze(model, (1, 224, 224, 3))[layer]
    assert (field.size, field.stride) == ((size, size), (stride, stride))
