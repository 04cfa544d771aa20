"""The law against boxes of central units far from every border, and against itself at another size."""

from __future__ import annotations

from fractions import Fraction
from math import prod

from hypothesis import given
from hypothesis import strategies as st

from eyeshot.analyses.boxes import Boxes
from eyeshot.analyses.law import Laws
from eyeshot.graph import Builder, Graph, Ref
from eyeshot.relations import All, Prefix, Table, Window, tables
from eyeshot.relations.resize import resize

Step = tuple[str, tuple[int, ...]]

STEPS = st.one_of(
    st.tuples(
        st.just("conv"), st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 3), st.integers(0, 3))
    ),
    st.tuples(st.just("transposed"), st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(0, 1))),
    st.tuples(st.just("stretch"), st.tuples(st.integers(2, 3))),
    st.tuples(st.just("skip"), st.tuples(st.integers(1, 3), st.integers(1, 3))),
    st.tuples(st.just("halves"), st.tuples(st.integers(1, 3))),
    st.tuples(st.just("crop"), st.tuples(st.integers(0, 3))),
    st.tuples(st.just("reflect"), st.tuples(st.integers(0, 3))),
    st.tuples(st.just("shuffle"), st.tuples(st.integers(2, 3))),
    st.tuples(st.just("depth"), st.tuples(st.integers(2, 3))),
    st.tuples(st.just("blocks"), st.tuples(st.integers(2, 4))),
    st.tuples(st.just("mean"), st.tuples()),
    st.tuples(st.just("mix"), st.tuples()),
    st.tuples(st.just("turn"), st.tuples(st.integers(1, 5))),
    st.tuples(st.just("lose"), st.tuples(st.integers(0, 5))),
    st.tuples(st.just("resize"), st.tuples(st.sampled_from([2, 3, 5]), st.just(2))),
    st.tuples(st.just("shifted"), st.tuples(st.integers(1, 2))),
)


def build(steps: list[Step], extent: int) -> tuple[Graph, Ref]:
    """A one-dimensional network on (1, 6, extent)."""
    b = Builder()
    x = b.input("x", (1, 6, extent))
    for kind, numbers in steps:
        x = step(b, x, kind, numbers)
    return b.graph, x


