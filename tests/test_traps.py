"""Small networks that trip tools for receptive fields, each with its true size and with every box probed.

True sizes were found by hand. Boxes of all units of all tensors come from `probe.hulls`, cell by cell.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import eyeshot
from tests.probe import fields_by_name, hulls
from tests.reference_networks import NETWORKS, build, laws

# PyTorch warns of an even kernel under padding="same".
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")

Stride = int | Fraction


class Apply(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Attend(nn.Module):
    """Self-attention over the pixels of a convolution's output."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(2, 8, 3, padding=1)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        return self.attention(tokens, tokens, tokens, need_weights=False)[0]


class SqueezeExcite(nn.Module):
    """Channels gated by their mean."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.mix(x.mean((2, 3), keepdim=True)))


def windows(x: Tensor, side: int = 4) -> Tensor:
    """The mean of each window of `side` x `side` pixels, added to each of its pixels."""
    n, c, h, w = x.shape
    parts = (
        x.view(n, c, h // side, side, w // side, side).permute(0, 2, 4, 3, 5, 1).reshape(-1, side * side, c)
    )
    parts = parts + parts.mean(1, keepdim=True)
    parts = parts.view(n, h // side, w // side, side, side, c)
    return parts.permute(0, 5, 1, 3, 2, 4).reshape(n, c, h, w)


def table(text: str, spatial: tuple[int, ...] = (16, 20)) -> nn.Sequential:
    return build((("net", text),), spatial, channels=2, width=2, auto="v")


def conv(*args, **settings) -> nn.Conv2d:
    return nn.Conv2d(2, 2, *args, **settings)


@dataclass(frozen=True)
class Trap:
    """A network, its input, and the output's true size and stride; None where only the boxes are told."""

    network: Callable[[], nn.Module]
    size: tuple[int | None, ...] | None = None
    stride: tuple[Stride | None, ...] | None = None
    spatial: tuple[int, ...] = (16, 20)
    misaligned: bool | None = None


def sequence(*layers: Callable[[], nn.Module] | nn.Module) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(*layers)


