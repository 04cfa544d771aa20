"""Gradient maps against structural masks, on models of the zoo drawn at random: `make effective-inside`.

Three layers of each model, their central units, one image of random numbers, random weights. A plain autograd over the
whole image says where the gradient is not 0; none of these places may lie outside the exact mask that the report gives. The
map of `eyeshot.effective_field`, which runs no more than the unit sees, has to be the same gradient. Outcomes are kept in
build/effective_inside.jsonl, from which an interrupted campaign goes on. Writes results/effective_inside.md.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import verify_zoo
import zoo

import eyeshot
from eyeshot.effective import effective_field
from eyeshot.effective.measure import module_of, suited
from eyeshot.effective.units import central_of, last_spatial
from eyeshot.execution.running import watched
from eyeshot.jobs import Limits, Outcome

STORE, RESULT = zoo.ROOT / "build" / "effective_inside.jsonl", zoo.ROOT / "results" / "effective_inside.md"
LIMITS = Limits(seconds=600, megabytes=8192)
CLOSE = 1e-3
WARM = [
    "timm",
    "torchvision",
    "eyeshot.pipeline",
    "eyeshot.effective.gradient",
    "eyeshot.execution.gradients",
]
TABLE = """# Gradient maps inside structural masks

{made}

- Drawn with seed {seed} from the {fit} models of results/zoo.md with at most 60 M parameters and no input axis longer \
than 384: {drawn}. {done} measured, {rest} not (they take no batch of images, or are refused by name below).
- {units} units, {pixels:,} places where a gradient is not 0. **{outside} of them outside the mask.**
- {cropped} units were run on a part of the input. The largest difference of a map from the whole image's, by its maximum:
  {difference:.1e}.

Random weights, one image of standard normal numbers. Central units of the last layer whose units have places, of the last
one whose central unit does not see the whole input, and of one at 60% of the way there. "Seen": pixels of the mask; "used":
those with a gradient.

| model | layer | seen | used | outside | run on | difference |
|---|---|--:|--:|--:|--:|--:|
{lines}
"""


def layers(report: eyeshot.Report) -> list[str]:
    """The last module whose units have places, and two whose central units do not see everything, where there are any."""
    found, local = [], []
    for name in report:
        field = report[name]
        if len(field.shape) < 3 or field.shape[0] != 1 or field.empty:
            continue
        try:
            index = central_of(report, name, upper_left=False)
        except eyeshot.QuestionError:
            continue
        found.append(name)
        if field.at(0, *index).volume < np.prod(field.source.extents):
            local.append(name)
    inner = local or found
    chosen = [inner[round(0.6 * (len(inner) - 1))], inner[-1], last_spatial(report)] if found else []
    return list(dict.fromkeys(chosen))


def gradient(model: torch.nn.Module, image: Any, layer: str, index: tuple[Any, ...]) -> Any:
    """Absolute gradient of the sum over a region, over the whole image: plain autograd."""
    x = torch.from_numpy(image[None]).requires_grad_()
    held: dict[str, torch.Tensor] = {}

    def seen(name: str, tensor: torch.Tensor) -> None:
        if name == layer:
            held[name] = tensor[(0, *(slice(None) if place is None else place for place in index))].sum()

    with watched(model, seen), torch.enable_grad():
        model(x)
    (found,) = torch.autograd.grad(held[layer], x)
    return found[0].abs().double().numpy()


def measure(reference: str, seed: int) -> list[dict[str, Any]]:
    """One row a layer."""
    model, _, size = module_of(reference, None)
    report = suited(eyeshot.analyze(model, size))
    rows = []
    for layer in layers(report):
        index = central_of(report, layer, upper_left=False)
        field = effective_field(model, 1, layer, report=report, seed=seed)
        image = np.random.default_rng([seed, 0]).standard_normal(report.input_shape[1:], np.float32)
        axes = report.spatial[report.input].axes
        others = tuple(axis - 1 for axis in range(1, len(report.input_shape)) if axis not in axes)
        whole = gradient(model, image, layer, index).mean(others)
        mask = report[layer].mask(0, *index)
        ran = next((note for note in field.notes if note.startswith("run on ")), "")
        cancels = any("cancel" in note for note in field.notes)
        share = whole / whole.sum() if whole.any() and not cancels else np.zeros_like(whole)
        rows.append(
            {
                "layer": layer,
                "seen": int(mask.sum()),
                "used": int((whole > 0).sum()),
                "outside": int(((whole > 0) & ~mask).sum() + ((field.map > 0) & ~mask).sum()),
                "run": ran.removeprefix("run on ").partition(" of the")[0] if ran[7:8].isdigit() else "all",
                "difference": float(np.abs(field.map - share).max() / max(share.max(), 1e-300))
                if share.any()
                else 0.0,
            }
        )
    return rows


def work(argument: tuple[str, int]) -> list[dict[str, Any]]:
    """What a child does."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # the zoo's own
    return measure(*argument)


