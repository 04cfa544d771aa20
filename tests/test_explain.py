"""`explain`: every number it shows, against published figures, boxes, and the equations' own arithmetic."""

import re
from fractions import Fraction
from functools import cache
from pathlib import Path
from random import Random

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import eyeshot
from eyeshot.analyses.walk import Walk
from eyeshot.cli import app
from eyeshot.views.ways import Explained
from tests.frontends.spec.drawn import fitting
from tests.reference_networks import reference
from tests.test_figures import ROWS

RESNET = "stem=conv7s2p3:16 > maxpool3s2p1 > s=3*({id + conv3 > conv3} > relu) > {conv1s2:32 + conv3s2p1:32 > conv3}"
UNET = (
    "a=2*(conv3:4) > maxpool2 > b=2*(conv3:8) > maxpool2 > 2*(conv3) "
    "> up2 > [id | @b] > conv3 > up2 > [id | @a] > conv3:4"
)


def value(text: str) -> Fraction:
    """A side of an equation, worked out."""
    plain = text.replace("⋅", "*").replace("−", "-")
    assert re.fullmatch(r"[-+*/() 0-9]+", plain), text
    return Fraction(eval(re.sub(r"\d+", r"Fraction(\g<0>)", plain)))


def walk(field: eyeshot.Field, axis: int, unit=None):
    source = field.source
    walked = Walk(source.graph, source.laws, source.node, axis, local=field.view == "local")
    return walked.recurrence(field.node, unit)


PUBLISHED = [
    row
    for row in ROWS
    if row.model in {"alexnet_v2", "vgg_a", "resnet_v1_50", "inception_v3"} and not row.resolution
]


@cache
def published(name: str) -> eyeshot.Report:
    network, input_size = reference(name, "")
    return eyeshot.analyze(network, input_size=input_size)


@pytest.mark.parametrize("row", PUBLISHED, ids=str)
def test_published_figures(row):
    field = published(row.name)[row.path]
    for axis, size in enumerate(row.size):
        found = walk(field, axis)
        assert found.end == "input"
        last = found.steps[-1]
        assert last.size == size
        assert row.stride is None or last.jump == row.stride[axis]
        assert row.padding is None or last.offset == row.padding[axis]


@pytest.mark.parametrize("seed", [*range(35), 504, 2196])  # the last two have some hundred phases
def test_the_walk_is_the_law(seed):
    """Interval arithmetic along one path, against the symbolic law of the whole graph."""
    report = eyeshot.analyze(*fitting(Random(seed)))
    for view in ("full", "local"):
        for field in report.view(view).values():
            for axis, law in enumerate(field.law):
                found = walk(field, axis)
                if found.end == "input" and found.steps and not any(step.joins for step in found.steps):
                    last = found.steps[-1]
                    assert (last.size, -last.offset) == (law.size, law.offset)
                    assert law.stride in {None, last.jump}
                assert (found.end == "global") == law.unbounded or found.end == "lost"


@pytest.mark.parametrize("seed", range(100, 125))
def test_units_are_boxes(seed):
    """The intervals of a unit end in its box, cut and uncut, where no other branch adds to it."""
    rng = Random(seed)
    report = eyeshot.analyze(*fitting(rng))
    field = rng.choice(list(report.values()))
    unit = tuple(rng.randrange(n) for n in field.shape)
    box = field.at(*unit)
    for axis in range(len(field.size)):
        found = walk(field, axis, unit)
        if found.end != "input" or not found.steps or found.place is None or box.empty:
            continue
        start, stop = found.steps[-1].clipped
        assert box.start[axis] <= start < stop <= box.stop[axis] or start == stop
        joined = any("add" in field.name or "concat" in field.name for field in report.values())
        if not joined:
            assert (start, stop) == (box.start[axis], box.stop[axis])
            if box.unclipped is not None:
                assert found.steps[-1].seen == (box.unclipped.start[axis], box.unclipped.stop[axis])