def conv(b: Builder, x: Ref, kernel: int, stride: int, dilation: int, padding: int, channels: int = 6) -> Ref:
    count = (x.shape[2] + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    return b.along(x, {1: (All(), channels), 2: (Window(kernel, stride, dilation, padding), count)})


def step(b: Builder, x: Ref, kind: str, numbers: tuple[int, ...]) -> Ref:
    match kind, numbers:
        case "conv", (kernel, stride, dilation, padding):
            return conv(b, x, kernel, stride, dilation, padding)
        case "transposed", (kernel, between, padding):
            padding = min(padding, kernel - 1)
            count = (x.shape[2] - 1) * between - 2 * padding + kernel
            return b.along(
                x, {1: (All(), 6), 2: (Window(kernel, 1, 1, kernel - 1 - padding, between), count)}
            )
        case "stretch", (times,):
            return b.along(x, {2: (tables.stretch(times, x.shape[2]), times * x.shape[2])})
        case "skip", (half, dilation):
            return b.pointwise(x, conv(b, x, 2 * half + 1, 1, dilation, half * dilation))
        case "halves", (half,):
            return b.concat([b.slice(x, 1, 0, 3), conv(b, x, 2 * half + 1, 1, 1, half, 3)], 1)
        case "crop", (amount,):
            return b.pad(x, {2: (-amount, -amount)})
        case "reflect", (amount,):
            return b.along(
                x, {2: (tables.pad(amount, amount, x.shape[2], "reflect"), x.shape[2] + 2 * amount)}
            )
        case "shuffle", (times,):
            wide = conv(b, x, 3, 1, 1, 1, 6 * times)
            cut = b.permute(b.reshape(wide, (1, 6, times, wide.shape[2])), (0, 1, 3, 2))
            return b.reshape(cut, (1, 6, times * wide.shape[2]))
        case _:
            return other_step(b, x, kind, numbers)


def other_step(b: Builder, x: Ref, kind: str, numbers: tuple[int, ...]) -> Ref:
    match kind, numbers:
        case "depth", (times,):  # pieces of the axis become channels
            cut = b.permute(cut_up(b, x, times), (0, 3, 1, 2))
            return b.along(b.reshape(cut, (1, 6 * times, cut.shape[3])), {1: (All(), 6)})
        case "blocks", (times,):  # all of a block sees all of the block
            cut = cut_up(b, x, times)
            return b.reshape(b.broadcast(b.reduce(cut, [3]), cut.shape), (1, 6, times * cut.shape[2]))
        case "mean", ():
            return b.normalise(x, [1])
        case "mix", ():  # a prefix of the channels
            return b.along(x, {1: (Prefix(), 6)})
        case "turn", (shift,):
            return b.along(x, {1: (tables.roll(shift, 6), 6)})
        case "lose", (channel,):  # one channel reads nothing any more
            kept = Table.of_rows([[c] if c != channel else [] for c in range(6)], 6)
            return b.along(x, {1: (kept, 6)})
        case "resize", (up, down):
            count = x.shape[2] * up // down
            return b.along(x, {2: (resize(x.shape[2], count, "linear", factor=up / down), count)})
        case "shifted", (by,):
            extent = x.shape[2]
            return b.pointwise(b.slice(x, 2, 0, extent - by), b.slice(x, 2, by, extent))
    raise AssertionError(kind)


def cut_up(b: Builder, x: Ref, times: int) -> Ref:
    """The last axis as pieces of ``times``, less what is left over."""
    count = x.shape[2] // times
    return b.reshape(b.slice(x, 2, 0, count * times), (1, 6, count, times))


@given(st.lists(STEPS, min_size=1, max_size=5))
def test_the_law_is_the_box_far_from_borders(steps: list[Step]) -> None:
    graph, out = build(steps, 6000)
    law, boxes = Laws(graph, 0, (2,)), Boxes(graph, 0, (2,))
    found = law.axis(out.node, 0)
    assert found.why is None or found.size == 0
    middle = out.shape[2] // 2
    for unit in range(middle, middle + min(13, out.shape[2] - middle)):
        for channel in (0, 5):
            box = boxes.at(out.node, (0, channel, unit))
            ideal = law.at(out.node, (0, channel, unit), 0)
            if ideal and not (ideal[0] > 1000 and ideal[1] < 5000):
                continue  # too near a border
            if box is None and any(kind == "lose" for kind, _ in steps):
                continue  # a law doesn't know of channels that read nothing
            assert ideal == (box and box[0])
            assert found.size or box is None
            if box:
                phase = unit % len(found.phases)
                offset, size = found.phases[phase]
                first = Fraction(found.stride) * unit + offset
                assert first <= box[0][0]
                assert box[0][1] - box[0][0] <= size <= found.size


@given(st.lists(STEPS, min_size=1, max_size=5))
def test_the_law_is_free_of_the_size(steps: list[Step]) -> None:
    laws = []
    for extent in (600, 1131):
        graph, out = build(steps, extent)
        laws.append(Laws(graph, 0, (2,)).axis(out.node, 0))
    assert laws[0] == laws[1]


def test_window_partition_holds_only_at_its_size() -> None:
    b = Builder()
    x = b.input("x", (1, 56))
    cut = b.reshape(conv(b, b.reshape(x, (1, 1, 56)), 3, 1, 1, 1, 1), (8, 7))
    seen = b.reduce(cut, [1])
    law = Laws(b.graph, 0, (1,)).axis(seen.node, 0)
    assert (law.size, law.stride, law.offset, law.at_size) == (9, 7, -1, True)


def test_joined_pieces_have_no_law_and_everything_of_them_is_unbounded() -> None:
    b = Builder()
    x = b.input("x", (1, 20))
    doubled = b.concat([x, x], 1)
    assert Laws(b.graph, 0, (1,)).axis(doubled.node, 0).why
    whole = b.reduce(doubled, [1])
    assert Laws(b.graph, 0, (1,)).axis(whole.node, 0).unbounded


def test_strides_that_disagree_are_said() -> None:
    b = Builder()
    x = b.input("x", (1, 20))
    one = b.slice(x, 1, 0, 20, 2)
    two = b.slice(x, 1, 0, 10)
    joined = b.pointwise(one, two)
    law = Laws(b.graph, 0, (1,)).axis(joined.node, 0)
    assert law.why
    assert "strides" in law.why
    assert law.size is None


def test_a_table_without_law_is_exact_on_a_fixed_axis() -> None:
    b = Builder()
    x = b.input("x", (1, 4, 30))
    turned = b.along(conv(b, x, 3, 1, 1, 1, 4), {1: (Table.of_rows([[2], [0, 1]], 4), 2)})
    law = Laws(b.graph, 0, (2,)).axis(turned.node, 0)
    assert (law.size, law.why) == (3, None)


@given(
    st.lists(st.integers(1, 4), min_size=2, max_size=4),
    st.sets(st.integers(0, 3)),
    st.integers(1, 4),
    st.sampled_from([1, 1, 2, 3, 6]),
)
def test_a_cut_axis_read_through_a_window_is_the_box(
    sizes: list[int], summed: set[int], kernel: int, times: int
) -> None:
    """Some pieces of a cut axis are read whole, the rest is put together again: the law is the box of inner units.

    The axis may have phases already when it is cut.
    """
    b = Builder()
    x = b.input("x", (4 * prod(sizes),))
    extent = times * prod(sizes)
    stretched = b.along(x, {0: (tables.stretch(times, 4 * prod(sizes)), 4 * extent)})
    pieces = b.reshape(stretched, (4 * times, *sizes))
    seen = b.broadcast(b.reduce(pieces, [1 + axis for axis in summed if axis < len(sizes)]), pieces.shape)
    whole = b.reshape(seen, (4 * extent,))
    count = 4 * extent - kernel + 1
    out = b.along(whole, {0: (Window(kernel), count)})
    law, boxes = Laws(b.graph, 0, (0,)), Boxes(b.graph, 0, (0,))
    assert law.axis(out.node, 0).why is None
    for unit in range(count):
        assert law.at(out.node, (unit,), 0) == boxes.at(out.node, (unit,))[0]


def test_what_holds_at_one_size_stays_so() -> None:
    b = Builder()
    x = b.input("x", (1, 6, 30))
    pooled = b.along(x, {2: (tables.adaptive(30, 7), 7)})
    for out in (conv(b, pooled, 3, 1, 1, 1), b.slice(pooled, 2, 1, 6)):
        assert Laws(b.graph, 0, (2,)).axis(out.node, 0).at_size


def test_sizes_offsets_and_phases_of_units_that_differ() -> None:
    """Channels that look elsewhere: the offset is the least, the size the largest, never the union of both."""
    b = Builder()
    x = b.input("x", (2, 40))
    apart = b.concat([b.slice(b.slice(x, 0, 0, 1), 1, 0, 30), b.slice(b.slice(x, 0, 1, 2), 1, 7, 37)], 0)
    seen = b.along(apart, {1: (Window(3), 28)})
    wider = b.concat([seen, b.slice(conv3(b, b.slice(x, 0, 0, 1), 9), 1, 0, 28)], 0)
    laws = Laws(b.graph, 0, (1,))
    law = laws.axis(seen.node, 0)
    assert (law.size, law.stride, law.offset, law.misaligned) == (3, 1, 0, False)
    law = laws.axis(wider.node, 0)
    assert (law.size, law.stride, law.offset) == (9, 1, 0)
    assert laws.at(seen.node, (1, 4), 0) == (11, 14)
    assert laws.at(seen.node, (None, 4), 0) == (4, 14)
    assert laws.at(seen.node, (1, None), 0) == (7, 37)


def conv3(b: Builder, x: Ref, kernel: int) -> Ref:
    return b.along(x, {1: (Window(kernel), x.shape[1] - kernel + 1)})


@given(
    st.lists(STEPS.filter(lambda step: step[0] not in {"lose", "crop", "reflect"}), min_size=1, max_size=3)
)
def test_the_law_is_no_wider_than_the_widest_unit(steps: list[Step]) -> None:
    graph, out = build(steps, 3000)
    law, boxes = Laws(graph, 0, (2,)).axis(out.node, 0), Boxes(graph, 0, (2,))
    if len(law.phases) > 40 or out.shape[2] < 200:
        return
    period = len(law.phases)
    first = out.shape[2] // 2 // period * period
    found = []
    for phase in range(period):
        boxed = [boxes.at(out.node, (0, channel, first + phase)) for channel in range(out.shape[1])]
        if None in boxed:
            assert law.phases[phase][1] == 0
            continue
        low, size = min(box[0][0] for box in boxed), max(box[0][1] - box[0][0] for box in boxed)
        found.append((low - Fraction(law.stride) * (first + phase), size))
    assert [pair for pair in law.phases if pair[1]] == found
    assert law.size == max((size for _, size in found), default=0)
    assert law.offset == min((offset for offset, _ in found), default=None)


def test_branches_with_other_centers_are_misaligned() -> None:
    b = Builder()
    x = b.input("x", (1, 30))
    left, right = b.slice(x, 1, 0, 28), b.slice(x, 1, 2, 30)
    middle = b.along(x, {1: (Window(3), 28)})
    shifted, centered = b.pointwise(left, right), b.pointwise(middle, b.slice(x, 1, 1, 29))
    doubled = b.pointwise(shifted, middle)
    laws = Laws(b.graph, 0, (1,))
    assert laws.axis(shifted.node, 0).misaligned
    assert not laws.axis(centered.node, 0).misaligned
    assert not laws.axis(middle.node, 0).misaligned
    assert laws.axis(doubled.node, 0).misaligned
    assert laws.axis(shifted.node, 0).size == laws.axis(doubled.node, 0).size == 3


def test_a_fixed_axis_merged_with_a_growing_one_grows() -> None:
    b = Builder()
    x = b.input("x", (3, 20))
    flat = b.reshape(conv3(b, x, 3), (54,))
    seen = b.along(flat, {0: (Window(2), 53)})
    ends = b.reduce(flat, [0]), b.reduce(seen, [0])
    laws = Laws(b.graph, 0, (1,))
    assert laws.axis(ends[0].node, 0).unbounded
    # Read across the rows' ends, 18 of them a row, it is what it is at this size alone.
    assert laws.axis(seen.node, 0).at_size
    assert laws.axis(ends[1].node, 0).at_size
    # A fixed axis inside a growing one is another matter: its length is the same at any size.
    inside = b.along(b.reshape(b.permute(conv3(b, x, 3), (1, 0)), (54,)), {0: (Window(2), 53)})
    whole = b.reduce(inside, [0])
    laws = Laws(b.graph, 0, (1,))
    law = laws.axis(inside.node, 0)
    assert (law.size, law.stride, law.at_size) == (4, Fraction(1, 3), False)
    assert laws.axis(whole.node, 0).unbounded


def test_an_axis_that_was_cut_and_put_together_has_no_phases() -> None:
    b = Builder()
    x = b.input("x", (24,))
    again = b.reshape(b.pointwise(b.reshape(x, (2, 3, 4)), b.constant((2, 3, 4))), (24,))
    cut = b.reshape(b.along(b.reshape(x, (6, 4)), {0: (Window(1), 6)}), (24,))
    for y in (again, cut):
        seen = b.along(y, {0: (Window(3), 22)})
        law = Laws(b.graph, 0, (0,)).axis(seen.node, 0)
        assert (law.size, law.stride, law.phases, law.at_size) == (3, 1, ((0, 3),), False)


def test_a_piece_that_was_read_whole_moves_nothing_more() -> None:
    b = Builder()
    x = b.input("x", (24,))
    whole = b.reduce(b.reshape(x, (6, 4)), [1])
    padded = b.pad(whole, {1: (1, 1)})
    laws = Laws(b.graph, 0, (0,))
    assert laws.axis(padded.node, 0).stride == 4
    assert {laws.at(padded.node, (2, place), 0) for place in range(3)} == {(8, 12)}


def test_what_falls_between_all_elements_reads_nothing() -> None:
    b = Builder()
    x = b.input("x", (9,))
    between = b.along(x, {0: (Window(1, stride=2, padding=1, input_dilation=2), 8)})
    law = Laws(b.graph, 0, (0,)).axis(between.node, 0)
    assert law.size == 0
    assert law.why
    assert Boxes(b.graph, 0, (0,)).at(between.node, (3,)) is None
    after = b.along(between, {0: (Window(3), 6)})
    laws = Laws(b.graph, 0, (0,))
    assert laws.at(between.node, (3,), 0) is None
    assert laws.at(after.node, (3,), 0) is None
    assert laws.axis(after.node, 0).size == 0


def test_one_axis_keeps_its_law_where_the_other_has_none() -> None:
    b = Builder()
    x = b.input("x", (8, 8))
    shifted = b.pad(b.slice(x, 0, 1, 8), {0: (0, 1)})
    half = b.along(b.slice(x, 1, 0, 4), {1: (tables.stretch(2, 4), 8)})
    quarter = b.along(b.slice(x, 1, 0, 2), {1: (tables.stretch(4, 2), 8)})
    y = b.pointwise(x, shifted, half, quarter)
    laws = Laws(b.graph, 0, (0, 1))
    rows, columns = laws.axis(y.node, 0), laws.axis(y.node, 1)
    assert (rows.size, rows.stride, rows.offset, rows.misaligned, rows.why) == (2, 1, 0, True, None)
    assert columns.size is None
    assert "strides" in columns.why
    turned = b.permute(y, (1, 0))
    laws = Laws(b.graph, 0, (0, 1))
    assert laws.axis(turned.node, 0) == rows
    assert laws.axis(turned.node, 1) == columns


def test_a_tensor_that_sees_nothing_has_an_empty_law() -> None:
    b = Builder()
    b.input("x", (9,))
    other = b.input("z", (9,))
    law = Laws(b.graph, 0, (0,)).axis(other.node, 0)
    assert (law.size, law.stride, law.offset, law.phases) == (0, None, None, ())
    assert law.why
    assert Laws(b.graph, 0, (0,)).at(other.node, (3,), 0) is None


def test_blocks_of_what_grows_stay_open_at_one_size() -> None:
    b = Builder()
    x = b.input("x", (24,))
    blocks = b.reduce(b.reshape(x, (6, 4)), [1])
    repeated = b.reshape(b.broadcast(blocks, (6, 5)), (30,))
    whole = b.reduce(b.along(repeated, {0: (Window(2), 29)}), [0])
    again = b.reshape(b.broadcast(blocks, (6, 4)), (24,))
    laws = Laws(b.graph, 0, (0,))
    law = laws.axis(whole.node, 0)
    assert (law.size, law.at_size, law.unbounded) == (24, True, False)
    law = laws.axis(again.node, 0)
    assert (law.size, law.stride, law.phases) == (4, 1, ((0, 4), (-1, 4), (-2, 4), (-3, 4)))


def test_two_that_have_no_law_move_along_what_either_does() -> None:
    b = Builder()
    x = b.input("x", (8,))
    turned = b.along(x, {0: (tables.roll(3, 8), 8)})
    both = b.pointwise(b.broadcast(b.reshape(turned, (8, 1)), (8, 8)), b.broadcast(turned, (8, 8)))
    ends = [b.reduce(both, [axis]) for axis in (0, 1)]
    laws = Laws(b.graph, 0, (0,))
    assert laws.axis(both.node, 0).why
    assert [laws.axis(end.node, 0).unbounded for end in ends] == [True, True]


def test_one_unit_moves_too() -> None:
    b = Builder()
    x = b.input("x", (8,))
    last = b.along(x, {0: (Window(8, stride=4), 1)})
    law = Laws(b.graph, 0, (0,)).axis(last.node, 0)
    assert (law.size, law.stride, law.offset) == (8, 4, 0)


def test_pieces_of_other_strides_side_by_side() -> None:
    b = Builder()
    x = b.input("x", (1, 16))
    both = b.concat([b.slice(x, 1, 0, 8), b.slice(x, 1, 0, 16, 2)], 0)
    laws = Laws(b.graph, 0, (1,))
    assert laws.at(both.node, (0, 3), 0) == (3, 4)
    assert laws.at(both.node, (1, 3), 0) == (6, 7)


def test_the_first_cause_is_the_one_that_is_told() -> None:
    b = Builder()
    x = b.input("x", (8,))
    turned = b.along(x, {0: (tables.roll(3, 8), 8)})
    later = b.along(b.along(turned, {0: (Window(2), 7)}), {0: (Prefix(), 7)})
    joined = b.concat([turned, turned], 0)
    laws = Laws(b.graph, 0, (0,))
    assert laws.axis(turned.node, 0).why.startswith("table")
    assert laws.axis(later.node, 0).why.startswith("table")
    assert laws.axis(joined.node, 0).why.startswith("table")


def test_each_axis_keeps_its_own_laws_not_their_products() -> None:
    b = Builder()
    x = b.input("x", (8, 8))

    def halved(y: Ref, axis: int) -> Ref:
        return b.along(b.slice(y, axis, 0, 4), {axis: (tables.stretch(2, 4), 8)})

    y = b.pointwise(x, halved(x, 0), halved(x, 1), halved(halved(x, 0), 1))
    laws = Laws(b.graph, 0, (0, 1))
    assert len(laws.dependencies[y.node].terms) == 2
    for axis in (0, 1):
        assert "strides" in laws.axis(y.node, axis).why


def test_pieces_read_whole_stay_open_when_they_are_put_together() -> None:
    b = Builder()
    x = b.input("x", (24,))
    pieces = b.along(b.reshape(x, (2, 3, 4)), {1: (All(), 3), 2: (All(), 4)})
    whole = b.reduce(b.along(b.reshape(pieces, (24,)), {0: (Window(2), 23)}), [0])
    law = Laws(b.graph, 0, (0,)).axis(whole.node, 0)
    assert (law.size, law.at_size, law.unbounded) == (24, True, False)


def test_branches_of_fixed_pieces_with_other_phases_are_one_law() -> None:
    builder = Builder()
    x = builder.reshape(builder.input("x", (2, 3, 4)), (8, 3, 1))
    scores = builder.contract("abc,adc->abd", x, x)
    mixed = builder.contract("abd,adc->abc", scores, x)
    mean = builder.broadcast(builder.along(x, {0: (All(), 1)}, summarises=True), (8, 3, 1))
    joined = builder.reshape(builder.pointwise(builder.pointwise(x, mean), mixed), (12, 2))
    laws = Laws(builder.graph, 0, [0, 1, 2])
    for axis in range(3):
        for local in (False, True):
            law = laws.axis(joined.node, axis, local=local)
            assert law.size is not None or law.why is not None
