"""`make bench` measures what it says and tells kept promises from broken ones; nothing here is timed."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import eyeshot

ROOT = Path(__file__).parent.parent
SIZE = (1, 3, 16, 16)


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("benchmarks_run", ROOT / "benchmarks" / "run.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        spec.loader.exec_module(module)
        yield module
    for name in (spec.name, "pattern", "report"):
        del sys.modules[name]


def network(device="cpu"):
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, device=device), nn.BatchNorm2d(4, device=device), nn.ReLU()
    ).eval()


def test_the_sides_of_a_ratio_take_turns(bench):
    order = []
    medians = bench.alternate([lambda: order.append("a"), lambda: order.append("b")], 3)
    assert order == ["a", "b"] * 4  # a first turn is not counted
    assert len(medians) == 2
    assert all(0 < each < 1000 for each in medians)


def test_a_median_ignores_one_slow_turn(bench, monkeypatch):
    clock = iter([0, 500, 600, 601, 610, 612, 620, 1520])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert bench.alternate([lambda: None], 3) == [2000]


@pytest.mark.parametrize(
    ("kind", "ours", "peer", "limit", "ratio", "kept"),
    [
        ("faster", 10, 50, 5, 5, True),
        ("faster", 10, 49, 5, 4.9, False),
        ("within", 15, 10, 1.5, 1.5, True),
        ("within", 16, 10, 1.5, 1.6, False),
        ("faster", 10, 49, None, 4.9, None),
        ("within", 16, 10, None, 1.6, None),
    ],
)
def test_promises(bench, kind, ours, peer, limit, ratio, kept):
    row = getattr(bench, kind)("this", ours, peer, "that", limit)
    assert row.ratio == pytest.approx(ratio)
    assert row.kept is kept
    assert bool(row.promise) is (limit is not None)
    assert row.cells()[-1] == {True: "yes", False: "**no**", None: ""}[kept]


def test_a_small_network_through_every_stage(bench):
    calls = []
    model = network()
    model.register_forward_hook(lambda *_: calls.append(1))
    bench.everything(model, SIZE)
    assert len(calls) == 1
    found = bench.parts(network(), network("meta"), SIZE, 1)
    assert min(vars(found).values()) > 0
    promised, stated, sets, mask = bench.shares("small", found, 0.15, 0.08)
    assert (sets.ours, mask.ours) == (found.sets, found.mask)
    assert promised.ours == found.boxes + found.law
    assert stated.ours == pytest.approx(promised.ours + found.lowering)
    assert promised.peer == stated.peer == found.plain
    assert stated.kept is None


def test_the_law_is_asked_at_both_sizes(bench, monkeypatch):
    seen = []
    original = eyeshot.analyze
    monkeypatch.setattr(eyeshot, "analyze", lambda model, size: seen.append(size) or original(model, size))
    row = bench.law_at(network(), SIZE, (1, 3, 65536, 65536), 1)
    assert sorted(seen) == [SIZE, (1, 3, 65536, 65536)]
    assert "65536 px" in row.what
    assert "16 px" in row.rival


def test_the_pattern_of_a_network_of_one_axis(bench):
    channels, length = (2, 3, 3, 2), 12
    at = np.arange(length)
    band = abs(at[:, None] - at) <= 3  # three kernels of three
    expected = np.tile(band, (2, 2))  # every channel reads every channel
    assert np.array_equal(bench.pattern.written_out(channels, length)(), expected)
    detected = bench.pattern.ours(channels, length)()
    units = np.stack([detected.mask(-1, (0, c, y)).reshape(-1) for c in range(2) for y in range(length)])
    assert np.array_equal(units, expected)


def test_without_asdex_its_promise_is_not_kept(bench, monkeypatch):
    monkeypatch.setattr(bench.pattern, "find_spec", lambda name: None)
    (row,) = bench.pattern.rows(1)
    assert row.kept is False
    assert "not installed" in row.what


ZOO = """# Zoo families

| model | build | read | boxes | law | meta forward | hull | sound |
|---|--:|--:|--:|--:|--:|--:|--:|
| timm:one | 1 | 2 | 3.0 | 1.0 | 10 | 5 | 0 |
| timm:two | 1 | 2 | 30.5 | 1.5 | 40 | 5 | 0 |
| torchvision:real | 1 | 2 | 300.0 | 1.0 |  | 5 | 0 |
"""


def test_the_worst_of_the_zoo_is_read_from_the_table(bench, tmp_path):
    place = tmp_path / "zoo.md"

    def ask(text, *limits):
        place.write_text(text, encoding="utf-8")
        return bench.of_the_zoo(place, ["boxes", "law"], *limits)

    (row,) = ask(ZOO, 1)
    assert "timm:two" in row.what
    assert "worst of 2" in row.what
    assert (row.ours, row.peer, row.kept) == (32, 40, True)
    assert ask(ZOO.replace("30.5", "39.5"), 1)[0].kept is False
    assert [row.kept for row in ask(ZOO, 1, 0.5)] == [True, False]
    assert ask("", 1)[0].kept is False


def test_fresh_processes(bench, monkeypatch):
    monkeypatch.setattr(bench, "MEMORY", {"{name} alone": "block = b'x' * ({size}[0] * 2**20 * 16)"})
    ((label, small),) = bench.memory("this", (0,))
    ((_, large),) = bench.memory("this", (8,))
    assert label == "this alone"
    assert large - small > 100
    rows = bench.imports(1)
    assert [row.kept for row in rows if row.what.startswith("frameworks")] == [True]
    assert bench.importing("import time; time.sleep(0.05)") >= 50


def test_the_record(bench):
    rows = [
        bench.faster("this", 10, 60, "that", 5),
        bench.within("other", 2, 1, "that", 1.5),
        bench.Row("plain", 3),
    ]
    text = bench.record(rows, bench.Parts(12, 4, 2, 2, 1, 1, 40), [("a process", 512.4)], 3)
    lines = text.splitlines()
    assert "| this | 10.00 | 60.00 | that | 6x | at least 5x faster | yes |" in lines
    assert "| other | 2.00 | 1.00 | that | 2x | at most 1.5x of the peer | **no** |" in lines
    assert "| plain | 3.00 |  |  |  |  |  |" in lines
    assert "1 of 2 promises kept; broken: other." in lines
    assert "| capture | 12.00 | 60% |" in lines
    assert "| a process | 512 |" in lines
    assert f"torch {torch.__version__.partition('+')[0]}" in text
    head = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True)
    assert f"commit {head.strip()}" in text
    assert "medians of 3 rounds" in text


@pytest.mark.parametrize(("kept", "status"), [(True, 0), (None, 0), (False, 1)])
def test_a_broken_promise_fails_the_command(bench, monkeypatch, tmp_path, capsys, kept, status):
    rows = [bench.Row("this", 1, kept=kept)]
    monkeypatch.setattr(
        bench, "measure", lambda rounds: (rows, bench.Parts(1, 1, 1, 1, 1, 1, 1), [("a process", 7)])
    )
    monkeypatch.setattr(bench, "RESULT", tmp_path / "results" / "bench.md")
    monkeypatch.setattr(sys, "argv", ["run.py", "--rounds", "2"])
    assert bench.main() == status
    assert "medians of 2 rounds" in bench.RESULT.read_text()
    assert "a process: 7 MiB" in capsys.readouterr().out
