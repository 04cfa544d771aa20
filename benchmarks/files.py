"""ONNX files, from the disk to the law of every tensor, against ONNX's own checker and shape inference on the same files.

Both sides read the file. Ours runs in processes that cannot import torch, onnxruntime or onnx.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from report import Row, alternate, within

LIGHT = "light_resnet50 light_densenet121 light_inception_v2 light_vgg19 light_squeezenet light_shufflenet".split()
REAL = {
    "basic_pitch": ("saved_models/icassp_2022/nmp.onnx", [1, 43844, 1]),
    "rapidocr_onnxruntime": ("models/ch_PP-OCRv4_det_infer.onnx", [1, 3, 640, 640]),
}
LIMIT = 2
PEER = "onnx.load + checker + shape inference"
HIDDEN = """
import json, statistics, sys, time, gc
for name in ("onnx", "onnxruntime", "torch"):
    sys.modules[name] = None
"""
ANALYSED = """
import eyeshot
path, size, rounds = json.loads(sys.argv[1])
def everything():
    source = eyeshot.analyze(path, size).tensors[0].source
    source.boxes, source.laws
everything()
"""
REPEATED = """
times = []
for _ in range(rounds):
    gc.collect()
    started = time.perf_counter()
    everything()
    times.append(1e3 * (time.perf_counter() - started))
print(statistics.median(times))
"""
CHECKED = """
import json, sys
import onnx
model = onnx.load(json.loads(sys.argv[1])[0])
onnx.checker.check_model(model)
onnx.shape_inference.infer_shapes(model)
"""


def rows(rounds: int) -> list[Row]:
    """A row for each file."""
    import onnx

    light = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    files: dict[str, tuple[Path, object]] = {name: (light / f"{name}.onnx", None) for name in LIGHT}
    for package, (name, size) in REAL.items():
        spec = find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            path = Path(next(iter(spec.submodule_search_locations))) / name
            files[f"{package}: {path.name}"] = (path, size)
    with tempfile.TemporaryDirectory() as folder:
        files["ResNet-50 as PyTorch exports it, with weights"] = (exported(Path(folder)), None)
        return [row for name, (path, size) in files.items() for row in measured(name, path, size, rounds)]


def exported(folder: Path) -> Path:
    """ResNet-50 in one file of 100 MB."""
    import torch
    import torchvision

    model = torchvision.models.get_model("resnet50").eval()
    path = folder / "resnet50.onnx"
    torch.onnx.export(
        model, (torch.zeros(1, 3, 224, 224),), str(path), dynamo=True, external_data=False, verbose=False
    )
    return path


def measured(name: str, path: Path, size: object, rounds: int) -> list[Row]:
    """Both sides on one file: as whole processes, imports included, and again and again in one."""
    import onnx

    asked = json.dumps([str(path), size, rounds])

    def process(code: str) -> str:
        return subprocess.check_output([sys.executable, "-W", "ignore", "-c", code, asked], text=True)

    def checked() -> None:
        model = onnx.load(path)
        onnx.checker.check_model(model)
        onnx.shape_inference.infer_shapes(model)

    cold, peer = alternate(
        [lambda: process(HIDDEN + ANALYSED), lambda: process(CHECKED)], max(1, rounds // 2)
    )
    warm = float(process(HIDDEN + ANALYSED + REPEATED))
    (again,) = alternate([checked], rounds)
    return [
        within(f"{name}: file to law, whole process", cold, peer, PEER, LIMIT),
        within(f"{name}: file to law, in a process that runs", warm, again, PEER, LIMIT),
    ]
