"""Boxes of every unit of every tensor against the NaN probe, on convolutional networks of many families.

Inputs are small and don't divide by the networks' strides where the network allows it, so that borders,
clipping and truncation matter everywhere. Four random pixels a network: slabs through each along both axes,
and the pixel itself.
"""

from __future__ import annotations

import random
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

import eyeshot
from tests.probe import clean, compare, fields_by_name, hulls, local_masks, nan_masks
from tests.reference_networks import NETWORKS

ODD = (45, 59)
OURS = (
    "U-Net trf54.json",
    "U-Net trf100.json",
    "PatchGAN n_layers=3",
    "inception_v2",
    "resnet_v2_50",
    "vgg_16",
)
TORCHVISION = {
    "alexnet": (64, 72),
    "convnext_tiny": ODD,
    "deeplabv3_mobilenet_v3_large": ODD,
    "densenet121": ODD,
    "efficientnet_b0": ODD,
    "fcn_resnet50": ODD,
    "googlenet": ODD,
    "inception_v3": (79, 91),
    "lraspp_mobilenet_v3_large": ODD,
    "mnasnet0_5": ODD,
    "mobilenet_v2": ODD,
    "mobilenet_v3_small": ODD,
    "regnet_x_400mf": ODD,
    "resnet18": ODD,
    "shufflenet_v2_x0_5": ODD,
    "squeezenet1_1": ODD,
}
TIMM = {
    "convnextv2_atto": ODD,
    "cs3darknet_s": ODD,
    "cspdarknet53": ODD,
    "dla34": (64, 96),
    "dpn48b": ODD,
    "ese_vovnet19b_slim": ODD,
    "ghostnet_050": ODD,
    "hgnetv2_b0": ODD,
    "hrnet_w18_small": (64, 96),
    "inception_next_atto": ODD,
    "inception_v4": (79, 91),
    "lcnet_050": ODD,
    "legacy_seresnet18": ODD,
    "mobilenetv4_conv_small": ODD,
    "nf_resnet26": ODD,
    "repvgg_a0": ODD,
    "res2net50_14w_8s": ODD,
    "resnest14d": ODD,
    "resnetblur18": ODD,
    "resnetv2_50": ODD,
    "rexnet_100": ODD,
    "selecsls42": ODD,
    "skresnet18": ODD,
    "starnet_s1": ODD,
    "tf_mixnet_s": ODD,
    "vovnet39a": ODD,
    "xception41": ODD,
}
CASES = [
    *(("torchvision", name, spatial) for name, spatial in TORCHVISION.items()),
    *(("timm", name, spatial) for name, spatial in TIMM.items()),
    *(("ours", name, (64, 96) if "U-Net" in name else ODD) for name in OURS),
]


def _build(library: str, name: str, spatial: tuple[int, ...]) -> tuple[nn.Module, tuple[int, ...]]:
    torch.manual_seed(0)
    if library == "ours":
        resolution = "x".join(map(str, spatial))
        return NETWORKS[name].build(resolution), NETWORKS[name].input_size(resolution)
    if library == "timm":
        timm = pytest.importorskip("timm")
        return timm.create_model(name, pretrained=False).eval(), (1, 3, *spatial)
    models = pytest.importorskip("torchvision.models")
    settings = {"weights": None}
    if name in {"googlenet", "inception_v3"}:
        settings |= {"init_weights": False, "aux_logits": False}
    if name.startswith(("deeplab", "fcn", "lraspp")):
        settings |= {"weights_backbone": None}
    return models.get_model(name, **settings).eval(), (1, 3, *spatial)


@pytest.mark.parametrize(("library", "name", "spatial"), CASES, ids=str)
def test_every_box_agrees_with_nan(library, name, spatial):
    model, input_size = _build(library, name, spatial)
    tensors = nan_masks(model, clean(input_size))
    assert not any(mask.any() for mask in tensors.values()), "NaN without poison"
    report = eyeshot.analyze(model, input_size=input_size)
    draw = random.Random(name)
    pixels = [tuple(draw.randrange(extent) for extent in spatial) for _ in range(4)]
    outcome = compare(fields_by_name(report, list(tensors)), model, input_size, pixels)
    assert outcome.mismatches == {}
    assert outcome.tensors == set(tensors)
    assert outcome.cells == 5 * len(pixels) * sum(mask.size for mask in tensors.values())


LOCAL = [
    ("torchvision", "deeplabv3_mobilenet_v3_large"),
    ("torchvision", "efficientnet_b0"),
    ("torchvision", "mobilenet_v3_small"),
    ("timm", "convnextv2_atto"),
    ("timm", "ghostnet_050"),
    ("timm", "legacy_seresnet18"),
    ("timm", "resnest14d"),
    ("timm", "skresnet18"),
]


@pytest.mark.parametrize(("library", "name"), LOCAL, ids=str)
def test_the_local_view_agrees_with_nan_once_gates_are_cut(library, name):
    """Every tensor that still reads something; a gate itself, or a pooled head, has no local field."""
    model, input_size = _build(library, name, ODD)
    masks = local_masks(model, torch.full(input_size, torch.nan))
    report = eyeshot.analyze(model, input_size=input_size)
    fields = fields_by_name(report.view("local"), list(masks))
    fields = {name: field for name, field in fields.items() if masks[name].any()}
    outcome = compare(fields, model, input_size, [(20, 50), (41, 9)], local_masks)
    assert outcome.mismatches == {}
    assert len(outcome.tensors) > len(masks) / 2


