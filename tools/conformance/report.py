"""The campaign's results as Markdown: results/conformance.md, and the table of what is supported for the docs."""

from __future__ import annotations

import inspect
import platform
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import torch

from eyeshot.frontends.torch.context import LOWERINGS
from eyeshot.frontends.torch.lower import load_lowerings
from eyeshot.graph.reasons import REASONS
from tools.conformance.samples import subjects
from tools.conformance.traps import BLIND, LIES, UNIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from eyeshot.jobs import Outcome

INTRODUCTION = """\
Every lowering against PyTorch's own table of operators (OpInfo) and of modules (module_db). A sample is one call; each of
its outputs is compared with each of its floating-point inputs, element by element: what the rule says is read, against what
three oracles saw (gradient, change, NaN)."""
PLACES = """\
Integer and boolean outputs (places, comparisons) flip for few numbers only: the rule must hold what was seen of them, and
isn't asked to equal it. Of large tensors a seeded choice of elements is probed."""
SUPPORT = """\
Made by `make conformance` from the registry of lowerings and the results in `results/conformance.md`. Names are those of
PyTorch's own tests: operators, and modules as `nn_...`."""

VERDICTS = {
    "exact": "the rule is what the oracles saw, no more and no less, in every sample",
    "unseen": "as exact, but for elements where the oracles are blind (table below)",
    "sound": "the rule holds more than they saw somewhere, and says why by a reason code",
    "wider": "the rule holds more than they saw somewhere, and gives no reason",
    "refused in part": "some samples call an op without a lowering",
    "refused": "all samples do, by a typed error that names it",
    "nothing to compare": "no sample has floating-point tensors on both sides that run here",
    "unsound": "the rule misses something that an oracle saw",
    "failed": "the campaign could not answer: a crash, or a limit",
}


def verdict(outcome: Outcome) -> str:
    """One word of `VERDICTS` for an operator or module."""
    tally = outcome.value
    if tally is None or tally["errors"]:
        return "failed"
    wide = set(tally["wide"]) - {"place"}
    if tally["missed"]:
        return "unsound"
    if tally["refused"]:
        return "refused in part" if tally["comparisons"] else "refused"
    if not tally["comparisons"]:
        return "nothing to compare"
    if "" in wide:
        return "wider"
    return ("unseen" if wide == {"blind"} else "sound") if wide else "exact"


def write(root: Path, outcomes: Mapping[str, Outcome]) -> None:
    """Both pages, of all that is stored."""
    known = {name: outcomes[name] for name in subjects() if name in outcomes}
    verdicts = {name: verdict(outcome) for name, outcome in known.items()}
    (root / "results" / "conformance.md").write_text(_results(root, known, verdicts), encoding="utf-8")
    (root / "docs" / "support.md").write_text(_support(known, verdicts), encoding="utf-8")


def spatial_ops(root: Path) -> list[str]:
    """The operators and modules with spatial meaning, as written down before the first run."""
    lines = (root / "tests" / "data" / "spatial_ops.txt").read_text(encoding="utf-8").splitlines()
    return [name for line in lines if not line.startswith("#") for name in line.split()]


def _results(root: Path, outcomes: Mapping[str, Outcome], verdicts: Mapping[str, str]) -> str:
    tallies = [outcome.value for outcome in outcomes.values() if outcome.value]
    spatial = [name for name in spatial_ops(root) if name in verdicts]
    order = list(VERDICTS)
    skipped: Counter[str] = Counter()
    for tally in tallies:
        skipped.update(tally["skipped"])
    rows = [
        _row(name, outcomes[name], verdicts[name], name in spatial)
        for name in sorted(verdicts, key=lambda name: (order.index(verdicts[name]), name))
        if verdicts[name] not in {"exact", "nothing to compare"}
    ]
    head = ("name", "verdict", "samples", "comparisons", "exact", "what, and how often", "spatial")
    return "\n".join(
        [
            *_opening(outcomes, tallies),
            *_spatial(spatial, verdicts),
            "",
            *_table(("verdict", "operators", "modules", "meaning"), _counted(verdicts)),
            "",
            PLACES,
            "",
            "## All but the exact",
            "",
            *_table(head, rows),
            "",
            f"## Samples left out: {sum(skipped.values())}",
            "",
            *_table(("why", "samples"), [(why, str(n)) for why, n in skipped.most_common()]),
            "",
            *_traps(),
            "",
        ]
    )


