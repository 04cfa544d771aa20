"""Networks of timm and torchvision through two doors: live, and exported to ONNX.

Every module's output and every output that both sides name must have the same size, stride, offset and, unit by unit, the
same box. Both of PyTorch's exporters are used ("scopes": through TorchScript; "dynamo": through torch.export). They fuse
batch norms into convolutions, and so on: what a file no longer holds has no row there. Outcomes are kept in
build/ways_in_onnx.jsonl, from which an interrupted campaign goes on; writes results/ways_in_onnx.md.

    python tools/ways_in/exported_onnx.py [--only resnet18 ...] [--exporter scopes dynamo] [--report]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
STORE, RESULT = ROOT / "build" / "ways_in_onnx.jsonl", ROOT / "results" / "ways_in_onnx.md"
NETWORKS = """
timm:resnet18 timm:resnet26d timm:resnet50 timm:resnext50_32x4d timm:seresnet50 timm:skresnet18 timm:resnest14d
timm:res2net50_26w_4s timm:densenet121 timm:inception_v3 timm:inception_v4 timm:xception41 timm:vgg11_bn timm:dla34
timm:hrnet_w18_small timm:mobilenetv2_050 timm:mobilenetv3_small_050 timm:efficientnet_b0 timm:tf_efficientnet_lite0
timm:mnasnet_small timm:ghostnet_050 timm:lcnet_050 timm:tinynet_e timm:rexnet_100 timm:regnetx_002 timm:regnety_002
timm:repvgg_a0 timm:gernet_s timm:ese_vovnet19b_dw timm:cspresnet50 timm:selecsls42 timm:hardcorenas_a timm:fbnetc_100
timm:convnext_atto timm:convnextv2_atto timm:edgenext_xx_small timm:efficientformer_l1 timm:poolformer_s12
timm:mobilevit_xxs timm:vit_tiny_patch16_224 timm:deit_tiny_patch16_224 timm:swin_tiny_patch4_window7_224
timm:mixer_s32_224 timm:resmlp_12_224 timm:pvt_v2_b0 timm:pit_ti_224 timm:levit_128s timm:xcit_nano_12_p16_224
timm:coatnet_nano_rw_224 timm:maxvit_rmlp_pico_rw_256 timm:botnet26t_256 timm:twins_svt_small timm:convit_tiny
torchvision:squeezenet1_1 torchvision:shufflenet_v2_x0_5 torchvision:googlenet torchvision:alexnet
torchvision:lraspp_mobilenet_v3_large torchvision:deeplabv3_mobilenet_v3_large torchvision:fcn_resnet50
""".split()
SIZES = {
    "timm:inception_v3": 299, "timm:inception_v4": 299, "timm:xception41": 299, "timm:maxvit_rmlp_pico_rw_256": 256,
    "timm:botnet26t_256": 256, "timm:mobilevit_xxs": 256, "timm:edgenext_xx_small": 256,
    "torchvision:deeplabv3_mobilenet_v3_large": 128, "torchvision:fcn_resnet50": 128,
}  # fmt: skip


@dataclass
class Outcome:
    """How a network fared: rows that both sides name, what differs, and milliseconds for reading the file."""

    model: str
    exporter: str
    state: str = "same"
    rows: int = 0
    modules: int = 0
    units: int = 0
    differing: list[str] = field(default_factory=list)
    seconds: float = 0.0
    problem: str = ""


def export(module: Any, example: Any, path: Path, exporter: str) -> None:
    """Write a network to a file, quietly."""
    import torch

    logging.disable(logging.ERROR)
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        if exporter == "dynamo":
            torch.onnx.export(module, (example,), path, dynamo=True, external_data=False, verbose=False)
        else:
            torch.onnx.export(module, (example,), path, dynamo=False)
    logging.disable(logging.NOTSET)


def compare(live: Any, file: Any, outcome: Outcome) -> None:
    """Compare all rows that both reports have, and the outputs in their order."""
    pairs = [(name, live[name], file[name]) for name in live if name and name in file]
    pairs = [(name, one, other) for name, one, other in pairs if one.shape == other.shape]
    outcome.rows, outcome.modules = len(pairs), len(live)
    for one, other in zip(live.outputs, file.outputs, strict=True):
        pairs.append((f"output {one.name}", one, other))
    for name, one, other in pairs:
        problem = differs(one, other)
        outcome.units += int(np.prod(one.shape))
        if problem:
            outcome.differing.append(f"{name}: {problem}")
    outcome.state = "differs" if outcome.differing else "same"


def differs(one: Any, other: Any) -> str:
    """What of two fields is not the same, "" if nothing."""
    for what in ("shape", "size", "stride", "offset"):
        if getattr(one, what) != getattr(other, what):
            return f"{what} {getattr(one, what)} live, {getattr(other, what)} from the file"
    starts, stops, seen = one.boxes()
    others = other.boxes()
    wide = [np.broadcast_to(array, one.shape) for array in (seen, *starts, *stops)]
    files = [np.broadcast_to(array, one.shape) for array in (others[2], *others[0], *others[1])]
    if not np.array_equal(wide[0], files[0]):
        return "units that see nothing"
    unequal = sum(int((a != b)[wide[0]].sum()) for a, b in zip(wide[1:], files[1:], strict=True))
    return f"{unequal} ends of boxes" if unequal else ""


def run(name: str, exporter: str) -> Outcome:
    """One network through both doors."""
    import torch

    import eyeshot
    from eyeshot.frontends.torch.zoo import load

    outcome = Outcome(name, exporter)
    size = (1, 3, SIZES.get(name, 224), SIZES.get(name, 224))
    torch.manual_seed(0)
    try:
        module = load(name, None).model
        live = eyeshot.analyze(module, size)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            export(module, torch.randn(size), path, exporter)
            began = time.perf_counter()
            file = eyeshot.analyze(str(path))
            outcome.seconds = round(time.perf_counter() - began, 3)
            compare(live, file, outcome)
    except torch.onnx.errors.OnnxExporterError as error:
        outcome.state, outcome.problem = "not exported", f"{type(error).__name__} of torch.onnx"
    except Exception as error:  # noqa: BLE001 - a campaign goes on
        outcome.state, outcome.problem = type(error).__name__, str(error).strip()[:300]
    return outcome


def report(outcomes: list[Outcome]) -> str:
    """The results as Markdown."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    exported = [each for each in outcomes if each.state != "not exported"]
    same = sum(each.state == "same" for each in exported)
    networks = len({each.model for each in exported})
    said = (
        f"- {same} of {len(exported)} exports of {networks} networks agree in size, stride, offset and every box of all "
        f"rows that both sides name. PyTorch could not export {len(outcomes) - len(exported)}."
    )
    lines = [
        "# One network, two doors: live and ONNX",
        "",
        f"`python tools/ways_in/exported_onnx.py`, {time.strftime('%Y-%m-%d')}, commit {commit.stdout.strip()}",
        "",
        said,
        "- Rows: module outputs that both sides name, of those that the live network has.",
        "",
        "| network | exporter | state | rows | units | read, s | what differs |",
        "|---|---|---|--:|--:|--:|---|",
    ]
    for each in sorted(outcomes, key=lambda one: (one.model, one.exporter)):
        problem = each.problem or "; ".join(each.differing[:2])
        rows = f"{each.rows}/{each.modules}"
        shown = problem.replace("|", "/").replace("\n", " ")
        lines.append(
            f"| {each.model} | {each.exporter} | {each.state} | {rows} | {each.units:,} | {each.seconds:.2f} | {shown} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run what isn't done yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--exporter", nargs="*", default=["scopes", "dynamo"])
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--again", action="store_true", help="forget what is kept")
    options = parser.parse_args()
    STORE.parent.mkdir(exist_ok=True)
    kept = (
        [] if options.again or not STORE.exists() else [Outcome(**json.loads(line)) for line in STORE.open()]
    )
    kept = list({(each.model, each.exporter): each for each in kept}.values())
    done = {(each.model, each.exporter) for each in kept if each.state in {"same", "not exported"}}
    began = time.monotonic()
    wanted = [] if options.report else options.only or NETWORKS
    with STORE.open("w" if options.again else "a") as store:
        for name in wanted:
            for exporter in options.exporter:
                if (
                    (name, exporter) in done and not options.only
                ) or time.monotonic() - began > options.seconds:
                    continue
                outcome = run(name, exporter)
                kept = [each for each in kept if (each.model, each.exporter) != (name, exporter)] + [outcome]
                store.write(json.dumps(asdict(outcome)) + "\n")
                store.flush()
                print(outcome.model, exporter, outcome.state, f"{outcome.rows}/{outcome.modules}", outcome.seconds,
                      outcome.problem or outcome.differing[:2], flush=True)  # fmt: skip
    RESULT.write_text(report(kept), encoding="utf-8")
    if any(each.state not in {"same", "not exported"} for each in kept):
        sys.exit(1)


if __name__ == "__main__":
    main()
