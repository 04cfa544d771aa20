"""A seeded slice of `make zoo`: the campaign's own code on a few models, none refused and none approximated."""

from __future__ import annotations

import gc
import importlib
import json
import random
import warnings
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from eyeshot.jobs import Outcome

TOOLS = Path(__file__).parent.parent / "tools"


@pytest.fixture(scope="module")
def tools():
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.syspath_prepend(TOOLS)
        warnings.simplefilter("ignore")  # timm's own, when all its files are imported
        return importlib.import_module("zoo"), importlib.import_module("verify_zoo")


@pytest.fixture(scope="module")
def zoo(tools):
    module, _ = tools
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
    monkeypatch.setattr(zoo, "run", lambda work, given, **_: jobs.extend(given))
    names = ["timm:a_net", "timm:b", "timm:c", "timm:d"]
    zoo.campaign(print, dict.fromkeys(names), store, limits=zoo.LIMITS, warm=(), again=again)
    assert [job.name for job in jobs] == names
    assert [job.name for job in jobs if job.fingerprint == "old"] == stand


def test_models_are_drawn_by_a_rule_and_a_seed(tools, monkeypatch, tmp_path):
    _, verify_zoo = tools
    table = tmp_path / "zoo.md"
    fit = [f"timm:small_{number}" for number in range(30)]
    rows = [(name, "224×224", "60.0") for name in fit]
    rows += [("timm:deep", "224×224", "60.1"), ("timm:wide", "224×385", "1.0"), ("timm:refused", "", "0.0")]
    lines = [
        "# Zoo",
        "| model | input | M parameters |",
        "|---|--:|--:|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    table.write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr(verify_zoo, "ZOO", table)
    assert verify_zoo.population() == (fit, ["timm:deep", "timm:wide"])
    drawn = verify_zoo.draw(fit, 10, 0)
    assert len(set(drawn)) == 10
    assert drawn != verify_zoo.draw(fit, 10, 1)
    assert set(drawn) - {drawn[0]} < set(verify_zoo.draw([name for name in fit if name != drawn[0]], 10, 0))
