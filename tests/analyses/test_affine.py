"""Unions of affine intervals, and the terms that hold them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from eyeshot.analyses.affine import LawSet, broken, unbounded, united, zipped
from eyeshot.analyses.terms import Term


def law(low: int, size: int, step: int, position: int = 0) -> LawSet:
    """One interval that moves along one of two factors."""
    steps = tuple(step * (i == position) for i in range(2))
    return LawSet(np.array([low, -(low + size)]).reshape(2, 1, 1), steps, tuple(map(bool, steps)))


def interval(one: LawSet) -> tuple[int, int]:
    return int(one.bounds[0].min()), int(-one.bounds[1].min())


@pytest.mark.parametrize(
    ("intervals", "hull", "misaligned"),
    [
        ([(0, 3), (1, 1)], (0, 3), False),
        ([(0, 3), (1, 2)], (0, 3), True),
        ([(0, 3), (-1, 5), (1, 1)], (-1, 4), False),
        ([(0, 3), (0, 1), (-2, 3)], (-2, 3), True),
    ],
)
def test_a_union_is_the_hull_and_says_whether_centers_differ(
    intervals: list[tuple[int, int]], hull: tuple[int, int], misaligned: bool
) -> None:
    found = united([law(low, size, 2) for low, size in intervals])
    assert interval(found) == hull
    assert found.misaligned is misaligned
    assert found.steps == (2, 0)


def kinds(terms: list[Term], axis: int) -> set[tuple[object, ...]]:
    return {(interval(one), one.steps, one.unbounded) for one in (term.sets[axis] for term in terms)}


def test_products_of_laws_become_as_many_terms_as_the_longer_axis_has_laws() -> None:
    rows = [law(0, 1, 1), law(0, 3, 2), law(-2, 7, 4)]
    columns = [law(0, 1, 1, 1), law(0, 5, 2, 1)]
    terms = [Term(pair, context=2) for pair in product(rows, columns)]
    few = zipped(terms)
    assert len(few) == 3
    assert {term.context for term in few} == {2}
    for axis in range(2):
        assert kinds(few, axis) == kinds(terms, axis)


def test_unbounded_laws_of_different_axes_do_not_meet_in_one_term() -> None:
    row, column = law(0, 3, 2), law(0, 5, 2, 1)
    whole = unbounded(row)
    terms = [Term(pair) for pair in ((whole, column), (row, whole), (row, column), (law(0, 1, 4), column))]
    few = zipped(terms)
    assert len(few) == 3
    assert not any(all(one.unbounded for one in term.sets) for term in few)
    for axis in range(2):
        assert kinds(few, axis) == kinds(terms, axis)


def test_what_has_no_law_keeps_its_marks_apart() -> None:
    rows = [broken(law(0, 1, 1), "one"), broken(law(0, 1, 1, 1), "other")]
    terms = [Term(pair) for pair in product(rows, [law(0, 1, 1), law(0, 1, 2)])]
    assert {term.sets[0].steps for term in zipped(terms)} == {(1, 0), (0, 1)}
