"""Sampled axes against the formulas of their kernels, in fractions, one output at a time."""

from __future__ import annotations

import random
from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest

from eyeshot.relations import Identity, tabulate
from eyeshot.relations.sampled import nearest, sampled

ROUNDED = {
    "floor": floor,
    "ceil": ceil,
    "half-down": lambda x: ceil(x - Fraction(1, 2)),
    "half-up": lambda x: floor(x + Fraction(1, 2)),
}


def weight(kernel: str, distance: Fraction) -> Fraction:
    """Triangle, and Keys' cubic with a = -3/4."""
    x, a = abs(distance), Fraction(-3, 4)
    if kernel == "linear":
        return max(Fraction(0), 1 - x)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else Fraction(0)


def taps(x: Fraction, kernel: str, blur: Fraction) -> list[int]:
    if kernel in ROUNDED:
        return [ROUNDED[kernel](x)]
    around = range(floor(x - 2 * blur) - 1, ceil(x + 2 * blur) + 2)
    return [place for place in around if weight(kernel, (place - x) / blur)]


def rows(size, count, step, start, kernel, blur, outside):
    for y in range(count):
        x = start + step * y
        read = taps(x, kernel, blur)
        if outside == "clip":
            read = [min(max(place, 0), size - 1) for place in read]
        elif outside == "nothing" and not 0 <= x <= size - 1:
            read = []
        yield sorted({place for place in read if 0 <= place < size})


def draw(seed):
    rng = random.Random(seed)
    step = Fraction(rng.randint(1, 9), rng.choice((1, 1, 2, 3, 4, 5)))
    start = Fraction(rng.randint(-6, 6), rng.choice((1, 2, 3, 4)))
    kernel = rng.choice([*ROUNDED, "linear", "cubic"])
    blur = (
        Fraction(1)
        if kernel in ROUNDED
        else rng.choice((Fraction(1), max(Fraction(1), step), Fraction(5, 2)))
    )
    return (
        rng.randint(1, 12),
        rng.randint(1, 14),
        step,
        start,
        kernel,
        blur,
        rng.choice(("clip", "drop", "nothing")),
    )


@pytest.mark.parametrize("seed", range(300))
def test_every_row_is_what_the_formula_weights(seed):
    size, count, step, start, kernel, blur, outside = draw(seed)
    table = tabulate(sampled(size, count, step, start, kernel, blur=blur, outside=outside), size, count)
    found = [table.row(y).tolist() for y in range(count)]
    assert found == list(rows(size, count, step, start, kernel, blur, outside))


@pytest.mark.parametrize("seed", range(60))
def test_the_law_holds_wherever_no_end_is_near(seed):
    _, _, step, start, kernel, blur, _ = draw(seed)
    size, count = 200, 40
    amap = sampled(size, count, step, start, kernel, blur=blur)
    law = amap.law
    assert (law.period, law.step) == (step.denominator, step.numerator)
    for y in range(count):
        turn, phase = divmod(y, law.period)
        read = taps(start + step * y, kernel, blur)
        assert law.step * turn + law.low[phase] == min(read)
        assert law.step * turn + law.high[phase] == max(read) + 1


def test_nothing_moves_where_positions_are_the_elements():
    assert sampled(7, 7, Fraction(1), Fraction(0), "cubic") == Identity()
    assert sampled(7, 7, Fraction(1), Fraction(0), "cubic", blur=Fraction(2)) != Identity()


def test_long_periods_have_no_law_and_numbers_do_not_overflow():
    odd = Fraction((1 << 20) - 1, 1 << 20)
    amap = sampled(1 << 12, 1 << 12, odd, odd / 2 - Fraction(1, 2), "linear", blur=1 / odd)
    assert amap.law is None
    assert tabulate(amap, 1 << 12, 1 << 12).row(5).tolist() == taps(
        odd / 2 - Fraction(1, 2) + 5 * odd, "linear", 1 / odd
    )


@pytest.mark.parametrize("kernel", ROUNDED)
def test_floating_positions_round_as_fractions_do(kernel):
    positions = np.array([-0.5, 0.0, 0.25, 0.5, 0.75, 1.5, 2.5, 9.0])
    wanted = [min(max(ROUNDED[kernel](Fraction(x)), 0), 4) for x in positions]
    assert nearest(5, positions, kernel).indices.tolist() == wanted
