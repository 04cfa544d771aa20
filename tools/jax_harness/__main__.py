"""The campaign: `python -m tools.jax_harness`, or a part of it: `--only 'scatter.*'`. It goes on where it stopped."""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import jax

from eyeshot.jobs import Job, Limits, run, stored
from tools.jax_harness.check import check, groups
from tools.jax_harness.report import write

ROOT = Path(__file__).parents[2]
STORE = ROOT / "build" / "jax_harness.jsonl"
LIMITS = Limits(seconds=900, megabytes=4096)
CHUNK = 100
"""Cases that one child takes."""


def main() -> int:
    """Check what is asked for, chunk by chunk in children; the exit status is 1 where a rule misses something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=".*", help="groups whose name matches this expression")
    parser.add_argument(
        "--samples", type=int, help="so many cases of each group, a seeded choice, and no report"
    )
    parser.add_argument("--again", action="store_true", help="also what is stored; later answers count")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--report", action="store_true", help="write the report of what is stored, and nothing else"
    )
    options = parser.parse_args()
    if options.report:
        write(ROOT, stored(STORE))
        return 0
    os.environ["JAX_PLATFORMS"] = "cpu"  # the harnesses say what a CPU can do
    again = _commit() if options.again else ""
    fingerprint = f"jax {jax.__version__} {again}".strip()
    jobs = [
        Job(f"{group} {start}", (numbers[start : start + CHUNK], _commit()), fingerprint)
        for group, numbers in _chosen(options.only, options.samples).items()
        for start in range(0, len(numbers), CHUNK)
    ]
    store = STORE if options.samples is None else None
    missed = 0
    for outcome in run(
        check,
        jobs,
        limits=LIMITS,
        store=store,
        workers=options.workers,
        warm=[check.__module__],
        label="harnesses",
    ):
        value = outcome.value or {}
        missed += value.get("missed", 0)
        shown = {key: value[key] for key in ("missed", "wide", "refused", "errors") if value.get(key)}
        print(
            f"{outcome.name}: {outcome.status} {outcome.message} {outcome.seconds:.1f} s {shown}", flush=True
        )
    if store is not None:
        write(ROOT, stored(store))
    return int(missed > 0)


def _chosen(only: str, samples: int | None) -> dict[str, list[int]]:
    found = {group: numbers for group, numbers in groups().items() if re.fullmatch(only, group)}
    if samples is None:
        return found
    return {
        group: random.Random(group).sample(numbers, min(samples, len(numbers)))
        for group, numbers in found.items()
    }


def _commit() -> str:
    """The commit that is checked out."""
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=ROOT
    ).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
