"""Where proofs are shown: the command, the table, and the page of mismatches."""

from __future__ import annotations

import json
import sys

import pytest
from rich.console import Console
from torch import nn
from typer.testing import CliRunner

import eyeshot
from eyeshot.cli import app
from eyeshot.frontends.torch import context
from eyeshot.views.proofs import MOST, Checked
from eyeshot.views.text import Summary

SIZE = ("--input-size", "1,3,32,48")
FEW = ("--units", "6", "--elements", "2")


@pytest.fixture(autouse=True)
def _restored(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("COLUMNS", "160")


def run(*args: str):
    return CliRunner().invoke(app, ["verify", *args])


def shown(renderable: object) -> str:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


def test_the_command_tells_what_was_compared():
    done = run("tests.mystery:plain", *SIZE, *FEW, "--seed", "3")
    assert done.exit_code == 0, done.output
    first, second, *rest = done.stdout.splitlines()
    assert first.split() == ["tests.mystery:plain", "on", "input"]
    assert second.startswith("proved: 6 units and 2 input elements, ")
    assert second.endswith(" 0 mismatches by NaN probe and linearised gradient, seed 3")
    assert [line.split(":")[0].strip() for line in rest] == ["NaN probe", "linearised gradient"]


def test_json():
    done = run("tests.mystery:plain", *SIZE, *FEW, "--json")
    assert done.exit_code == 0, done.output
    held = json.loads(done.stdout)
    assert held["clean"]
    assert held["cells"] == sum(oracle["cells"] for oracle in held["oracles"])
    assert held["mismatches"] == []


def test_exit_status_where_something_differs(monkeypatch):
    report = eyeshot.analyze("tests.mystery:plain", (1, 3, 32, 48))
    assert report is not None  # the lowerings are loaded
    monkeypatch.setitem(
        context.LOWERINGS,
        "aten.convolution.default",
        lambda ctx, x, *_: ctx.dense([x], ctx.output_shape, "unknown-op"),
    )
    sound = run("tests.mystery:plain", *SIZE, *FEW)
    assert sound.exit_code == 0, "what is flagged as larger is not wrong"
    assert "sound" in sound.stdout
    monkeypatch.setitem(
        context.LOWERINGS,
        "aten.convolution.default",
        lambda ctx, x, *_: ctx.dense([x], ctx.output_shape, None),
    )
    wrong = run("tests.mystery:plain", *SIZE, *FEW)
    assert wrong.exit_code == 9, wrong.output
    assert "not proved" in wrong.stdout
    assert "mismatch: " in wrong.stdout


def test_errors_have_their_own_status():
    assert run("timm:no_such_model").exit_code == eyeshot.ModelReferenceError.exit_code
    assert run("tests.mystery:plain", "--input-size", "1,5,32,48").exit_code == eyeshot.InputError.exit_code
    assert 9 not in {kind.exit_code for kind in eyeshot.EyeshotError.__subclasses__()}


def test_a_table_shows_its_proof():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    report = eyeshot.analyze(model, (1, 3, 12, 12))
    assert "proved" not in shown(Summary(report))
    proof = eyeshot.verify(model, report, units=4, elements=1, seed=5)
    assert f"{proof.cells:,} cells, 0 mismatches" in shown(Summary(report.attach(proof)))


def test_a_page_lists_some_mismatches_and_counts_the_rest():
    report = eyeshot.analyze(nn.Conv2d(2, 2, 5, padding=2), (1, 2, 14, 15))
    proof = eyeshot.verify(nn.Conv2d(2, 2, 3, padding=1).eval(), report, units=24)
    page = shown(Checked(proof))
    assert len(proof.mismatches) > MOST
    assert page.count("mismatch: ") == MOST
    assert f"and {len(proof.mismatches) - MOST} more" in page