HALF = Fraction(1, 2)
TRAPS: dict[str, Trap] = {
    "dilations 1, 2, 3": Trap(lambda: table("c3p1 c3d2p2 c3d3p3"), (13, 13), (1, 1), (20, 24)),
    "two parallel 3x3": Trap(lambda: table("add{ c3p1 | c3p1 }"), (3, 3), (1, 1), misaligned=False),
    "conv3 s2 > transposed k4 s2 p1 > conv3": Trap(lambda: table("c3/2p1 t4/2p1 c3p1"), (7, 7), (1, 1)),
    "conv3 s2 > transposed k2 s2 > conv3": Trap(lambda: table("c3/2p1 t2/2 c3p1"), (5, 5), (1, 1)),
    "nearest x2 in the middle": Trap(
        sequence(conv(3, 2, 1), nn.Upsample(scale_factor=2), conv(3, 1, 1)), (5, 5), (1, 1)
    ),
    "nearest x3 alone": Trap(sequence(nn.Upsample(scale_factor=3)), (1, 1), (Fraction(1, 3), Fraction(1, 3))),
    "bilinear x2": Trap(
        sequence(nn.Upsample(scale_factor=2, mode="bilinear"), conv(3, 1, 1)), (3, 3), (HALF, HALF)
    ),
    "bilinear to aligned corners": Trap(sequence(nn.Upsample((9, 31), mode="bilinear", align_corners=True))),
    "branches of centers 0 and 1": Trap(
        lambda: table("add{ c3/2p1 | c3/2p0,2 }"), (4, 4), (2, 2), spatial=(16, 20), misaligned=True
    ),
    "same start, other center": Trap(
        lambda: table("add{ c1/2 | c3/2p0,1 }"), (3, 3), (2, 2), misaligned=True
    ),
    "same center, other size": Trap(lambda: table("add{ | c5p2 }"), (5, 5), (1, 1), misaligned=False),
    "strides 2 and 1, of one extent here alone": Trap(
        lambda: table("add{ c5/2p2,1 | c3 c3 }", (8, 8)), spatial=(8, 8)
    ),
    "roll": Trap(sequence(conv(3, 1, 1), Apply(lambda x: x.roll((5, -3), (2, 3))), conv(3, 1, 1))),
    "instance norm": Trap(sequence(conv(3, 1, 1), nn.InstanceNorm2d(2), conv(3, 1, 1)), (None, None)),
    "squeeze-excite": Trap(sequence(conv(3, 1, 1), SqueezeExcite(2), conv(3, 1, 1)), (None, None)),
    "multi-head attention": Trap(Attend, (None, None), spatial=(5, 6)),
    "a U-Net of 3 poolings": Trap(
        lambda: NETWORKS["U-Net trf100.json"].build("16x24"), (100, 100), (1, 1), spatial=(16, 24)
    ),
    "a window partition": Trap(sequence(Apply(windows)), (4, 4), (1, 1), (16, 20)),
    "a window partition between convolutions": Trap(
        sequence(conv(3, 1, 1), Apply(windows), conv(3, 1, 1)), (10, 10), (1, 1)
    ),
    "a shifted window partition": Trap(
        sequence(Apply(lambda x: windows(x.roll((2, 2), (2, 3))).roll((-2, -2), (2, 3))))
    ),
    "ceil mode": Trap(sequence(nn.MaxPool2d(3, 2, ceil_mode=True), conv(3, 1, 1)), (7, 7), (2, 2), (16, 19)),
    "ceil mode on averages": Trap(sequence(nn.AvgPool2d(3, 2, 1, ceil_mode=True)), (3, 3), (2, 2), (16, 19)),
    "sizes that don't divide": Trap(
        lambda: table("c3/2p1 c3/3 m2/2 c3p1", (31, 44)), (37, 37), (12, 12), (31, 44)
    ),
    "adaptive pooling that divides": Trap(sequence(nn.AdaptiveAvgPool2d((4, 5))), (4, 4), (4, 4)),
    "adaptive pooling that doesn't": Trap(sequence(nn.AdaptiveMaxPool2d((3, 7)))),
    "one axis": Trap(lambda: table("c3p1 m2/2 c5d2p4", (33,)), (20,), (2,), (33,)),
    "three axes": Trap(lambda: table("c3p1 m2/2 c3x1x3", (8, 9, 10)), (8, 4, 8), (2, 2, 2), (8, 9, 10)),
    "stride beyond the kernel": Trap(lambda: table("c2/3 c3p1"), (8, 8), (3, 3)),
    "channels of different sizes": Trap(lambda: table("cat{ c1 | c5p2 | m3p1 } w3p1"), (7, 7), (1, 1)),
    "grouped": Trap(sequence(nn.Conv2d(2, 4, 3, groups=2), nn.Conv2d(4, 8, 3, groups=4)), (5, 5), (1, 1)),
    "depthwise, dilated": Trap(lambda: table("w3d2p2 c1 w5d3p6"), (17, 17), (1, 1), (20, 24)),
    "asymmetric kernels": Trap(
        sequence(conv((1, 7), padding=(0, 3)), conv((5, 2), stride=(1, 2))), (5, 8), (1, 2)
    ),
    "string padding, even kernel": Trap(
        sequence(conv(4, padding="same"), conv((2, 3), padding="same")), (5, 6), (1, 1)
    ),
    "pad, then crop": Trap(
        sequence(nn.ZeroPad2d((3, 1, 2, 2)), conv(3), Apply(lambda x: x[:, :, 2:-1, 3:])), (3, 3), (1, 1)
    ),
    "negative padding": Trap(sequence(nn.ZeroPad2d((-2, 1, -1, 0)), conv(3)), (3, 3), (1, 1)),
    "only padding is read": Trap(sequence(nn.ZeroPad2d((6, 0, 0, 7)), conv(3)), (3, 3), (1, 1)),
    "pixel shuffle": Trap(
        sequence(nn.Conv2d(2, 8, 3, padding=1), nn.PixelShuffle(2), conv(3, 1, 1)), (4, 4), (HALF, HALF)
    ),
    "pixel unshuffle": Trap(sequence(nn.PixelUnshuffle(2), nn.Conv2d(8, 2, 3)), (6, 6), (2, 2)),
    "slices with steps": Trap(sequence(Apply(lambda x: x[:, :, 1::2, ::3]), conv(3)), (5, 7), (2, 3)),
    "flip": Trap(sequence(conv((3, 2)), Apply(lambda x: x.flip(3)), conv((1, 2), stride=2))),
    "concatenation along height": Trap(
        sequence(Apply(lambda x: torch.cat([x[:, :, 3:], x * 2], 2)), conv(3))
    ),
    "reflect pad": Trap(sequence(nn.ReflectionPad2d((3, 2, 1, 0)), conv(3))),
    "circular pad": Trap(sequence(nn.CircularPad2d((2, 0, 1, 1)), conv((3, 4)))),
    "replicate pad": Trap(sequence(nn.ReplicationPad2d((2, 5, 1, 1)), conv(3, 2))),
    "transpose": Trap(sequence(conv((3, 1)), Apply(lambda x: x.transpose(2, 3)), conv((3, 1), stride=2))),
    "unfold and fold": Trap(
        sequence(
            Apply(lambda x: functional.fold(functional.unfold(x, 3, padding=1), (16, 20), 3, padding=1))
        ),
        (1, 1),  # every column goes back to the pixel that it was taken from
        (1, 1),
    ),
    "cumulative sum": Trap(sequence(conv(3, 1, 1), Apply(lambda x: x.cumsum(3)))),
}


