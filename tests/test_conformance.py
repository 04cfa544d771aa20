"""A seeded slice of `make conformance`, and whether the campaign would notice a rule that is wrong."""

from __future__ import annotations

import random
import re
import warnings
from collections import Counter
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def campaign():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.testing's own
        from tools.conformance import check, samples
    torch.set_num_threads(1)
    return check, samples


def spatial():
    lines = (ROOT / "tests" / "data" / "spatial_ops.txt").read_text(encoding="utf-8").splitlines()
    return [name for line in lines if not line.startswith("#") for name in line.split()]


def tally(campaign, name, most=2):
    with warnings.catch_warnings():
        return campaign[0].check((name, most, "now"))


def test_a_slice_of_the_table(campaign):
    chosen = random.Random(20261123).sample(spatial(), 40)
    compared = Counter()
    for name in chosen:
        found = tally(campaign, name)
        assert not found["missed"], (name, found["examples"])
        assert not found["errors"], (name, found["examples"])
        assert not found["refused"], (name, found["refused"])
        assert "" not in found["wide"], (name, found["examples"])
        compared.update(exact=found["exact"], all=found["comparisons"])
    assert compared["all"] > 60
    assert compared["exact"] > 0.9 * compared["all"]


def test_the_spatial_list_names_what_there_is(campaign):
    names = spatial()
    assert len(names) == len(set(names)) > 350
    assert set(names) <= set(campaign[1].subjects())


@pytest.fixture
def roll(monkeypatch):
    """Puts another function in the place of the lowering of one op."""
    from eyeshot.frontends.torch.context import LOWERINGS
    from eyeshot.frontends.torch.lower import load_lowerings

    load_lowerings()
    return lambda function: monkeypatch.setitem(LOWERINGS, "aten.roll.default", function)


def test_a_rule_that_reads_too_little_is_unsound(campaign, roll):
    roll(lambda ctx, x, *args: x)
    found = tally(campaign, "roll", 12)
    assert found["missed"] > 0
    assert "by ['gradient', 'change', 'nan']" in found["examples"]["missed"]


def test_a_rule_that_reads_too_much_is_wider(campaign, roll):
    roll(lambda ctx, x, *args: ctx.dense([x], x.shape, None))
    assert tally(campaign, "roll", 12)["wide"][""] > 0
    roll(lambda ctx, x, *args: ctx.dense([x], x.shape, "unknown-op"))
    assert tally(campaign, "roll", 12)["wide"]["unknown-op"] > 0


def test_a_rule_that_fails_is_an_error(campaign, roll):
    roll(lambda ctx, x, *args: 1 / 0)
    assert tally(campaign, "roll", 12)["errors"]["ZeroDivisionError"] > 0
    roll(lambda ctx, x, *args: ctx.reshape(x, (-1, 1)))
    assert tally(campaign, "roll", 12)["errors"]["GraphError"] > 0


def test_an_op_without_a_rule_is_refused(campaign, monkeypatch):
    from eyeshot.frontends.torch.context import LOWERINGS

    monkeypatch.delitem(LOWERINGS, "aten.roll.default")
    found = tally(campaign, "roll", 12)
    assert found["refused"]["aten.roll.default"] > 0
    assert not found["comparisons"]


def test_the_committed_result_keeps_its_promises():
    text = (ROOT / "results" / "conformance.md").read_text(encoding="utf-8")
    assert "**0 unsound**" in text
    operators, modules = map(
        int, re.search(r"^(\d+) operators and (\d+) modules", text, re.MULTILINE).groups()
    )
    assert operators >= 703
    assert modules >= 114
    of, exact = map(int, re.search(r"Of (\d+) with spatial meaning .* \*\*(\d+) are exact", text).groups())
    assert of == len(spatial())
    assert exact >= 0.95 * of
    for verdict in ("wider", "unsound", "failed"):
        assert re.search(rf"^\| {verdict} \| 0 \| 0 \|", text, re.MULTILINE), verdict
