"""Promises on random graphs: broken exactly where some unit breaks them, by an interpreter that shares nothing."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyeshot.errors import QuestionError
from eyeshot.fields import Field, Report
from eyeshot.fields.axes import InputAxes
from eyeshot.graph import Builder, Graph
from eyeshot.proof.evidence import placed
from eyeshot.relations import Constant
from eyeshot.testing import (
    PromiseError,
    assert_batch_independent,
    assert_causal,
    assert_independent,
    assert_local,
    assert_same_field,
    assert_sees,
)
from tests.dense import dependence
from tests.graphs import graphs


def asked(graph: Graph, axis: int) -> tuple[Report, np.ndarray]:
    """A report about one axis, and which elements every unit of the output reads, as (unit, element) pairs."""
    letters = "NCHW"[: len(graph.nodes[graph.inputs["x"]].shape)]
    report = Report(graph, "random", {"x": InputAxes((axis,), letters[axis], letters)})
    return report, dependence(graph, graph.outputs["y"], "x")


def outcome(promise, report: Report, whole: np.ndarray, **how) -> tuple[bool, tuple | None]:
    """Whether a promise is kept, and the pair that breaks it, which must be a dependence."""
    try:
        promise(report, **how)
    except PromiseError as caught:
        error = caught
    else:
        return True, None
    example = error.counterexample
    if not error.certain:
        assert any(node.reason for node in report.graph.nodes)
    if example is None:
        return False, None
    held = whole
    if error.certain:
        nodes = [
            replace(node, relation=Constant(), inputs=()) if node.reason else node
            for node in report.graph.nodes
        ]
        held = dependence(replace(report.graph, nodes=nodes), report.graph.outputs["y"], "x")
    assert held[example.unit][example.element]
    return False, (example.unit, example.element)


@given(graphs(), st.data())
def test_causality(graph: Graph, data: st.DataObject) -> None:
    axis = data.draw(st.integers(0, len(graph.nodes[graph.inputs["x"]].shape) - 1))
    report, whole = asked(graph, axis)
    shape = report.outputs[0].shape
    if not shape:
        return
    along, lookahead = data.draw(st.integers(0, len(shape) - 1)), data.draw(st.integers(0, 2))
    stride = placed(report.outputs[0], 0, along).stride
    kept, pair = outcome(
        assert_causal, report, whole, axis=report.axes, lookahead=lookahead, output_axis=along
    )

    def late(unit: tuple[int, ...], element: tuple[int, ...]) -> bool:
        return element[axis] >= ceil(stride * (unit[along] + 1)) + lookahead

    pairs = np.argwhere(whole)
    found = any(late(row[: len(shape)], row[len(shape) :]) for row in pairs)
    assert kept == (not found)
    assert kept or late(*pair)


@given(graphs(), st.integers(0, 2), st.integers(0, 2))
def test_locality(graph: Graph, low: int, high: int) -> None:
    report, whole = asked(graph, len(graph.nodes[graph.inputs["x"]].shape) - 1)
    field = report.outputs[0]
    axis = field.source.axes[0]
    try:
        place = placed(field, 0)
        kept, pair = outcome(assert_local, report, whole, halo=(low, high))
    except QuestionError:
        return
    if field.unbounded:
        assert kept == (not whole.any())
        return

    def outside(unit: tuple[int, ...], element: tuple[int, ...]) -> bool:
        base = place.stride * unit[place.axis]
        return not base - low <= element[axis] <= base + place.stride + high - 1

    found = any(outside(row[: len(field.shape)], row[len(field.shape) :]) for row in np.argwhere(whole))
    if kept or pair is not None:
        assert kept == (not found)
        assert kept or outside(*pair)
    else:
        assert not found
        assert field.halo[0][0] > low or field.halo[0][1] > high


@given(graphs())
def test_batches(graph: Graph) -> None:
    report, whole = asked(graph, 0)
    shape = report.outputs[0].shape
    kept, pair = outcome(assert_batch_independent, report, whole)
    read = whole.any(tuple(range(len(shape) + 1, whole.ndim)))
    samples = [np.flatnonzero(read[unit]).tolist() for unit in np.ndindex(*shape)]

    def fits(axis: int) -> bool:
        rows: dict[int, set[int]] = {}
        for unit, held in zip(np.ndindex(*shape), samples, strict=True):
            rows.setdefault(unit[axis], set()).update(held)
        if shape[axis] == 2:
            return all(held <= {row} for row, held in rows.items())
        return all(len(held) <= 1 for held in rows.values())

    alone = all(len(held) <= 1 for held in samples)
    assert kept == (alone and (not shape or any(fits(axis) for axis in range(len(shape)))))
    assert kept or pair is not None


@given(graphs(), st.data())
def test_independence(graph: Graph, data: st.DataObject) -> None:
    report, whole = asked(graph, 0)
    shapes = report.outputs[0].shape, report.input_shape
    places = [
        tuple(data.draw(st.one_of(st.none(), st.integers(0, n - 1))) for n in shape) for shape in shapes
    ]
    kept, pair = outcome(assert_independent, report, whole, unit=places[0], element=places[1])
    region = tuple(slice(None) if place is None else place for place in (*places[0], *places[1]))
    assert kept == (not whole[region].any())
    if not kept:
        flat = (*pair[0], *pair[1])
        assert all(place in {None, at} for place, at in zip((*places[0], *places[1]), flat, strict=True))


@given(graphs(), st.data())
def test_the_same_field(graph: Graph, data: st.DataObject) -> None:
    report, whole = asked(graph, len(graph.nodes[graph.inputs["x"]].shape) - 1)
    other = data.draw(st.integers(0, len(graph.nodes) - 1))
    graph.outputs["z"] = other
    second = dependence(graph, other, "x")
    one, two = report.outputs
    try:
        assert_same_field(one, two)
    except PromiseError as caught:
        example = caught.counterexample
    else:
        if one.shape == two.shape:
            axis = one.source.axes[0] + len(one.shape)
            across = tuple(i for i in range(len(one.shape), whole.ndim) if i != axis)
            for unit in (tuple(n // 2 for n in one.shape), (0,) * len(one.shape)):
                assert np.array_equal(whole.any(across)[unit], second.any(across)[unit])
        return
    if example is not None:
        mine, others = (whole, second) if example.layer == "y" else (second, whole)
        assert mine[example.unit][example.element]
        if one.shape == two.shape:
            assert not others[(*example.unit, ..., example.element[-1])].any()


@given(graphs())
def test_sizes(graph: Graph) -> None:
    report, whole = asked(graph, len(graph.nodes[graph.inputs["x"]].shape) - 1)
    field = report.outputs[0]
    size = field.size[0]
    if size is None:
        return
    if field.kind != "sound":
        assert_sees(report, "y", size)
    with pytest.raises(PromiseError) as caught:
        assert_sees(report, "y", size + 1)
    example = caught.value.counterexample
    if example is not None:
        assert whole[example.unit][example.nearest]
        assert not whole[(*example.unit, ..., example.element[-1])].any()


def test_the_input_is_what_it_is_about() -> None:
    with pytest.raises(QuestionError, match="nothing called"):
        assert_independent(asked(_identity(), 0)[0], "z")


def test_a_box_that_is_too_wide_breaks_no_promise_for_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    report, _ = asked(_identity(), 1)
    assert_causal(report, "C")
    wide = [np.zeros((1, 3), np.int64)], [np.full((1, 3), 3)], np.ones((1, 3), np.bool_)
    monkeypatch.setattr(Field, "boxes", lambda _: wide)
    with pytest.raises(PromiseError, match="not certain: the box") as caught:
        assert_causal(report, "C")
    assert not caught.value.certain
    assert caught.value.counterexample is None


def _identity() -> Graph:
    builder = Builder()
    builder.graph.outputs["y"] = builder.input("x", (2, 3)).node
    return builder.graph
