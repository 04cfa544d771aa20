"""The promised ratios, all measured in one run: `make bench`.

Both sides of a ratio take turns (A B A B), on one thread, garbage collected before every turn; the figures
are medians. Writes results/bench.md. The exit status is 1 if a promise is broken or could not be measured.
"""

from __future__ import annotations

import argparse
import copy
import os
import platform
import statistics
import subprocess
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import files
import pattern
from report import HEADS, Row, Work, alternate, faster, markdown, within
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "results" / "bench.md"
FAMILIES_TABLE, ZOO_TABLE = ROOT / "results" / "zoo_families.md", ROOT / "results" / "zoo.md"
FAMILIES = "swin_t densenet121 inception_v3 maxvit_t vit_b_16 shufflenet_v2_x1_0".split()
FRAMEWORKS = "jax keras onnx tensorflow timm torch torchvision".split()
PLAIN = "one plain meta forward"


# The whole of it


def everything(model: Any, size: tuple[int, ...]) -> None:
    """Trace, lowering, the boxes of every unit and the law of every tensor."""
    import eyeshot

    report = eyeshot.analyze(model, size)
    source = report.tensors[0].source
    _ = source.boxes, source.laws


def resnet(size: tuple[int, ...], rounds: int, model: Any, on_meta: Any) -> list[Row]:
    """The whole analysis against a summary, an export and a plain forward."""
    import torch
    import torchinfo

    example, ghost = torch.zeros(size), torch.empty(size, device="meta")
    works: list[Work] = [
        lambda: everything(model, size),
        lambda: torchinfo.summary(model, size, verbose=0),
        lambda: torchinfo.summary(on_meta, size, verbose=0, device="meta"),
        lambda: torch.export.export(model, (example,), strict=False),
        lambda: forward(on_meta, ghost),
    ]
    ours, summary, ghostly, export, plain = alternate(works, rounds)
    (strict,) = alternate([lambda: torch.export.export(model, (example,), strict=True)], 1)
    what = "ResNet-50, 224 px: trace + lowering + boxes + law"
    return [
        faster(what, ours, summary, "torchinfo.summary", 5),
        faster(what, ours, export, "torch.export, strict=False (its default)", 20),
        faster(what, ours, strict, "torch.export, strict=True (once)"),
        faster(what, ours, ghostly, "torchinfo.summary of a copy on meta"),
        faster(what, ours, plain, PLAIN),
    ]


def forward(model: Any, example: Any) -> None:
    """One plain forward."""
    import torch

    with torch.no_grad():
        model(example)


# The parts


@dataclass(frozen=True)
class Parts:
    """Milliseconds of the stages of one analysis and of a plain meta forward of the same model."""

    capture: float
    lowering: float
    boxes: float
    law: float
    sets: float
    mask: float
    plain: float


