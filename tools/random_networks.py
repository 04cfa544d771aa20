"""Random networks against two oracles, element by element: `make random-networks`.

Networks are drawn by tests/networks and, where it is installed (``pip install nnsmith==0.1.0``), by nnsmith. Each goes
through capture, lowering and every analysis, and is compared with what PyTorch's own gradient and NaN say of every output
element and every input element. A hundred networks are one child process; what is done is kept in
build/random_networks.jsonl, from which an interrupted campaign goes on. Writes results/random_networks.md; the exit status
is 1 if a promise is broken.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from eyeshot.frontends.torch.lower import load_lowerings  # noqa: E402 - as above
from eyeshot.jobs import Job, Limits, Outcome, run, stored  # noqa: E402 - as above
from tests.networks import Network, check, draw_network, smith  # noqa: E402 - the tests are no installed package

RESULT = ROOT / "results" / "random_networks.md"
STORE = ROOT / "build" / "random_networks.jsonl"
LIMITS = Limits(seconds=900, megabytes=4096)
CHUNK = 100
OURS, SMITH = "eyeshot", "nnsmith"
DRAW: dict[str, Callable[[int], Network]] = {
    OURS: lambda seed: draw_network(Random(seed)),
    SMITH: smith.draw_smith,
}
RELATIONS = "Input Constant Pointwise Along Reshape Permute Broadcast Concat Contract Dense".split()
HISTOGRAMS = ("relations", "maps", "families", "ops", "reasons")
LEAST = 0.05  # share of the networks in which every relation occurs


def work(chunk: list[Any]) -> dict[str, Any]:
    """What a child does: count the outcomes of a range of seeds."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # PyTorch's, about slow or ambiguous calls
    generator, first, last = chunk
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("outcomes", *HISTOGRAMS)}
    problems = []
    for seed in range(first, last):
        network = DRAW[generator](seed)
        found = check.examine(network, seed)
        counts["outcomes"].update(labels(found))
        counts["outcomes"]["cells"] += found.cells
        for name in HISTOGRAMS:
            counts[name].update(getattr(found, name))
        if found.verdict not in {"exact", "sound"} or found.skip == "shrunk":
            problems.append(f"seed {seed}: {found.verdict} {found.why} {found.skip}\n{network}")
    return {**{name: dict(counter) for name, counter in counts.items()}, "problems": problems}


def labels(found: check.Examined) -> list[str]:
    """What one network counts as."""
    out = [
        "networks",
        found.verdict,
        f"skip {found.skip or 'impossible'}",
        f"{found.verdict}, decided by {found.decided}",
    ]
    return out + ["holes"] * found.holes + ["gradient refuted"] * found.refuted


def total(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """The sum of all chunks; a chunk that a child did not finish is a problem."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("outcomes", *HISTOGRAMS)}
    problems = []
    for outcome in outcomes:
        if outcome.status != "done":
            problems.append(f"{outcome.name}: {outcome.status} {outcome.error} {outcome.message}")
            continue
        for name, counter in counts.items():
            counter.update(outcome.value[name])
        problems += outcome.value["problems"]
    return {**counts, "problems": problems}


def broken(found: dict[str, Any]) -> list[str]:
    """The promises that do not hold."""
    outcomes, relations = found["outcomes"], found["relations"]
    plain = outcomes["networks"] - outcomes["sound"]
    out = [f"{outcomes[name]} {name}" for name in ("unsound", "inconsistent", "refused") if outcomes[name]]
    if outcomes["skip shrunk"]:
        out.append(f"{outcomes['skip shrunk']} boxes shrunk by a skip")
    if outcomes["exact"] < 0.99 * plain:
        out.append(f"only {outcomes['exact']} of {plain} exact")
    rare = [name for name in RELATIONS if relations[name] < LEAST * outcomes["networks"]]
    if rare:
        out.append(f"in less than {LEAST:.0%} of the networks: {', '.join(rare)}")
    unfinished = [problem for problem in found["problems"] if not problem.startswith("seed")]
    return out + unfinished


REPORT = """# Random networks

Command: `make random-networks`; commit {commit}; {date}; seeds 0 to {last}; Python {python}, torch {torch}, numpy {numpy};
one thread, {minutes:.0f} minutes in all.

{verdict}

Each network was captured, lowered and analysed, and the full dependence of its output on its input (`Sets` over one
flattened axis: every output element by every input element, holes included) compared with two oracles that know nothing
of eyeshot: which outputs turn NaN with an input element, and where the float64 Jacobian with positive parameters is not
0 in two to six draws. Masks, influence, sets by axis, their products and boxes of random units, regions and elements
must agree with it.

{outcomes}

- *exact*: equal to the oracles, and no op over-approximates. *sound*: some op reads by value (a computed index, a
  sampling grid, a mask scattered by data) and says so; the oracles are contained. *wide*: contained, without a reason.
- *both*: NaN and gradient say the same. *NaN*: it reaches elements that no draw's gradient shows (the larger of two
  values was always the same one; a softmax over one key has no slope). Where a coefficient is 0 by construction (a masked
  weight of attention, a weight of interpolation) the probe runs the same function written so that NaN does not pass it;
  that it is the same function is checked by its values.
- *gradient refuted*: PyTorch's gradient shows a dependence that a finite difference denies, as NaN does (batch norm's
  backward pass, where the slope's strides are those of channels_last).
- *holes*: networks in which some unit does not read all of its box.
- A skip: one value added to a later one of as many elements; no unit's box may shrink.
- Not drawn: resizes where PyTorch disagrees with itself (tests/networks/windows.py says which).

{smith}

