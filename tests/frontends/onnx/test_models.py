"""The nine light model graphs that onnx brings: published figures, multiply-accumulates, and NaN."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import eyeshot
from eyeshot.execution.running import plain_kernels
from tests.frontends.onnx import onnx_in_torch

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
FIGURES = Path(__file__).parents[2] / "data" / "receptive_fields.csv"
PROBED = (
    "densenet121 inception_v1 inception_v2 resnet50 shufflenet squeezenet zfnet512".split()
)  # the others are slow
TWINS = [
    ("resnet50", "n170", "layer4"),
    ("vgg19", "n36", "features"),
    ("densenet121", "n907", "features.norm5"),
]


@pytest.mark.parametrize("name", PROBED)
def test_a_light_model_sees_what_nan_reaches(name):
    path = LIGHT / f"light_{name}.onnx"
    report = eyeshot.analyze(str(path))
    fields = {field.name: field for field in report.tensors}
    model = onnx.load(path)
    poisoned = torch.rand(report.input_shape, generator=torch.Generator().manual_seed(0))
    poisoned[..., 99, :] = torch.nan
    poisoned[..., 120:, :] = torch.nan
    with plain_kernels(), torch.no_grad():
        values = onnx_in_torch.run(model, {report.input: poisoned})
    compared = 0
    for tensor, field in fields.items():
        (top, _), (bottom, _), seen = field.boxes()
        told = np.broadcast_to(seen & (bottom > 120), field.shape)
        found = values[tensor].isnan().numpy()
        assert found.shape == field.shape, tensor
        assert found[told].all(), tensor
        inside = np.broadcast_to(seen & (top <= 99) & (bottom > 99), field.shape)
        assert not found[~inside & ~told].any(), tensor
        compared += found.size
    assert compared > 100_000


def test_a_published_figure():
    with FIGURES.open(encoding="utf-8") as file:
        row = next(row for row in csv.DictReader(file) if row["endpoint"] == "alexnet_v2/pool5")
    field = eyeshot.analyze(str(LIGHT / "light_bvlc_alexnet.onnx"))["n14"]
    assert field.size == (int(row["rf_h"]), int(row["rf_w"]))
    assert field.stride == (int(row["stride_h"]), int(row["stride_w"]))
    assert field.offset == (-int(row["pad_h"]), -int(row["pad_w"]))


@pytest.mark.parametrize(("name", "row", "module"), TWINS)
def test_a_light_model_and_its_twin_in_torchvision(name, row, module):
    file = eyeshot.analyze(str(LIGHT / f"light_{name}.onnx"))[row]
    live = eyeshot.analyze(f"torchvision:{name}", (1, 3, 224, 224))[module]
    assert (file.shape, file.size, file.stride, file.offset) == (
        live.shape,
        live.size,
        live.stride,
        live.offset,
    )
    for one, other in zip(file.boxes()[:2], live.boxes()[:2], strict=True):
        assert all(np.array_equal(*np.broadcast_arrays(a, b)) for a, b in zip(one, other, strict=True))


def test_multiply_accumulates_are_those_of_the_networks():
    found = {
        name: eyeshot.analyze(str(LIGHT / f"light_{name}.onnx")).cost.macs for name in ("resnet50", "vgg19")
    }
    assert found["resnet50"] == 4_089_184_256  # He et al. 2016 and torchvision's table: 4.09 G
    assert found["vgg19"] == 19_632_062_464  # torchvision's table: 19.63 G
