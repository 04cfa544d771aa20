"""Laws found in numbers are those of the windows that the numbers were made of."""

import itertools

import numpy as np
import pytest

from eyeshot.frontends.jax.laws import lawful
from eyeshot.relations import Identity, Table, Window, summary, tabulate
from eyeshot.relations.resize import resize
from eyeshot.relations.tables import flip, roll


def bare(table):
    return Table(table.indptr, table.indices, table.input_size)


@pytest.mark.parametrize(("kernel", "stride", "padding"), [*itertools.product((1, 2, 5), (1, 2, 3), (0, 1))])
def test_a_window(kernel, stride, padding):
    window = Window(kernel, stride, padding=min(padding, kernel - 1))
    count = (40 + window.padding - kernel) // stride + 1
    found = lawful(bare(tabulate(window, 40, count)))
    if window == Window(1):
        assert isinstance(found, Identity)
        return
    law = summary(window)
    assert (found.law.step, found.law.low, found.law.high) == (law.step, law.low, law.high)
    assert found.law.at_size


@pytest.mark.parametrize(("size", "count"), [(8, 16), (8, 24), (12, 20), (20, 12), (16, 8), (18, 12)])
@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
def test_a_resize(size, count, mode):
    amap = resize(size, count, mode)
    found, law = lawful(bare(amap)), amap.law
    assert (found.law.step, found.law.low, found.law.high) == (law.step, law.low, law.high)


def test_what_is_not_steady_has_none():
    random = np.random.RandomState(0)
    scattered = Table(np.arange(41), random.permutation(40), 40)
    for table in (scattered, bare(tabulate(roll(7, 40), 40, 40)), bare(tabulate(flip(40), 40, 40))):
        assert lawful(table).law is None
    holes = Table.of_rows([[y, y + 2] for y in range(38)], 40)
    assert lawful(holes).law is None
    padded = tabulate(Window(1, padding=3), 10, 16)
    assert lawful(bare(padded)).law is None
