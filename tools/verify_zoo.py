"""`eyeshot.verify` on models of the zoo drawn at random: `make verify-zoo`.

A proof runs the model for real, many times. So the draw is from the models of results/zoo.md that have an answer, at most
`PARAMETERS` and no input axis longer than `PIXELS`. Each has a child process with limits of time and memory; outcomes are
kept in build/verify_zoo.jsonl, from which an interrupted campaign goes on. Writes results/verify_zoo.md.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import warnings
from typing import Any

import torch
import zoo

import eyeshot
from eyeshot.jobs import Limits, Outcome

ZOO, RESULT = zoo.ROOT / "results" / "zoo.md", zoo.ROOT / "results" / "verify_zoo.md"
STORE = zoo.ROOT / "build" / "verify_zoo.jsonl"
LIMITS = Limits(seconds=900, megabytes=8192)
PARAMETERS, PIXELS = 60, 384
WARM = [
    "timm",
    "torchvision",
    "eyeshot.pipeline",
    "eyeshot.frontends.torch.lower",
    "eyeshot.proof.compare",
    "eyeshot.proof.verifying",
]
TABLE = """# Verify zoo

{made}

- The rule, before the draw: of {whole} models, those with at most {parameters} M parameters and no input axis longer than \
{pixels}: {fit} of them. {large} are left out for their size (results/zoo.md tells them by these columns).
- Drawn with seed {seed}: {drawn}. **{clean} proved**, {rest} not. {cells:,} cells \
compared ({one_way:,} of them one way), {mismatches} mismatches.

Random weights. Cells: booleans (does this unit see that element) compared with the NaN probe and the linearised gradient;
one way: those of them where an oracle speaks in one direction only. Seconds are processor time, MB the largest resident
memory.

| model | cells | one way | mismatches | seconds | MB | blind spots, or the problem |
|---|--:|--:|--:|--:|--:|---|
{lines}
"""


def population() -> tuple[list[str], list[str]]:
    """The models of results/zoo.md that fit the rule, and those too large for it."""
    lines = [
        line.strip("| ").split("|")
        for line in ZOO.read_text(encoding="utf-8").splitlines()
        if line[:1] == "|"
    ]
    heads, _, *rows = [[cell.strip() for cell in line] for line in lines]
    fit: list[str] = []
    large: list[str] = []
    for row in (dict(zip(heads, cells, strict=False)) for cells in rows):
        if row["input"]:
            small = (
                max(map(int, row["input"].split("×"))) <= PIXELS and float(row["M parameters"]) <= PARAMETERS
            )
            (fit if small else large).append(row["model"])
    return fit, large


def draw(fit: list[str], count: int, seed: int) -> list[str]:
    """Names at random. Each has a number of its own, so that a model more or less changes one of those drawn."""
    return sorted(fit, key=lambda name: random.Random(f"{seed} {name}").random())[:count]


def work(argument: tuple[str, int, int]) -> dict[str, Any]:
    """What a child does."""
    reference, units, seed = argument
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # the zoo's own
    started = time.process_time()
    proof = eyeshot.verify(reference, eyeshot.analyze(reference), units, seed)
    return {
        "cells": proof.cells,
        "one_way": sum(oracle.one_way for oracle in proof.oracles),
        "clean": proof.clean,
        "mismatches": [str(mismatch) for mismatch in proof.mismatches],
        "blind_spots": [f"{name}: {spot}" for name, spots in proof.blind_spots.items() for spot in spots],
        "seconds": time.process_time() - started,
    }


def line(outcome: Outcome) -> str:
    """A model's row."""
    memory = f"{outcome.megabytes:.0f}"
    if outcome.status != "done":
        said = f"**{outcome.status}** {outcome.error} {' '.join(outcome.message.split())}"
        cells = [outcome.name, "", "", "", f"{outcome.seconds:.0f}", memory, said]
    else:
        value = outcome.value
        said = "; ".join(value["mismatches"][:2] + value["blind_spots"])
        counts = [f"{count:,}" for count in (value["cells"], value["one_way"], len(value["mismatches"]))]
        cells = [outcome.name, *counts, f"{value['seconds']:.1f}", memory, said]
    return "| " + " | ".join(cell.replace("|", "/")[:300] for cell in cells) + " |"


def main() -> int:
    """Draw, prove, write; the exit status is 1 if a model is not proved."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="models to draw")
    parser.add_argument("--seed", type=int, default=20261123, help="of the draw and of each proof")
    parser.add_argument("--units", type=int, default=64, help="units a model that gradients check")
    parser.add_argument(
        "--again", help="keep rows of other commits, but for models that match or were not done"
    )
    options = parser.parse_args()
    fit, large = population()
    drawn = draw(fit, options.count, options.seed)
    print(
        f"seed {options.seed}: {len(drawn)} of {len(fit)} models, {len(large)} left out for their size",
        flush=True,
    )
    arguments = {name: (name, options.units, options.seed) for name in drawn}
    outcomes = []
    for outcome in zoo.campaign(work, arguments, STORE, limits=LIMITS, warm=WARM, again=options.again):
        outcomes.append(outcome)
        print(line(outcome), flush=True)
    clean = [outcome for outcome in outcomes if outcome.status == "done" and outcome.value["clean"]]
    text = TABLE.format(
        made=zoo.made("verify-zoo", outcomes, LIMITS),
        whole=len(fit) + len(large),
        parameters=PARAMETERS,
        pixels=PIXELS,
        fit=len(fit),
        large=len(large),
        seed=options.seed,
        drawn=len(drawn),
        clean=len(clean),
        rest=len(drawn) - len(clean),
        cells=sum(outcome.value["cells"] for outcome in outcomes if outcome.status == "done"),
        one_way=sum(outcome.value["one_way"] for outcome in outcomes if outcome.status == "done"),
        mismatches=sum(len(outcome.value["mismatches"]) for outcome in outcomes if outcome.status == "done"),
        lines="\n".join(map(line, sorted(outcomes, key=lambda outcome: outcome.name))),
    )
    RESULT.write_text(text, encoding="utf-8")
    print("\n".join(text.splitlines()[2:7]))
    return int(len(clean) < len(drawn))


if __name__ == "__main__":
    sys.exit(main())
