"""Path spectra against an enumeration of all paths, each with the published formula for a chain."""

from __future__ import annotations

from collections import Counter
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from eyeshot.analyses import terms
from eyeshot.analyses.paths import Paths, Spectrum
from eyeshot.graph import Builder, Graph
from eyeshot.relations import All, Along, Window, tables


@st.composite
def branched(draw: st.DrawFn) -> Graph:
    """Windows, sums and joins of channels over one axis of 64 elements; every tensor of one scale has one extent."""
    builder = Builder()
    made = [builder.input("x", (2, 64))]
    for _ in range(draw(st.integers(1, 9))):
        x = draw(st.sampled_from(made))
        kind = draw(st.sampled_from(["conv", "conv", "down", "sum", "concat"]))
        same = [ref for ref in made if ref.shape == x.shape]
        if kind == "conv":
            kernel, dilation = draw(st.sampled_from([1, 3, 5])), draw(st.integers(1, 2))
            window = Window(kernel, dilation=dilation, padding=dilation * (kernel - 1) // 2)
            x = builder.along(x, {0: (All(), 2), 1: (window, x.shape[1])})
        elif kind == "down" and x.shape[1] > 8:
            x = builder.along(x, {0: (All(), 2), 1: (Window(3, 2, padding=1), x.shape[1] // 2)})
        elif kind == "sum":
            x = builder.pointwise(x, draw(st.sampled_from(same)))
        elif kind == "concat":
            both = builder.concat([x, draw(st.sampled_from(same))], 0)
            x = builder.along(both, {0: (All(), 2)})
        made.append(x)
    builder.graph.outputs["y"] = made[-1].node
    return builder.graph


def enumerated(graph: Graph, number: int) -> list[tuple[int, int]]:
    """(size, stride) of every path to a node."""
    node = graph.nodes[number]
    if not node.inputs:
        return [(1, 1)]
    windows = dict(node.relation.maps) if isinstance(node.relation, Along) else {}
    window = windows.get(1)
    out = []
    for operand in node.inputs:
        for size, stride in enumerated(graph, operand):
            if isinstance(window, Window):
                reach = window.dilation * (window.kernel - 1)
                out.append((size + reach * stride, stride * window.stride))
            else:
                out.append((size, stride))
    return out


@given(branched())
def test_spectra_are_enumerations(graph: Graph) -> None:
    number = graph.outputs["y"]
    expected = Counter(size for size, _ in enumerated(graph, number))
    spectrum = Paths(graph, 0, 1).spectrum(number)
    assert dict(spectrum) == expected
    assert spectrum.total == sum(expected.values())
    assert (spectrum.min, spectrum.max) == (min(expected), max(expected))


def test_a_stack_of_residual_blocks_has_exponentially_many() -> None:
    builder = Builder()
    x = builder.input("x", (1, 32))
    for _ in range(70):
        x = builder.pointwise(x, builder.along(x, {1: (Window(3, padding=1), 32)}))
    spectrum = Paths(builder.graph, 0, 1).spectrum(x.node)
    assert spectrum.total == 2**70
    assert spectrum[1] == spectrum[141] == 1
    assert spectrum[3] == 70
    assert spectrum.mean == 71


def test_global_context_is_a_path_without_size() -> None:
    builder = Builder()
    x = builder.input("x", (1, 32))
    gated = builder.pointwise(
        x, builder.broadcast(builder.along(x, {1: (All(), 1)}, summarises=True), (1, 32))
    )
    paths = Paths(builder.graph, 0, 1)
    assert dict(paths.spectrum(gated.node)) == {1: 1, None: 1}
    assert dict(paths.spectrum(gated.node, local=True)) == {1: 1}


def test_the_mean_is_over_paths_with_a_size() -> None:
    assert Spectrum({None: 5, 3: 1, 5: 3}).mean == 4.5
    assert Spectrum({None: 5}).mean is None
    assert list(Spectrum({None: 5, 9: 1, 3: 1})) == [3, 9, None]


def test_what_moves_tells_context_apart_even_without_a_size() -> None:
    builder = Builder()
    x = builder.input("x", (8,))
    turned = builder.along(x, {0: (tables.roll(3, 8), 8)})  # moves, and has no law
    whole = builder.along(x, {0: (All(), 8)})  # all of the axis, and no summary
    pooled = builder.along(builder.pointwise(turned, whole), {0: (All(), 8)}, summarises=True)
    both = builder.pointwise(x, pooled)
    paths = Paths(builder.graph, 0, 0)
    assert dict(paths.spectrum(both.node)) == {1: 1, None: 2}
    assert dict(paths.spectrum(both.node, local=True)) == {1: 1, None: 1}


def test_the_ends_of_a_spectrum() -> None:
    spectrum = Spectrum({9: 2, 3: 1, None: 4})
    assert (spectrum.min, spectrum.max, spectrum.total, len(spectrum)) == (3, 9, 7, 3)
    assert (Spectrum({None: 4}).min, Spectrum({None: 4}).max) == (None, None)
    assert spectrum[9] == 2


@given(branched())
def test_very_many_kinds_of_path_are_told_apart_by_size_alone(graph: Graph) -> None:
    number = graph.outputs["y"]
    expected = Counter(size for size, _ in enumerated(graph, number))
    with patch.object(terms, "MANY", 0):
        paths = Paths(graph, 0, 1)
    # Windows without phases: the size is all that the rest of the way hangs on.
    assert dict(paths.spectrum(number)) == expected
    joined = any(len(node.inputs) > 1 for node in graph.nodes[: number + 1])
    assert joined or "many-terms" not in paths.spectrum(number).reasons


def test_paths_of_one_size_that_begin_elsewhere() -> None:
    builder = Builder()
    x = builder.input("x", (40,))
    one = builder.along(x, {0: (Window(3), 32)})
    other = builder.along(x, {0: (Window(3, padding=-6), 32)})
    apart = builder.along(x, {0: (Window(3, dilation=3), 32)})
    y = builder.along(builder.pointwise(one, other, apart), {0: (Window(2), 31)})
    for many in (0, 2, terms.MANY):  # the three are of two kinds
        with patch.object(terms, "MANY", many):
            paths = Paths(builder.graph, 0, 0)
        assert dict(paths.spectrum(y.node)) == {4: 2, 8: 1}
        assert ("many-terms" in paths.spectrum(y.node).reasons) == (not many)


def test_paths_that_are_alike_count_for_the_larger_at_every_phase() -> None:
    builder = Builder()
    x = builder.input("x", (10,))
    even = builder.along(x, {0: (Window(3, padding=2, input_dilation=2), 18)})  # reads two where y is even
    odd = builder.along(x, {0: (Window(3, padding=1, input_dilation=2), 18)})
    y = builder.along(builder.pointwise(odd, even), {0: (Window(1, stride=2), 9)})
    assert dict(Paths(builder.graph, 0, 0).spectrum(y.node)) == {1: 1, 2: 1}
    with patch.object(terms, "MANY", 0):
        united = Paths(builder.graph, 0, 0).spectrum(y.node)
    assert dict(united) == {2: 2}
    assert "many-terms" in united.reasons


def test_a_path_that_reads_nothing_has_size_zero() -> None:
    builder = Builder()
    x = builder.input("x", (9,))
    between = Window(1, stride=2, padding=1, input_dilation=2)
    y = builder.along(x, {0: (between, 8)})
    assert dict(Paths(builder.graph, 0, 0).spectrum(y.node)) in ({0: 1}, {})
