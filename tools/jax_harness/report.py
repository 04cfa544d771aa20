"""The campaign's results as Markdown: results/jax_harness.md, and the coverage table docs/support_jax.md."""

from __future__ import annotations

import inspect
import platform
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jax

from eyeshot.frontends.jax.context import LOWERINGS
from eyeshot.frontends.jax.lower import load_lowerings
from tools.jax_harness.check import groups
from tools.jax_harness.traps import BLIND, COARSE, LEAKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from eyeshot.jobs import Outcome

INTRODUCTION = """\
Every lowering against JAX's own list of harnesses (`jax._src.internal_test_util.test_harnesses`). Each output of a case is
compared with each of its inputs, element by element: what the rule says is read, against what three oracles saw (change,
NaN, and for every fourth case the gradient). A case that takes whole numbers is read twice: with those as inputs, and with
those known. Of inputs of more than 64 elements a seeded choice is probed."""
PLACES = """\
Whole numbers and booleans change for few inputs only: the rule must hold what was seen of them, and isn't asked to equal
it."""
SUPPORT = """\
Made by `python -m tools.jax_harness` from the registry of lowerings and the results in `results/jax_harness.md`. Groups are
those of JAX's own test harnesses."""
VERDICTS = {
    "exact": "the rule is what the oracles saw, no more and no less, in every case",
    "unseen": "as exact, but for elements where the oracles are blind (table below)",
    "sound": "the rule holds more than they saw somewhere, and says why by a reason code",
    "wider": "the rule holds more than they saw somewhere, and gives no reason",
    "refused": "some cases need a primitive without a lowering, named by a typed error",
    "nothing to compare": "no case has arrays on both sides that JAX computes here",
    "unsound": "the rule misses something that an oracle saw",
    "failed": "the campaign could not answer: a crash, or a limit",
}
COUNTS = ("cases", "answered", "comparisons", "exact", "missed")
KINDS = ("wide", "skipped", "refused", "errors")


def gathered(outcomes: Mapping[str, Outcome]) -> dict[str, dict[str, Any]]:
    """One tally a group, of all its chunks that are stored."""
    known = groups()
    found: dict[str, dict[str, Any]] = {}
    for name, outcome in outcomes.items():
        group = name.rpartition(" ")[0]
        if group not in known:
            continue
        tally = found.setdefault(
            group,
            {
                **dict.fromkeys(COUNTS, 0),
                **{k: Counter() for k in KINDS},
                "examples": {},
                "seconds": 0.0,
                "commits": set(),
            },
        )
        tally["seconds"] += outcome.seconds
        if outcome.value is None:
            tally["errors"][f"{outcome.status} {outcome.message}"] += 1
            continue
        tally["commits"].add(outcome.value["commit"])
        for key in COUNTS:
            tally[key] += outcome.value[key]
        for kind in KINDS:
            tally[kind].update(outcome.value[kind])
        tally["examples"] = {**outcome.value["examples"], **tally["examples"]}
    return found


def verdict(tally: Mapping[str, Any]) -> str:
    """One word of `VERDICTS` for a group."""
    wide = set(tally["wide"]) - {"place"}
    if tally["errors"]:
        return "failed"
    if tally["missed"]:
        return "unsound"
    if tally["refused"]:
        return "refused"
    if not tally["comparisons"]:
        return "nothing to compare"
    if "" in wide:
        return "wider"
    return ("unseen" if wide == {"blind"} else "sound") if wide else "exact"


def write(root: Path, outcomes: Mapping[str, Outcome]) -> None:
    """Both pages, of all that is stored."""
    tallies = gathered(outcomes)
    verdicts = {name: verdict(tally) for name, tally in sorted(tallies.items())}
    (root / "results" / "jax_harness.md").write_text(_results(tallies, verdicts), encoding="utf-8")
    (root / "docs" / "support_jax.md").write_text(_support(tallies, verdicts), encoding="utf-8")