@pytest.fixture(scope="module", params=TRAPS, ids=str)
def case(request):
    """A trap, its report, and the true boxes of every tensor."""
    trap = TRAPS[request.param]
    torch.manual_seed(0)
    network = trap.network().eval()
    input_size = (1, NETWORKS["U-Net trf100.json"].channels if "U-Net" in request.param else 2, *trap.spatial)
    report = eyeshot.analyze(network, input_size=input_size)
    return trap, report, hulls(network, input_size)


def test_size_and_stride(case):
    trap, report, _ = case
    (output,) = report.outputs
    if trap.size is not None:
        assert output.size == trap.size
    if trap.stride is not None:
        assert output.stride == trap.stride
    if trap.misaligned is not None:
        assert output.misaligned is trap.misaligned


def test_boxes_of_all_units(case):
    _, report, truth = case
    for name, field in fields_by_name(report, list(truth)).items():
        starts, stops, occupied = truth[name]
        found_starts, found_stops, found_occupied = field.boxes()
        assert (np.broadcast_to(found_occupied, occupied.shape) == occupied).all(), name
        for axis in range(len(starts)):
            for found, true in ((found_starts[axis], starts[axis]), (found_stops[axis], stops[axis])):
                differs = (np.broadcast_to(found, true.shape) != true) & occupied
                assert not differs.any(), (name, axis, np.argwhere(differs)[:5])


def test_box_of_one_unit(case):
    _, report, truth = case
    draw = random.Random(0)
    for name, field in fields_by_name(report, list(truth)).items():
        starts, stops, occupied = truth[name]
        for _ in range(20):
            unit = tuple(draw.randrange(extent) for extent in occupied.shape)
            box = field.at(*unit)
            assert box.empty is not bool(occupied[unit]), (name, unit)
            if occupied[unit]:
                assert box.start == tuple(start[unit] for start in starts), (name, unit)
                assert box.stop == tuple(stop[unit] for stop in stops), (name, unit)


