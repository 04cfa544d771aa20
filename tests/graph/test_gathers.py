"""Gathers and scatters by known indices against NumPy on an array of its own places."""

from __future__ import annotations

import numpy as np
import pytest

from eyeshot.graph import Builder, gathers
from tests.dense import dependence

SHAPE = (3, 4, 5)
I = np.array


def _places(shape=SHAPE, start=0):
    return np.arange(start, start + int(np.prod(shape))).reshape(shape)


def _read(build, shapes=(SHAPE,)):
    """For every output element the one place it reads, over operands numbered through; -1 where not one."""
    b = Builder()
    refs = [b.input(f"x{i}", shape) for i, shape in enumerate(shapes)]
    out = build(b, *refs)
    parts = [
        dependence(b.graph, out.node, f"x{i}").reshape(*out.shape, np.prod(shape))
        for i, shape in enumerate(shapes)
    ]
    matrix = np.concatenate(parts, -1)
    return matrix, np.where(matrix.sum(-1) == 1, matrix.argmax(-1), -1)


INDICES = {
    "one axis": (I([2, 0, -2]), None, None),
    "middle axis": (None, I([[1, 0], [3, -2]]), None),
    "pair": (I([0, 2]), I([3, 1]), None),
    "pair of last": (None, I([0, 2]), I([3, 1])),
    "apart": (I([0, 2]), None, I([3, 1])),
    "open grid": (I([[0], [2]]), I([3, 1, 0]), None),
    "open grid, turned": (I([0, 2]), I([[3], [1], [0]]), None),
    "open grid apart": (I([[0], [2]]), None, I([3, 1, 0])),
    "mask": (None, I([True, False, True, True]), None),
    "mask of two axes": (_places((3, 4)) % 3 == 0, None),
    "scalar": (None, I(2), None),
    "repeats": (None, I([1, 3, 1]), None),
    "empty": (I([], int), None, None),
}


@pytest.mark.parametrize("indices", INDICES.values(), ids=INDICES)
def test_index(indices):
    wanted = _places()[tuple(slice(None) if i is None else i for i in indices)]
    _, found = _read(lambda b, x: gathers.index(b, x, indices))
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("indices", [i for name, i in INDICES.items() if name not in {"empty", "repeats"}])
def test_index_put(indices, accumulate):
    where = tuple(slice(None) if i is None else i for i in indices)
    wanted = _places()
    shape = wanted[where].shape
    wanted[where] = _places(shape, start=60)
    matrix, found = _read(
        lambda b, x, v: gathers.index_put(b, x, indices, v, accumulate=accumulate), shapes=(SHAPE, shape)
    )
    if accumulate:
        twice = wanted >= 60
        assert np.array_equal(matrix.sum(-1), np.where(twice, 2, 1))
        assert np.take_along_axis(matrix, _places()[..., None], -1).all()
        assert np.take_along_axis(matrix, wanted[..., None], -1).all()
    else:
        assert np.array_equal(found, wanted)


PICKED = {
    "varies": I([[[2, 0, 1, 0, 1]] * 4]),
    "varies everywhere": _places() % 3,
    "constant": np.broadcast_to(I([2, 1])[:, None, None], (2, 3, 4)),
    "smaller": _places((2, 3, 2)) % 3,
}


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("picked", PICKED.values(), ids=PICKED)
def test_gather(picked, axis):
    base = _places()
    crop = tuple(slice(0, n) if a != axis % 3 else slice(None) for a, n in enumerate(picked.shape))
    wanted = np.take_along_axis(base[crop], picked, axis)
    _, found = _read(lambda b, x: gathers.gather(b, x, axis, picked))
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("picked", PICKED.values(), ids=PICKED)
def test_scatter_reads_every_write(picked, axis):
    source_shape = tuple(n + 1 for n in picked.shape)
    source = _places(source_shape, start=60)
    wanted = [{int(place)} for place in _places().ravel()]
    base, written = _places(), set()
    for place in np.ndindex(picked.shape):
        target = list(place)
        target[axis] = picked[place]
        goal = int(base[tuple(target)])
        wanted[goal] = (wanted[goal] if goal in written else set()) | {int(source[place])}
        written.add(goal)
    matrix, _ = _read(lambda b, x, s: gathers.scatter(b, x, axis, picked, s), shapes=(SHAPE, source_shape))
    found = [set(np.flatnonzero(row).tolist()) for row in matrix.reshape(60, -1)]
    assert found == wanted


def test_writing_a_place_twice_is_flagged():
    b = Builder()
    out = gathers.index_put(b, b.input("x", (3,)), [I([1, 1])], b.input("v", (2,)))
    assert b.graph.nodes[out.node].reason == "repeated-index"
