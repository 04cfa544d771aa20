"""The campaign: `python -m tools.onnx_nodes`, or a part of it: `python -m tools.onnx_nodes --only 'test_conv_.*'`.

Each test has a child process of its own, with limits of time and memory. Outcomes are kept in build/onnx_nodes.jsonl, from
which an interrupted campaign goes on; results/onnx_nodes.md and docs/support_onnx.md are made of them.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import onnx

from eyeshot.jobs import Job, Limits, run, stored
from tools.onnx_nodes.check import check_named, everything
from tools.onnx_nodes.report import missed, shown, write

ROOT = Path(__file__).parents[2]
STORE = ROOT / "build" / "onnx_nodes.jsonl"
SOURCES = ["tools/onnx_nodes", *(f"src/eyeshot/{room}" for room in "analyses graph relations".split())]
SOURCES += [f"src/eyeshot/frontends/{name}" for name in ("compounds", "onnx")]
LIMITS = Limits(seconds=60, megabytes=2048)
WARM = "tools.onnx_nodes.warm"


def main() -> int:
    """Check what is asked for; the exit status is 1 where a rule misses something, or a test has no answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=".*", help="tests whose name matches this expression; no report")
    parser.add_argument(
        "--again", help="also tests that match and are done; other commits' answers stand else"
    )
    parser.add_argument(
        "--seconds", type=float, default=0.5, help="processor time that perturbations may take"
    )
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--report", action="store_true", help="write the pages of what is stored, do nothing else"
    )
    options = parser.parse_args()
    if options.report:
        write(ROOT, stored(STORE))
        return 0
    commit = _commit()
    fingerprint = f"onnx {onnx.__version__} {commit}"
    whole = options.only == ".*"
    names = [name for name in everything() if re.fullmatch(options.only, name)]
    held = {name: outcome for name, outcome in stored(STORE).items() if outcome.status == "done"}
    if options.again:
        held = {name: outcome for name, outcome in held.items() if not re.search(options.again, name)}
    jobs = [
        Job(name, (name, options.seconds), held[name].fingerprint if name in held else fingerprint)
        for name in names
    ]
    outcomes = {}
    for outcome in run(
        check_named,
        jobs,
        limits=LIMITS,
        store=STORE if whole else None,
        workers=options.workers,
        warm=[WARM],
        label="onnx nodes",
    ):
        outcomes[outcome.name] = outcome
        line = shown(outcome)
        if line:
            print(line, flush=True)
    if whole:
        write(ROOT, stored(STORE))
    bad = [o for o in outcomes.values() if o.status != "done" or missed(o.value)]
    print(f"{len(outcomes)} tests, {len(bad)} unsound or failed")
    return int(bool(bad))


def _commit() -> str:
    """The last commit that touched what answers hang on."""
    asked = ["git", "log", "-1", "--format=%h", "--", *SOURCES]
    return subprocess.run(asked, capture_output=True, text=True, check=False, cwd=ROOT).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