class HandField(NamedTuple):
    """A field whose boxes were found by hand."""

    starts: list[np.ndarray]
    stops: list[np.ndarray]
    occupied: np.ndarray

    def boxes(self):
        return self


def _hand_case():
    """Height: kernel 3, stride 2, padding 1 over 7 rows. Width: kernel 2, stride 2 over 5, one unread."""
    rows, columns = np.array([0, 1, 3, 5]).reshape(-1, 1), np.array([0, 2]).reshape(1, -1)
    last = np.array([2, 4, 6, 7]).reshape(-1, 1)
    model = nn.Conv2d(1, 3, (3, 2), stride=2, padding=(1, 0)).eval()
    return model, HandField([rows, columns], [last, columns + 2], np.ones((1, 3, 4, 2), bool))


PIXELS = [(h, w) for h in range(7) for w in range(5)]


def test_the_probe_accepts_boxes_found_by_hand():
    model, hand = _hand_case()
    outcome = compare({"": hand}, model, (1, 1, 7, 5), PIXELS)
    assert outcome.mismatches == {}
    assert outcome.cells == 5 * 35 * 24


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("step", [-1, 1])
@pytest.mark.parametrize("side", ["starts", "stops"])
def test_the_probe_rejects_boxes_wrong_by_one(axis, step, side):
    model, hand = _hand_case()
    # One row or column of units alone is wrong.
    arrays = [array.copy() for array in getattr(hand, side)]
    arrays[axis].flat[1] += step
    outcome = compare({"": hand._replace(**{side: arrays})}, model, (1, 1, 7, 5), PIXELS)
    assert list(outcome.mismatches) == [""]


def test_the_probe_rejects_units_wrongly_empty_or_occupied():
    model, hand = _hand_case()
    empty = hand.occupied.copy()
    empty[0, 2, 3, 1] = False
    assert compare({"": hand._replace(occupied=empty)}, model, (1, 1, 7, 5), PIXELS).mismatches
    padded = nn.Sequential(nn.ZeroPad2d((0, 0, 4, 0)), model)  # two rows of units read padding alone
    fields = {name: HandField(*boxes) for name, boxes in hulls(padded, (1, 1, 7, 5)).items()}
    assert not fields[""].occupied[:, :, :2].any()
    assert fields[""].occupied[:, :, 2:].all()
    assert compare(fields, padded, (1, 1, 7, 5), PIXELS).mismatches == {}
    whole = [np.full_like(stops, 9) for stops in fields[""].stops]
    wrong = HandField(fields[""].starts, whole, np.ones_like(fields[""].occupied))
    assert list(compare(fields | {"": wrong}, padded, (1, 1, 7, 5), PIXELS).mismatches) == [""]


def test_hulls_are_those_found_by_hand():
    model, hand = _hand_case()
    starts, stops, occupied = hulls(model, (1, 1, 7, 5))[""]
    assert occupied.all()
    for axis in range(2):
        assert (starts[axis] == hand.starts[axis]).all()
        assert (stops[axis] == hand.stops[axis]).all()


ACTIVATIONS = [
    "relu",
    "relu6",
    "hardtanh",
    "hardswish",
    "hardsigmoid",
    "silu",
    "gelu",
    "mish",
    "elu",
    "celu",
    "selu",
    "leaky_relu",
    "softplus",
    "logsigmoid",
    "softsign",
    "tanhshrink",
    "hardshrink",
    "softshrink",
    "sigmoid",
    "tanh",
]


@pytest.mark.parametrize("extent", [1, 7, 8, 33])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nan_passes(name, extent):
    """The probe stands on this; vectorised kernels and their scalar ends differ, hence the extents."""
    x = torch.linspace(-4, 4, extent)
    for position in range(extent):
        poison = x.clone()
        poison[position] = torch.nan
        assert getattr(nn.functional, name)(poison).isnan().nonzero().tolist() == [[position]]


def test_nan_passes_pools_and_clamps():
    x = torch.zeros(1, 1, 9, 9)
    x[0, 0, 4, 4] = torch.nan
    assert nn.functional.max_pool2d(x, 3, 1, 1).isnan().sum() == 9
    assert nn.functional.adaptive_max_pool2d(x, 3).isnan().sum() == 1
    assert nn.functional.max_pool2d(x.to(memory_format=torch.channels_last), 3, 1, 1).isnan().sum() == 9
    assert x.clamp(0, 6).isnan().sum() == 1


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_resizes_hand_nan_on_by_nonzero_coefficients_alone(mode):
    """Aligned corners, 5 to 9: even outputs are copies, odd ones blends."""
    resize = nn.Upsample(size=(9, 9), mode=mode, align_corners=True)
    starts, stops, occupied = hulls(resize, (1, 1, 5, 5))[""]
    assert occupied.all()
    copies = [(int(starts[0][0, 0, row, 0]), int(stops[0][0, 0, row, 0])) for row in range(0, 9, 2)]
    assert copies == [(index, index + 1) for index in range(5)]
    assert (stops[0][0, 0, 1::2, 0] - starts[0][0, 0, 1::2, 0]).min() >= 2
