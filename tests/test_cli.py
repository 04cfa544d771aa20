"""The command line: what it prints, where, and how it ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import eyeshot
from eyeshot.cli import app
from tests import mystery

PLAIN = "tests.mystery:plain"
SIZE = ("--input-size", "1,3,32,48")


@pytest.fixture(autouse=True)
def _restored(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("COLUMNS", "120")


def run(*args):
    return CliRunner().invoke(app, list(args))


def rows(text):
    """The cells of each row of a table, by the row's first cell, guides of the tree left out."""
    cells = [line.replace("├╴", "").replace("└╴", "").replace("│", "").split() for line in text.splitlines()]
    return {row[0]: row[1:] for row in cells if row}


def test_table():
    done = run("analyze", PLAIN, *SIZE)
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    table = rows(done.stdout)
    assert table["0"][:5] == ["Conv2d", "1x4x15x23", "3", "2", "0"]
    assert table["1"][:5] == ["Conv2d", "1x5x13x21", "7", "2", "0"]
    assert table["1"][5] == "3.2%", "7 x 7 of 32 x 48"
    assert table["0"][-2:] == [str(4 * 28), "37.3k"], "3 * 3 * 3 * 4 * 15 * 23 = 37,260"


def test_totals():
    done = run(*SIZE, PLAIN)
    assert f"{4 * 28 + 5 * 37} parameters" in done.stdout


def test_first_word_may_be_the_model():
    short, long = run(PLAIN, *SIZE), run("analyze", PLAIN, *SIZE)
    assert rows(short.stdout)["1"] == rows(long.stdout)["1"]


def test_version_and_help():
    assert run("--version").stdout == f"eyeshot {eyeshot.__version__}\n"
    assert "analyze" in run().output
    assert "analyze" in run("--help").stdout


def test_json_alone_on_stdout():
    done = run(PLAIN, *SIZE, "--json", "-")
    document = json.loads(done.stdout)
    assert document["schema"] == 1
    assert document["model"] == PLAIN
    assert document["input"]["shape"] == [1, 3, 32, 48]
    sizes = {each["name"]: each["size"] for each in document["tensors"]}
    assert sizes == {"0": [3, 3], "1": [7, 7]}


def test_json_to_a_file_beside_the_table(tmp_path):
    place = tmp_path / "report.json"
    done = run(PLAIN, *SIZE, "--json", str(place))
    assert json.loads(place.read_text(encoding="utf-8"))["schema"] == 1
    assert rows(done.stdout)["1"][2] == "7"


def test_json_where_nothing_can_be_written(tmp_path):
    done = run(PLAIN, *SIZE, "--json", str(tmp_path / "missing" / "report.json"))
    assert done.exit_code == 2
    assert "cannot write" in done.stderr


def test_layers_choose_rows_and_records():
    done = run("torchvision:squeezenet1_1", "--layers", "features.3.*", "--json", "-")
    names = {each["name"] for each in json.loads(done.stdout)["modules"]}
    assert "features.3.squeeze" in names
    assert all(name.startswith("features.3.") for name in names)
    done = run(PLAIN, *SIZE, "--layers", "nothing*")
    assert done.exit_code == 8
    assert "'nothing*'" in done.stderr


def test_depth():
    one, two = (run("torchvision:squeezenet1_1", "--depth", depth).stdout for depth in ("1", "2"))
    assert "features" in rows(one)
    assert "features" in rows(two)
    assert "3" not in rows(one)
    assert "3" in rows(two)


def test_one_unit():
    done = run(PLAIN, *SIZE, "--layers", "*", "--unit", "0,*,3,5")
    found = rows(done.stdout)
    assert found["0[0,*,3,5]"][:5] == ["6:9,10:13", "3", "6:9,10:13", "3", "7,11"]
    assert found["1[0,*,3,5]"][:5] == ["6:13,10:17", "7", "6:13,10:17", "7", "9,13"]


def test_one_unit_clipped():
    done = run("torch.nn:Conv2d(3, 4, 5, padding=2)", *SIZE, "--unit", "0,0,0,1", "--json", "-")
    (unit,) = json.loads(done.stdout)["units"]
    assert (unit["start"], unit["stop"]) == ([0, 0], [3, 4])
    assert unit["unclipped"] == {"start": [-2, -1], "stop": [3, 4]}
    assert unit["center"] == [0, 1]


