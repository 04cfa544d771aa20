"""Tables and pictures: what stands where, what is marked, and what is left out where there is no room."""

import io
from fractions import Fraction

import matplotlib as mpl
import pytest
import torch
from rich.console import Console
from torch import nn

import eyeshot
from eyeshot.views import legend, plots, rows, text, units

mpl.use("Agg")

SIZE = (1, 4, 32, 32)


def shown(renderable, width=140):
    page = io.StringIO()
    Console(file=page, width=width, highlight=False).print(renderable)
    return page.getvalue()


def cells(page):
    """Rows by the first cell, guides of the tree left out."""
    found = [line.replace("├╴", "").replace("└╴", "").replace("│", "").split() for line in page.splitlines()]
    return {row[0]: row[1:] for row in reversed(found) if row}


class Gate(nn.Module):
    """Squeeze and excitation: what an image is as a whole scales every pixel."""

    def __init__(self):
        super().__init__()
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.excite = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        return x * self.excite(self.squeeze(x)).sigmoid()


class Twice(nn.Module):
    """One block called twice, the second time on its own output, and a pair as output."""

    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())
        self.split = Pair()

    def forward(self, x):
        return self.split(self.block(self.block(x)))


class Pair(nn.Module):
    def forward(self, x):
        return x[:, :2], x[:, 2:].mean((2, 3))


class Same(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


class Sum(nn.Module):
    def __init__(self, *branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return sum(branch(x) for branch in self.branches)


class Gather(nn.Module):
    def forward(self, x):
        grid = torch.stack([x[:, 0], x[:, 1]], -1)
        return nn.functional.grid_sample(x, grid, align_corners=False)


class Roll(nn.Module):
    def forward(self, x):
        return x.roll(5, 3)


def read(*layers, size=SIZE):
    return eyeshot.analyze(nn.Sequential(*layers).eval(), size)


class TestWords:
    @pytest.mark.parametrize(
        ("size", "words"),
        [
            ((7, 7), "7"),
            ((7, 5), "7x5"),
            ((None, None), "all"),
            ((None, 7), "allx7"),
            ((0, 0), "nothing"),
            ((3,), "3"),
        ],
    )
    def test_extent(self, size, words):
        assert text.extent(size) == words

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ((2, 2), "2"),
            ((-3, 4), "-3,4"),
            ((None, None), ""),
            ((None, 2), "-,2"),
            ((Fraction(1, 2),) * 2, "1/2"),
        ],
    )
    def test_steps(self, values, words):
        assert text.steps(values) == words

    @pytest.mark.parametrize(
        ("count", "words"),
        [(0, "0"), (999, "999"), (1000, "1.00k"), (9_994, "9.99k"), (9_996, "10.0k"), (99_960, "100k"),
         (999_600, "1.00M"), (25_557_032, "25.6M"), (4.09e9, "4.09G"), (1.23e15, "1230T")],
    )  # fmt: skip
    def test_short(self, count, words):
        assert text.short(count) == words

    @pytest.mark.parametrize(
        ("share", "words"),
        [(1.0, "100%"), (0.9999, "99.9%"), (0.5, "50.0%"), (0.0001, "<0.1%"), (0.0, "0.0%")],
    )
    def test_percent(self, share, words):
        assert text.percent(share) == words

    @pytest.mark.parametrize(
        ("share", "drawn"), [(0, ""), (1e-9, "▏"), (0.5, "████"), (1, "█" * 8), (0.3, "██▍")]
    )
    def test_bar(self, share, drawn):
        assert text.bar(share) == drawn

    @pytest.mark.parametrize(("given", "unit"), [("0,*,3,-1", (0, None, 3, -1)), ("1, :,2", (1, None, 2))])
    def test_unit(self, given, unit):
        assert units.parse(given) == unit
        with pytest.raises(ValueError, match="invalid literal"):
            units.parse("0,x")


