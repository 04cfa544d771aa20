"""A seeded slice of `python -m tools.jax_harness`, and whether the campaign would notice a rule that is wrong."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

import pytest

from eyeshot.frontends.jax.context import LOWERINGS
from eyeshot.frontends.jax.lower import load_lowerings

ROOT = Path(__file__).parents[3]
GROUPS = 24


@pytest.fixture(scope="module")
def campaign():
    from tools.jax_harness import check

    return check


def tally(campaign, group, most):
    numbers = campaign.groups()[group]
    return campaign.check((random.Random(group).sample(numbers, min(most, len(numbers))), "now"))


def test_a_slice_of_the_list(campaign):
    compared = Counter()
    for group in random.Random(20261123).sample(sorted(campaign.groups()), GROUPS):
        found = tally(campaign, group, 1)
        for kind in ("missed", "errors", "refused"):
            assert not found[kind], (group, found[kind], found["examples"])
        assert "" not in found["wide"], (group, found["examples"])
        compared.update(exact=found["exact"], all=found["comparisons"])
    assert compared["all"] > GROUPS
    assert compared["exact"] > 0.5 * compared["all"]


@pytest.fixture
def rev(monkeypatch):
    """Puts another function in the place of the lowering of one primitive."""
    load_lowerings()
    return lambda function: monkeypatch.setitem(LOWERINGS, "rev", function)


def test_a_rule_that_reads_too_little_is_unsound(campaign, rev):
    rev(lambda ctx, x, **params: x)
    found = tally(campaign, "rev", 4)
    assert found["missed"] > 0
    assert "by ['change', 'nan'" in found["examples"]["missed"]


def test_a_rule_that_reads_too_much_is_wider(campaign, rev):
    rev(lambda ctx, x, **params: ctx.dense([x], x.shape, None))
    assert tally(campaign, "rev", 4)["wide"][""] > 0
    rev(lambda ctx, x, **params: ctx.dense([x], x.shape, "unknown-op"))
    assert tally(campaign, "rev", 4)["wide"]["unknown-op"] > 0


def test_a_rule_that_fails_is_an_error(campaign, rev):
    rev(lambda ctx, x, **params: 1 / 0)
    assert tally(campaign, "rev", 4)["errors"]["ZeroDivisionError"] > 0
    rev(lambda ctx, x, **params: ctx.reshape(x, (-1, 1, 1, 1)))
    assert tally(campaign, "rev", 4)["errors"]["GraphError"] > 0


def test_a_primitive_without_a_rule_is_refused(campaign, monkeypatch):
    load_lowerings()
    monkeypatch.delitem(LOWERINGS, "rev")
    found = tally(campaign, "rev", 4)
    assert found["refused"]["rev"] > 0
    assert not found["comparisons"]


def test_the_committed_result_keeps_its_promises():
    text = (ROOT / "results" / "jax_harness.md").read_text(encoding="utf-8")
    assert "**0 unsound**" in text
    cases, groups = map(int, re.search(r"^(\d+) cases in (\d+) groups", text, re.MULTILINE).groups())
    assert cases >= 5594
    assert groups >= 132
    for verdict in ("wider", "refused", "unsound", "failed"):
        assert re.search(rf"^\| {verdict} \| 0 \|", text, re.MULTILINE), verdict