def test_a_unit_outside():
    done = run(PLAIN, *SIZE, "--unit", "0,0,99,0")
    assert done.exit_code == 8
    assert "99" in done.stderr


def test_view_layout_and_input():
    module = "torch.nn:Conv1d(3, 4, 5)"
    done = run(module, "--input-size", "1,3,20", "--layout", "NCT", "--view", "local", "--input", "input")
    assert done.exit_code == 0, done.output
    assert "local fields" in done.stdout
    assert "along T" in done.stdout
    assert run(module, "--input-size", "1,3,20", "--input", "other").exit_code == 4


@pytest.mark.parametrize(
    "options",
    [
        ["--input-size", "1,3,big"],
        ["--input-size", "1,3,-2,4"],
        ["--unit", "0,a"],
        ["--depth", "0"],
        ["--view", "far"],
        ["--on-unknown", "guess"],
        ["--no-such-option"],
    ],
)
def test_bad_options_are_usage_errors(options):
    done = run(PLAIN, *options)
    assert done.exit_code == 2
    assert "Usage" in done.stderr


def test_unexpected_errors_ask_for_a_report(monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("eyeshot.pipeline.analyze", broken)
    done = run(PLAIN)
    assert done.exit_code == 1
    assert "ZeroDivisionError: by nothing" in done.stderr
    assert "--debug" in done.stderr
    assert "Traceback" not in done.stderr
    with pytest.raises(ZeroDivisionError):
        CliRunner().invoke(app, [PLAIN, "--debug"], catch_exceptions=False)


def test_unknown_op_and_the_way_on():
    reference = f"{mystery.__name__}:strange"
    done = run(reference, *SIZE)
    assert done.exit_code == 6
    assert "eyeshot_tests.mystery.default  (at 1)" in done.stderr
    done = run(reference, *SIZE, "--on-unknown", "dense")
    assert done.exit_code == 0
    assert "unknown-op" in done.stdout


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder with a user's own model."""
    home = tmp_path_factory.mktemp("own")
    (home / "lenses.py").write_text("from torch import nn\n\ndef wide(k=9):\n    return nn.Conv2d(3, 4, k)\n")
    return home


def shell(cwd: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", "from eyeshot.cli import main; main()", *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def test_a_factory_from_the_working_directory(own):
    done = shell(own, "lenses:wide(k=11)", "--input-size", "1,3,32,32")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "\x1b" not in done.stdout, "no colours in a pipe"
    assert "1x4x22x22" in done.stdout
    assert " 11 " in done.stdout


def test_missing_frameworks_in_a_process_of_their_own(own):
    """Torch is there, the zoo is not: exit 3, the extra named, no traceback."""
    for zoo in ("timm", "torchvision"):
        block = f"import sys; sys.modules[{zoo!r}] = None; import importlib.util as u; find = u.find_spec;"
        block += f"u.find_spec = lambda name, *a: None if name == {zoo!r} else find(name, *a);"
        command = [sys.executable, "-c", f"{block} from eyeshot.cli import main; main()", f"{zoo}:resnet18"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=own)
        assert done.returncode == 3, done.stderr
        assert 'pip install "eyeshot[timm]"' in done.stderr
        assert zoo in done.stderr
        assert "Traceback" not in done.stderr


def test_a_unit_that_the_outputs_do_not_have():
    done = run("torch.nn:Linear(4, 2)", "--input-size", "3,4", "--unit", "0,0,3,3")
    assert done.exit_code == eyeshot.QuestionError.exit_code
    assert "units of 2 indices" in done.stderr
    assert "--layers" in done.stderr


def test_the_heading_says_what_the_numbers_are():
    table, unit = run(PLAIN, *SIZE).stdout, run(PLAIN, *SIZE, "--unit", "0,*,3,3").stdout
    assert "the central unit's box" in table
    assert "boxes: full fields, hulls, start:stop along H,W" in unit
    assert "central" not in unit
