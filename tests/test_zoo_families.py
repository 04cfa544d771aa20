"""A seeded slice of `make zoo-families`: the campaign's own code on a few models, none refused and none approximated."""

from __future__ import annotations

import importlib.util
import random
import sys
import warnings
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parent.parent / "tools" / "zoo_families.py"


@pytest.fixture(scope="module")
def campaign():
    spec = importlib.util.spec_from_file_location("zoo_families", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm's own, when all its files are imported
        spec.loader.exec_module(module)
    torch.set_num_threads(1)
    return module


def test_a_slice_of_the_zoo(campaign):
    references = [name for name in campaign.representatives() if name.startswith("timm:") or "resnet" in name]
    chosen = random.Random(20261122).sample(references, 8)
    for reference in chosen:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the zoo's own deprecations
            row = campaign.attempt(reference)
        assert row.problem == "", reference
        assert row.hull > 0, reference
        assert "unknown-op" not in row.reasons, reference


def test_every_timm_file_is_represented_once(campaign):
    references = campaign.representatives()
    assert len(references) == len(set(references))
    assert sum(reference.startswith("timm:") for reference in references) >= 90
    assert sum(reference.startswith("torchvision:") for reference in references) >= 100


def test_a_refusal_is_a_row(campaign):
    row = campaign.attempt("torchvision:no_such_model")
    assert row.problem.startswith("ModelReferenceError")
    assert "1 not" in campaign.table([row], 1.0)