def lines(outcome: Outcome) -> list[str]:
    """A model's rows."""
    if outcome.status != "done":
        said = f"{outcome.status}: {outcome.error} {' '.join(outcome.message.split())[:160]}"
        return [f"| {outcome.name} | {said.replace('|', '/')} | | | | | |"]
    return [
        f"| {outcome.name} | {row['layer']} | {row['seen']:,} | {row['used']:,} | {row['outside']} | {row['run']} | "
        f"{row['difference']:.0e} |"
        for row in outcome.value
    ]


def main() -> int:
    """Draw, measure, write; the exit status is 1 where a gradient lies outside, or a map differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=52, help="models to draw")
    parser.add_argument("--seed", type=int, default=20261123, help="of the draw and of the images")
    parser.add_argument("--seconds", type=float, help="stop drawing after so long; no result is written")
    parser.add_argument(
        "--again", help="keep rows of other commits, but for models that match or were not done"
    )
    options = parser.parse_args()
    fit, _ = verify_zoo.population()
    drawn = verify_zoo.draw(fit, options.count, options.seed)
    arguments = {name: (name, options.seed) for name in drawn}
    outcomes, began = [], time.monotonic()
    for outcome in zoo.campaign(work, arguments, STORE, limits=LIMITS, warm=WARM, again=options.again):
        outcomes.append(outcome)
        print("\n".join(lines(outcome)), flush=True)
        if options.seconds and time.monotonic() - began > options.seconds:
            break
    rows = [row for outcome in outcomes if outcome.status == "done" for row in outcome.value]
    outside = sum(row["outside"] for row in rows)
    difference = max((row["difference"] for row in rows), default=0.0)
    failed = [outcome for outcome in outcomes if outcome.status not in ("done", "refused")]
    print(
        f"{len(rows)} units, {outside} places outside, largest difference {difference:.1e}, {len(failed)} failed"
    )
    if not options.seconds:
        RESULT.write_text(text(outcomes, rows, fit, options.seed), encoding="utf-8")
    return int(outside > 0 or difference > CLOSE or bool(failed))


def text(outcomes: list[Outcome], rows: list[dict[str, Any]], fit: list[str], seed: int) -> str:
    """The report."""
    done = sum(outcome.status == "done" for outcome in outcomes)
    return TABLE.format(
        made=zoo.made("effective-inside", outcomes, LIMITS),
        seed=seed,
        fit=len(fit),
        drawn=len(outcomes),
        done=done,
        rest=len(outcomes) - done,
        units=len(rows),
        pixels=sum(row["used"] for row in rows),
        outside=sum(row["outside"] for row in rows),
        cropped=sum(row["run"] != "all" for row in rows),
        difference=max((row["difference"] for row in rows), default=0.0),
        lines="\n".join(
            line for outcome in sorted(outcomes, key=lambda each: each.name) for line in lines(outcome)
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
