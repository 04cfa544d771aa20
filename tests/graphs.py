"""Random legal graphs for property tests: small shapes, every relation, every axis map."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from eyeshot.graph import Builder, Graph, Ref
from eyeshot.relations import All, Identity, Prefix, Suffix, Table, Window, tables

if TYPE_CHECKING:
    from eyeshot.relations import AxisMap

LARGEST = 64


@st.composite
def axis_maps(draw: st.DrawFn, extent: int) -> tuple[AxisMap, int]:
    """A legal map from an axis of ``extent``, with the extent it leads to."""
    kind = draw(
        st.sampled_from(["window", "transposed", "slice", "table", "same", "all", "scan", "pad", "adaptive"])
    )
    if kind == "window":
        kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        dilation, padding = draw(st.integers(1, 2)), draw(st.integers(0, 2))
        out = (extent + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        return (Window(kernel, stride, dilation, padding), out) if out > 0 else (Identity(), extent)
    if kind == "transposed":
        kernel, between = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        out = (extent - 1) * between + kernel
        return Window(kernel, 1, 1, kernel - 1, between), out
    if kind == "slice":
        start = draw(st.integers(0, extent - 1))
        step = draw(st.sampled_from([1, 2, -1]))
        count = len(range(start, extent, step)) if step > 0 else len(range(start, -1, step))
        return tables.strided(start, step, count, extent), count
    if kind == "table":
        rows = draw(st.lists(st.sets(st.integers(0, extent - 1), max_size=3), min_size=1, max_size=6))
        return Table.of_rows([sorted(row) for row in rows], extent), len(rows)
    if kind == "pad":
        before, after = draw(st.integers(0, min(2, extent - 1))), draw(st.integers(0, min(2, extent - 1)))
        mode = draw(st.sampled_from(["constant", "reflect", "replicate", "circular"]))
        return tables.pad(before, after, extent, mode), extent + before + after
    if kind == "adaptive":
        out = draw(st.integers(1, extent + 1))
        return tables.adaptive(extent, out), out
    if kind == "all":
        return All(), draw(st.integers(1, 3))
    if kind == "scan":
        return draw(st.sampled_from([Prefix(), Suffix()])), extent
    return draw(
        st.sampled_from(
            [
                (tables.flip(extent), extent),
                (tables.roll(draw(st.integers(0, extent)), extent), extent),
                (tables.stretch(2, extent), 2 * extent),
                (tables.tile(2, extent), 2 * extent),
            ]
        )
    )


@st.composite
def graphs(draw: st.DrawFn, steps: int = 8) -> Graph:
    """A graph of a few nodes over one 3-D or 4-D input, with branches and joins."""
    builder = Builder()
    shape = (2, *draw(st.lists(st.integers(1, 5), min_size=2, max_size=3)))
    made = [builder.input("x", shape)]
    for _ in range(draw(st.integers(1, steps))):
        x = draw(st.sampled_from(made[-3:]))
        made.append(draw(_step(builder, made, x)))
    builder.graph.outputs["y"] = made[-1].node
    return builder.graph


@st.composite
def steps(draw: st.DrawFn, builder: Builder, node: int, number: int) -> Ref:
    """A few more nodes that read one node and what comes after it."""
    made = [Ref(node, builder.graph.nodes[node].shape)]
    for _ in range(draw(st.integers(1, number))):
        made.append(draw(_step(builder, made, draw(st.sampled_from(made[-3:])))))
    return made[-1]


KINDS = "along along along reshape permute join join concat concat product attention pool grow dense".split()


@st.composite
def _step(draw: st.DrawFn, builder: Builder, made: list[Ref], x: Ref) -> Ref:
    rank = len(x.shape)
    same = st.sampled_from([ref for ref in made if ref.shape == x.shape])
    match draw(st.sampled_from(KINDS)):
        case "along" if rank:
            axes = draw(st.sets(st.integers(0, rank - 1), min_size=1, max_size=2))
            maps = {axis: draw(axis_maps(x.shape[axis])) for axis in axes}
            if not 0 < prod(maps[a][1] if a in maps else n for a, n in enumerate(x.shape)) <= LARGEST * 4:
                return x
            return builder.along(x, maps, summarises=draw(st.booleans()))
        case "reshape":
            return builder.reshape(x, draw(_shapes(prod(x.shape))))
        case "permute":
            return builder.permute(x, draw(st.permutations(range(rank))))
        case "pool" if rank:
            return builder.normalise(x, draw(st.sets(st.integers(0, rank - 1), min_size=1)))
        case "join":
            return builder.pointwise(x, draw(same))
        case "concat" if rank and prod(x.shape) <= LARGEST:
            others = draw(st.lists(st.one_of(same, st.just(builder.constant(x.shape))), max_size=2))
            return builder.concat(draw(st.permutations([x, *others])), draw(st.integers(0, rank - 1)))
        case "product":
            return draw(_product(builder, x, draw(st.sampled_from(made))))
        case "attention" if rank == 3:
            other = draw(same)
            table = draw(_support(x.shape[1], x.shape[1]))
            scores = builder.contract("bid,bkd->bik", x, other)
            return builder.contract(
                "bik,bkd->bid", scores, other, support=draw(st.sampled_from([None, ("i", "k", table)]))
            )
        case "grow" if prod(x.shape) <= LARGEST:
            shape = tuple(2 if n == 1 and draw(st.booleans()) else n for n in x.shape)
            return builder.broadcast(x, (2,) * draw(st.integers(0, 1)) + shape)
        case "dense" if draw(st.integers(0, 3)) == 0:
            return builder.dense([x, draw(st.sampled_from(made))], (2, 3), "unknown-op")
        case _:
            return x


@st.composite
def _support(draw: st.DrawFn, rows: int, columns: int) -> Table:
    row = st.sets(st.integers(0, columns - 1)).map(sorted)
    return Table.of_rows(draw(st.lists(row, min_size=rows, max_size=rows)), columns)


@st.composite
def _product(draw: st.DrawFn, builder: Builder, x: Ref, y: Ref) -> Ref:
    """An einsum of two tensors that share any labels of one extent, kept in any order, with or without a support."""
    extents = dict(zip("abcdefgh", x.shape, strict=False))
    first, second = "".join(extents), ""
    for extent, new in zip(y.shape, "ijklmnop", strict=False):
        alike = [letter for letter in first if extents[letter] == extent and letter not in second]
        second += draw(st.sampled_from([new, *alike, *alike]))
        extents[second[-1]] = extent
    kept = draw(st.permutations(list(extents)))[: draw(st.integers(0, 4))]
    if prod(extents.values()) > LARGEST * 16 or prod(extents[letter] for letter in kept) > LARGEST * 4:
        return x
    summed = [letter for letter in extents if letter not in kept]
    support = None
    if kept and summed and draw(st.booleans()):
        row, column = draw(st.sampled_from(kept)), draw(st.sampled_from(summed))
        support = (row, column, draw(_support(extents[row], extents[column])))
    return builder.contract(f"{first},{second}->{''.join(kept)}", x, y, support=support)


@st.composite
def _shapes(draw: st.DrawFn, elements: int) -> tuple[int, ...]:
    """A shape of the given number of elements, with axes of extent 1 here and there."""
    shape = []
    while elements > 1:
        divisors = [n for n in range(2, elements + 1) if elements % n == 0]
        shape.append(draw(st.sampled_from(divisors)))
        elements //= shape[-1]
    for _ in range(draw(st.integers(0, 2))):
        shape.insert(draw(st.integers(0, len(shape))), 1)
    return tuple(shape) or (1,)
