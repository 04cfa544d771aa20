"""Effective fields and occlusion against plain and tuned peers, on ResNets with random weights: `make bench-effective`.

Same model, same images, same run. The faithful script is RepLKNet's definition, one image at a time; Captum's
`Occlusion` gets the better of two numbers of perturbations an evaluation; the tuned dense baseline has its norms folded
and its tensors with channels last, and is batched. Both sides take turns. Writes results/bench_effective.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
import torchvision
from report import HEADS, Row, faster, markdown
from run import ROOT, commit, show

import eyeshot
from eyeshot.execution.incremental import Incremental
from eyeshot.execution.program import Program

RESULT = ROOT / "results" / "bench_effective.md"
BATCH = 32


def timed(works: list[Callable[[], Any]], rounds: int) -> list[float]:
    """Median milliseconds of each, in turns."""
    found: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, times in zip(works, found, strict=True):
            started = time.perf_counter()
            work()
            times.append(1e3 * (time.perf_counter() - started))
    return [statistics.median(times) for times in found]


def script(model: Any, layer: str, images: Any) -> Any:
    """RepLKNet's effective field, step by step: the whole network, one image at a time, gradients of the input alone."""
    held = {}
    handle = model.get_submodule(layer).register_forward_hook(lambda _m, _a, out: held.update(out=out))
    total = 0
    for image in images:
        x = image[None].clone().requires_grad_()
        model(x)
        out = held["out"]
        center = torch.relu(out[:, :, out.shape[2] // 2, out.shape[3] // 2]).sum()
        (gradient,) = torch.autograd.grad(center, x)
        total = total + torch.relu(gradient).sum((0, 1)).numpy().astype(np.float64)
    handle.remove()
    return total / len(images)


def gradients(side: int, count: int, rounds: int) -> list[Row]:
    """ResNet-50 at a large size: its last layer and an early one."""
    model = torchvision.models.get_model("resnet50").eval()
    images = torch.randn(count, 3, side, side)
    rows = []
    for layer, limit in (("layer4", 4), ("layer1", 50)):
        report = eyeshot.analyze(model, (1, 3, side, side))

        def ours(layer: str = layer, report: Any = report) -> Any:
            return eyeshot.effective_field(
                model, images.numpy(), layer, protocol="replknet-linear", report=report
            )

        peer = script(model, layer, images[:1])
        one = eyeshot.effective_field(
            model, images[:1].numpy(), layer, protocol="replknet-linear", report=report
        ).map
        assert abs(one - peer / peer.max()).max() < 0.05, "not the same map"
        found = timed([ours, lambda layer=layer: script(model, layer, images)], rounds)
        what = f"ResNet-50 at {side} px, {count} images: effective field of {layer}"
        rows.append(faster(what, *found, "RepLKNet's script", limit))
    return rows


def windows(side: int, window: int, stride: int) -> Any:
    """Starts of all windows."""
    grid = np.arange(0, side - window + 1, stride)
    return np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2)


def occlusion(name: str, side: int, rounds: int) -> list[Row]:
    """A batch of windows: incremental, dense and tuned dense; and the bound that multiply-accumulates set."""
    torch.manual_seed(0)
    model = torchvision.models.get_model(name).eval()
    image = torch.randn(1, 3, side, side)
    starts = windows(side, 16, 8)
    chosen = np.random.default_rng(0).permutation(len(starts))[:BATCH]
    content = torch.zeros(BATCH, 3, 16, 16)
    changed = image.repeat(BATCH, 1, 1, 1)
    for place, (y, x) in enumerate(starts[chosen]):
        changed[place, :, y : y + 16, x : x + 16] = 0
    incremental = Incremental(model, image, starts, (16, 16), batch=BATCH)
    tuned = Program(model, changed.shape)
    last = torch.channels_last
    tuned.prepare(lambda t: t.contiguous(memory_format=last) if t.ndim == 4 else t)
    ready = changed.contiguous(memory_format=last)

    def dense() -> Any:
        with torch.no_grad():
            return model(changed)

    def folded() -> Any:
        with torch.no_grad():
            return tuned.replay(ready)[tuned.outputs[0]]

    works = [lambda: incremental(chosen, content), folded, dense, *captum(model, image)]
    results = incremental(chosen, content)[0]
    assert (results - dense()).abs().max() < 1e-5 * float(dense().abs().max() + 1)
    found = timed(works, rounds)
    bound = incremental.dense_macs / incremental.macs
    what = f"{name} at {side} px: {BATCH} of {len(starts)} windows of 16 px every 8"
    rows = [
        faster(f"{what}; bound {bound:.1f}x", found[0], found[1], "tuned dense", round(0.6 * bound, 2)),
        faster(what, found[0], found[2], "dense"),
    ]
    if len(found) > 3:
        whole = found[0] * len(starts) / BATCH
        rows.append(
            faster(
                f"{name} at {side} px: all {len(starts)} windows", whole, min(found[3:]), "Captum at its best"
            )
        )
    return rows


def captum(model: Any, image: Any) -> list[Callable[[], Any]]:
    """Captum's occlusion of the whole image with 8 and 32 perturbations an evaluation; none if it is not installed."""
    if find_spec("captum") is None or image.shape[-1] > 224:
        return []
    from captum.attr import Occlusion

    attribution = Occlusion(model)

    def run(count: int) -> Any:
        with torch.no_grad():
            return attribution.attribute(
                image, sliding_window_shapes=(3, 16, 16), strides=(3, 8, 8), target=0,
                perturbations_per_eval=count,
            )  # fmt: skip

    return [lambda count=count: run(count) for count in (8, 32)]


def closed_form(rounds: int) -> list[Row]:
    """One backward pass of moments against 24 sampled gradients, at random initialisation."""
    torch.manual_seed(0)
    model = torchvision.models.get_model("resnet18").eval()
    report = eyeshot.analyze(model, (1, 3, 224, 224))

    def field(method: str, images: Any) -> Any:
        return eyeshot.effective_field(model, images, "layer3", method=method, report=report)

    found = timed([lambda: field("analytic", None), lambda: field("gradient", 24)], rounds)
    closed, samples = field("analytic", None).map, field("gradient", 200).map
    twin = eyeshot.effective_field(model, 200, "layer3", report=report, seed=1).map
    agreement, ceiling = (np.corrcoef(a.ravel(), samples.ravel())[0, 1] for a in (closed, twin))
    what = f"ResNet-18 layer3: closed form, Pearson {agreement:.3f} with 200 samples (ceiling {ceiling:.3f})"
    return [faster(what, *found, "24 samples", 12)]


def main() -> int:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=4)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = gradients(1024, given.images, given.rounds)
    rows += closed_form(given.rounds)
    for name, side in (("resnet18", 224), ("resnet18", 448), ("resnet50", 224), ("vgg16", 224)):
        rows += occlusion(name, side, given.rounds)
    show(rows)
    promised = [row for row in rows if row.kept is not None]
    lines = [
        "# Effective fields and occlusion: benchmark",
        "",
        f"Command: `make bench-effective`; commit {commit()}; {datetime.now(UTC):%Y-%m-%d};",
        f"Python {platform.python_version()}, torch {version('torch')}, torchvision {version('torchvision')};",
        f"{torch.get_num_threads()} threads of {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f};",
        f"medians of {given.rounds} rounds in turns.",
        "",
        f"{sum(bool(row.kept) for row in promised)} of {len(promised)} promises kept.",
        "",
        *markdown(HEADS, [row.cells() for row in rows]),
    ]
    RESULT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return int(any(row.kept is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
