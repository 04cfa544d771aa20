"""The mutation tool itself, and a seeded slice of `make mutants`."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from eyeshot.jobs import Job, Limits, Outcome, run
from tools.mutants.__main__ import FEW, SCOPE, campaign, drawn, everything, explanations, how, table
from tools.mutants.operators import Mutant, mutants, mutated
from tools.mutants.trial import trial

ROOT = Path(__file__).parents[1]
SOURCE = '''
"""A text."""
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import numpy
Kind = int | str

def first(x: int, n: int = 3) -> int | None:
    """Another 1."""
    if not x or len(x) < n:
        raise ValueError(f"{1} of 2")
    assert len(x) == 3
    return max(x[1:], key=n) + 1

class Box:
    def __repr__(self):
        return "1" * 2
'''


def changes(source: str) -> set[tuple[str, str]]:
    return {(mutant.old, mutant.new) for mutant in mutants(source, "f.py")}


def test_every_kind_of_change_and_no_other():
    header = "def first(x: int, n: int={}) -> int | None:"
    value = "return max(x[1:], key=n) + 1"
    assert changes(SOURCE) == {
        (header.format(3), header.format(4)),
        (header.format(3), header.format(2)),
        ("if not x or len(x) < n:", "if not (not x or len(x) < n):"),
        ("if not x or len(x) < n:", "if not x and len(x) < n:"),
        ("if not x or len(x) < n:", "if x or len(x) < n:"),
        ("if not x or len(x) < n:", "if not x or len(x) <= n:"),
        ("if not x or len(x) < n:", "if not x or len(x) >= n:"),
        ("raise ValueError(f'{1} of 2')", "pass"),
        (value, "return None"),
        (value, "return max(x[1:], key=n) - 1"),
        (value, "return min(x[1:], key=n) + 1"),
        (value, "return max(x[1:]) + 1"),
        (value, "return max(x[:], key=n) + 1"),
        (value, "return max(x[2:], key=n) + 1"),
        (value, "return max(x[0:], key=n) + 1"),
        (value, "return max(x[1:], key=n) + 2"),
        (value, "return max(x[1:], key=n) + 0"),
    }


def test_a_change_is_made_in_one_place():
    found = mutants(SOURCE, "f.py")
    plain = ast.unparse(ast.parse(SOURCE)).splitlines()
    for mutant in found:
        changed = ast.unparse(mutated(SOURCE, mutant.number)).splitlines()
        different = [(a, b) for a, b in zip(plain, changed, strict=True) if a != b]
        assert [(a.strip(), b.strip()) for a, b in different] == [(mutant.old, mutant.new)]
        assert SOURCE.splitlines()[mutant.line - 1].strip()[:6] == mutant.old[:6]
    with pytest.raises(IndexError):
        mutated(SOURCE, len(found))


def test_samples_are_seeded_and_outlive_edits():
    found = mutants(SOURCE, "f.py")
    few = drawn(found, 5, 1)
    assert few == drawn(found[::-1], 5, 1)
    assert few != drawn(found, 5, 2)
    assert set(drawn([mutant for mutant in found if mutant not in few[:1]], 5, 1)) > set(few[1:])


def test_the_result_counts_and_explains():
    one, two, three = (Mutant("relations/a.py", i, i, "f", f"x | {i}", f"x & {i}") for i in range(3))
    ended = {
        one: Outcome("a", "", "done", {"by": "tests/a", "tests": 1, "seconds": 60}),
        two: Outcome("b", "", "timed out", message="too long", seconds=60),
        three: Outcome("c", "", "done", {"by": "", "tests": 9, "seconds": 60}),
    }
    text = table(ended, 9, "abc", 7, {three.name: "speed: none"})
    assert "3 mutants drawn from the 9" in text
    assert "2 killed (66.7%)" in text
    assert "1 by a test, 1 by a limit" in text
    assert "1 alive, 1 of them explained" in text
    assert "| relations/a.py | 3 | 2 |" in text
    assert "`x \\| 2` → `x & 2` | speed: none |" in text
    assert "**unexplained**" in table(ended, 9, "abc", 7, {})


def test_explanations_say_of_what_kind_they_are():
    assert {why.partition(":")[0] for why in explanations().values()} <= {
        "equivalent",
        "speed",
        "a gap, closed since",
        "a gap, open",
    }


def ends(file: str, number: int | None) -> Outcome:
    task = {"root": str(ROOT), "file": file, "number": number, "examples": 1}
    (outcome,) = run(trial, [Job("one", task)], limits=Limits(120), warm=["tools.mutants.trial"])
    return outcome


def test_a_mutant_is_killed_by_a_test_that_notices():
    file = "graph/verify.py"
    found = mutants((ROOT / "src" / "eyeshot" / file).read_text(encoding="utf-8"), file)
    inverted = next(m for m in found if (m.scope, m.new) == ("verify", "if not problem:"))
    outcome = ends(file, inverted.number)
    assert outcome.status == "done"
    assert outcome.value["by"].startswith("tests/graph/")


def test_a_slice_of_the_campaign(monkeypatch, tmp_path):
    monkeypatch.setattr("tools.mutants.__main__.BUILD", tmp_path)
    monkeypatch.setattr("tools.mutants.__main__.MANY", FEW + 1)
    found = everything(ROOT)
    assert {Path(mutant.file).match(pattern) for mutant in found for pattern in SCOPE} == {True, False}
    sample = drawn(found, 4, 20261122)
    ended = campaign(ROOT, sample)
    assert {outcome.status for outcome in ended.values()} <= {"done", "timed out"}
    assert sum(bool(how(outcome)) for outcome in ended.values()) >= 3, table(ended, len(found), "here", 0, {})
