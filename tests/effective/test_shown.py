"""Pictures, summaries and the command line, on a trained network and photographs."""

import importlib
import io
import json
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from torch import nn
from typer.testing import CliRunner

import eyeshot
from eyeshot.cli import app
from eyeshot.effective import compare, effective_field
from eyeshot.views.effective import Effective
from eyeshot.views.effective_plots import figure
from tests.effective import nets, scripts

mpl.use("Agg")


@pytest.fixture(scope="module")
def trained():
    model = nets.mobilenet()
    return model, eyeshot.analyze(model, (1, 3, 224, 224))


@pytest.fixture(scope="module")
def deep(trained):
    model, report = trained
    return effective_field(model, nets.pictures()[:1], "features.7", report=report)


def page(field):
    text = io.StringIO()
    Console(width=120, file=text, highlight=False).print(Effective(field))
    return text.getvalue()


def test_trained_weights_use_less_than_they_may_and_what_the_script_says(trained, deep):
    model, report = trained
    assert deep.map.shape == (224, 224)
    assert 0.3 < deep.ratio < 1
    images = torch.from_numpy(
        (deep.photograph - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    ).permute(2, 0, 1)[None].float()  # fmt: skip
    expected = scripts.plain(model, "features.7", images, deep.unit[2:])
    assert np.abs(deep.map - expected).max() < 1e-4 * expected.max()
    shallow = effective_field(model, nets.pictures()[:1], "features.4", report=report)
    assert compare(shallow, deep).growth > 1.5
    # Sides of squares that hold 50% and 99%, measured elsewhere on 24 crops of photographs: 9 and 23.
    assert 7 <= shallow.area(0.5).side <= 13
    assert 19 <= shallow.area(0.99).side <= 27


def test_the_summary_says_what_the_field_says(deep):
    text = page(deep)
    assert re.search(rf"effective +{deep.side:.1f} pixels", text)
    assert f"features.7[0,*,{deep.unit[2]},{deep.unit[3]}]" in text
    for share in (0.2, 0.99):
        row = next(line for line in text.splitlines() if line.strip().startswith(f"{share:.0%} "))
        assert f"{deep.area(share).side:.0f}" in row.split()
    assert all(note in " ".join(text.split()) for note in deep.notes)


def drawn(field, tmp_path):
    path = tmp_path / "picture.png"
    figure(field).savefig(path)
    return np.asarray(Image.open(path).convert("RGB"), int)


def colored(pixels, color, within=12):
    rgb = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    return (np.abs(pixels - rgb).max(-1) <= within).sum()


def test_the_picture_has_map_box_contours_and_profiles(deep, tmp_path):
    pixels = drawn(deep, tmp_path)
    assert min(pixels.shape[:2]) > 900
    for color in ("#56B4E9", "#E69F00", "#D55E00"):
        assert colored(pixels, color) > 300, color
    (scene, above, beside, numbers) = figure(deep).axes
    box = deep.box
    assert scene.get_xlim()[0] <= box.start[1] - 0.5 < box.stop[1] - 0.5 <= scene.get_xlim()[1]
    assert scene.get_xlim() == above.get_xlim()
    assert scene.get_ylim() == beside.get_ylim()
    texts = {text.get_text() for text in numbers.texts}
    assert f"{deep.side:.1f} px" in texts
    # The dark profiles are the sums of the map.
    tall = max(vertex[1] for path in above.collections[0].get_paths() for vertex in path.vertices)
    assert tall == pytest.approx(deep.map.sum(0).max())


def test_pictures_of_dead_units_borders_and_other_ranks(tmp_path):
    torch.manual_seed(0)
    dead = nn.Sequential(nn.Conv2d(3, 4, 5, 2, 2), nn.ReLU(), nn.Conv2d(4, 4, 5, 2, 2)).eval()
    nn.init.constant_(dead[0].bias, -1e4)
    field = effective_field(dead, 1, input_size=(1, 3, 48, 64))
    assert any("dead" in text.get_text() for text in figure(field).axes[0].texts)
    assert len(figure(field).axes) == 2, "no profiles of nothing"
    assert "none: the gradient is 0 everywhere" in page(field)
    nn.init.zeros_(dead[0].bias)
    corner = effective_field(dead, 2, unit=(0, None, 0, 15), input_size=(1, 3, 48, 64))
    scene = figure(corner).axes[0]
    assert scene.get_xlim()[1] > 64, "as far as the field would reach"
    assert scene.get_ylim()[1] < -1
    sound = nn.Sequential(nn.Conv1d(1, 4, 9, 2), nn.Tanh(), nn.Conv1d(4, 2, 5)).eval()
    (chart,) = figure(effective_field(sound, 2, input_size=(1, 1, 80))).axes
    assert chart.get_xlabel().startswith("T")
    solid = nn.Sequential(nn.Conv3d(1, 2, 3), nn.Tanh(), nn.Conv3d(2, 2, 3)).eval()
    assert len(figure(effective_field(solid, 1, input_size=(1, 1, 9, 12, 12))).axes) == 4


# The command line

RUNNER = CliRunner()
MODEL = ["effective", "timm:test_resnet", "--layer", "layer2"]


def test_the_command_prints_draws_and_writes(tmp_path):
    for place, picture in enumerate(nets.pictures()[:2]):
        Image.fromarray(picture).save(tmp_path / f"{place}.png")
    out = tmp_path / "out.png"
    done = RUNNER.invoke(app, [*MODEL, str(tmp_path), "--output", str(out), "--protocol", "openerf"])
    assert done.exit_code == 0, done.output
    assert "protocol openerf, 2 images" in done.output
    assert "random weights" in done.output
    assert out.read_bytes().startswith(b"\x89PNG")
    saved = tmp_path / "map.npy"
    done = RUNNER.invoke(app, [*MODEL, "--images", "3", "--seed", "7", "--output", str(saved), "--json", "-"])
    data = json.loads(done.output)
    assert data["images"] == 3
    expected = effective_field("timm:test_resnet", 3, "layer2", seed=7)
    assert np.allclose(np.load(saved), expected.map, atol=1e-6 * expected.map.max())
    assert data["side"] == pytest.approx(expected.side)


def test_units_and_sizes_of_the_command():
    done = RUNNER.invoke(
        app, [*MODEL, "--images", "1", "--unit", "0,*,1,2", "--input-size", "1,3,64,96", "--json", "-"]
    )
    data = json.loads(done.output)
    assert data["unit"] == [0, None, 1, 2]
    assert data["input"] == [64, 96]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere.png"], 4, "no such file"),
        (["--layer", "lost"], 8, "nothing called"),
        (["--unit", "0,*,99,99"], 8, "outside"),
        (["--method", "magic"], 2, "Invalid value"),
        (["--output", "nowhere/picture.png"], 2, "no folder"),
        (["--output", "picture.txt"], 2, "no picture"),
        (["--protocol", "best"], 2, "Invalid value"),
    ],
)
def test_errors_of_the_command(arguments, code, message):
    done = RUNNER.invoke(app, [*MODEL, *arguments])
    assert done.exit_code == code
    assert message in " ".join((done.output + done.stderr).split())


def test_the_demo_measures_trained_and_random_weights(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "demo")
    demo = importlib.import_module("effective")
    monkeypatch.setattr(demo, "OUT", tmp_path)
    monkeypatch.setattr(demo, "CROPS", 2)
    monkeypatch.setattr(demo, "LAYERS", ("features.4", "features.7"))
    demo.main()
    sides = re.findall(r"features\.(\d+) +([\d.]+) of (\d+)", capsys.readouterr().out)
    assert [(layer, whole) for layer, _, whole in sides] == [("4", "27"), ("7", "75")] * 2
    assert float(sides[1][1]) > float(sides[3][1]), "training widens the field"
    assert (tmp_path / "effective.png").read_bytes().startswith(b"\x89PNG")


def test_a_terminal_without_unicode_gets_plain_text():
    class Ascii(io.StringIO):
        encoding = "ascii"

    text = Ascii()
    Console(width=120, file=text, highlight=False).print(
        Effective(effective_field(nets.stack(3), 1, input_size=(1, 1, 12, 12)))
    )
    assert "pixels to a side" in text.getvalue()
    assert not set("█²") & set(text.getvalue())