def parts(model: Any, on_meta: Any, size: tuple[int, ...], rounds: int) -> Parts:
    """Each stage by itself; lowering includes the verifier."""
    import torch

    from eyeshot.analyses.boxes import Boxes
    from eyeshot.analyses.law import Laws
    from eyeshot.analyses.mask import Masks
    from eyeshot.analyses.sets import Sets
    from eyeshot.frontends.torch.capture import capture
    from eyeshot.frontends.torch.lower import lower
    from eyeshot.graph.verify import verify
    from eyeshot.jobs import uncollected

    ghost = torch.empty(size, device="meta")
    trace = capture(model, (ghost,))
    graph = lower(trace)
    node = next(iter(graph.inputs.values()))
    axes = tuple(range(2, len(size)))
    last = next(iter(graph.outputs.values()))
    middle = [extent // 2 for extent in graph.nodes[last].shape]
    works: list[Work] = [
        lambda: capture(model, (ghost,)),
        lambda: verify(lower(trace)),
        lambda: Boxes(graph, node, axes),
        lambda: Laws(graph, node, axes),
        lambda: Sets(graph, node, axes),
        lambda: Masks(graph).at(last, middle, node, axes),
        lambda: forward(on_meta, ghost),
    ]
    with uncollected():  # as the pipeline runs them
        return Parts(*alternate(works, rounds))


def shares(name: str, found: Parts, limit: float, sets: float) -> list[Row]:
    """The analyses as shares of a plain forward: without trace and lowering, as promised, and with the lowering."""
    analysis = found.boxes + found.law
    lowered = analysis + found.lowering
    return [
        within(f"{name}: boxes + law, without trace and lowering", analysis, found.plain, PLAIN, limit),
        within(f"{name}: lowering + boxes + law, without trace", lowered, found.plain, PLAIN),
        within(
            f"{name}: sets of every tensor, without trace and lowering", found.sets, found.plain, PLAIN, sets
        ),
        within(f"{name}: mask of one unit, transposition included", found.mask, found.plain, PLAIN, 3),
    ]


def law_at(model: Any, small: tuple[int, ...], large: tuple[int, ...], rounds: int) -> Row:
    """The law of every tensor at two input sizes."""
    import eyeshot
    from eyeshot.analyses.law import Laws

    def work(size: tuple[int, ...]) -> Work:
        graph = eyeshot.analyze(model, size).graph
        node = next(iter(graph.inputs.values()))
        axes = tuple(range(2, len(size)))

        def ask() -> None:
            laws = Laws(graph, node, axes)
            for tensor in graph.tensors:
                for axis in range(len(axes)):
                    laws.axis(tensor.node, axis)

        return ask

    at_large, at_small = alternate([work(large), work(small)], rounds)
    what = f"ResNet-50: law of every tensor, read out, at {large[-1]} px"
    return within(what, at_large, at_small, f"the same at {small[-1]} px", 1.5)


def of_the_zoo(place: Path, columns: Sequence[str], limit: float, middle: float | None = None) -> list[Row]:
    """The largest share among the models of a result table, whose columns it finds by name; the median too if limited."""
    what = f"any model of results/{place.name}: {' + '.join(columns)}"
    text = place.read_text(encoding="utf-8") if place.exists() else ""
    lines = [line.strip("| ").split("|") for line in text.splitlines() if line.startswith("|")]
    heads, *_ = lines or [[]]
    rows = [dict(zip(map(str.strip, heads), map(str.strip, line), strict=False)) for line in lines[2:]]
    timed = [
        (row["model"], sum(float(row[column]) for column in columns), float(row["meta forward"]))
        for row in rows
        if row.get("meta forward")
    ]
    if not timed:
        return [Row(f"{what}, not measured", promise=f"at most {limit:g}x of the peer", kept=False)]
    ranked = sorted(timed, key=lambda each: each[1] / each[2])
    name, ours, peer = ranked[-1]
    out = [within(f"{what}, worst of {len(timed)}: {name}", ours, peer, PLAIN, limit)]
    if middle is not None:
        name, ours, peer = ranked[len(ranked) // 2]
        out.append(within(f"{what}, median of {len(timed)}: {name}", ours, peer, PLAIN, middle))
    return out


# Fresh processes

# A process inherits the peak of the one that starts it, so a small one stands in between.
PEAK = """import resource, subprocess, sys
subprocess.run([sys.executable, "-W", "ignore", "-c", {code!r}], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""
TIMED = "import time; start = time.perf_counter(); {code}; print(1e3 * (time.perf_counter() - start))"
BUILD = """import torch, torchvision
torch.set_num_threads(1)
model = torchvision.models.get_model({name!r}).eval()
"""
ANALYSE = "import eyeshot; of = eyeshot.analyze(model, {size}).tensors[0].source; of.boxes, of.laws"
MEMORY = {
    "import torch, torchvision": "import torch, torchvision",
    "{name}: built": BUILD,
    "{name}: built, one plain meta forward": BUILD
    + "model.to('meta')\nwith torch.no_grad(): model(torch.empty({size}, device='meta'))",
    "{name}: built, one real forward": BUILD + "with torch.no_grad(): model(torch.zeros({size}))",
    "{name}: built, eyeshot's trace + lowering + boxes + law": BUILD + ANALYSE,
}


def fresh(code: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.check_output([sys.executable, "-W", "ignore", "-c", code], text=True).strip()


def memory(name: str, size: tuple[int, ...]) -> list[tuple[str, float]]:
    """Peak resident MiB of fresh processes."""
    unit = 1024 if sys.platform != "darwin" else 1024**2
    codes = {label.format(name=name): code.format(name=name, size=size) for label, code in MEMORY.items()}
    return [(label, float(fresh(PEAK.format(code=code))) / unit) for label, code in codes.items()]


def importing(statement: str) -> float:
    """Milliseconds of one import statement in a fresh interpreter."""
    return float(fresh(TIMED.format(code=statement)))


def imports(rounds: int) -> list[Row]:
    """What it costs to import eyeshot, and which frameworks that brings in."""
    statements = ["import eyeshot", "from eyeshot import analyze", "import numpy"]
    found = [[importing(statement) for statement in statements] for _ in range(rounds)]
    ours, analyze, numpy = map(statistics.median, zip(*found, strict=True))
    loaded = fresh(f"import eyeshot, sys; print(*[name for name in {FRAMEWORKS} if name in sys.modules])")
    brought = f"frameworks that import eyeshot brings in: {loaded or 'none'}"
    return [
        within(statements[0], ours, numpy, statements[2], 2),
        Row(brought, promise="none", kept=not loaded),
        within(f"{statements[1]} (brings in NumPy)", analyze, numpy, statements[2]),
    ]


def helping(rounds: int) -> Row:
    """Wall time of ``eyeshot --help``."""
    command = [Path(sys.executable).with_name("eyeshot"), "--help"]

    def ask() -> None:
        subprocess.run(command, capture_output=True, check=True)

    (took,) = alternate([ask], rounds)
    return Row("eyeshot --help, whole process", took, promise="under 300 ms", kept=took < 300)


def cold(name: str, size: tuple[int, ...]) -> Row:
    """The first analysis of a process, in which PyTorch is loaded and eyeshot is not."""
    took = fresh(f"{BUILD}{TIMED.format(code=ANALYSE)}".format(name=name, size=size))
    return Row(f"{name}: import eyeshot and the first analysis of a process", float(took))


# The record


def measure(rounds: int) -> tuple[list[Row], Parts, list[tuple[str, float]]]:
    """Everything promised."""
    size = (1, 3, 224, 224)
    peaks = memory("resnet50", size)
    starting = [*imports(rounds), helping(rounds), cold("resnet50", size)]
    import torch
    import torchvision

    torch.set_num_threads(1)
    model = torchvision.models.get_model("resnet50").eval()
    on_meta = copy.deepcopy(model).to("meta")
    rows = resnet(size, rounds, model, on_meta)
    rows.append(law_at(model, size, (1, 3, 65536, 65536), rounds))
    stages = parts(model, on_meta, size, rounds)
    rows += shares("ResNet-50", stages, 0.15, 0.08)
    large = parts(model, on_meta, (1, 3, 1024, 1024), rounds)
    rows += shares("ResNet-50 at 1024 px", large, 0.15, 0.3)
    for name in FAMILIES:
        other = torchvision.models.get_model(name).eval()
        found = parts(other, copy.deepcopy(other).to("meta"), size, max(1, rounds // 2))
        rows += shares(name, found, 1, 0.5)
    rows += pattern.rows(max(1, rounds // 4))
    rows += files.rows(rounds)
    rows += of_the_zoo(FAMILIES_TABLE, ["boxes", "law"], 1)
    rows += of_the_zoo(FAMILIES_TABLE, ["sets"], 0.5)
    rows += of_the_zoo(ZOO_TABLE, ["mask"], 3, 0.5)
    return rows + starting, stages, peaks


def show(rows: list[Row]) -> None:
    """The rows for the terminal."""
    table = Table(*HEADS, title="promised ratios")
    for row in rows:
        table.add_row(*row.cells(), style="dim" if row.kept is None else "green" if row.kept else "bold red")
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def record(rows: list[Row], stages: Parts, peaks: list[tuple[str, float]], rounds: int) -> str:
    """The result as Markdown."""
    promised = [row for row in rows if row.kept is not None]
    broken = [row.what for row in promised if not row.kept]
    verdict = f"{len(promised) - len(broken)} of {len(promised)} promises kept"
    spent = {name: getattr(stages, name) for name in ("capture", "lowering", "boxes", "law")}
    total = sum(spent.values())
    spent["plain"] = stages.plain
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "torchvision", "torchinfo", "numpy"))
    lines = [
        "# Benchmark",
        "",
        f"Command: `make bench`; commit {commit()}; {datetime.now(UTC):%Y-%m-%d};",
        f"Python {platform.python_version()}, {packages};",
        f"{os.cpu_count()} cores, one thread, load {os.getloadavg()[0]:.1f};",
        f"medians of {rounds} rounds in which the sides of a ratio take turns.",
        "",
        f"{verdict}{'; broken: ' if broken else ''}{'; '.join(broken)}.",
        "",
        "The ratio of a row that is to be faster is peer / ours, of any other ours / peer. Rows without a promise",
        "are only stated.",
        "",
        *markdown(HEADS, [row.cells() for row in rows]),
        "",
        "## Where the time of ResNet-50 goes",
        "",
        "Lowering includes the verifier; plain is one plain meta forward.",
        "",
        *markdown(
            ("stage", "ms", "share"),
            [[name, f"{took:.2f}", f"{took / total:.0%}"] for name, took in spent.items()],
        ),
        "",
        "## Peak memory of a whole process",
        "",
        *markdown(("process", "MiB"), [[label, f"{peak:.0f}"] for label, peak in peaks]),
    ]
    return "\n".join(lines) + "\n"


def commit() -> str:
    """The commit measured, and whether the package differs from it."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--", "src")
    return git("rev-parse", "--short", "HEAD") + (" with uncommitted changes in src/" if changed else "")


def main() -> int:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="turns for each side of a ratio")
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore")
    rows, stages, peaks = measure(rounds)
    show(rows)
    for label, value in peaks:
        print(f"peak memory, {label}: {value:.0f} MiB")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(record(rows, stages, peaks, rounds), encoding="utf-8")
    return int(any(row.kept is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
