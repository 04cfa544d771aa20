"""A seeded slice of the campaign over the node tests of ONNX, whether it notices wrong rules, and which ops have any."""

from __future__ import annotations

import random
import re
import warnings
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("onnx")

from eyeshot.frontends.onnx.context import LOWERINGS
from eyeshot.frontends.onnx.lower import load_lowerings
from eyeshot.frontends.onnx.rules import Rule
from tools.onnx_nodes.cases import load, modules
from tools.onnx_nodes.check import check
from tools.onnx_nodes.more import more
from tools.onnx_nodes.report import DOMAINS, REFUSED, schemas

ROOT = Path(__file__).parents[3]
MORE = more()


def cases(*names: str):
    """The tests of a few modules of the onnx package."""
    wanted = [module for module in modules() if module.rpartition(".")[2] in names]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load(wanted)


def checked(name: str, module: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return check(cases(module)[name])


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_operator_is_lowered_or_refused_with_a_reason(domain):
    load_lowerings()
    known = {op for found, op in LOWERINGS if found == domain}
    refused = {op for found, op in REFUSED if found == domain}
    assert schemas(domain).keys() == (known | refused) & schemas(domain).keys()


@pytest.mark.parametrize("domain", DOMAINS)
def test_rules_begin_where_operators_changed(domain):
    """A rule that begins at an opset at which nothing changed is a slip of the pen."""
    load_lowerings()
    for op, versions in schemas(domain).items():
        rules = [rule.since for rule in LOWERINGS.get((domain, op), ())]
        assert {since for since in rules if since != 1} <= set(versions), op


def test_a_slice_of_the_node_tests():
    """About sixty tests of a few dozen ops, drawn from the modules that are quick to import."""
    chosen = random.Random(20261123).sample(modules(), 40)
    found = load(chosen)
    drawn = random.Random(20261124).sample(sorted(found), 60)
    total = Counter()
    for name in drawn:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            row = check(found[name], 0.05)
        for part in (row, row.get("frozen", {})):
            assert not part.get("unsound"), (name, part["unsound"])
            if not part.get("reasons"):
                total.update(pairs=part.get("pairs", 0), exact=part.get("exact", 0))
        assert not row.get("refused"), (name, row["refused"])
        assert not row["shapes"], (name, row["shapes"])
        total["twins"] += len(row["twins"])
        total["equal"] += sum(how == "equal" for how in row["twins"].values())
    assert total["pairs"] > 2000
    assert total["exact"] > 0.9 * total["pairs"]
    assert total["equal"] > 0.8 * total["twins"] > 5


@pytest.mark.parametrize("name", MORE)
def test_what_the_package_has_no_test_for(name):
    """Old opsets, sequences, ai.onnx.ml."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        row = check(MORE[name], 0.03)
    assert not row.get("refused")
    assert not row["unsound"]
    assert not row["shapes"]
    assert row["oracle"] != "none"


@pytest.fixture
def cumsum(monkeypatch):
    """Puts another function in the place of the lowering of one op."""
    load_lowerings()

    def put(function):
        monkeypatch.setitem(LOWERINGS, ("", "CumSum"), [Rule.of(function, 1, (None,))])

    return put


def test_a_rule_that_reads_too_little_is_unsound(cumsum):
    cumsum(lambda ctx, x, axis: ctx.pointwise(x))
    assert checked("test_cumsum_1d", "cumsum")["unsound"]


def test_a_rule_that_reads_too_much_is_loose(cumsum):
    cumsum(lambda ctx, x, axis: ctx.dense([x], x.shape, None))
    row = checked("test_cumsum_1d", "cumsum")
    assert not row["unsound"]
    assert row["exact"] < row["pairs"]
    assert row["loose"] == {"x -> 0": 10}


def test_a_rule_with_another_shape_is_noticed(cumsum):
    cumsum(lambda ctx, x, axis: ctx.slice(x, 0, 0, 3))
    assert checked("test_cumsum_1d", "cumsum")["shapes"]


def test_an_op_without_a_rule_is_refused_by_name(monkeypatch):
    load_lowerings()
    monkeypatch.delitem(LOWERINGS, ("", "CumSum"))
    assert "CumSum" in checked("test_cumsum_1d", "cumsum")["refused"]


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("gather", "test_gather_negative_indices"),
        ("gatherelements", "test_gather_elements_1"),
        ("gathernd", "test_gathernd_example_int32_batch_dim1"),
        ("scatterelements", "test_scatter_elements_with_duplicate_indices"),
        ("scatternd", "test_scatternd_add"),
        ("tensorscatter", "test_tensorscatter_circular"),
        ("reversesequence", "test_reversesequence_time"),
        ("negativeloglikelihoodloss", "test_nllloss_NCd1d2_with_weight_reduction_sum_ii"),
        ("maxunpool", "test_maxunpool_export_without_output_shape"),
    ],
)
def test_constant_indices_are_exact(module, name):
    """Where indices are constants of the model, every predicted pair is seen, and none is missing."""
    row = checked(name, module)["frozen"]
    assert not row["unsound"]
    assert row["exact"] == row["pairs"] > 0
    assert not row["reasons"]


def test_the_committed_result_keeps_its_promises():
    text = (ROOT / "results" / "onnx_nodes.md").read_text(encoding="utf-8")
    assert "**0 unsound**" in text
    counts = re.search(
        r"(\d+) tests, \d+ of the onnx package: (\d+) answered,\s+(\d+) refused by name, (\d+) failed", text
    )
    tests, answered, refused, failed = map(int, counts.groups())
    assert tests == answered + refused >= 1404 + len(MORE)
    assert failed == 0
    assert refused == 0
