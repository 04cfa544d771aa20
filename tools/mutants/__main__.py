"""The campaign: a seeded sample of all mutants, each in a killable child, on a snapshot of the last commit.

Outcomes are kept in build/mutants/, from which an interrupted run goes on; results/mutants.md is made of
them. A survivor needs an explanation in tools/mutants/explained.toml.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import platform
import re
import subprocess
import sys
import tarfile
import tomllib
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from eyeshot.jobs import Job, Limits, Outcome, run, stored
from tools.mutants.operators import Mutant, mutants
from tools.mutants.trial import TESTS, trial

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "mutants"
SCOPE = "relations/*.py", "analyses/*.py", *(f"graph/{name}.py" for name in
         ("builder", "gathers", "masks", "transpose", "verify"))  # fmt: skip
# Wall time, for a loaded machine: the child's own limit of processor time comes first.
LIMITS = Limits(seconds=1200, megabytes=3072)
FEW, MANY = 5, 25
"""Examples of each property: few for all mutants, many for those that live through it."""


SEED = 20261122
TUNED = (
    "\n\nTests were written against survivors of this very sample: results/mutants_held_out.md has another one, which none "
    "was written against."
)


def everything(root: Path) -> list[Mutant]:
    """Every mutant of the files in `SCOPE`, in a fixed order."""
    base = root / "src" / "eyeshot"
    files = sorted({path for pattern in SCOPE for path in base.glob(pattern)})
    return [mutant for path in files
            for mutant in mutants(path.read_text(encoding="utf-8"), path.relative_to(base).as_posix())]  # fmt: skip


def drawn(found: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """A sample of which an edit of the sources changes only what it touches: those whose seeded digests are least."""

    def place(mutant: Mutant) -> tuple[bytes, int]:
        return hashlib.sha256(f"{seed} {mutant.name}".encode()).digest(), mutant.number

    return sorted(found, key=place)[:count]


def snapshot(commit: str) -> Path:
    """The sources and tests of a commit, where no one edits them."""
    place = BUILD / commit
    if not place.exists():
        asked = ["git", "archive", commit, "src", "tests", "pyproject.toml"]
        packed = subprocess.run(asked, cwd=ROOT, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(place, filter="data")
    return place


def digest(root: Path, *patterns: str) -> str:
    """A digest of files."""
    files = sorted({path for pattern in patterns for path in root.glob(pattern)})
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def campaign(root: Path, sample: list[Mutant], workers: int = 1) -> dict[Mutant, Outcome]:
    """How each mutant of the sample ended: first with few examples, then the survivors with many.

    What was killed before stands while the sources are the same: tests are only added.
    """
    sources = digest(root, *(f"src/eyeshot/{room}/*.py" for room in TESTS))
    tests = digest(root, "tests/*.py", *(f"{folder}/*.py" for folder in TESTS["relations"]))
    store = BUILD / "outcomes.jsonl"
    known = stored(store)

    def fingerprint(name: str) -> str:
        held = known.get(name)
        stands = held is not None and held.fingerprint.startswith(sources) and how(held)
        return held.fingerprint if held is not None and stands else f"{sources} {tests}"

    ended: dict[Mutant, Outcome] = {}
    alive = sample
    for examples in (FEW, MANY):
        named = {f"{mutant.file}:{mutant.number} {examples}": mutant for mutant in alive}
        jobs = [
            Job(
                name,
                {"root": str(root), "file": m.file, "number": m.number, "examples": examples},
                fingerprint(name),
            )
            for name, m in named.items()
        ]
        for outcome in run(
            trial,
            jobs,
            limits=LIMITS,
            store=store,
            workers=workers,
            warm=["tools.mutants.trial"],
            label="mutants",
        ):
            mutant = named[outcome.name]
            ended[mutant] = outcome
            print(f"{examples} {mutant.line} {mutant.name} | {how(outcome) or 'SURVIVES'}", flush=True)
        alive = [mutant for mutant in alive if not how(ended[mutant])]
    return ended


def how(outcome: Outcome) -> str:
    """What killed the mutant; empty if nothing did."""
    if outcome.status == "done":
        by: str = outcome.value["by"]
        return by
    return f"{outcome.status}: {outcome.error} {outcome.message}"


def kind(outcome: Outcome) -> str:
    """The kind of its end."""
    by = how(outcome)
    if not by:
        return "alive"
    if by.startswith("import"):
        return "at import"
    return "by a test" if outcome.status == "done" else "by a limit of time or memory"


TABLE = """# Mutants

