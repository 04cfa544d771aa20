"""Models of keras.applications: are they answered, and are boxes what NaN says? `python -m tools.keras_applications`.

One model of each family is probed: NaN is put into all of its input up to a position (or from it on), and every unit of
every layer has to be NaN exactly where its box says that it reads there. NASNetMobile needs KERAS_BACKEND=jax; it is not
probed.
Writes results/keras_applications.md. `--names` takes some models, `--all` every one;
`--unprobed` leaves the probe out.
"""

from __future__ import annotations

import argparse
import gc
import inspect
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch

import eyeshot
from eyeshot.cost import Costs
from eyeshot.execution.running import plain_kernels
from tests.frontends.keras.backend import keras

ROOT = Path(__file__).parent.parent
PROBED = (
    "ConvNeXtTiny DenseNet121 EfficientNetB0 EfficientNetV2B0 InceptionResNetV2 InceptionV3 MobileNet MobileNetV2 "
    "MobileNetV3Small ResNet50 ResNet50V2 VGG16 Xception"
).split()
SIZE = (1, 97, 112, 3)


@dataclass
class Row:
    """What came of one model."""

    name: str
    layers: int = 0
    parameters: str = ""
    last: str = ""
    size: str = ""
    local: str = ""
    seconds: float = 0.0
    cells: int = 0
    wrong: int = 0
    error: str = ""


def names() -> list[str]:
    """Every factory of keras.applications."""
    found = vars(keras.applications).items()
    return sorted(name for name, factory in found if inspect.isfunction(factory))


def answered(name: str) -> Row:
    """The model at its own size: parameters as Keras counts them, fields of the last layer with space."""
    model = getattr(keras.applications, name)(weights=None)
    size = None if all(model.input_shape[1:]) else (1, 224, 224, 3)
    began = process_time()
    report = eyeshot.analyze(model, size)
    taken = process_time() - began
    owned = sum(Costs(report.graph).owned.values())
    spatial = [
        each for each in report if each and len(report[each].shape) == 4 and min(report[each].shape[1:3]) > 1
    ]
    field = report[spatial[-1]]
    local = report.view("local")[spatial[-1]]
    agreed = f"{owned:,}" if owned == model.count_params() else f"{owned:,}, not {model.count_params():,}"
    return Row(name, len(report), agreed, field.name, _shown(field.size), _shown(local.size), taken)


def probed(model: Any, size: tuple[int, ...], places: int = 2) -> tuple[int, int]:
    """Cells compared and cells that differ, over slabs at some places of either axis."""
    report = eyeshot.analyze(model, size)
    layers = [layer for layer in model.layers if layer.name in report and len(layer.output.shape) == 4]
    whole = keras.Model(model.inputs, [layer.output for layer in layers])
    boxes = [report[layer.name].boxes() for layer in layers]
    clean = np.random.default_rng(0).uniform(0, 1, size).astype("float32")
    cells = wrong = 0
    for axis, position, prefix in _slabs(size, places):
        poisoned = clean.copy()
        index = slice(0, position + 1) if prefix else slice(position, None)
        poisoned[(slice(None),) * axis + (index,)] = np.nan
        with torch.no_grad(), plain_kernels():
            outputs = whole(torch.from_numpy(poisoned), training=False)
        for (starts, stops, occupied), output in zip(boxes, outputs, strict=True):
            hit = starts[axis - 1] <= position if prefix else stops[axis - 1] > position
            seen = output.isnan().numpy()
            cells += seen.size
            wrong += int(((occupied & hit) != seen).sum())
    return cells, wrong


def _slabs(size: tuple[int, ...], places: int) -> Iterator[tuple[int, int, bool]]:
    for axis in (1, 2):
        for place in range(places):
            position = (place + 1) * size[axis] // (places + 1)
            yield from ((axis, position, prefix) for prefix in (True, False))


def _shown(size: tuple[int | None, ...]) -> str:
    return "x".join("whole" if extent is None else str(extent) for extent in size)


def run(name: str, *, probe: bool) -> Row:
    """One model: answered, and probed where it is the one of its family."""
    try:
        row = answered(name)
        if probe and name in PROBED:
            model = getattr(keras.applications, name)(
                weights=None, include_top=False, input_shape=(None, None, 3)
            )
            row.cells, row.wrong = probed(model, SIZE)
    except Exception as error:  # noqa: BLE001 - whatever it is belongs into the table
        row = Row(name, error=f"{type(error).__name__}: {' '.join(str(error).split())[:120]}")
    keras.utils.clear_session()
    gc.collect()
    return row


def page(rows: list[Row]) -> str:
    """The table."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    good = [row for row in rows if not row.error]
    head = (
        "# keras.applications\n\n"
        f"Command: `python -m tools.keras_applications`; {datetime.now(UTC):%Y-%m-%d}; commit {commit}; Keras "
        f"{keras.__version__}, backend {keras.backend.backend()}.\n\n"
        f"- {len(rows)} models: {len(good)} answered; parameters agree with Keras in "
        f"{sum('not' not in row.parameters for row in good)} of them.\n"
        f"- {sum(row.cells > 0 for row in rows)} probed with NaN, {sum(row.cells for row in rows):,} cells: "
        f"{sum(row.wrong for row in rows)} differ.\n\n"
        "| model | layers | parameters | last layer with space | size | local | seconds | cells probed | wrong | |\n"
        "|---|--:|--:|---|--:|--:|--:|--:|--:|---|\n"
    )
    lines = [
        f"| {row.name} | {row.layers} | {row.parameters} | {row.last} | {row.size} | {row.local} | {row.seconds:.2f} | "
        f"{row.cells:,} | {row.wrong} | {row.error} |"
        for row in rows
    ]
    return head + "\n".join(lines) + "\n"


def main() -> None:
    """Run the campaign."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", nargs="*", default=PROBED)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--unprobed", action="store_true")
    parser.add_argument("--output", type=Path, default=ROOT / "results" / "keras_applications.md")
    options = parser.parse_args()
    rows = []
    for name in names() if options.all else options.names:
        rows.append(run(name, probe=not options.unprobed))
        print(rows[-1], file=sys.stderr, flush=True)
    options.output.write_text(page(rows))


if __name__ == "__main__":
    main()
