"""Programs of builder calls against NumPy: every element carries the set of input elements that it reads."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyeshot.errors import GraphError
from eyeshot.graph import Builder, Graph, Ref
from eyeshot.graph.builder import broadcast_shape
from eyeshot.graph.verify import verify
from eyeshot.relations import All, Constant, Contract, Identity, Input, Pointwise, Prefix, Table, Window
from tests.dense import dependence

SHAPE = (2, 3)
Held = tuple[Ref, np.ndarray]  # a reference, and booleans of its shape + SHAPE


def check(graph: Graph, ref: Ref, reads: np.ndarray) -> None:
    verify(graph)
    assert graph.nodes[ref.node].shape == ref.shape == reads.shape[: len(ref.shape)]
    assert np.array_equal(dependence(graph, ref.node, "x"), reads)


@st.composite
def programs(draw: st.DrawFn) -> tuple[Graph, list[Held]]:
    """A few calls on an input, on constants and on what they made."""
    b = Builder()
    own = np.eye(prod(SHAPE), dtype=bool).reshape(SHAPE * 2)
    values = [(b.input("x", SHAPE), own), (b.constant(SHAPE), np.zeros_like(own))]
    for _ in range(draw(st.integers(1, 6))):
        made = draw(_call(b, values))
        if 0 < prod(made[0].shape) <= 60:
            values.append(made)
    return b.graph, values


@st.composite
def _call(draw: st.DrawFn, b: Builder, values: list[Held]) -> Held:
    ref, reads = draw(st.sampled_from(values[-3:]))
    rank = len(ref.shape)
    axis = draw(st.integers(-rank, rank - 1)) if rank else 0
    place = axis % max(rank, 1)
    other, more = draw(st.sampled_from([value for value in values if value[0].shape == ref.shape]))
    kinds = ["pointwise", "grow"] + [
        "along",
        "reduce",
        "normalise",
        "reshape",
        "permute",
        "concat",
        "slice",
        "pad",
    ] * bool(rank)
    match draw(st.sampled_from(kinds)):
        case "pointwise":
            constant = b.constant((4, *ref.shape)) if draw(st.booleans()) else b.constant(())
            out = b.pointwise(ref, other, constant)
            return out, np.broadcast_to(reads | more, out.shape + SHAPE)
        case "grow":
            shape = (2, *(3 if n == 1 else n for n in ref.shape))
            return b.broadcast(ref, shape), np.broadcast_to(reads, shape + SHAPE)
        case "along":
            return b.along(ref, {axis: (Prefix(), ref.shape[axis])}), np.logical_or.accumulate(reads, place)
        case "reduce":
            keep = draw(st.booleans())
            return b.reduce(ref, [axis], keep=keep), reads.any(place, keepdims=keep)
        case "normalise":
            return b.normalise(ref, [axis]), reads | reads.any(place, keepdims=True)
        case "reshape":
            wanted = draw(st.sampled_from([(-1,), (1, -1), (*ref.shape, -1), (-1, ref.shape[-1])]))
            return b.reshape(ref, wanted), reads.reshape((*wanted, *SHAPE))
        case "permute":
            order = draw(st.permutations(range(rank)))
            signed = [i - rank * draw(st.booleans()) for i in order]
            return b.permute(ref, signed), reads.transpose(*order, rank, rank + 1)
        case "concat":
            return b.concat([ref, other, ref], axis), np.concatenate([reads, more, reads], place)
        case "slice":
            start, stop, step = draw(st.sampled_from([(0, 2, 1), (1, ref.shape[axis], 1), (0, 9, 2)]))
            stop = min(stop, ref.shape[axis])
            where = (slice(None),) * place + (slice(start, stop, step),)
            return b.slice(ref, axis, start, stop, step), reads[where]
        case "pad":
            low, high = draw(st.integers(0, 2)), draw(st.integers(0, 2))
            amounts = [(0, 0)] * reads.ndim
            amounts[place] = (low, high)
            return b.pad(ref, {axis: (low, high)}), np.pad(reads, amounts)
    raise AssertionError


@given(programs())
def test_programs_read_what_numpy_says(program: tuple[Graph, list[Held]]) -> None:
    graph, values = program
    for ref, reads in values:
        check(graph, ref, reads)


def start() -> tuple[Builder, Ref, Ref]:
    b = Builder()
    return b, b.input("x", SHAPE), b.constant(SHAPE)


def test_what_changes_nothing_adds_no_node() -> None:
    b, x, constant = start()
    same = [
        b.pointwise(x),
        b.pointwise(x, x),
        b.pointwise(x, constant),
        b.along(x, {}),
        b.along(x, {0: (Identity(), 2)}),
        b.reshape(x, (2, -1)),
        b.permute(x, (0, -1)),
        b.broadcast(x, SHAPE),
        b.concat([x], 0),
        b.slice(x, 1, 0, 3),
        b.pad(x, {0: (0, 0), 1: (0, 0)}),
    ]
    assert same == [x] * len(same)
    assert [type(node.relation) for node in b.graph.nodes] == [Input, Constant]


def test_constants_stay_constants_and_are_one_a_shape() -> None:
    b, x, constant = start()
    table = Table.of_rows([[0], [1]], 2)
    flat = b.constant((6,))
    made = [
        b.pointwise(constant, constant),
        b.along(constant, {1: (Window(1), 3)}),
        b.reduce(constant, [0]),
        b.reshape(constant, (6,)),
        b.permute(constant, (1, 0)),
        b.broadcast(constant, (4, 2, 3)),
        b.concat([constant, constant], 0),
        b.contract("ij,ij->i", constant, constant, support=("i", "i", table)),
        b.dense([constant], (6,), "unknown-op"),
    ]
    assert all(b.is_constant(ref) for ref in made)
    assert not b.is_constant(x)
    assert made[3] == made[8] == flat
    assert {ref.shape for ref in made} == {(2, 3), (1, 3), (6,), (3, 2), (4, 2, 3), (4, 3), (2,)}
    nodes = [node.shape for node in b.graph.nodes if isinstance(node.relation, Constant)]
    assert len(nodes) == len(set(nodes))
    verify(b.graph)


def test_a_reason_is_kept_even_where_nothing_moves() -> None:
    b, x, _ = start()
    flagged = b.along(x, {}, reason="lost-mask")
    assert b.graph.nodes[flagged.node].reason == "lost-mask"
    assert b.graph.nodes[b.dense([x], (1,), "unknown-op").node].reason == "unknown-op"


def test_summaries_are_marked_unless_told_otherwise() -> None:
    b, x, _ = start()
    relations = [
        b.graph.nodes[ref.node].relation
        for ref in (b.reduce(x, [0]), b.reduce(x, [0], summarises=False), b.along(x, {0: (All(), 1)}))
    ]
    assert [relation.summarises for relation in relations] == [True, False, False]
    assert b.graph.nodes[b.normalise(x, [0]).node - 1].shape == (2, 3)


def test_operands_that_read_nothing_leave_products_and_sums() -> None:
    b, x, constant = start()
    product = b.graph.nodes[b.contract("ij,kj->ik", constant, x).node]
    assert product.relation == Contract(((2, 1),), (0, 2))
    assert (product.inputs, product.shape) == ((x.node,), (2, 2))
    y = b.along(x, {0: (Prefix(), 2)})
    total = b.graph.nodes[b.pointwise(x, constant, y, x).node]
    assert (total.relation, total.inputs) == (Pointwise(), (x.node, y.node))
    assert b.graph.nodes[b.dense([constant, x], (1,), "unknown-op").node].inputs == (x.node,)


def test_a_support_of_constant_columns_leaves_out_rows_alone() -> None:
    b = Builder()
    x = b.input("x", SHAPE)
    table = Table.of_rows([[0, 3], []], 4)
    out = b.contract("ik,kj,ij->ij", b.constant((2, 4)), b.constant((4, 3)), x, support=("i", "k", table))
    held = np.eye(6, dtype=bool).reshape(2, 3, *SHAPE)
    held[1] = False
    check(b.graph, out, held)


def test_a_product_reads_its_support_by_letter() -> None:
    b, x, _ = start()
    y = b.input("y", (3, 4))
    table = Table.of_rows([[0, 2], [1]], 3)
    out = b.contract("zk,kj->zj", x, y, support=("z", "k", table))
    verify(b.graph)
    reads = dependence(b.graph, out.node, "y")
    for row, columns in enumerate([[0, 2], [1]]):
        for j in range(4):
            assert np.argwhere(reads[row, j]).tolist() == [[k, j] for k in columns]


def test_a_crop_is_negative_padding() -> None:
    b, x, _ = start()
    out = b.pad(x, {1: (-1, 0), 0: (0, -1)})
    assert np.argwhere(dependence(b.graph, out.node, "x")[0]).tolist() == [[0, 0, 1], [1, 0, 2]]


def test_a_reshape_keeps_the_number_of_elements() -> None:
    b, x, _ = start()
    with pytest.raises(GraphError, match=r"\(2, 3\) to \(7,\)"):
        b.reshape(x, (7,))


@given(st.lists(st.lists(st.integers(1, 3), max_size=3).map(tuple), min_size=1, max_size=4))
def test_shapes_broadcast_as_in_numpy(shapes: list[tuple[int, ...]]) -> None:
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        with pytest.raises(GraphError, match="do not broadcast"):
            broadcast_shape(*shapes)
        return
    assert broadcast_shape(*shapes) == expected


def test_broadcasting_by_hand() -> None:
    assert broadcast_shape((1, 3), (2, 1)) == (2, 3)
    assert broadcast_shape((2, 3), (2, 3)) == (2, 3)
    assert broadcast_shape((3,), (5, 1, 1), ()) == (5, 1, 3)
    assert broadcast_shape((1,), (1, 1)) == (1, 1)
    with pytest.raises(GraphError, match=r"extents \[2, 3\] meet"):
        broadcast_shape((2,), (1, 3))