class TestTree:
    def test_calls_nest_and_count(self):
        report = eyeshot.analyze(Twice().eval(), SIZE)
        found = [(row.branches, row.label, row.parent, row.part, row.again) for row in rows.tree(report)]
        assert found == [
            ("", "block", True, 0, False),
            ("├╴", "0", False, 0, False),
            ("└╴", "1", False, 0, False),
            ("", "block:1", True, 0, True),
            ("├╴", "0:1", False, 0, True),
            ("└╴", "1:1", False, 0, True),
            ("", "split.0", False, 0, False),
            ("", "split.1", False, 1, False),
        ]

    def test_sizes_of_repeated_calls(self):
        table = cells(shown(text.Summary(eyeshot.analyze(Twice().eval(), SIZE))))
        assert table["block"][:3] == ["Sequential", "1x4x32x32", "3"]
        assert table["block:1"][:3] == ["Sequential", "1x4x32x32", "5"]
        assert "148" in table["block"], "4 * (4 * 9 + 1) parameters"
        assert "148" not in table["block:1"], "no parameter is counted twice"

    @pytest.mark.parametrize(
        ("depth", "labels"), [(1, ["0"]), (2, ["0", "inner"]), (9, ["0", "inner", "inner", "0"])]
    )
    def test_depth(self, depth, labels):
        report = read(Same(Same(nn.Sequential(nn.ReLU()))))
        assert [row.label for row in rows.tree(report, depth)] == labels

    def test_long_networks_show_fewer_levels(self):
        blocks = [nn.Sequential(nn.Sequential(nn.ReLU(), nn.ReLU()), nn.ReLU()) for _ in range(10)]
        report = read(*blocks)
        assert [len(rows.tree(report, depth)) for depth in (1, 2, 3)] == [10, 30, 50]
        assert len(rows.tree(report)) == 30

    def test_outputs_that_no_row_shows(self):
        class Scaled(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(4, 4, 3)

            def forward(self, x):
                y = self.conv(x)
                return {"plain": y, "flat": y[..., :2].flatten(1)}

        report = eyeshot.analyze(Scaled().eval(), SIZE)
        table = rows.tree(report)
        assert [row.label for row in rows.outputs(report, table)] == ["flat"]
        assert cells(shown(text.Summary(report)))["flat"][0] == "output"


MARKED = {
    legend.PHASES: [nn.Upsample(scale_factor=2), nn.Conv2d(4, 4, 3)],
    legend.MISALIGNED: [Sum(nn.Conv2d(4, 4, 3), nn.ZeroPad2d((0, -2, 0, -2)))],
    legend.SOUND: [Gather()],
    legend.AT_SIZE: [nn.AdaptiveAvgPool2d(8)],
    legend.NO_LAW: [Roll()],
    legend.ALL: [nn.Conv2d(4, 4, 3), nn.InstanceNorm2d(4)],
}  # fmt: skip


@pytest.mark.parametrize(("mark", "layers"), MARKED.items(), ids=MARKED)
def test_marks_and_their_legend(mark, layers):
    page = shown(text.Summary(read(*layers)))
    below = page[page.rindex("\n\n") :]
    assert any(line.split()[:1] == [mark] for line in below.splitlines())
    assert any(mark in row for row in cells(page).values())
    plain = shown(text.Summary(read(nn.Conv2d(4, 4, 3))))
    assert mark not in plain.partition("clipped\n")[2]


def test_sound_fields_say_why():
    assert "data-dependent-index" in shown(text.Summary(read(Gather())))


def test_gates_show_the_local_field_beside():
    report = read(nn.Conv2d(4, 4, 3, padding=1), Gate(), nn.Conv2d(4, 4, 3, padding=1))
    page = shown(text.Summary(report))
    assert "Local" in page
    assert cells(page)["2"][:4] == ["Conv2d", "1x4x32x32", "all", "5"]
    assert "since 1.squeeze" in page
    local = shown(text.Summary(report.view("local")))
    assert "local fields" in local
    assert "Local" not in local
    assert cells(local)["2"][2] == "5"


@pytest.mark.parametrize("width", [140, 100, 80, 60])
def test_fits_the_terminal(width):
    report = read(nn.Conv2d(4, 4, 3, padding=1), Gate(), nn.Upsample(scale_factor=2), nn.Conv2d(4, 4, 3))
    page = shown(text.Summary(report), width)
    assert max(map(len, page.splitlines())) <= width
    assert "…" not in page
    assert {"Layer", "Size", "Stride"} <= set(page.split())
    assert ("MACs" in page.split()) == (width >= 80)
    assert ("█" in page) == (width == 140)


def test_notes_and_seconds():
    report = eyeshot.analyze(nn.Sequential(nn.Conv2d(4, 4, 3)).train(), SIZE)
    report.provenance["loading"] = 1.0
    page = shown(text.Summary(report, seconds=1.25))
    assert "loaded in 1.00 s, read in 0.25 s" in page
    assert "note: the model is in train mode" in page


class TestPlots:
    def draw(self, seen):
        from matplotlib.figure import Figure

        axes = Figure().add_subplot()
        plots.box(axes, seen, plots.PALETTE[0], "a label")
        frames = [patch for patch in axes.patches if type(patch).__name__ == "Rectangle"]
        return axes, {
            patch.get_linestyle() == "solid" or patch.get_linewidth() > 2: patch.get_bbox()
            for patch in frames
        }

    def test_a_box_inside_is_one_solid_frame(self):
        axes, frames = self.draw(read(nn.Conv2d(4, 4, 5))["0"].at(0, 0, 2, 3))
        assert {solid: box.extents.tolist() for solid, box in frames.items()} == {True: [2.5, 1.5, 7.5, 6.5]}
        ((column,), (row,)) = axes.lines[0].get_data()
        assert (row, column) == (4, 5)

    def test_a_box_over_the_border_is_dashed_beyond(self):
        _, frames = self.draw(read(nn.Conv2d(4, 4, 5, padding=2))["0"].at(0, 0, 0, 0))
        assert frames[True].extents.tolist() == [-0.5, -0.5, 2.5, 2.5]
        assert frames[False].extents.tolist() == [-2.5, -2.5, 2.5, 2.5]

    @pytest.mark.parametrize(("point", "unit"), [((0, 0), (0, 0)), ((31, 31), (14, 14)), ((9, 13), (4, 6))])
    def test_nearest_unit(self, point, unit):
        field = read(nn.Conv2d(4, 4, 3, stride=2))["0"]
        assert plots.nearest_unit(field, point) == (0, None, *unit)

    def test_no_unit_is_near_without_a_place(self):
        with pytest.raises(eyeshot.QuestionError, match="no place"):
            plots.nearest_unit(read(nn.AdaptiveAvgPool2d(1))["0"], (3, 3))

    def test_growth(self):
        from matplotlib.figure import Figure

        axes = Figure().add_subplot()
        report = read(nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3))
        plots.growth(axes, list(report.values()), {"1": "#000000"})
        assert axes.lines[0].get_ydata().tolist() == [3, 5]
        assert [note.get_text() for note in axes.texts] == ["5"]
