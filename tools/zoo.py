"""Every timm architecture and every torchvision model through the whole analysis: `make zoo`, `make zoo-families`.

Each model has a child process of its own, with limits of time and memory. Rows are kept as JSON lines in
build/zoo.jsonl, from which an interrupted campaign goes on; results/zoo.md is made of them. `--families` takes
one model of each timm file and all of torchvision, and writes results/zoo_families.md.
"""

from __future__ import annotations

import argparse
import gc
import platform
import re
import resource
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from timm.models import _registry as registry

import eyeshot
from eyeshot.analyses.boxes import Boxes
from eyeshot.analyses.law import Laws
from eyeshot.analyses.mask import Masks
from eyeshot.analyses.sets import Sets
from eyeshot.frontends.torch.zoo import load
from eyeshot.jobs import Job, Limits, Outcome, run, stored, uncollected
from eyeshot.relations import Dense

ROOT = Path(__file__).parent.parent
LIMITS = Limits(seconds=240, megabytes=8192)
CLOCK = time.process_time
SMALL = "atto femto pico nano xxxs xxs micro xs xtiny tiny mini 18 s0 b0 small lite 26 s12 12 s".split()


@dataclass
class Row:
    """One line of the table: milliseconds of processor time, and MiB above what the process had to begin with.

    ``ours`` is a whole analysis from the name of the model to the boxes, sets, law and sizes of all its tensors, ``peer``
    building the model and one plain forward, each taken once. The parts are the best of some turns; ``mask`` is the
    field of the middle unit of the last output, the graph's transposition included.
    """

    model: str
    problem: str = ""
    ours: float = 0
    peer: float | None = None
    boxes: float = 0
    sets: float = 0
    mask: float = 0
    law: float = 0
    forward: float | None = None
    memory: float = 0
    pixels: str = ""
    parameters: int = 0
    macs: int = 0
    exact: int = 0
    hull: int = 0
    sound: int = 0
    dense: int = 0
    reasons: list[str] = field(default_factory=list)
    real: bool = False

    def cells(self) -> list[str]:
        """The line's cells, as in HEADS."""
        forward = None if self.real else self.forward
        whole = [self.ours, self.peer, self.boxes, self.sets, self.mask, self.law, forward]
        times = ["" if value is None else f"{value:.1f}" if value < 10 else f"{value:.0f}" for value in whole]
        counts = [str(count or "") for count in (self.exact, self.hull, self.sound, self.dense)]
        note = ", ".join(["real forward"] * self.real + self.reasons)
        size = [self.pixels, f"{self.parameters / 1e6:.1f}", f"{self.macs / 1e9:.2f}"]
        return [self.model, *size, *times, f"{self.memory:.0f}", *counts, self.problem or note]


HEADS = (
    "model,input,M parameters,G MACs,all of it,build + forward,boxes,sets,mask,law,meta forward,MiB,"
    "exact,hull,sound,dense,note"
).split(",")


def everything() -> list[str]:
    """Every architecture of timm and every model of torchvision, sorted."""
    return sorted(f"timm:{name}" for name in timm.list_models()) + _torchvision()


def representatives() -> list[str]:
    """The smallest-sounding model of every timm file at a size up to 256 where there is one, and all of torchvision."""

    def rank(name: str) -> tuple[bool, int, int, str]:
        config = timm.get_pretrained_cfg(name, allow_unregistered=True)
        size = max((config.input_size if config is not None else None) or (3, 224, 224))
        word = next((i for i, part in enumerate(SMALL) if part in name and not name.startswith("test_")), 50)
        return size > 256, word, len(name), name

    listed = set(timm.list_models())  # without names that only redirect
    files = registry._module_to_models  # noqa: SLF001 - timm lists its files nowhere else
    members = [listed & files[file] for file in sorted(files)]
    return [f"timm:{min(names, key=rank)}" for names in members if names] + _torchvision()


def _torchvision() -> list[str]:
    return [f"torchvision:{name}" for name in sorted(torchvision.models.list_models())]


# One model