def test_box_of_a_union(case):
    """`None` in a place joins all units along that axis."""
    _, report, truth = case
    for name, field in fields_by_name(report, list(truth)).items():
        starts, stops, occupied = truth[name]
        for axis in range(1, occupied.ndim):
            unit = [extent // 2 for extent in occupied.shape]
            unit[axis] = None
            index = tuple(slice(None) if place is None else place for place in unit)
            box = field.at(*unit)
            assert box.empty is not bool(occupied[index].any()), (name, unit)
            if not box.empty:
                read = occupied[index]
                assert box.start == tuple(start[index][read].min() for start in starts), (name, unit)
                assert box.stop == tuple(stop[index][read].max() for stop in stops), (name, unit)


def test_unclipped_boxes_inside_the_input_are_the_boxes(case):
    """The law against the probe: clipping changes nothing where there is nothing to clip.

    Reflected and replicated rows are read again from inside; of them the law tells nothing.
    """
    trap, report, truth = case
    inward = trap in (TRAPS["reflect pad"], TRAPS["replicate pad"])
    draw = random.Random(0)
    for name, field in fields_by_name(report, list(truth)).items():
        starts, stops, occupied = truth[name]
        for _ in range(30):
            unit = tuple(draw.randrange(extent) for extent in occupied.shape)
            whole = field.at(*unit).unclipped
            if whole is None or not occupied[unit]:
                continue
            for axis, extent in enumerate(trap.spatial):
                start, stop = starts[axis][unit], stops[axis][unit]
                assert inward or whole.start[axis] <= start < stop <= whole.stop[axis], (name, unit)
                if whole.start[axis] >= 0 and whole.stop[axis] <= extent:
                    assert (whole.start[axis], whole.stop[axis]) == (start, stop), (name, unit)


@pytest.mark.parametrize("name", ["instance norm", "squeeze-excite"])
def test_a_global_gate_leaves_a_finite_local_field(name):
    network = TRAPS[name].network().eval()
    report = eyeshot.analyze(network, input_size=(1, 2, 16, 20))
    assert report["1"].size == (None, None)
    local = report.view("local")
    assert local["1"].size == (3, 3)
    assert local["2"].size == (5, 5)
    box = local["2"].at(0, 0, 8, 10)
    assert (box.start, box.stop) == ((6, 8), (11, 13))


def test_attention_is_no_context():
    report = eyeshot.analyze(Attend().eval(), input_size=(1, 2, 5, 6))
    assert report.view("local").outputs[0].size == (None, None)


@pytest.mark.parametrize(
    "name", ["U-Net trf54.json", "U-Net trf100.json", "U-Net trf204.json", "U-Net trf230.json"]
)
def test_phases_of_a_u_net(name):
    """Offset and size of each phase, as the recursion by hand tells them; 92 and 100 for three poolings."""
    network, input_size = NETWORKS[name].build(), NETWORKS[name].input_size()
    field = eyeshot.analyze(network, input_size=input_size)["output"]
    for axis, phases in enumerate(field.phases):
        law = laws(network, axis)["output"]
        for unit in range(law.period * len(phases)):
            start, stop = law.at(unit)
            assert phases[unit % len(phases)] == (start - law.stride * unit, stop - start)
    if name == "U-Net trf100.json":
        assert {size for phases in field.phases for _, size in phases} == {92, 100}


def test_phases_of_a_resize():
    (output,) = eyeshot.analyze(
        TRAPS["nearest x2 in the middle"].network(), input_size=(1, 2, 16, 20)
    ).outputs
    assert output.phases == (((-3, 5), (-2, 5)),) * 2
    assert output.offset == (-3, -3)


def test_sizes_by_hand_agree_with_the_recursion():
    """The sizes above, where the recursion knows the layers."""
    for name, trap in TRAPS.items():
        network = trap.network()
        if (
            isinstance(network, nn.Sequential)
            and list(dict(network.named_children())) == ["net"]
            and trap.size
        ):
            for axis, size in enumerate(trap.size):
                law = laws(network, axis)["net"]
                assert (max(law.sizes), law.stride) == (size, trap.stride[axis]), name