Command: `{command}`; {date}; commit {commit}; seed {seed}; Python {python}, {versions}; \
{minutes:.0f} minutes of processor time.

{count} mutants drawn from the {total} of relations, analyses and graph, against tests/relations, tests/graph and \
tests/analyses, without any framework. Each property gets {few} examples, and where all tests pass, {many}.

**{killed} killed ({share:.1%})**: {kinds}. {alive} alive, {explained} of them explained.{note}

| room | mutants | killed |
|---|--:|--:|
{rooms}

## Alive

| where | change | why it may live |
|---|---|---|
{survivors}
"""


def table(ended: dict[Mutant, Outcome], total: int, commit: str, seed: int, why: dict[str, str]) -> str:
    """The result as Markdown."""
    kinds = Counter(kind(outcome) for outcome in ended.values())
    alive = sorted((m for m, outcome in ended.items() if not how(outcome)), key=lambda m: (m.file, m.number))
    sampled = Counter(mutant.file for mutant in ended)
    left = Counter(mutant.file for mutant in alive)
    return TABLE.format(
        command="make mutants"
        if seed == SEED
        else f"python -m tools.mutants --seed {seed} --count {len(ended)}",
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        commit=commit,
        seed=seed,
        python=platform.python_version(),
        versions=", ".join(f"{name} {version(name)}" for name in ("numpy", "hypothesis", "pytest")),
        minutes=sum((o.value or {"seconds": o.seconds})["seconds"] for o in ended.values()) / 60,
        note=TUNED if seed == SEED else "",
        count=len(ended),
        total=total,
        few=FEW,
        many=MANY,
        killed=len(ended) - len(alive),
        share=1 - len(alive) / max(1, len(ended)),
        kinds=", ".join(f"{count} {name}" for name, count in kinds.most_common() if name != "alive"),
        alive=len(alive),
        explained=sum("open" not in why.get(mutant.name, "open") for mutant in alive),
        rooms="\n".join(f"| {file} | {n} | {n - left[file]} |" for file, n in sorted(sampled.items())),
        survivors="\n".join(
            f"| {m.file}:{m.line} {m.scope} | `{_cell(m.old)}` → `{_cell(m.new)}` | {why.get(m.name, '**unexplained**')} |"
            for m in alive
        ),
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'")


def explanations() -> dict[str, str]:
    """Why known survivors may live, by the mutant's name."""
    found: dict[str, Any] = tomllib.loads(
        (Path(__file__).parent / "explained.toml").read_text(encoding="utf-8")
    )
    return found


def main() -> int:
    """Run the campaign; the exit status is 1 if under 90% are killed or a survivor is not explained."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=SEED, help="any other one: results/mutants_held_out.md")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--only", default="", help="mutants whose name matches this expression; no result is written"
    )
    options = parser.parse_args()
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    root = snapshot(commit)
    unchanged = trial_of_nothing(root)
    if unchanged:
        print(f"the tests fail without any mutant: {unchanged}")
        return 1
    found = everything(root)
    matching = [mutant for mutant in found if re.search(options.only, mutant.name)]
    sample = drawn(matching, options.count, options.seed)
    ended = campaign(root, sample, options.workers)
    why = explanations()
    text = table(ended, len(found), commit, options.seed, why)
    if not options.only:
        name = "mutants.md" if options.seed == SEED else "mutants_held_out.md"
        (ROOT / "results" / name).write_text(text, encoding="utf-8")
    print(text)
    for name in sorted(set(why) - {mutant.name for mutant in found}):
        print(f"explained, but not there any more: {name}")
    alive = [mutant for mutant, outcome in ended.items() if not how(outcome)]
    return int(len(alive) > len(sample) / 10 or any("open" in why.get(m.name, "open") for m in alive))


def trial_of_nothing(root: Path) -> str:
    """Which test fails with nothing changed; empty if none does."""
    task = {"root": str(root), "file": "relations/maps.py", "number": None, "examples": MANY}
    (outcome,) = run(trial, [Job("nothing", task)], limits=LIMITS, warm=["tools.mutants.trial"])
    return how(outcome)


if __name__ == "__main__":
    sys.exit(main())
