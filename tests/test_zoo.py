"""A seeded slice of `make zoo`: the campaign's own code on a few models, none refused and none approximated."""

from __future__ import annotations

import gc
import importlib.util
import json
import random
import sys
import warnings
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from eyeshot.jobs import Outcome

SCRIPT = Path(__file__).parent.parent / "tools" / "zoo.py"


@pytest.fixture(scope="module")
def zoo():
    spec = importlib.util.spec_from_file_location("zoo", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm's own, when all its files are imported
        spec.loader.exec_module(module)
    torch.set_num_threads(1)
    gc.freeze()  # as in a child of the campaign: a pass over the frameworks' objects takes longer than a model
    yield module
    gc.unfreeze()


def test_a_slice_of_the_zoo(zoo):
    references = [name for name in zoo.everything() if name.startswith("timm:") or "resnet" in name]
    for reference in random.Random(20261122).sample(references, 6):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the zoo's own deprecations
            row = zoo.measure(reference)
        assert row.exact > 0, reference
        assert row.dense == 0, reference
        assert row.ours > 0 < row.peer, reference


def test_every_timm_file_is_represented_once(zoo):
    references = zoo.representatives()
    assert len(references) == len(set(references))
    assert sum(reference.startswith("timm:") for reference in references) >= 90
    assert sum(reference.startswith("torchvision:") for reference in references) >= 100
    assert set(references) < set(zoo.everything())


def test_refusals_crashes_and_dense_answers_are_counted_apart(zoo):
    done = {
        "model": "timm:c",
        "ours": 30.0,
        "peer": 20.0,
        "forward": 5.0,
        "boxes": 1.0,
        "law": 1.0,
        "exact": 7,
    }
    outcomes = [
        Outcome("timm:a", "abc", "refused", error="UnsupportedOpError", message="no lowering for\n  x | y"),
        Outcome("timm:b", "abc", "timed out", message="more than 240 s"),
        Outcome("timm:c", "abc", "done", done),
        Outcome("timm:d", "def", "done", {**done, "model": "timm:d", "dense": 2}),
    ]
    text = zoo.table("zoo", outcomes)
    assert "4 models: 1 answered, 1 answered with dense nodes, 2 not (50.00% answered)" in text
    assert "**timm:a**: refused: UnsupportedOpError no lowering for x / y" in text
    assert "0.1 s against 0.0 s, **1.50x**" in text
    assert "abc (3 rows), def (1 rows)" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert widths == {len(zoo.HEADS) + 1}


@pytest.mark.parametrize(
    ("again", "stand"),
    [(None, []), ("net$", ["timm:b"]), ("^$", ["timm:a_net", "timm:b"])],
)
def test_rows_of_other_commits_stand_only_where_asked(zoo, monkeypatch, tmp_path, again, stand):
    store = tmp_path / "zoo.jsonl"
    held = [Outcome("timm:a_net", "old", "done", {}), Outcome("timm:b", "old", "done", {})]
    held.append(Outcome("timm:c", "old", "timed out"))
    store.write_text("".join(json.dumps(asdict(outcome)) + "\n" for outcome in held))
    jobs = []
    monkeypatch.setattr(zoo, "STORE", store)
    monkeypatch.setattr(zoo, "measure", lambda reference: None)
    monkeypatch.setattr(zoo, "run", lambda work, given, **_: jobs.extend(given) or [])
    zoo.campaign(["timm:a_net", "timm:b", "timm:c", "timm:d"], again)
    assert [job.name for job in jobs if job.fingerprint == "old"] == stand
