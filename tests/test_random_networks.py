"""Random PyTorch networks through the whole pipeline: a seeded slice of `make random-networks`, and what it promises."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from eyeshot.frontends.torch.context import LOWERINGS
from eyeshot.jobs import Outcome
from tests.networks import Network, draw_network, networks, oracle
from tests.networks.check import examine, graph_of, skip_of
from tests.networks.oracle import gradient, nan_probe
from tests.networks.step import Do

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")

ROOT = Path(__file__).parent.parent
SLICE = 60
RELATIONS = set("Input Constant Pointwise Along Reshape Permute Broadcast Concat Contract Dense".split())


def test_a_slice_of_the_campaign():
    relations: Counter[str] = Counter()
    for seed in range(SLICE):
        found = examine(draw_network(Random(seed)), seed)
        assert found.verdict in {"exact", "sound"}, (seed, found)
        assert found.skip != "shrunk", seed
        relations.update(found.relations)
    assert set(relations) == RELATIONS


@settings(max_examples=30)
@given(networks())
def test_what_a_network_reads_is_found(network):
    found = examine(network)
    assert found.verdict in {"exact", "sound"}, found.why
    assert (found.verdict == "sound") == bool(found.reasons)


@settings(max_examples=30)
@given(networks(), st.integers(0, 1000))
def test_adding_a_skip_never_shrinks_a_box(network, seed):
    outcome = skip_of(network, graph_of(network, network.shape), Random(seed))
    assume(outcome)
    assert outcome == "kept"


def test_a_skip_reads_both_its_values():
    network = Network((1, 1, 9), [("pad", Do("shift", lambda x: x.roll(3, -1)), (0,))]).double()
    reads = gradient(network.with_skip(0, 0), torch.rand(1, 1, 9, dtype=torch.float64))
    assert np.array_equal(reads.reshape(9, 9), np.eye(9, dtype=bool) | np.roll(np.eye(9, dtype=bool), 3, 0))


def flipped(verdict):
    """A network that flips, and a lowering of the flip that misses elements, or reads too many."""
    network = Network((1, 2, 5), [("move", Do("flip(2)", lambda x: x.flip(2)), (0,))]).double()
    wrong = {
        "exact": LOWERINGS["aten.flip.default"],
        "unsound": lambda ctx, x, axes: x,
        "wide": lambda ctx, x, axes: ctx.broadcast(ctx.reduce(x, axes), x.shape),
    }
    return network, wrong[verdict]


@pytest.mark.parametrize("verdict", ["exact", "unsound", "wide"])
def test_a_wrong_lowering_is_noticed(monkeypatch, verdict):
    network, lowering = flipped(verdict)
    monkeypatch.setitem(LOWERINGS, "aten.flip.default", lowering)
    assert examine(network).verdict == verdict


def test_a_box_that_shrinks_is_noticed(monkeypatch):
    network = Network((1, 2, 5), [("pointwise", nn.ReLU(), (0,))])
    graph = graph_of(network, network.shape)
    monkeypatch.setitem(LOWERINGS, "aten.add.Tensor", lambda ctx, x, y, alpha=1: ctx.constant(x.shape))
    assert skip_of(network, graph, Random(0)) == "shrunk"


def test_the_oracles_know_a_window_with_holes():
    conv = nn.Conv1d(1, 1, 3, dilation=2, bias=False)
    network = Network((1, 1, 7), [("convolution", conv, (0,))]).double()
    x = network.draw_parameters(0)
    expected = np.array([[i - y in {0, 2, 4} for i in range(7)] for y in range(3)])
    for ask in (gradient, nan_probe):
        assert np.array_equal(ask(network, x).reshape(3, 7), expected)


def test_a_wrong_gradient_is_refuted(monkeypatch):
    network, _ = flipped("exact")
    monkeypatch.setattr(oracle, "gradient", lambda network, x: np.ones((1, 2, 5, 1, 2, 5), bool))
    found = oracle.truth(network)
    assert found.refuted
    assert np.array_equal(found.proved, found.reached)


def test_networks_are_the_same_for_the_same_seed():
    assert repr(draw_network(Random(7))) == repr(draw_network(Random(7)))
    x = draw_network(Random(7)).draw_parameters(1)
    assert torch.equal(x, draw_network(Random(7)).draw_parameters(1))


@pytest.fixture(scope="module")
def campaign():
    spec = importlib.util.spec_from_file_location(
        "tools_random_networks", ROOT / "tools" / "random_networks.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def outcomes(relations=10, **counts):
    """A chunk of a hundred networks, ten of them sound."""
    held = {"networks": 100, "exact": 90, "sound": 10, **counts}
    value = {"outcomes": held, "relations": dict.fromkeys(RELATIONS, relations), "problems": []}
    return [Outcome("0", "", "done", {"maps": {}, "families": {}, "ops": {}, "reasons": {}, **value})]


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({}, []),
        ({"exact": 89, "unsound": 1}, ["1 unsound", "only 89 of 90 exact"]),
        ({"exact": 89, "wide": 1}, ["only 89 of 90 exact"]),
        ({"inconsistent": 2}, ["2 inconsistent"]),
        ({"skip shrunk": 3}, ["3 boxes shrunk by a skip"]),
    ],
)
def test_promises(campaign, counts, words):
    assert campaign.broken(campaign.total(outcomes(**counts))) == words


def test_a_rare_relation_breaks_a_promise(campaign):
    (found,) = campaign.broken(campaign.total(outcomes(relations=4)))
    assert "Dense" in found


def test_an_unfinished_chunk_breaks_a_promise(campaign):
    late = Outcome("eyeshot 100", "", "timed out", message="over 900 s")
    found = campaign.total([*outcomes(), late])
    assert campaign.broken(found) == ["eyeshot 100: timed out  over 900 s"]
    assert "timed out" in campaign.report(found, None, [late]).partition("## Problem")[2]


def test_a_chunk_of_the_campaign(campaign):
    value = campaign.work([campaign.OURS, 3, 6])
    assert value["outcomes"]["networks"] == 3
    assert value["problems"] == []
    chunks = [Outcome(name, name, "done", value) for name in "ab"]
    text = campaign.report(campaign.total(chunks[:1]), None, chunks)
    assert "commit a (1 of 2 parts), b (1 of 2 parts)" in text
    assert "| networks | 3 |" in text
    assert "nnsmith was not installed" in text