## In how many networks
{tables}
"""


def report(found: dict[str, Any], other: dict[str, Any] | None, chunks: list[Outcome]) -> str:
    """The result as Markdown."""
    failures = broken(found) + ([] if other is None else broken_smith(other))
    networks = found["outcomes"]["networks"]
    named = {OURS: found, SMITH: other}
    return REPORT.format(
        commit=commits(chunks),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        last=networks - 1,
        python=platform.python_version(),
        torch=version("torch"),
        numpy=version("numpy"),
        minutes=sum(chunk.seconds for chunk in chunks) / 60,
        verdict=f"Broken: {'; '.join(failures)}." if failures else "Every promise is kept.",
        outcomes="\n".join(_outcomes({name: each for name, each in named.items() if each})),
        smith=_smith(other),
        tables="\n".join(line for name in HISTOGRAMS for line in _histogram(name, found, other)),
    ) + "".join(
        f"\n## Problem\n\n```\n{problem}\n```\n"
        for problem in found["problems"] + (other or found)["problems"]
    )


def broken_smith(found: dict[str, Any]) -> list[str]:
    """As `broken`, but for the histogram: nnsmith draws few of the relations."""
    return [f"{SMITH}: {each}" for each in broken(found) if "in less than" not in each]


ROWS = (
    *("networks", "exact", "exact, decided by both", "exact, decided by NaN", "sound", "wide", "unsound"),
    *(
        "inconsistent",
        "refused",
        "gradient refuted",
        "holes",
        "skip kept",
        "skip shrunk",
        "skip impossible",
        "cells",
    ),
)


def _outcomes(named: dict[str, dict[str, Any]]) -> list[str]:
    """One column a generator."""
    lines = [f"| | {' | '.join(f'drawn by {name}' for name in named)} |", "|---|" + "--:|" * len(named)]
    for row in ROWS:
        counts = [each["outcomes"][row] for each in named.values()]
        lines.append(f"| {row} | {' | '.join(f'{count:,}' for count in counts)} |")
    plain = [each["outcomes"]["networks"] - each["outcomes"]["sound"] for each in named.values()]
    shares = [each["outcomes"]["exact"] / max(1, n) for each, n in zip(named.values(), plain, strict=True)]
    return [*lines, f"| exact, of those not sound | {' | '.join(f'{share:.2%}' for share in shares)} |"]


def _smith(other: dict[str, Any] | None) -> str:
    if other is None:
        return "nnsmith was not installed: its networks are left out."
    drawn = "float ops that have a slope; its inputs are cut from one flat tensor, its outputs joined to one"
    return f"nnsmith {version('nnsmith')} draws networks of {drawn}."


def _histogram(name: str, found: dict[str, Any], other: dict[str, Any] | None) -> list[str]:
    """Names, numbers and shares of networks, the most frequent first."""
    title = {
        "maps": "axis maps",
        "families": "steps",
        "ops": "ATen ops",
        "reasons": "reasons of sound answers",
    }.get(name, name)
    lines = [
        "",
        f"### {title.capitalize() if title != 'ATen ops' else title}",
        "",
        f"| | {OURS} | share | {SMITH} |",
        "|---|--:|--:|--:|",
    ]
    both = found[name] + (other or {name: Counter()})[name]
    for key in sorted(both, key=lambda key: (-found[name][key], -both[key], key)):
        share = found[name][key] / found["outcomes"]["networks"]
        lines.append(f"| {key} | {found[name][key]} | {share:.1%} | {other[name][key] if other else ''} |")
    return lines


def commits(chunks: list[Outcome]) -> str:
    """The commits that were measured, with their numbers of chunks where there are several."""
    counts = Counter(chunk.fingerprint for chunk in chunks).most_common()
    if len(counts) == 1:
        return counts[0][0]
    return ", ".join(f"{name} ({count} of {len(chunks)} parts)" for name, count in counts)


def commit() -> str:
    """The commit measured, and whether the package or the generator differ from it."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--", "src", "tests/networks")
    return git("rev-parse", "--short", "HEAD") + (" with uncommitted changes" if changed else "")


def campaign(generator: str, networks: int, *, again: bool) -> list[Outcome]:
    """All chunks of one generator; given ``again`` those without a problem stand, whichever commit they are of."""
    held, now = stored(STORE), commit()

    def fingerprint(name: str) -> str:
        outcome = held.get(name)
        stands = again and outcome is not None and outcome.status == "done" and not outcome.value["problems"]
        return outcome.fingerprint if outcome is not None and stands else now

    jobs = []
    for first in range(0, networks, CHUNK):
        name = f"{generator} {first}"
        jobs.append(Job(name, [generator, first, min(first + CHUNK, networks)], fingerprint(name)))
    outcomes = []
    for outcome in run(work, jobs, limits=LIMITS, store=STORE, label=generator):
        outcomes.append(outcome)
        print(outcome.name, outcome.status, f"{outcome.seconds:.0f} s", outcome.message, flush=True)
    return outcomes


def main() -> int:
    """Run the campaign, or a smaller one without a result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=10_000, help="fewer write no result")
    parser.add_argument("--smith", type=int, default=1_000, help="networks drawn by nnsmith")
    parser.add_argument(
        "--again", action="store_true", help="of other commits, run only chunks with a problem again"
    )
    options = parser.parse_args()
    chunks = campaign(OURS, options.networks, again=options.again)
    wanted = options.smith if smith.available() else 0
    others = campaign(SMITH, wanted, again=options.again)
    found, other = total(chunks), total(others) if others else None
    text = report(found, other, chunks + others)
    if options.networks >= parser.get_default("networks"):
        RESULT.write_text(text, encoding="utf-8")
    print(text.partition("\n## In how many")[0])
    return int(bool(broken(found) or (other and broken_smith(other))))


if __name__ == "__mp_main__":  # the server that children fork from
    load_lowerings()
if __name__ == "__main__":
    sys.exit(main())
