"""The campaign: `make conformance`, or a part of it: `python -m tools.conformance --only 'nn.functional.conv.*'`."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import torch

from eyeshot.jobs import Job, Limits, run, stored
from tools.conformance.check import check
from tools.conformance.report import write
from tools.conformance.samples import subjects

ROOT = Path(__file__).parents[2]
STORE = ROOT / "build" / "conformance.jsonl"
LIMITS = Limits(seconds=1800, megabytes=4096)


def main() -> int:
    """Check what is asked for, each subject in a child; the exit status is 1 where a rule misses something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=".*", help="subjects whose name matches this expression")
    parser.add_argument("--samples", type=int, help="so many samples of each, a seeded choice, and no report")
    parser.add_argument("--again", action="store_true", help="also what is stored; later answers count")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--report", action="store_true", help="write the report of what is stored, and do nothing else"
    )
    options = parser.parse_args()
    if options.report:
        write(ROOT, stored(STORE))
        return 0
    names = [name for name in subjects() if re.fullmatch(options.only, name)]
    again = _commit() if options.again else ""
    jobs = [
        Job(name, (name, options.samples, _commit()), f"torch {torch.__version__} {again}".strip())
        for name in names
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
        label="conformance",
    ):
        value = outcome.value or {}
        missed += value.get("missed", 0)
        shown = {
            key: value[key] for key in ("missed", "wide", "refused", "errors", "examples") if value.get(key)
        }
        print(
            f"{outcome.name}: {outcome.status} {outcome.message} {outcome.seconds:.1f} s {shown}", flush=True
        )
    if store is not None:
        write(ROOT, stored(store))
    return int(missed > 0)


def _commit() -> str:
    """The commit that is checked out."""
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=ROOT
    ).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
