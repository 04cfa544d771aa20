"""One model of every timm file and every torchvision model through the whole analysis: `make zoo-families`.

Writes results/zoo_families.md: for each model the seconds of building, capture with lowering, boxes and law, and one
plain forward on the meta device; its floating-point tensors by kind (hull: exact boxes; sound: over-approximated), and the
nodes that had to be taken as dense.
"""

from __future__ import annotations

import argparse
import gc
import platform
import re
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import timm
import torch
import torchvision
from timm.models import _registry as registry

from eyeshot.analyses.boxes import Boxes
from eyeshot.analyses.law import Laws
from eyeshot.errors import EyeshotError
from eyeshot.fields import Report
from eyeshot.fields.report import spatial_axes
from eyeshot.frontends.registry import Request
from eyeshot.frontends.torch import frontend
from eyeshot.frontends.torch.zoo import load
from eyeshot.graph.verify import verify
from eyeshot.jobs import uncollected
from eyeshot.relations import Dense

if TYPE_CHECKING:
    from collections.abc import Callable

RESULT = Path(__file__).parent.parent / "results" / "zoo_families.md"
LIMIT = 180
SMALL = "atto femto pico nano xxxs xxs micro xs xtiny tiny mini 18 s0 b0 small lite 26 s12 12 s".split()


class LateError(Exception):
    """A model over its time limit."""


@dataclass
class Row:
    """One line of the table; times in milliseconds."""

    model: str
    build: float = 0
    read: float = 0
    boxes: float = 0
    law: float = 0
    forward: float | None = None
    hull: int = 0
    sound: int = 0
    dense: int = 0
    reasons: str = ""
    problem: str = ""

    def cells(self) -> list[str]:
        """The line's cells."""
        forward = "" if self.forward is None else f"{self.forward:.0f}"
        times = [f"{value:.0f}" for value in (self.build, self.read)] + [
            f"{self.boxes:.1f}",
            f"{self.law:.1f}",
            forward,
        ]
        return [
            self.model,
            *times,
            str(self.hull),
            str(self.sound),
            str(self.dense),
            self.problem or self.reasons,
        ]


def representatives() -> list[str]:
    """The smallest-sounding model of every timm file at a size up to 256 where there is one, and all of torchvision."""

    def rank(name: str) -> tuple[bool, int, int, str]:
        config = timm.get_pretrained_cfg(name, allow_unregistered=True)
        size = max((config.input_size if config is not None else None) or (3, 224, 224))
        word = next((i for i, part in enumerate(SMALL) if part in name and not name.startswith("test_")), 50)
        return size > 256, word, len(name), name

    files = registry._module_to_models  # noqa: SLF001 - timm lists its files nowhere else
    chosen = [f"timm:{min(files[file], key=rank)}" for file in sorted(files)]
    return chosen + [f"torchvision:{name}" for name in torchvision.models.list_models()]


def measure(reference: str) -> Row:
    """Analyse one model."""
    row = Row(reference)
    clock = time.perf_counter
    started = clock()
    loaded = load(reference)
    row.build = 1e3 * (clock() - started)
    started = clock()
    size = loaded.input_size
    assert size is not None
    reading = frontend.read(Request(loaded.model, inputs=loaded.arguments(torch.empty(size, device="meta"))))
    verify(reading.graph)
    row.read = 1e3 * (clock() - started)
    graph = reading.graph
    axes = {
        name: spatial_axes(graph.nodes[node].shape, name, loaded.layout)
        for name, node in graph.inputs.items()
    }
    report = Report(graph, reference, axes)
    source = report.tensors[0].source
    row.boxes = _best(lambda: Boxes(graph, source.node, source.axes))
    row.law = _best(lambda: Laws(graph, source.node, source.axes))
    dependencies = source.boxes.dependencies
    for field in report.tensors:
        row.sound += bool(dependencies[field.node].reasons)
        _ = field.size
    row.hull = len(report.tensors) - row.sound
    row.dense = sum(isinstance(node.relation, Dense) for node in graph.nodes)
    row.reasons = ", ".join(sorted({node.reason for node in graph.nodes if node.reason}))
    row.forward = None if reading.provenance["real"] else _forward(loaded, size)
    return row