def _results(tallies: Mapping[str, Any], verdicts: Mapping[str, str]) -> str:
    order = list(VERDICTS)
    skipped: Counter[str] = Counter()
    commits: set[str] = set()
    for tally in tallies.values():
        skipped.update(tally["skipped"])
        commits |= tally["commits"]
    total = {key: sum(tally[key] for tally in tallies.values()) for key in COUNTS}
    refused = sum(sum(tally["refused"].values()) for tally in tallies.values())
    counted = Counter(verdicts.values())
    seconds = sum(tally["seconds"] for tally in tallies.values())
    rows = [
        (
            f"`{name}`",
            verdicts[name],
            *(str(tallies[name][key]) for key in ("cases", "comparisons", "exact")),
            _said(tallies[name]),
        )
        for name in sorted(verdicts, key=lambda name: (order.index(verdicts[name]), name))
        if verdicts[name] != "exact"
    ]
    command = f"Command: `python -m tools.jax_harness`; commit {', '.join(sorted(commits))}; {datetime.now(UTC):%Y-%m-%d}; "
    versions = f"Python {platform.python_version()}, jax {jax.__version__}; {seconds:.0f} s in all."
    answered = f"{total['cases']} cases in {len(verdicts)} groups: {total['answered']} answered, {refused} refused by "
    compared = f"name, {sum(skipped.values())} left out (table below); {total['comparisons']} comparisons, "
    head = ("group", "verdict", "cases", "comparisons", "exact", "what, and how often")
    return "\n".join(
        [
            "# JAX's harnesses",
            "",
            command + versions,
            "",
            INTRODUCTION,
            "",
            f"{answered}{compared}{total['exact']} exact, **{total['missed']} unsound**.",
            "",
            *_table(
                ("verdict", "groups", "meaning"),
                [(word, str(counted[word]), VERDICTS[word]) for word in VERDICTS],
            ),
            "",
            PLACES,
            "",
            "## All but the exact",
            "",
            *_table(head, rows),
            "",
            f"## Cases left out: {sum(skipped.values())}",
            "",
            *_table(("why", "cases"), [(why, str(n)) for why, n in skipped.most_common()]),
            "",
            "## Where oracles mislead",
            "",
            *_table(
                ("group", "why"),
                [(f"`{name}`", why) for name, why in [*LEAKS.items(), *COARSE.items(), *BLIND.items()]],
            ),
            "",
        ]
    )


def _said(tally: Mapping[str, Any]) -> str:
    found = {**tally["refused"], **tally["errors"]}
    found |= {code or "no reason": n for code, n in tally["wide"].items() if code != "place"}
    found |= {"missed": tally["missed"]} if tally["missed"] else {}
    return ", ".join(f"{what} {n}" for what, n in sorted(found.items()))


def _support(tallies: Mapping[str, Any], verdicts: Mapping[str, str]) -> str:
    load_lowerings()
    families = defaultdict(list)
    for op, lowering in LOWERINGS.items():
        families[inspect.getmodule(lowering).__name__.rpartition(".")[2]].append(op)  # type: ignore[union-attr]
    rows = []
    for name, word in verdicts.items():
        codes = sorted(set(" ".join(tallies[name]["wide"]).split()) - {"place", "blind"})
        rows.append(
            (f"`{name}`", word, str(tallies[name]["cases"]), ", ".join(f"`{code}`" for code in codes))
        )
    listed = [(family, _listed(ops), len(ops)) for family, ops in sorted(families.items())]
    return "\n".join(
        [
            "# What is supported of JAX",
            "",
            SUPPORT,
            "",
            *_table(("verdict", "meaning"), VERDICTS.items()),
            "",
            f"## Harness groups ({len(rows)})",
            "",
            *_table(("group", "verdict", "cases", "reasons"), rows),
            "",
            f"## Primitives with a lowering ({len(LOWERINGS)})",
            "",
            *[line for family, ops, count in listed for line in (f"**{family}** ({count}): {ops}", "")],
        ]
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, ("---",) * len(head), *rows]
    return [
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    ]
