"""Random specs through two frontends, and their recurrences: `python tools/random_specs.py --count 5000`.

Each spec (tests/frontends/spec/drawn.py) is analysed as it is written and as the PyTorch module that it builds: every row
must have the same shape, law, boxes and cost, and the module must run. Every recurrence that `eyeshot explain` shows and
that reaches the input must end in the law's size, stride and padding. Writes results/random_specs.md; the exit status is
1 if anything differs.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from time import monotonic

import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import eyeshot  # noqa: E402 - as above
from eyeshot.analyses.walk import Walk  # noqa: E402 - as above
from tests.frontends.spec.drawn import fitting  # noqa: E402 - the tests are no installed package
from tests.frontends.spec.test_building import agree  # noqa: E402 - as above

RESULT = ROOT / "results" / "random_specs.md"


def examine(seed: int, counts: Counter[str]) -> str | None:
    """Compare one spec; what differs, if anything does."""
    spec, shape = fitting(Random(seed))
    try:
        agree(spec, shape)
    except (AssertionError, eyeshot.EyeshotError) as error:
        return f"seed {seed}: {spec} on {shape}: {error}"
    counts["specs"] += 1
    report = eyeshot.analyze(spec, shape)
    counts["rows"] += len(report)
    for view in ("full", "local"):
        for field in report.view(view).values():
            for axis in range(len(field.size)):
                ended = recurrence(field, axis)
                counts[ended] += 1
                if ended == "differs":
                    return f"seed {seed}: {spec} on {shape}: {view} recurrence of {field.name!r} along axis {axis}"
    return None


def recurrence(field: eyeshot.Field, axis: int) -> str:
    """How one recurrence ends: as the law does, in a field without one, or otherwise."""
    source = field.source
    walk = Walk(source.graph, source.laws, source.node, axis, local=field.view == "local")
    found = walk.recurrence(field.node)
    law = found.law
    if found.end != "input" or law.size is None:
        return f"ends: {found.end}"
    if any(join.wider for step in found.steps for join in step.joins):
        return "branches with other middles"
    if not found.steps:
        return "agrees" if (law.size, law.offset) == (1, 0) else "differs"
    last = found.steps[-1]
    same = (last.size, -last.offset) == (law.size, law.offset) and law.stride in {None, last.jump}
    return "agrees" if same else "differs"


def main() -> int:
    """Run the campaign and write its result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=3600)
    given = parser.parse_args()
    torch.set_num_threads(1)
    began, counts, problems = monotonic(), Counter[str](), []
    seed = 0
    while seed < given.count and monotonic() - began < given.seconds:
        problem = examine(seed, counts)
        problems += [problem] if problem else []
        seed += 1
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    command = f"Command: `python tools/random_specs.py --count {given.count}`; commit {commit.stdout.strip()}"
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    minutes = (monotonic() - began) / 60
    totals = {name: counts.pop(name) for name in ("specs", "rows")}
    lines = [
        "# Random specs",
        "",
        f"{command}; {datetime.now(UTC):%Y-%m-%d}; seeds 0 to {seed - 1}; {versions}; one thread, {minutes:.0f} minutes.",
        "",
        "Specs analysed as written and as the PyTorch modules that they build: the same shapes, laws, boxes, parameters",
        "and multiply-accumulates, row by row. Recurrences, as `eyeshot explain` shows them, against the law.",
        "",
        "| | |",
        "|---|--:|",
        *(f"| {name} | {count:,} |" for name, count in totals.items()),
        *(f"| recurrences: {name} | {count:,} |" for name, count in sorted(counts.items())),
        f"| problems | {len(problems)} |",
        *(["", "```", *problems, "```"] if problems else []),
    ]
    RESULT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