@pytest.mark.parametrize(
    "text", [RESNET, UNET, "conv3 > up2 > deconv4s2p1 > conv5d2 > down2-linear", "1d: conv3s2 > conv5"]
)
def test_every_equation_holds(text):
    report = eyeshot.analyze(f"spec:{text}", None if text.startswith("1d") else (1, 3, 64, 64))
    for layer in report:
        explained = Explained(report, layer)
        for way in explained.ways:
            assert [row.before for row in way.rows] == [None, *(row.last for row in way.rows[:-1])]
            for row in way.rows:
                for shown, true in (
                    (row.size, row.last.size),
                    (row.jump, row.last.jump),
                    (row.offset, row.last.offset),
                ):
                    sides = re.split(" = | → ", shown)
                    assert value(sides[-1]) == true
                    assert "→" in shown or len({value(side) for side in sides}) == 1
            totals = [sentence for sentence in way.sentences if sentence.startswith("R = ")]
            assert totals == [] or f"R = {report[layer].size[0]}, S = {report[layer].stride[0]}," in totals[0]
            middle = re.search(r"around .* = (.*)\.$", totals[0])[1] if totals else None
            if middle and "phases" not in " ".join(way.sentences):
                at_0 = middle.replace("y", "0") if "⋅y" in middle else middle.replace("y", "0", 1)
                assert value(at_0) == report[layer].center[0]


def test_by_hand():
    """The issue's own example: a ResNet's stem, and the pool behind it."""
    text = eyeshot.explain("spec:stem=conv7s2p3 > pool=maxpool3s2p1", layer="pool")
    assert "2⋅1 + 3 − 2 = 3" in text
    assert "2⋅3 + 7 − 2 = 11" in text
    assert (
        "R = 11, S = 4, P = 5: unit y sees [4⋅y − 5, 4⋅y − 5 + 11), around 4⋅y − 5 + (11 − 1)/2 = 4⋅y."
        in text
    )


def test_repeated_blocks_are_short():
    text = eyeshot.explain("spec:stem=conv7s2p3 > s=20*({id + conv3 > relu > conv3})", layer="s")
    assert "40× k3 p1" in text
    assert "1 + 40⋅2 = 81" in text
    assert "s.19.conv_1 … 0.conv" in text
    assert "s.19 … 0: +8 each" in text
    assert len(text.splitlines()) < 15


@pytest.mark.parametrize(
    "text", ["{conv3 > conv3 + conv5d2 + id}", "[conv7 | conv3 > conv3]", "conv3s2 > {conv5 + up2 > down2}"]
)
def test_gains_at_joins(text):
    """The gain is the difference of the two largest fields of the branches, each analysed as a layer of its own."""
    report = eyeshot.analyze(f"spec:{text}", (1, 3, 32, 32))
    name = next(name for name in report if name in {"add", "concat"})
    joins = [join for step in walk(report[name], 0).steps for join in step.joins]
    steps = eyeshot.parse(text).chain
    head, join = steps[:-1], steps[-1].body
    sizes = sorted(
        eyeshot.analyze(eyeshot.Spec((*head, *branch)), (1, 3, 32, 32)).outputs[0].size[0]
        for branch in join.branches
    )
    assert [join.by for join in joins] == [sizes[-1] - sizes[-2]]


def test_branches_with_other_middles():
    """Cropping moves a branch: the union is wider than either."""
    report = eyeshot.analyze("spec:{conv3 > crop2,0 + conv3 > crop0,2}", (1, 3, 32, 32))
    text = eyeshot.explain(report)
    assert report["add"].size == (5, 5)
    assert "alone sees 3; branches with other middles meet it, and all see 5" in text


@pytest.mark.parametrize(
    "text", ["conv5 > conv3s2p1", "conv3s2p1 > up2 > conv3", "maxpool9s4p4 > conv3", "16*(conv3)"]
)
def test_units_that_borders_cut(text):
    report = eyeshot.analyze(f"spec:{text}", (1, 1, 30, 30))
    field = report.outputs[0]
    whole = [y for y in range(field.shape[2]) if (box := field.at(0, 0, y, 0)).start[0] == box.unclipped.start[0]
             and box.stop[0] == box.unclipped.stop[0]]  # fmt: skip
    sentences = Explained(report).ways[0].sentences
    if whole:
        assert (
            f"Of units 0 to {field.shape[2] - 1}, {whole[0]} to {whole[-1]} see all of it; the borders cut the others."
            in sentences
        )
    else:
        assert (
            f"At this input size the borders cut the fields of all {field.shape[2]} units of output."
            in sentences
        )


