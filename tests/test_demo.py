"""`make demo`: the prediction is right, the table is the library's, picture and JSON are written."""

import importlib.util
import json
import struct
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]


def test_demo(tmp_path, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location("demo_run", ROOT / "demo" / "run.py")
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    monkeypatch.setattr(demo, "OUT", tmp_path / "out")
    monkeypatch.setenv("COLUMNS", "120")
    demo.main()
    out = capsys.readouterr().out

    best = next(line for line in out.splitlines() if "%" in line)
    assert best.split()[-2:] == ["Egyptian", "cat"]
    row = next(line.split() for line in out.splitlines() if "18" in line.split()[0:1] or "╴18" in line)
    assert {"491", "32", "-245"} <= set(row)

    picture = (tmp_path / "out" / "fields.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert min(struct.unpack(">II", picture[16:24])) >= 1400, "twice the resolution of a slide"
    import matplotlib.image

    pixels = matplotlib.image.imread(tmp_path / "out" / "fields.png")[..., :3]
    for color in demo.plots.PALETTE[: len(demo.CHOSEN)]:
        rgb = np.array([int(color[place : place + 2], 16) for place in (1, 3, 5)]) / 255
        assert (np.abs(pixels - rgb).max(-1) < 0.01).sum() > 200, f"{color} is to be seen"

    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["schema"] == 1
    assert {each["name"]: each["size"] for each in report["modules"]}["features.18"] == [491, 491]