def _opening(outcomes: Mapping[str, Outcome], tallies: list[dict[str, Any]]) -> list[str]:
    modules = sum(name.startswith("nn_") for name in outcomes)
    commits = Counter(tally["commit"] for tally in tallies).most_common()
    made = ", ".join(f"{commit} ({n} of them)" if len(commits) > 1 else commit for commit, n in commits)
    seconds = sum(outcome.seconds for outcome in outcomes.values())
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    samples, comparisons, exact, missed = (
        sum(tally[key] for tally in tallies) for key in ("samples", "comparisons", "exact", "missed")
    )
    counted = f"{samples} samples; {comparisons} comparisons, {exact} of them exact, **{missed} unsound**."
    return [
        "# Conformance",
        "",
        f"Command: `make conformance`; commit {made}; {datetime.now(UTC):%Y-%m-%d}; {versions}; {seconds:.0f} s in all.",
        "",
        INTRODUCTION,
        "",
        f"{len(outcomes) - modules} operators and {modules} modules; {counted}",
    ]


def _spatial(spatial: list[str], verdicts: Mapping[str, str]) -> list[str]:
    exact = sum(verdicts[name] == "exact" for name in spatial)
    share = f"**{exact} are exact ({exact / max(1, len(spatial)):.1%})**"
    return [f"Of {len(spatial)} with spatial meaning (`tests/data/spatial_ops.txt`) {share}."]


def _counted(verdicts: Mapping[str, str]) -> list[tuple[str, ...]]:
    both = Counter((word, name.startswith("nn_")) for name, word in verdicts.items())
    return [(word, str(both[word, False]), str(both[word, True]), VERDICTS[word]) for word in VERDICTS]


def _row(name: str, outcome: Outcome, word: str, spatial: bool) -> tuple[str, ...]:
    tally: dict[str, Any] = outcome.value or {}
    found = {**tally.get("refused", {}), **tally.get("errors", {})}
    found |= {code or "no reason": n for code, n in tally.get("wide", {}).items() if code != "place"}
    found |= {"missed": tally["missed"]} if tally.get("missed") else {}
    said = (
        ", ".join(f"{what} {n}" for what, n in sorted(found.items())) or f"{outcome.status} {outcome.message}"
    )
    numbers = [str(tally.get(key, "")) for key in ("samples", "comparisons", "exact")]
    return (f"`{name}`", word, *numbers, said, "spatial" if spatial else "")


def _traps() -> list[str]:
    lies = [(f"`{'`, `'.join(lie.names)}`", ", ".join(lie.oracles), lie.why) for lie in LIES]
    blind = defaultdict(list)
    for name, why in BLIND.items():
        blind[why].append(f"`{name}`")
    return [
        "## Where oracles mislead",
        "",
        "Not believed:",
        "",
        *_table(("about", "oracle", "why"), lies),
        "",
        "Blind:",
        "",
        *_table(("about", "why"), [(", ".join(names), why) for why, names in blind.items()]),
        "",
        f"Inputs drawn from [0, 1) alone, since nothing else means anything: {_listed(UNIT)}.",
    ]


def _support(outcomes: Mapping[str, Outcome], verdicts: Mapping[str, str]) -> str:
    load_lowerings()
    by_verdict = defaultdict(list)
    for name, word in verdicts.items():
        by_verdict[word].append(name)
    families = defaultdict(list)
    for op, lowering in LOWERINGS.items():
        families[inspect.getmodule(inspect.unwrap(lowering)).__name__.rpartition(".")[2]].append(op)  # type: ignore[union-attr]
    codes = {
        name: sorted(set(" ".join(outcomes[name].value["wide"]).split()) - {"place"})
        for name in by_verdict["sound"]
    }
    refused = [name for word in ("refused", "refused in part") for name in by_verdict[word]]
    return "\n".join(
        [
            "# What is supported",
            "",
            SUPPORT,
            "",
            f"## Exact ({len(by_verdict['exact']) + len(by_verdict['unseen'])})",
            "",
            "Each output element is known to read these input elements, and no others.",
            "",
            _listed([*by_verdict["exact"], *by_verdict["unseen"]]),
            "",
            f"## Sound, with a reason ({len(by_verdict['sound'])})",
            "",
            *_table(
                ("name", "reason"),
                [(f"`{name}`", ", ".join(f"`{code}`" for code in codes[name])) for name in sorted(codes)],
            ),
            "",
            *_table(("reason", "meaning"), [(f"`{code}`", why) for code, why in REASONS.items()]),
            "",
            f"## Refused by name ({len(refused)})",
            "",
            'Until they are registered, or taken as dense on request (`on_unknown="dense"`).',
            "",
            *_table(
                ("name", "of its samples", "no lowering for"),
                [
                    (
                        f"`{name}`",
                        "all" if verdicts[name] == "refused" else "some",
                        ", ".join(f"`{op}`" for op in sorted(outcomes[name].value["refused"])),
                    )
                    for name in sorted(refused)
                ],
            ),
            "",
            f"## ATen ops with a lowering ({len(LOWERINGS)})",
            "",
            *[
                line
                for family in sorted(families)
                for line in (f"**{family}** ({len(families[family])}): {_listed(families[family])}", "")
            ],
        ]
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name.removeprefix('aten.')}`" for name in sorted(names))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, ("---",) * len(head), *rows]
    return [
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    ]
