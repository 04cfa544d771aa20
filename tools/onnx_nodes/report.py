"""The campaign's results as Markdown: results/onnx_nodes.md, and the table of what is supported for the docs."""

from __future__ import annotations

import platform
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import onnx
from onnx import defs

from eyeshot.frontends.onnx.context import LOWERINGS
from eyeshot.frontends.onnx.lower import load_lowerings
from eyeshot.graph.reasons import REASONS
from eyeshot.jobs import Outcome

DOMAINS = ("", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training")
REFUSED = {
    ("ai.onnx.ml", "CastMap"): "its input is a map, which no graph of tensors holds",
    ("ai.onnx.ml", "DictVectorizer"): "its input is a map, which no graph of tensors holds",
}
"""Operators that have no relation, and why."""
INTRODUCTION = """\
Every test of a single node that the onnx package brings, against ONNX's own reference implementation. One element of an
input at a time is given other values (near and far, negative, NaN and infinities; other strings), on the test's data and on
two redraws; every output element that changes in any bit has to be one that the frontend says reads it. Of large tensors
a seeded choice of elements is perturbed. Inputs whose given values decide shapes or axes stay as they are; where there are
integers beside the data, the test is made once more with these as constants of the model. Tests of our own
(`tools/onnx_nodes/more.py`) have what the package lacks: old opsets, sequences, ai.onnx.ml."""
MEANING = """\
*Exact* is the share of predicted pairs (output element, perturbed input element) that were seen to change; what is left are
pairs that the values hide (a maximum that stays the same, a rounded or clipped number), and the over-approximations that
carry a reason. *Leaks* are changes that NaN, infinities and overflows alone make, through coefficients of 0."""


def shown(outcome: Outcome) -> str:
    """One line for a test that is not plainly right; "" for the others."""
    row = outcome.value
    if row is None:
        return f"{outcome.name}: {outcome.status} {outcome.error} {outcome.message}"
    said = [f"refused: {row['refused']}"] if row.get("refused") else list(map(str, missed(row)))
    said += [
        f"{twin[len(outcome.name) :]}: {how}" for twin, how in row.get("twins", {}).items() if how != "equal"
    ]
    return " ".join(f"{outcome.name}: {'; '.join(said)}".split())[:300] if said else ""


def parts(row: dict[str, Any]) -> list[dict[str, Any]]:
    """A test and its variants, those that were answered."""
    variants = [row, row.get("frozen"), row.get("weights")]
    return [part for part in variants if part and not part.get("refused")]


def missed(row: dict[str, Any]) -> list[Any]:
    """Changes that were not predicted, and wrong shapes, in a test or a variant of it."""
    return [part[key] for part in parts(row) for key in ("unsound", "shapes") if part[key]]


def write(root: Path, outcomes: Mapping[str, Outcome]) -> None:
    """Both pages, of all that is stored."""
    (root / "results" / "onnx_nodes.md").write_text(_results(outcomes), encoding="utf-8")
    (root / "docs" / "support_onnx.md").write_text(_support(outcomes), encoding="utf-8")


def _results(outcomes: Mapping[str, Outcome]) -> str:
    rows = {name: outcome.value for name, outcome in outcomes.items() if outcome.value}
    refused = {name: row["refused"] for name, row in rows.items() if row.get("refused")}
    answered = {name: row for name, row in rows.items() if name not in refused}
    unsound = {name: missed(row) for name, row in answered.items() if missed(row)}
    failed = [outcome for outcome in outcomes.values() if outcome.value is None]
    pairs, exact, leaks, runs = (
        sum(row.get(key, 0) for row in answered.values()) for key in ("pairs", "exact", "leaks", "runs")
    )
    own = sum(name.startswith("more_") for name in outcomes)
    plain = [row for row in answered.values() if not row["reasons"]]
    plain_pairs, plain_exact = (sum(row[key] for row in plain) for key in ("pairs", "exact"))
    said = [
        f"{len(outcomes)} tests, {len(outcomes) - own} of the onnx package: {len(answered)} answered,",
        f"{len(refused)} refused by name, {len(failed)} failed; **{len(unsound)} unsound**. {runs} runs; {pairs} predicted",
        f"pairs, {exact / max(1, pairs):.1%} seen; {plain_exact / max(1, plain_pairs):.1%} where no reason is given;",
        f"{leaks} leaks. {_of_variants(answered)}",
    ]
    return "\n".join(
        [
            *_opening(outcomes),
            *said,
            "",
            MEANING,
            "",
            *_oracles(answered),
            *_twins(answered),
            *_section("Refused", ((name, text.splitlines()[0]) for name, text in refused.items())),
            *_section("Failed", ((o.name, f"{o.status} {o.error} {o.message}") for o in failed)),
            *_section("Unsound", ((name, "; ".join(map(str, found))) for name, found in unsound.items())),
            *_reasons(answered),
            *_loose(answered),
        ]
    )


def _of_variants(rows: Mapping[str, dict[str, Any]]) -> str:
    """What the tests with constants say: where integers, and where all but the first input are constants."""
    said = []
    for key, what in (("frozen", "constant integers"), ("weights", "all but the first input constant")):
        found = [row[key] for row in rows.values() if row.get(key) and not row[key].get("refused")]
        pairs, exact = (sum(part[each] for part in found) for each in ("pairs", "exact"))
        said.append(f"{len(found)} tests with {what}: {pairs} pairs, {exact / max(1, pairs):.1%} seen.")
    return "\n".join(said)


def _opening(outcomes: Mapping[str, Outcome]) -> list[str]:
    commits = Counter(outcome.fingerprint for outcome in outcomes.values()).most_common()
    made = ", ".join(name if len(commits) == 1 else f"{name} ({count} of them)" for name, count in commits)
    seconds = sum(outcome.seconds for outcome in outcomes.values())
    return [
        "# ONNX node tests",
        "",
        (
            f"Command: `python -m tools.onnx_nodes`; {made}; {datetime.now(UTC):%Y-%m-%d}; Python "
            f"{platform.python_version()}; {seconds:.0f} s in all."
        ),
        "",
        INTRODUCTION,
        "",
    ]


def _oracles(rows: Mapping[str, dict[str, Any]]) -> list[str]:
    engines = Counter("random" if row["random"] else row["oracle"] for row in rows.values())
    names = {
        "onnxruntime": "ONNX Runtime, where the reference lacks the op or takes long",
        "none": "neither runs the test",
        "random": "the op draws random numbers: not compared",
    }
    fixed = sum(bool(row["fixed"]) for row in rows.values())
    wrong = {name: row["shapes"] for name, row in rows.items() if row["shapes"]}
    upper = sum(bool(row.get("upper")) for row in rows.values())
    lines = _table(
        ("oracle", "tests"),
        ((names.get(engine, "ONNX's reference"), str(count)) for engine, count in engines.most_common()),
    )
    shapes = (
        f"{fixed} tests have inputs whose given values decide shapes or axes. In {upper} data decide a shape, and an upper "
        f"bound stands for it; {len(wrong)} of the other shapes differ from those computed."
    )
    lines += ["", shapes, ""]
    return lines + _section("Wrong shapes", wrong.items())


def _twins(rows: Mapping[str, dict[str, Any]]) -> list[str]:
    found = [(name, how) for row in rows.values() for name, how in row["twins"].items()]
    equal = sum(how == "equal" for _, how in found)
    rest: dict[str, list[str]] = defaultdict(list)
    for name, how in found:
        if how != "equal":
            rest[how.splitlines()[0]].append(name)
    listed = (
        (f"{', '.join(names[:3])}{' ...' if len(names) > 3 else ''} ({len(names)})", how)
        for how, names in rest.items()
    )
    return [
        "## Function bodies",
        "",
        (
            f"{len(found)} tests have the body of the op's function in the place of the op: **{equal} are equal** to it, "
            "element by element. The others decide by the elements of a mask what the op decides by attributes (rows that "
            "are hidden whole), or hold masks that differ from sample to sample."
        ),
        "",
        *(_table(("body", "how it differs"), listed) if rest else []),
        "",
    ]


def _reasons(rows: Mapping[str, dict[str, Any]]) -> list[str]:
    ops: dict[str, set[str]] = defaultdict(set)
    tests: Counter[str] = Counter()
    for row in rows.values():
        for reason in row["reasons"]:
            ops[reason].add(row["op"])
            tests[reason] += 1
    listed = ((f"`{reason}`", str(tests[reason]), ", ".join(sorted(ops[reason]))) for reason in sorted(ops))
    return ["## Over-approximated, with a reason", "", *_table(("reason", "tests", "ops"), listed), ""]


def _loose(rows: Mapping[str, dict[str, Any]]) -> list[str]:
    """Ops without a reason by the share of their pairs that were not seen."""
    pairs: Counter[str] = Counter()
    exact: Counter[str] = Counter()
    for row in rows.values():
        if not row["reasons"]:
            pairs[row["op"]] += row["pairs"]
            exact[row["op"]] += row["exact"]
    worst = sorted((exact[op] / pairs[op], op) for op in pairs if pairs[op] and exact[op] < pairs[op])
    listed = ((op, str(pairs[op]), f"{share:.1%}") for share, op in worst[:25])
    return ["## Least seen, of those without a reason", "", *_table(("op", "pairs", "seen"), listed), ""]


def _section(title: str, items: Iterable[tuple[str, str]]) -> list[str]:
    listed = [(name, _cell(text)) for name, text in items]
    if not listed:
        return []
    return [f"## {title} ({len(listed)})", "", *_table(("test", "what"), listed), ""]


def _support(outcomes: Mapping[str, Outcome]) -> str:
    load_lowerings()
    by_op: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for outcome in outcomes.values():
        if outcome.value:
            by_op[outcome.value["op"]].append(outcome.value)
    lines = [
        "# ONNX operators",
        "",
        (
            "Made by `python -m tools.onnx_nodes` from the registry of lowerings, ONNX's table of operators (onnx "
            f"{onnx.__version__}, opset {defs.onnx_opset_version()}) and the results in `results/onnx_nodes.md`."
        ),
        "",
        (
            "*Since*: the opsets at which the operator changed; *rules*: from which of them on a lowering is its own. "
            "*Tests*: ONNX's node tests that were answered; *seen*: the share of predicted pairs of elements that "
            "perturbations confirm. A reason says why an answer may hold more than is read."
        ),
        "",
    ]
    for domain in DOMAINS:
        ops = schemas(domain)
        lines += [f"## {domain or 'ai.onnx'} ({len(ops)})", ""]
        lines += _table(
            ("operator", "since", "rules", "tests", "seen", "reasons"),
            (_support_row(domain, op, versions, by_op) for op, versions in sorted(ops.items())),
        )
        lines.append("")
    used = sorted({reason for rows in by_op.values() for row in rows for reason in row.get("reasons", ())})
    lines += [
        "## Reasons",
        "",
        *_table(("code", "meaning"), ((f"`{code}`", REASONS[code]) for code in used)),
        "",
    ]
    return "\n".join(lines)


def schemas(domain: str) -> dict[str, list[int]]:
    """A domain's operators, and the opsets at which each changed; those withdrawn for good are left out."""
    found: dict[str, list[int]] = defaultdict(list)
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == domain:
            found[schema.name].append(schema.since_version)
    current = {schema.name for schema in defs.get_all_schemas() if schema.domain == domain}
    return {name: sorted(versions) for name, versions in found.items() if name in current}


def _support_row(
    domain: str, op: str, versions: list[int], by_op: Mapping[str, list[dict[str, Any]]]
) -> tuple[str, ...]:
    rows = by_op.get(f"{domain}.{op}" if domain else op, [])
    rules = sorted(rule.since for rule in LOWERINGS.get((domain, op), ()))
    answered = [row for row in rows if not row.get("refused")]
    pairs, exact = (sum(row[key] for row in answered) for key in ("pairs", "exact"))
    reasons = sorted({reason for row in answered for reason in row["reasons"]})
    why = REFUSED.get((domain, op))
    return (
        op,
        " ".join(map(str, versions)),
        "refused" if why else " ".join(map(str, rules)) or "none",
        f"{len(answered)} of {len(rows)}" if len(answered) < len(rows) else str(len(rows) or ""),
        f"{exact / pairs:.0%}" if pairs else "",
        why or ", ".join(f"`{reason}`" for reason in reasons),
    )


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [
        f"| {' | '.join(heads)} |",
        f"|{' --- |' * len(heads)}",
        *(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows),
    ]


def _cell(text: str) -> str:
    return " ".join(text.split())[:300].replace("|", "/")
