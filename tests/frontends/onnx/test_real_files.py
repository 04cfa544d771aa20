"""Files that people use, from PyPI (real-models.txt): every tensor's boxes against NaN in an engine of our own.

NaN is put into everything up to a position along one axis, and from it on; the units that turn NaN are those whose boxes
start there or before, and those whose boxes stop behind it. Both directions bind.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import eyeshot
from eyeshot.execution.running import plain_kernels
from tests.frontends.onnx import onnx_in_torch

# package, file, input, its shape, what else is fed, positions along each axis that are probed, layout
FILES: list[tuple[str, str, str, tuple[int, ...], dict[str, Any], dict[int, tuple[int, ...]], str | None]] = [
    ("rapidocr", "models/PP-OCRv6_det_small.onnx", "x", (1, 3, 64, 96), {}, {2: (17,), 3: (50,)}, None),
    ("rapidocr", "models/PP-OCRv6_rec_small.onnx", "x", (1, 3, 48, 96), {}, {3: (50,)}, None),
    ("rapidocr", "models/ch_ppocr_mobile_v2.0_cls_mobile.onnx", "x", (1, 3, 48, 96), {}, {2: (9,), 3: (50,)}, None),
    ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx", "x", (1, 3, 64, 96), {}, {2: (40,), 3: (50,)}, None),
    ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx", "x", (1, 3, 48, 96), {}, {2: (9,), 3: (71,)}, None),
    ("rapidocr_onnxruntime", "models/ch_ppocr_mobile_v2.0_cls_infer.onnx", "x", (1, 3, 48, 96), {}, {2: (30,)}, None),
    ("basic_pitch", "saved_models/icassp_2022/nmp.onnx", "serving_default_input_2:0", (1, 43844, 1), {},
     {1: (20001,)}, "NTC"),
    ("silero_vad", "data/silero_vad.onnx", "input", (1, 512), {"state": (2, 1, 128), "sr": 16000},
     {1: (0, 100, 300, 511)}, None),
    ("silero_vad", "data/silero_vad.onnx", "input", (1, 256), {"state": (2, 1, 128), "sr": 8000}, {1: (0, 99)}, None),
    ("silero_vad", "data/silero_vad_16k_op15.onnx", "input", (1, 512), {"state": (2, 1, 128), "sr": 16000},
     {1: (0, 100, 300)}, None),
    ("silero_vad", "data/silero_vad_16k_sequence.onnx", "input", (3, 576), {"h": (1, 1, 128), "c": (1, 1, 128)},
     {1: (0, 100, 575)}, None),
    ("silero_vad", "data/silero_vad_half.onnx", "input", (1, 512), {"state": (2, 1, 128)}, {1: (100,)}, None),
    ("silero_vad", "data/silero_vad_op18_ifless.onnx", "input", (1, 512), {"state": (2, 1, 128), "sr": 16000},
     {1: (100, 511)}, None),
    ("silero_vad", "data/silero_vad_openvino_16k.onnx", "input", (1, 576), {"state": (2, 1, 128)}, {1: (100,)}, None),
]  # fmt: skip


def path_of(package: str, name: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package} is not installed (real-models.txt)")
    return Path(next(iter(spec.submodule_search_locations))) / name


@pytest.mark.parametrize(("package", "name", "about", "shape", "others", "probes", "layout"), FILES)
def test_boxes_are_what_nan_reaches(package, name, about, shape, others, probes, layout):
    path = path_of(package, name)
    fed = {
        other: np.zeros(given, np.float32) if isinstance(given, tuple) else np.array(given)
        for other, given in others.items()
    }
    inputs = {about: np.zeros(shape, np.float32), **fed}
    report = eyeshot.analyze(str(path), inputs=inputs, input=about, layout=layout, axes="all")
    model = onnx.load(path)
    clean = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    feeds = {other: torch.from_numpy(array) for other, array in fed.items()}
    fields = {field.name: field for field in report.tensors}
    compared = 0
    for axis, positions in probes.items():
        for position in positions:
            for before in (True, False):
                poisoned = clean.clone()
                poisoned.narrow(
                    axis, 0 if before else position, position + 1 if before else shape[axis] - position
                )[:] = torch.nan
                with plain_kernels(), torch.no_grad():
                    values = onnx_in_torch.run(model, {about: poisoned, **feeds})
                compared += differing(fields, values, axis, position, before=before)
    assert compared > 1000


def differing(
    fields: dict[str, Any], values: dict[str, Any], axis: int, position: int, *, before: bool
) -> int:
    """Cells compared; asserts that they agree."""
    compared = 0
    for name, field in fields.items():
        if name not in values or not values[name].is_floating_point():
            continue
        starts, stops, seen = field.boxes()
        hit = starts[axis] <= position if before else stops[axis] > position
        told = np.broadcast_to(seen & hit, field.shape)
        found = values[name].isnan().numpy()
        assert found.shape == told.shape, name
        assert np.array_equal(found, told), (name, int((found != told).sum()), field.kind, field.reasons)
        compared += found.size
    return compared