def test_where_clipping_sets_in():
    text = eyeshot.explain("spec:a=conv3 > b=conv3 > c=conv3", unit=(0, 0, 1, 100))
    assert (
        "This unit would see [−2, 5) along H; the borders cut that to [0, 5), 5 elements. Clipping sets in at b."
        in text
    )
    assert "This unit sees [97, 104) along W: 7 elements, cut by no border." in text
    assert eyeshot.explain("spec:a=conv3", unit=(0, None, -1, 0)).count("Clipping sets in at a.") == 2


def test_global_fields():
    report = eyeshot.analyze("spec:a=conv3 > {id * pool=gap > conv1 > sigmoid} > b=conv3")
    text = eyeshot.explain(report, layer="b")
    assert "mul.pool reads the whole of H and W, at any input size: from there on R has no bound" in text
    assert "branches met at mul: global" in text
    assert "Without global context R = 5 along H and W" in text
    local = eyeshot.explain(report, layer="b", view="local")
    assert "R = 5, S = 1, P = 2" in local
    assert "no bound" not in local


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "1d: conv3 > attn-causal > conv3",
            "attn ends the recurrence: table without a law along a growing axis.",
        ),
        ("1d: conv3 > lstm", "lstm ends the recurrence: prefix without a law"),
        ("attn8", "attn regroups positions, which one recurrence cannot follow."),
        ("adaptive7 > conv3", "Some of these numbers hold at this input size only."),
        ("id", "No border cuts the field of any unit."),
    ],
)
def test_other_ends(text, words):
    assert words in " ".join(eyeshot.explain(f"spec:{text}").split())


def test_unlike_axes_are_told_apart():
    text = eyeshot.explain("spec:conv1x7 > conv3")
    assert "Along H\n" in text
    assert "Along W\n" in text
    assert "Along H and W" in eyeshot.explain("spec:conv3")


def test_torch_models_and_reports():
    """The module that the spec builds is explained in the same words."""
    module = eyeshot.parse(UNET).build("torch", (1, 3, 32, 32))
    text = eyeshot.explain(module, input_size=(1, 3, 32, 32), layer="concat_1")
    report = eyeshot.analyze(f"spec:{UNET}", (1, 3, 32, 32))
    assert text.splitlines()[1:] == eyeshot.explain(report, layer="concat_1").splitlines()[1:]
    assert f"R = {report['concat_1'].size[0]}," in text


class Two(nn.Module):
    """Two inputs; the first layer reads one of them."""

    def __init__(self):
        super().__init__()
        self.one, self.both = nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 5)

    def forward(self, a, b):
        return self.both(self.one(a) + b)


def test_taking_one_element_is_not_reading_all():
    class First(nn.Module):
        def forward(self, x):
            return x[:, :, 2:3, [0, 0]]

    report = eyeshot.analyze(First(), (1, 1, 9, 9))
    for axis in range(2):
        found = walk(report.outputs[0], axis)
        assert found.end == "input"
        assert found.steps == () or found.steps[-1].size == 1


def test_several_inputs():
    inputs = torch.zeros(1, 1, 12, 12), torch.zeros(1, 1, 10, 10)
    report = eyeshot.analyze(Two(), inputs=inputs)
    assert "R = 7, S = 1, P = 0" in eyeshot.explain(report)
    assert "R = 5, S = 1, P = 0" in eyeshot.explain(report.about("b"))
    assert "R = 5, S = 1, P = 0" in eyeshot.explain(Two(), inputs=inputs, input="b", layer="both")
    with pytest.raises(eyeshot.QuestionError, match="reads nothing of 'b'"):
        eyeshot.explain(report.about("b"), layer="one")


def test_markdown():
    text = eyeshot.explain(f"spec:{RESNET}", format="markdown", unit=(0, 0, 1, 1))
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert len(table) >= 5
    assert "s.2.add.conv\\_1 … 0.add.conv" in text
    report = eyeshot.analyze("spec:[conv1 | conv3]")
    assert eyeshot.explain(report, format="markdown").startswith(
        "### output of \\[conv1 \\| conv3\\] on input"
    )


