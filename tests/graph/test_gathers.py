"""Gathers and scatters by known indices against NumPy on an array of its own places."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        dependence(b.graph, out.node, f"x{i}").reshape(*out.shape, int(np.prod(shape)))
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


@st.composite
def indexed(draw):
    """A shape, and indices of some of its axes that broadcast together."""
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4).map(tuple))
    axes = draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))
    common = draw(st.lists(st.integers(1, 3), max_size=2).map(tuple))
    indices = []
    for axis, extent in enumerate(shape[: max(axes) + 1]):
        own = tuple(draw(st.sampled_from([1, n])) for n in common)[draw(st.integers(0, len(common))) :]
        places = st.lists(
            st.integers(-extent, extent - 1), min_size=int(np.prod(own)), max_size=int(np.prod(own))
        )
        indices.append(np.array(draw(places), int).reshape(own) if axis in axes else None)
    return shape, tuple(indices)


@given(indexed())
def test_any_index(drawn):
    shape, indices = drawn
    wanted = _places(shape)[tuple(slice(None) if i is None else i for i in indices)]
    _, found = _read(lambda b, x: gathers.index(b, x, indices), (shape,))
    assert np.array_equal(found, wanted)


@given(indexed(), st.booleans(), st.data())
def test_any_write(drawn, accumulate, data):
    shape, indices = drawn
    where = tuple(slice(None) if i is None else i for i in indices)
    size = int(np.prod(shape))
    region = _places(shape)[where]
    narrow = tuple(data.draw(st.sampled_from([1, n])) for n in region.shape)
    written = np.broadcast_to(_places(narrow, start=size), region.shape)
    wanted = [{place} for place in range(size)]
    fresh = [set() for _ in range(size)]
    for place, value in zip(region.ravel().tolist(), written.ravel().tolist(), strict=True):
        fresh[place].add(value)
    wanted = [(old | new) if accumulate else (new or old) for old, new in zip(wanted, fresh, strict=True)]
    flagged = []

    def build(b, x, v):
        out = gathers.index_put(b, x, indices, v, accumulate=accumulate)
        flagged.extend(node.reason for node in b.graph.nodes if node.reason)
        return out

    matrix, _ = _read(build, (shape, narrow))
    found = [set(np.flatnonzero(row).tolist()) for row in matrix.reshape(size, -1)]
    assert found == wanted
    twice = len(set(region.ravel().tolist())) < region.size
    assert flagged == (["repeated-index"] if twice and not accumulate else [])


@st.composite
def picking(draw):
    """A shape, an axis, and what is picked along it for a corner of the others."""
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    extents = tuple(draw(st.integers(1, n)) for n in shape)
    count = int(np.prod(extents))
    picked = np.array(draw(st.lists(st.integers(0, shape[axis] - 1), min_size=count, max_size=count)))
    return shape, axis, picked.reshape(extents)


@given(picking())
def test_any_gather(drawn):
    shape, axis, picked = drawn
    crop = tuple(slice(0, n) if a != axis % len(shape) else slice(None) for a, n in enumerate(picked.shape))
    wanted = np.take_along_axis(_places(shape)[crop], picked, axis)
    _, found = _read(lambda b, x: gathers.gather(b, x, axis, picked), (shape,))
    assert np.array_equal(found, wanted)


@given(picking(), st.booleans())
def test_any_scatter(drawn, accumulate):
    shape, axis, picked = drawn
    size = int(np.prod(shape))
    base = _places(shape)
    wanted = [{place} for place in range(size)]
    fresh = [set() for _ in range(size)]
    for number, place in enumerate(np.ndindex(picked.shape)):
        target = list(place)
        target[axis] = picked[place]
        fresh[int(base[tuple(target)])].add(size + number)
    wanted = [(old | new) if accumulate else (new or old) for old, new in zip(wanted, fresh, strict=True)]
    flagged = []

    def build(b, x, source):
        out = gathers.scatter(b, x, axis, picked, source, accumulate=accumulate)
        flagged.extend(node.reason for node in b.graph.nodes if node.reason)
        return out

    matrix, _ = _read(build, (shape, picked.shape))
    found = [set(np.flatnonzero(row).tolist()) for row in matrix.reshape(size, -1)]
    assert found == wanted
    twice = any(len(new) > 1 for new in fresh)
    assert flagged == (["repeated-index"] if twice and not accumulate else [])


def test_scalars_and_nothing():
    nothing, _ = _read(lambda b, x: gathers.gather(b, x, 0, np.zeros((0, 2), int)), ((3, 2),))
    assert nothing.shape == (0, 2, 6)
    _, picked = _read(lambda b, x: gathers.gather(b, x, 0, np.zeros(1, int)), ((),))
    assert picked.tolist() == [0]
    _, written = _read(lambda b, x, s: gathers.scatter(b, x, 0, np.zeros((), int), s), ((), ()))
    assert written.tolist() == 1
    both, _ = _read(lambda b, x, s: gathers.scatter(b, x, 0, np.zeros((), int), s, accumulate=True), ((), ()))
    assert both.tolist() == [True, True]
    _, filled = _read(lambda b, x, s: gathers.scatter(b, x, 0, I([2, 0]), s), ((3,), ()))
    assert filled.tolist() == [3, 1, 3]


def test_a_constant_written_twice_is_no_matter():
    b = Builder()
    x = b.input("x", (3,))
    out = gathers.index_put(b, x, [I([1, 1])], b.constant((2,)))
    assert b.graph.nodes[out.node].reason is None
    assert dependence(b.graph, out.node, "x").tolist() == np.diag([True, False, True]).tolist()
