"""The campaign: `make ways-in`, or a part of it: `python -m tools.ways_in pt2 --only 'timm:swin.*'`.

Each network is read both ways in a child of its own. Outcomes are kept in build/ways_in.jsonl, from which an interrupted
campaign goes on; results/ways_in.md is made of them.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from eyeshot.jobs import Job, Limits, Outcome, run, stored
from tools.ways_in.comparing import Comparison, work

ROOT = Path(__file__).parents[2]
STORE, RESULT = ROOT / "build" / "ways_in.jsonl", ROOT / "results" / "ways_in.md"
WAYS = ("pt2",)
LIMITS = Limits(seconds=300, megabytes=8192)
TABLE = """# One network, many ways in

Command: `make ways-in`; {date}; commit {commit}; {minutes:.0f} minutes in all.

Every module's output that both reports name, and every output of the network, must have the same shape, size, stride, \
offset, kind, reasons and, unit by unit, the same box. Absent: modules of the first report without a row in the second.

{summary}

| way | network | variant | rows | absent | units | what differs |
|---|---|---|--:|--:|--:|---|
{lines}
"""


def subjects(ways: Iterable[str], only: str) -> dict[str, list[str]]:
    """What to compare: a way, a network and a variant, by names."""
    found = {}
    for way in ways:
        for network, variants in import_module(f"tools.ways_in.{way}").NETWORKS.items():
            for variant in variants:
                if re.fullmatch(only, network):
                    found[f"{way} {network} {variant}".strip()] = [way, network, variant]
    return found


def table(outcomes: list[Outcome]) -> str:
    """The results as Markdown."""
    lines, agreeing = [], 0
    for outcome in sorted(outcomes, key=lambda each: each.name):
        way, network, variant = (*outcome.name.split(" "), "")[:3]
        if outcome.status != "done":
            said = " ".join(f"{outcome.status}: {outcome.error} {outcome.message}".split())[:160]
            lines.append(f"| {way} | {network} | {variant} | | | | {said.replace('|', '/')} |")
            continue
        found = Comparison(**outcome.value)
        agreeing += not found.differing
        said = "; ".join(found.differing[:2]).replace("|", "/")
        cells = f"{found.rows} of {found.modules} | {len(found.absent)} | {found.units:,}"
        lines.append(f"| {way} | {network} | {variant} | {cells} | {said} |")
    networks = {outcome.name.split(" ")[1] for outcome in outcomes}
    summary = f"- {agreeing} of {len(outcomes)} comparisons ({len(networks)} networks) find no difference."
    commits = sorted({outcome.fingerprint for outcome in outcomes})
    minutes = sum(outcome.seconds for outcome in outcomes) / 60
    date = f"{datetime.now(UTC):%Y-%m-%d}"
    return TABLE.format(
        date=date, commit=", ".join(commits), minutes=minutes, summary=summary, lines="\n".join(lines)
    )


def main() -> int:
    """Run what isn't done yet; the exit status is 1 where an answer differs or is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ways", nargs="*", default=list(WAYS))
    parser.add_argument("--only", default=".*", help="networks whose name matches this expression")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin nothing after so long")
    parser.add_argument("--again", action="store_true", help="also what is done; later answers count")
    parser.add_argument(
        "--report", action="store_true", help="write the results of what is stored, nothing else"
    )
    options = parser.parse_args()
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    held = (
        {} if options.again else {name: each for name, each in stored(STORE).items() if each.status == "done"}
    )
    jobs = [
        Job(name, argument, held[name].fingerprint if name in held else commit)
        for name, argument in subjects(options.ways, options.only).items()
    ]
    began = time.monotonic()
    for outcome in run(
        work,
        [] if options.report else jobs,
        limits=LIMITS,
        store=STORE,
        warm=["torch", "timm"],
        label="ways in",
    ):
        print(
            outcome.name,
            outcome.status,
            outcome.message[:200],
            (outcome.value or {}).get("differing", "")[:2],
        )
        if time.monotonic() - began > options.seconds:
            break
    outcomes = list(stored(STORE).values())
    RESULT.write_text(table(outcomes), encoding="utf-8")
    return int(any(each.status != "done" or each.value["differing"] for each in outcomes))


if __name__ == "__main__":
    sys.exit(main())