def test_latex():
    """Balanced, aligned, and with nothing left that is markup in LaTeX."""
    text = eyeshot.explain("spec:a_b=conv7s2p3 > [up2 | up2 > conv3] > conv3", format="latex")
    assert text.isascii()
    depth = [
        text[: found.end()].count("{") - text[: found.end()].count("}") for found in re.finditer("[{}]", text)
    ]
    assert min(depth) >= 0
    assert depth[-1] == 0
    blocks = re.findall(r"\\begin\{align\*\}\n(.*?)\n\\end\{align\*\}", text, re.DOTALL)
    assert len(blocks) == text.count(r"\begin{align*}") == text.count(r"\end{align*}") == 2
    for block in blocks:
        rows = block.split(" \\\\\n")
        assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1
        assert not block.rstrip().endswith("\\\\")
    assert re.search(r"(?<!\\)_[a-z]", text.replace("k_{", "")) is None
    assert r"\text{a\_b: k7 s2 p3}" in text
    outside = re.sub(r"\\begin\{align\*\}.*?\\end\{align\*\}", "", text, flags=re.DOTALL)
    assert outside.count("$") % 2 == 0
    assert set("&#^~") & set(outside.replace("\\&", "").replace("\\#", "")) == set()


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"layer": "nothing"}, eyeshot.QuestionError),
        ({"unit": (0, 0)}, eyeshot.QuestionError),
        ({"unit": (0, 0, 999, 0)}, eyeshot.QuestionError),
        ({"format": "html"}, eyeshot.QuestionError),
        ({"view": "near"}, eyeshot.QuestionError),
        ({"input_size": (1, 3)}, eyeshot.InputError),
    ],
)
def test_refusals(arguments, kind):
    with pytest.raises(kind):
        eyeshot.explain("spec:conv3", **arguments)


def test_a_report_has_its_input():
    report = eyeshot.analyze("spec:conv3")
    with pytest.raises(eyeshot.QuestionError, match="input_size"):
        eyeshot.explain(report, input_size=(1, 3, 8, 8))


def run(*args, columns="80"):
    return CliRunner(env={"COLUMNS": columns}).invoke(app, list(args))


@pytest.mark.parametrize("columns", ["80", "120"])
@pytest.mark.parametrize("layer", ["s", "stem", "add", "s.1"])
def test_the_command_fits_the_terminal(columns, layer):
    done = run("explain", f"spec:{RESNET}", "--layer", layer, columns=columns)
    assert done.exit_code == 0, done.output
    assert max(map(len, done.stdout.splitlines())) <= int(columns)
    report = eyeshot.analyze(f"spec:{RESNET}")
    assert f"R = {report[layer].size[0]}, S = {report[layer].stride[0]}, " in done.stdout
    gains = re.findall(r"\+(\d+)", done.stdout)
    assert gains == {"stem": [], "s.1": ["16"], "s": ["16"], "add": ["24", "16"]}[layer]


def test_the_command():
    done = run(
        "explain", "spec:a=conv3 > b=conv5", "--unit", "0,*,0,9", "--input-size", "1,3,32,32", columns="100"
    )
    assert done.exit_code == 0, done.output
    assert "b[0,*,0,9]" not in done.stdout
    assert "output[0,*,0,9] of a=conv3 > b=conv5 on input 1x3x32x32, full field" in done.stdout
    assert run("explain", "spec:conv3", "--format", "latex").stdout == eyeshot.explain(
        "spec:conv3", format="latex"
    )
    assert run("explain", "spec:conv3", "--format", "markdown").stdout == eyeshot.explain(
        "spec:conv3", format="markdown"
    )
    assert run("explain", "spec:cnv3").exit_code == 12
    assert run("explain", "spec:conv3", "--layer", "x").exit_code == 8
    assert run("spec:conv3 > conv3").exit_code == 0
    assert "did you mean conv" in run("spec:cnv3").stderr


def test_plain_terminals(monkeypatch):
    done = CliRunner(env={"COLUMNS": "90", "PYTHONIOENCODING": "ascii"}, charset="ascii").invoke(
        app, ["explain", "spec:2*(conv3) > up2"]
    )
    assert done.exit_code == 0, done.output
    assert "k_eff = d*(k - 1) + 1" in done.stdout
    assert done.stdout.isascii()


def test_the_page_shows_the_truth():
    page = (Path(__file__).parents[1] / "docs" / "explain.md").read_text(encoding="utf-8")
    (command,) = re.findall(r'^\$ eyeshot explain "(.*)"$', page, re.MULTILINE)
    (shown,) = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert shown == eyeshot.explain(command)