def _forward(loaded: Any, size: tuple[int, ...]) -> float | None:
    """Milliseconds of one plain meta forward, None where the model cannot run on meta."""
    model, example = loaded.model.to("meta"), loaded.arguments(torch.empty(size, device="meta"))
    try:
        with torch.no_grad():
            model(*example)
            return _best(lambda: model(*example))
    except (RuntimeError, NotImplementedError, AttributeError):
        return None


def _best(work: Callable[[], object]) -> float:
    """The milliseconds of the better of two runs, without garbage collection in between."""
    taken = []
    for _ in range(2):
        gc.collect()
        with uncollected():
            started = time.perf_counter()
            work()
            taken.append(1e3 * (time.perf_counter() - started))
    return min(taken)


def attempt(reference: str) -> Row:
    """Analyse one model within its time limit; a refusal is a row too."""

    def late(*_: object) -> None:
        raise LateError(f"over {LIMIT} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(LIMIT)
    try:
        return measure(reference)
    except EyeshotError as error:
        return Row(reference, problem=f"{type(error).__name__}: {str(error).splitlines()[0]}")
    except Exception as error:  # noqa: BLE001 - a crash is a finding of the campaign, not its end
        return Row(reference, problem=f"CRASH {type(error).__name__}: {str(error).splitlines()[:1]}")
    finally:
        signal.alarm(0)


def table(rows: list[Row], seconds: float) -> str:
    """The result as Markdown."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout
    failed = [row for row in rows if row.problem]
    ratios = sorted((row.boxes + row.law) / row.forward for row in rows if row.forward)
    versions = f"torch {torch.__version__}, timm {timm.__version__}, torchvision {torchvision.__version__}"
    made = f"commit {commit.strip()}; {datetime.now(UTC):%Y-%m-%d}; Python {platform.python_version()}, {versions}"
    hull, sound, dense = (sum(getattr(row, kind) for row in rows) for kind in ("hull", "sound", "dense"))
    in_models = sum(row.dense > 0 for row in rows)
    answered = f"{len(rows)} models: {len(rows) - len(failed)} answered, {len(failed)} not."
    kinds = (
        f"{hull} tensors with exact boxes (hull), {sound} sound; {dense} dense nodes in {in_models} models."
    )
    middle, most = (ratios[len(ratios) // 2], ratios[-1]) if ratios else (0.0, 0.0)
    head = [
        "# Zoo families",
        "",
        f"Command: `make zoo-families`; {made}; one thread, {seconds:.0f} s in all.",
        "",
        f"{answered} {kinds}",
        f"Boxes + law against one plain meta forward: median {middle:.3f}, largest {most:.3f}.",
        "",
        "Milliseconds (boxes, law and forward: the better of two); read = capture + lowering + verification.",
        "Torchvision's detection models run for real.",
        "",
        "| model | build | read | boxes | law | meta forward | hull | sound | dense | reasons or problem |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|---|",
    ]  # fmt: skip
    return "\n".join([*head, *("| " + " | ".join(row.cells()) + " |" for row in rows)]) + "\n"


def main() -> int:
    """Run the campaign; the exit status counts the models without an answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="models whose reference matches this expression")
    only = parser.parse_args().only
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rows = []
    started = time.perf_counter()
    for reference in representatives():
        if re.search(only, reference):
            rows.append(attempt(reference))
            print(" | ".join(rows[-1].cells()), flush=True)
    text = table(rows, time.perf_counter() - started)
    if not only:
        RESULT.write_text(text, encoding="utf-8")
    print("\n".join(text.splitlines()[2:7]))
    return min(99, sum(bool(row.problem) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