def measure(reference: str, turns: int = 1) -> Row:
    """Analyse one model; its parts are the best of some turns."""
    row = Row(reference)
    before, started = _peak(), CLOCK()
    report = eyeshot.analyze(reference)
    graph, source = report.graph, report.tensors[0].source
    sets = Sets(graph, source.node, source.axes)
    for tensor in report.tensors:
        sound = source.boxes.dependencies[tensor.node].reasons
        row.sound += bool(sound)
        row.exact += not sound and sets.exact(tensor.node)
        _ = tensor.size
    row.ours = 1e3 * (CLOCK() - started)
    row.memory = _peak() - before
    row.pixels = "×".join(str(report.input_shape[axis]) for axis in source.axes)
    row.parameters, row.macs = report.cost.parameters, report.cost.macs
    row.hull = len(report.tensors) - row.sound - row.exact
    row.dense = sum(isinstance(node.relation, Dense) for node in graph.nodes)
    row.reasons = sorted({node.reason for node in graph.nodes if node.reason})
    row.boxes, row.sets, row.law = (
        _best(lambda analysis=analysis: analysis(graph, source.node, source.axes), turns)
        for analysis in (Boxes, Sets, Laws)
    )
    # A detector that finds nothing has outputs without units.
    last = [field for field in (*report.tensors, *report.outputs) if 0 not in field.shape][-1]
    middle = [extent // 2 for extent in last.shape]
    row.mask = _best(lambda: Masks(graph).at(last.node, middle, source.node, source.axes), turns)
    row.real = bool(report.provenance["real"])
    row.peer, row.forward = _plain(reference, 1 if row.real else turns, real=row.real)
    return row


def _plain(reference: str, turns: int, *, real: bool) -> tuple[float | None, float | None]:
    """Milliseconds of building and one plain forward, and of the forward; None where it cannot run on meta."""
    device = "cpu" if real else "meta"
    started = CLOCK()
    loaded = load(reference)
    model = loaded.model.to(device)
    example = loaded.arguments(torch.zeros(loaded.input_size or (), device=device))
    built = 1e3 * (CLOCK() - started)
    try:
        with torch.no_grad():
            first = _best(lambda: model(*example), 1)
            return built + first, min([first, *(_best(lambda: model(*example), 1) for _ in range(turns - 1))])
    except Exception:  # noqa: BLE001 - the model's own code, which meta tensors may surprise
        return None, None


def _best(work: Callable[[], object], turns: int) -> float:
    """The milliseconds of the best of a few turns, without garbage collection in between."""
    taken = []
    for _ in range(turns):
        gc.collect()
        with uncollected():
            started = CLOCK()
            work()
            taken.append(1e3 * (CLOCK() - started))
    return min(taken)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def work(argument: tuple[str, int]) -> dict[str, Any]:
    """What a child does with a reference and a number of turns."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # the zoo's own
    gc.freeze()  # what every child has from the server is not to be looked through again and again
    return asdict(measure(*argument))


def as_row(outcome: Outcome) -> Row:
    """A child's end as a line: a refusal is one too, and so is a crash."""
    if outcome.status == "done":
        return Row(**outcome.value)
    said = " ".join(f"{outcome.error} {outcome.message}".split())
    return Row(outcome.name, f"{outcome.status}: {said[:160]}".replace("|", "/"))


# The results


MADE = """Command: `make {target}`; {date}; commit {commit}; Python {python}, {versions};
one thread, {minutes:.0f} minutes in all; limits for each model: {limits.seconds:g} s, {limits.megabytes:g} MB."""
TABLE = """# {title}

{made}

{summary}

Milliseconds of processor time. All of it: from the model's name to the boxes, sets, law and size of every tensor, once. \
Parts: the best of {turns}; mask: what the middle unit of the last output sees, cell by cell.
MiB: memory that all of it takes above what the frameworks do. Exact: tensors whose sets are the fields; hull: whose boxes \
are exact; sound: over-approximated.

| {heads} |
|---{rules}|---|
{lines}
"""


def table(target: str, outcomes: list[Outcome], turns: int = 1) -> str:
    """The result as Markdown."""
    rows = [as_row(outcome) for outcome in outcomes]
    return TABLE.format(
        title=target.replace("-", " ").capitalize(),
        made=made(target, outcomes, LIMITS),
        turns=turns,
        summary="\n".join(summary(rows)),
        heads=" | ".join(HEADS),
        rules="|--:" * (len(HEADS) - 2),
        lines="\n".join("| " + " | ".join(row.cells()) + " |" for row in rows),
    )


def made(target: str, outcomes: list[Outcome], limits: Limits) -> str:
    """How a result was made."""
    commits = Counter(outcome.fingerprint for outcome in outcomes).most_common()
    versions = ", ".join(
        f"{package.__name__} {package.__version__}" for package in (torch, timm, torchvision)
    )
    return MADE.format(
        target=target,
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        commit=", ".join(name if len(commits) == 1 else f"{name} ({count} rows)" for name, count in commits),
        python=platform.python_version(),
        versions=versions,
        minutes=sum(outcome.seconds for outcome in outcomes) / 60,
        limits=limits,
    )


def summary(rows: list[Row]) -> list[str]:
    """What the rows say together: outcomes, kinds, shares of time, the slowest and the refused."""
    failed = [row for row in rows if row.problem]
    answered = [row for row in rows if not row.problem]
    dense = sum(row.dense > 0 for row in answered)
    exact, hull, sound = (sum(getattr(row, kind) for row in rows) for kind in ("exact", "hull", "sound"))
    lines = [
        (
            f"- {len(rows)} models: {len(answered) - dense} answered, {dense} answered with dense nodes, {len(failed)} not "
            f"({100 * len(answered) / max(1, len(rows)):.2f}% answered)."
        ),
        f"- {exact + hull + sound} tensors: {exact} with exact sets, {hull} with exact boxes (hull), {sound} sound.",
    ]
    meta = [row for row in answered if row.forward and not row.real]
    real = [row for row in answered if row.forward and row.real]
    lines += _shares(
        "all of it against building and one plain meta forward", meta, lambda row: (row.ours, row.peer)
    )
    lines += _shares(
        "boxes + law against one plain meta forward", meta, lambda row: (row.boxes + row.law, row.forward)
    )
    lines += _shares("sets against one plain meta forward", meta, lambda row: (row.sets, row.forward))
    lines += _shares("one mask against one plain meta forward", meta, lambda row: (row.mask, row.forward))
    real_peer = "all of it against building and one real forward, where control flow needs data"
    lines += _shares(real_peer, real, lambda row: (row.ours, row.peer))
    missing = [row.model for row in answered if not row.forward]
    if missing:
        lines.append(f"- {len(missing)} have no plain meta forward to compare with: {', '.join(missing)}.")
    slowest = sorted(answered, key=lambda row: -row.ours)[:10]
    lines.append("- slowest: " + ", ".join(f"{row.model} {row.ours / 1e3:.1f} s" for row in slowest) + ".")
    return lines + [f"- **{row.model}**: {row.problem}" for row in failed]


def _shares(what: str, rows: list[Row], times: Callable[[Row], tuple[float, float | None]]) -> list[str]:
    """Sums of times and their ratio, the median of the ratios and the three largest."""
    if not rows:
        return []
    pairs = [(row.model, *times(row)) for row in rows]
    ratios = sorted(((ours / (peer or 1), model) for model, ours, peer in pairs), reverse=True)
    ours, peer = sum(pair[1] for pair in pairs) / 1e3, sum(pair[2] or 0 for pair in pairs) / 1e3
    worst = ", ".join(f"{model} {ratio:.2f}x" for ratio, model in ratios[:3])
    return [
        (
            f"- {what}, {len(rows)} models: {ours:.1f} s against {peer:.1f} s, **{ours / peer:.2f}x**; "
            f"median {ratios[len(ratios) // 2][0]:.3f}x, largest {worst}."
        )
    ]


def campaign(
    work: Callable[[Any], Any],
    arguments: dict[str, Any],
    store: Path,
    *,
    limits: Limits,
    warm: Sequence[str],
    again: str | None = None,
) -> Iterator[Outcome]:
    """Do what the store does not hold from this commit, or, given ``again``, only what matches it or was not done.

    ``arguments`` are those of ``work`` by the models' names.
    """
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    held = {name: outcome for name, outcome in stored(store).items() if outcome.status == "done"}

    def fingerprint(name: str) -> str:
        stands = again is not None and name in held and not re.search(again, name)
        return held[name].fingerprint if stands else commit

    jobs = [Job(name, argument, fingerprint(name)) for name, argument in arguments.items()]
    return run(work, jobs, limits=limits, store=store, warm=warm, label=store.stem)


def main() -> int:
    """Run the campaign; the exit status is 1 if a model has no answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--families", action="store_true", help="one model of each timm file and all of torchvision"
    )
    parser.add_argument("--only", default="", help="models that match this expression; no result is written")
    parser.add_argument(
        "--again", help="keep rows of other commits, but for models that match or have no answer"
    )
    parser.add_argument("--turns", type=int, default=1, help="the parts' times are the best of these")
    options = parser.parse_args()
    target = "zoo-families" if options.families else "zoo"
    names = representatives() if options.families else everything()
    arguments = {name: (name, options.turns) for name in names if re.search(options.only, name)}
    measure("torchvision:resnet18")  # what an analysis imports, the server that children fork from is to hold
    warm = ["timm", "torchvision", *(name for name in sys.modules if name.startswith("eyeshot."))]
    outcomes = []
    store = ROOT / "build" / f"{target}.jsonl"
    for outcome in campaign(work, arguments, store, limits=LIMITS, warm=warm, again=options.again):
        outcomes.append(outcome)
        print(" | ".join(as_row(outcome).cells()), flush=True)
    outcomes.sort(key=lambda outcome: names.index(outcome.name))
    text = table(target, outcomes, options.turns)
    if not options.only:
        (ROOT / "results" / f"{target.replace('-', '_')}.md").write_text(text, encoding="utf-8")
    print(text.partition("\n| model")[0])
    return int(any(outcome.status != "done" for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
