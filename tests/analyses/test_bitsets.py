"""Bitsets against Python's own sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eyeshot.analyses.bitsets import Bitset, members, runs
from eyeshot.analyses.terms import Term

EXTENT = 70  # more than a word


def words(*sets: set[int]) -> np.ndarray:
    """Payload first, one set a column."""
    out = np.zeros((2, len(sets)), np.uint64)
    for column, each in enumerate(sets):
        for i in each:
            out[i // 64, column] |= np.uint64(1 << (i % 64))
    return out


INDICES = st.one_of(
    st.sets(st.sampled_from([0, 1, 2, 62, 63, 64, 65, 69])),
    st.integers(0, 60).flatmap(lambda a: st.integers(a + 1, EXTENT).map(lambda b: set(range(a, b)))),
)


@given(st.lists(INDICES, min_size=1, max_size=3))
def test_members_and_runs(sets):
    held = words(*sets)
    assert [set(np.flatnonzero(row).tolist()) for row in members(held, EXTENT)] == sets
    found = runs(held, EXTENT)
    assert found.count.tolist() == [len(each) for each in sets]
    assert found.first.tolist() == [min(each, default=EXTENT) for each in sets]
    assert found.last.tolist() == [max(each, default=-1) for each in sets]
    assert found.whole == all(len(each) == max(each, default=-1) - min(each, default=0) + 1 for each in sets)


@given(st.integers(1, 130))
def test_own_indices_and_all_of_them(extent):
    lattice = Bitset()
    own = lattice.singletons(extent)
    assert np.array_equal(members(own, extent), np.eye(extent, dtype=bool))
    whole = np.bitwise_or.reduce(own, axis=1, keepdims=True)
    assert lattice.saturated(whole, extent)
    less = np.bitwise_or.reduce(own[:, 1:], axis=1, keepdims=True)
    assert not lattice.saturated(less, extent)
    assert not lattice.saturated(np.concatenate([whole, whole], 1), extent)


PAIRS = st.lists(st.tuples(st.sets(st.integers(0, 3)), st.sets(st.integers(0, 3))), min_size=2, max_size=2)


def term(pairs, exact):
    return Term((words(*(a for a, _ in pairs)), words(*(b for _, b in pairs))), exact=exact)


def products(pairs):
    return [{(i, j) for i in a for j in b} for a, b in pairs]


@given(PAIRS, PAIRS, st.booleans(), st.booleans())
def test_a_union_is_exact_only_where_it_is_a_product(one, other, exact, same):
    found = Bitset().united(term(one, exact), term(other, same))
    if found is None:
        return
    (first, second), claimed = found
    united = [
        (set(np.flatnonzero(a).tolist()), set(np.flatnonzero(b).tolist()))
        for a, b in zip(members(first, 4), members(second, 4), strict=True)
    ]
    assert united == [(a | c, b | d) for (a, b), (c, d) in zip(one, other, strict=True)]
    if claimed:
        # Exact where each operand is, or where the one that is holds the other.
        both = [p | q for p, q in zip(products(one), products(other), strict=True)]
        assert products(united) == both
        assert exact or same


def test_one_that_holds_the_other_unites_with_it():
    large, small = [({0, 1}, {0, 1})] * 2, [({0}, {1})] * 2
    lattice = Bitset()
    for exact in (True, False):
        for first, second in (
            (term(large, True), term(small, exact)),
            (term(small, exact), term(large, True)),
        ):
            sets, claimed = lattice.united(first, second)
            assert claimed
            assert np.array_equal(sets[0], words({0, 1}, {0, 1}))
    assert lattice.united(term(large, False), term(small, True)) is None


def test_what_differs_on_two_axes_stays_apart():
    lattice = Bitset()
    one, other = [({0}, {0})] * 2, [({1}, {1})] * 2
    assert lattice.united(term(one, True), term(other, True)) is None
    assert lattice.united(term(one, True), term(other, False)) is None
    assert lattice.united(term(one, False), term(other, False))[1] is False
    wide = [({0, 1}, {0})] * 2
    sets, exact = lattice.united(term(one, True), term(wide, True))
    assert exact
    sets, exact = lattice.united(term(one, True), term([({1}, {0})] * 2, True))
    assert exact
    assert np.array_equal(sets[0], words({0, 1}, {0, 1}))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=9), st.booleans())
def test_a_grid_of_products_is_covered(pairs, masked):
    """Units with one index on each axis: their union is a product where all pairs of what occurs occur."""
    kept = [True] * len(pairs) + [False]
    pairs = [*pairs, (3, 3)]  # where the mask leaves it out
    sets = words(*({i} for i, _ in pairs)), words(*({j} for _, j in pairs))
    mask = {0: np.array(kept)} if masked else {}
    read = pairs[:-1] if masked else pairs
    grid = {(i, j) for i, _ in read for _, j in read}
    assert Bitset().covers(Term(sets, mask), 0) == (grid == set(read))


@given(st.lists(st.tuples(INDICES, INDICES), min_size=1, max_size=3))
def test_which_sets_fill_a_hull(pairs):
    first, second = (runs(words(*sets), EXTENT) for sets in zip(*pairs, strict=True))
    hull = first.hull(second)
    found = first.fills(hull).tolist()
    for fills, (one, other) in zip(found, pairs, strict=True):
        both = one | other
        if both:
            assert fills == (one == set(range(min(both), max(both) + 1)))
