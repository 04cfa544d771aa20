"""Static masks against NumPy: what is cut, what a view carries, and what readers without knowledge of cuts read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyeshot.graph import Builder, Ref, masks
from eyeshot.graph.verify import verify
from eyeshot.relations import Constant
from tests.dense import dependence

INF = float("inf")
LEAST = np.finfo(np.float32).min


def start(*shape: int) -> tuple[Builder, Ref]:
    b = Builder()
    return b, b.input("x", shape)


def own(b: Builder, out: Ref, size: int) -> np.ndarray:
    """Which output elements read the input element of the same number, and assurance that they read no other."""
    verify(b.graph)
    reads = dependence(b.graph, out.node, "x").reshape(size, size)
    assert not (reads & ~np.eye(size, dtype=bool)).any()
    return reads.diagonal().reshape(out.shape)


@pytest.mark.parametrize(
    ("values", "cut"),
    [
        ([[0, -INF], [-INF, 1]], [[False, True], [True, False]]),
        ([[0, LEAST], [0, 0]], [[False, True], [False, False]]),
        ([[LEAST, LEAST], [0, LEAST]], [[False, False], [False, True]]),  # a softmax of equals
        ([[-INF, -INF], [0, 0]], [[True, True], [False, False]]),
        ([[LEAST, -INF], [0, 0]], [[False, True], [False, False]]),
        ([-INF, -100], [True, False]),
        (-INF, True),
        (0.0, None),
        ([[0, -100], [INF, 0]], None),
        ([[LEAST, LEAST]], None),
    ],
)
def test_what_an_additive_mask_removes(values, cut):
    found = masks.cutting(np.array(values, np.float32))
    assert (found is None) == (cut is None)
    if cut is not None:
        assert found.tolist() == cut


def test_only_floats_cut():
    assert masks.cutting(np.array([-(2**31)], np.int32)) is None
    assert masks.cutting(np.array([np.finfo(np.float16).min], np.float16)) is None
    assert masks.cutting(np.array([np.finfo(np.float16).min, 0], np.float16)).tolist() == [True, False]


@pytest.mark.parametrize(
    ("value", "removes"),
    [
        (-INF, True),
        (-65504.0, True),
        (-65503.0, False),
        (-100, False),
        (-(10**9), True),
        ("x", False),
        (None, False),
    ],
)
def test_fill_values_that_remove(value, removes):
    assert masks.cuts(value) is removes


SHAPES = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)


@st.composite
def kept(draw):
    """A shape, and a mask that broadcasts to it."""
    shape = draw(SHAPES)
    own_shape = tuple(draw(st.sampled_from([1, n])) for n in shape)[draw(st.integers(0, 1)) :]
    bits = draw(st.lists(st.booleans(), min_size=int(np.prod(own_shape)), max_size=int(np.prod(own_shape))))
    return shape, np.array(bits, bool).reshape(own_shape)


@given(kept())
def test_masked_elements_read_nothing(drawn):
    shape, keep = drawn
    b, x = start(*shape)
    out = masks.masked(b, x, keep)
    assert out.shape == shape
    assert np.array_equal(own(b, out, int(np.prod(shape))), np.broadcast_to(keep, shape))
    assert (out == x) == bool(keep.all())
    assert b.is_constant(out) == (not keep.any())


def test_a_large_mask_is_flagged_and_sound(monkeypatch):
    b, x = start(2, 3, 3)
    keep = np.eye(3, dtype=bool)
    monkeypatch.setattr(masks, "LARGEST_TABLE", 9)
    assert b.graph.nodes[masks.masked(b, x, keep).node].reason is None
    monkeypatch.setattr(masks, "LARGEST_TABLE", 8)
    out = masks.masked(b, x, keep)
    assert b.graph.nodes[out.node].reason == "large-static-mask"
    assert own(b, out, 18).all()


def test_a_cut_waits_until_a_reader_comes():
    b, x = start(2, 3, 3)
    cut = np.triu(np.ones((3, 3), bool), 1)
    held = masks.with_cut(b, x, cut)
    assert held.node == x.node
    assert np.array_equal(held.cut, cut)
    assert not held.zeroed
    for lost, reason in ((False, None), (True, "lost-mask")):
        out = masks.plain(b, held, lost=lost)
        assert out.cut is None
        assert b.graph.nodes[out.node].reason == reason
        assert np.array_equal(own(b, out, 18), np.broadcast_to(~cut, (2, 3, 3)))
    zeroed = masks.plain(b, held._replace(zeroed=True), lost=True)
    assert b.graph.nodes[zeroed.node].reason is None
    assert not zeroed.zeroed
    assert masks.plain(b, x, lost=True) == x


def test_a_cut_of_everything_leaves_a_constant():
    b, x = start(3, 3)
    out = masks.plain(b, masks.with_cut(b, x, np.ones((3, 3), bool)), lost=True)
    assert b.is_constant(out)


def test_cuts_add_up_and_vanish_where_nothing_is_cut():
    b, x = start(3, 3)
    one, two = np.eye(3, dtype=bool), np.tri(3, k=-1, dtype=bool)
    both = masks.with_cut(b, masks.with_cut(b, x, one), two)
    assert np.array_equal(both.cut, one | two)
    fresh = masks.with_cut(b, masks.with_cut(b, x, one)._replace(zeroed=True), two)
    assert np.array_equal(fresh.cut, two)
    assert not fresh.zeroed
    assert masks.with_cut(b, x, np.zeros((3, 3), bool)).cut is None


def test_only_what_all_heads_cut_is_cut_and_the_rest_flagged():
    b, x = start(2, 3, 3)
    cut = np.stack([np.eye(3, dtype=bool), np.tri(3, dtype=bool)])
    held = masks.with_cut(b, x, cut)
    assert np.array_equal(held.cut, cut[0] & cut[1])
    assert b.graph.nodes[held.node].reason == "mask-varies"
    alike = masks.with_cut(b, x, np.stack([cut[0], cut[0]]))
    assert alike.node == x.node
    constant = masks.with_cut(b, b.constant((2, 3, 3)), cut)
    assert isinstance(b.graph.nodes[constant.node].relation, Constant)


def test_a_flagged_cut_keeps_the_one_before():
    b, x = start(2, 3, 3)
    first = masks.with_cut(b, x, np.tri(3, k=-2, dtype=bool))
    held = masks.with_cut(b, first, np.stack([np.eye(3, dtype=bool), np.ones((3, 3), bool)]))
    assert b.graph.nodes[held.node].reason == "mask-varies"
    assert np.array_equal(held.cut, np.eye(3, dtype=bool) | np.tri(3, k=-2, dtype=bool))


def test_a_vector_is_cut_at_once():
    b, x = start(4)
    out = masks.with_cut(b, x, np.array([False, True, False, True]))
    assert out.cut is None
    assert own(b, out, 4).tolist() == [True, False, True, False]


def held_cut(zeroed: bool) -> tuple[Builder, Ref, np.ndarray]:
    b, x = start(2, 1, 3, 4)
    cut = np.tri(3, 4, k=-1, dtype=bool) | (np.arange(4) == 3)
    return b, masks.with_cut(b, x, cut)._replace(zeroed=zeroed), cut


@pytest.mark.parametrize("zeroed", [False, True])
@pytest.mark.parametrize(
    ("view", "turned"),
    [
        (lambda b, x: b.reshape(x, (2, 3, 4)), False),
        (lambda b, x: b.permute(x, (1, 0, 2, 3)), False),
        (lambda b, x: b.permute(x, (0, 1, 3, 2)), True),
        (lambda b, x: b.permute(x, (1, 0, 3, 2)), True),
        (lambda b, x: b.broadcast(x, (2, 5, 3, 4)), False),
        (lambda b, x: b.broadcast(x, (6, 2, 1, 3, 4)), False),
    ],
)
def test_views_of_the_last_two_axes_carry_a_cut(view, turned, zeroed):
    b, x, cut = held_cut(zeroed)
    out = view(b, x)
    assert np.array_equal(out.cut, cut.T if turned else cut)
    assert out.zeroed is zeroed
    assert out.shape[-2:] == out.cut.shape
    bare = Builder()
    assert out.shape == view(bare, bare.input("x", x.shape)).shape
    verify(b.graph)


@pytest.mark.parametrize("zeroed", [False, True])
@pytest.mark.parametrize(
    "view",
    [
        lambda b, x: b.reshape(x, (2, 12)),
        lambda b, x: b.permute(x, (2, 1, 0, 3)),
        lambda b, x: b.permute(x, (0, 2, 1, 3)),
        lambda b, x: b.along(x, {1: (masks.Table.of_rows([[0]], 1), 1)}),
        lambda b, x: b.concat([x, x], 1),
        lambda b, x: b.pointwise(x),
    ],
)
def test_what_breaks_them_apart_reads_what_is_left(view, zeroed):
    b, x, cut = held_cut(zeroed)
    out = view(b, x)
    assert out.cut is None
    verify(b.graph)
    expected = dependence(b.graph, out.node, "x")
    bare = Builder()
    same = view(bare, bare.input("x", x.shape))
    uncut = dependence(bare.graph, same.node, "x")
    assert np.array_equal(expected, uncut & ~cut)
    flags = {node.reason for node in b.graph.nodes}
    assert ("lost-mask" in flags) is not zeroed


@pytest.mark.parametrize(
    "read",
    [
        lambda b, x: b.reduce(x, [1]),
        lambda b, x: b.contract("abij,abij->abi", x, x),
        lambda b, x: b.dense([x], (1,), "unknown-op"),
    ],
)
def test_sums_and_products_need_no_flag(read):
    b, x, cut = held_cut(zeroed=False)
    reads = dependence(b.graph, read(b, x).node, "x")
    assert "lost-mask" not in {node.reason for node in b.graph.nodes}
    assert not (reads & cut).any()
    assert np.array_equal(reads.reshape(-1, *x.shape).any(0), np.broadcast_to(~cut, x.shape))


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=4))
def test_a_support_lists_what_is_left(rows):
    table = masks.support(np.array(rows))
    assert [table.row(i).tolist() for i in range(len(rows))] == [
        [j for j in range(4) if not row[j]] for row in rows
    ]
    assert table.input_size == 4
    assert table.output_size == len(rows)


@pytest.mark.parametrize("shape", [(4, 4), (1, 4, 4), (2, 4, 4), (1, 1, 4, 4)])
def test_broadcasts_of_any_rank_carry_a_cut(shape):
    b, x = start(*shape)
    cut = np.tri(4, k=-1, dtype=bool)
    out = b.broadcast(masks.with_cut(b, x, cut), (3, *(5 if n == 1 else n for n in shape)))
    assert np.array_equal(out.cut, cut)
