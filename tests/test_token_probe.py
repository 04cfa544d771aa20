"""Boxes against probes on networks that aren't plain convolutions: attention, windows, gates, grids of tokens.

Whole models are compared with the NaN probe, cell by cell, as convolutional ones are in `test_nan_probe`. Small
networks with masks, selections and recurrences, where NaN says too much or hides, are held between two oracles:
what a float64 derivative reaches is inside the boxes, and where nothing hides they are equal.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional

import eyeshot
from eyeshot.execution.running import plain_kernels, watched
from tests.probe import Masks, clean, compare, fields_by_name, nan_masks

# Name, creation, spatial extents: small, not square, and not divisible where the family allows it.
FAMILIES: list[tuple[str, dict[str, object], tuple[int, int]]] = [
    ("coat_lite_tiny", {"img_size": (64, 96)}, (64, 96)),
    ("deit_tiny_distilled_patch16_224", {"img_size": (48, 80)}, (48, 80)),
    ("edgenext_xx_small", {}, (65, 99)),
    ("gmlp_ti16_224", {"img_size": (48, 80)}, (48, 80)),
    ("hiera_tiny_224", {"img_size": (64, 96)}, (64, 96)),
    ("maxvit_rmlp_pico_rw_256", {"img_size": (64, 96)}, (64, 96)),
    ("mobilevit_xxs", {}, (64, 98)),
    ("poolformerv2_s12", {}, (65, 99)),
    ("pvt_v2_b0", {}, (64, 96)),
    ("swin_tiny_patch4_window7_224", {"img_size": (112, 56)}, (112, 56)),
    ("twins_pcpvt_small", {"img_size": (64, 96)}, (64, 96)),
    ("vit_relpos_small_patch16_224", {"img_size": (48, 80)}, (48, 80)),
    ("volo_d1_224", {"img_size": (64, 96)}, (64, 96)),
    ("xcit_nano_12_p16_224", {"img_size": (48, 80)}, (48, 80)),
]


@pytest.mark.parametrize(
    ("name", "settings", "spatial"), [pytest.param(*each, id=each[0]) for each in FAMILIES]
)
def test_every_box_of_a_token_network_agrees_with_nan(name, settings, spatial):
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    model, input_size = timm.create_model(name, pretrained=False, **settings).eval(), (1, 3, *spatial)
    tensors = nan_masks(model, clean(input_size))
    assert not any(mask.any() for mask in tensors.values()), "NaN without poison"
    report = eyeshot.analyze(model, input_size=input_size)
    draw = random.Random(name)
    pixel = tuple(draw.randrange(extent) for extent in spatial)
    outcome = compare(fields_by_name(report, list(tensors)), model, input_size, [pixel])
    assert outcome.mismatches == {}
    assert outcome.tensors == set(tensors)


class Attend(nn.Module):
    """Tokens of a convolution, and any attention over them."""

    def __init__(self, attend: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.tokens = nn.Conv1d(4, 4, 3, padding=1)
        self.qkv = nn.Linear(4, 12)
        self.attend = attend

    def forward(self, x: Tensor) -> Tensor:
        return self.attend(*self.qkv(self.tokens(x).mT).chunk(3, -1))


class Apply(nn.Module):
    """A function of a module's output and the input."""

    def __init__(self, inner: nn.Module, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.inner = inner
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.inner(x), x)


class Shifted(nn.Module):
    """Attention in shifted windows of 4 x 4, masked so that no window reaches around the image."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.qkv = nn.Linear(4, 12)
        region = torch.zeros(1, 1, 8, 12)
        for row, column in ((6, 10), (6, 0), (0, 10)):
            region[:, :, row:, column:] += 1 + row
        regions = self.windows(region).squeeze(-1)
        apart = regions[:, None] != regions[:, :, None]
        self.register_buffer("mask", torch.zeros(apart.shape).masked_fill(apart, value))

    @staticmethod
    def windows(x: Tensor) -> Tensor:
        return functional.unfold(x, 4, stride=4).unflatten(1, (-1, 16)).permute(0, 3, 2, 1).flatten(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.windows(x.roll((-2, -2), (2, 3)))).chunk(3, -1)
        y = (q @ k.mT + self.mask).softmax(-1) @ v
        y = y.permute(2, 1, 0).reshape(1, -1, y.shape[0])
        return functional.fold(y, x.shape[2:], 4, stride=4).roll((2, 2), (2, 3)) + x


class Outlook(nn.Module):
    """Every position weighs its 3 x 3 neighbourhood, and the neighbourhoods are folded together."""

    def __init__(self) -> None:
        super().__init__()
        self.weigh, self.value = nn.Linear(4, 81), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        t = x.permute(0, 2, 3, 1)
        v = functional.unfold(self.value(t).permute(0, 3, 1, 2), 3, padding=1)
        v = v.reshape(n, c, 9, h * w).permute(0, 3, 2, 1)
        y = self.weigh(t).reshape(n, h * w, 9, 9).softmax(-1) @ v
        return functional.fold(y.permute(0, 3, 2, 1).reshape(n, c * 9, h * w), (h, w), 3, padding=1)


class ClassTokens(nn.Module):
    """Two tokens ahead of a grid; they attend to it, and then gate a convolution of the grid."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.grid = nn.Conv2d(4, 4, 2, 2), nn.Conv2d(4, 4, 3, padding=1)
        self.ahead = nn.Parameter(torch.randn(1, 2, 4))
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def mixed(self, t: Tensor, h: int) -> Tensor:
        grid = self.grid(t[:, 2:].mT.unflatten(2, (h, -1)))
        return torch.cat([t[:, :2], grid.flatten(2).mT], 1)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        grid = self.patches(x)
        t = self.mixed(torch.cat([self.ahead.expand(len(x), -1, -1), grid.flatten(2).mT], 1), grid.shape[2])
        seen = torch.cat([t[:, :2] + self.attention(t[:, :2], t, t)[0], t[:, 2:]], 1)
        return t, seen, self.mixed(seen, grid.shape[2]) * seen[:, :1].sigmoid()


class ConvLSTM(nn.Module):
    """A recurrence over the frames of a clip, with a field that grows by a pixel a frame."""

    def __init__(self) -> None:
        super().__init__()
        self.gates = nn.Conv2d(4, 8, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = c = x.new_zeros(x[:, :, 0].shape)
        steps = []
        for frame in x.unbind(2):
            i, f, o, g = self.gates(torch.cat([frame, h], 1)).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            steps.append(h)
        return torch.stack(steps, 2), c


class RelativeBias(nn.Module):
    """Attention with a learned bias for each distance, to which a mask of minima is added beforehand."""

    def __init__(self, *, fused: bool) -> None:
        super().__init__()
        self.bias, self.qkv, self.fused = nn.Embedding(19, 2), nn.Linear(4, 12), fused

    def forward(self, x: Tensor) -> Tensor:
        steps = torch.arange(x.shape[2])
        q, k, v = self.qkv(x.mT).unflatten(-1, (3, 2, 2)).permute(2, 0, 3, 1, 4)
        bias = self.bias(steps[:, None] - steps + 9).movedim(2, 0) + added(NEAR, LEAST)
        if self.fused:
            return functional.scaled_dot_product_attention(q, k, v, bias[None])
        return (q @ k.mT + bias).softmax(-1) @ v


NONE = float("-inf")
LEAST = torch.finfo(torch.float64).min
LOWER = torch.ones(10, 10).tril().bool()
# A softmax over one key has no slope: every row keeps two.
NEAR = LOWER.roll(-1, 0) & (torch.ones(10, 10).triu(-3).bool())
NEAR[-1] = NEAR[-2]
DEAD = NEAR & (torch.arange(10) != 4)[:, None]


def added(mask: Tensor, value: float) -> Tensor:
    return torch.zeros(mask.shape, dtype=torch.float64).masked_fill(~mask, value)


def by_hand(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    scores = torch.einsum("bid,bjd->bij", q, k).masked_fill(~NEAR, NONE)
    weights = (scores - scores.amax(-1, keepdim=True)).exp()
    return torch.einsum("bij,bjd->bid", weights / weights.sum(-1, keepdim=True), v)


class Small(NamedTuple):
    """A network, its input, and whether a derivative finds all that it reads."""

    network: Callable[[], nn.Module]
    shape: tuple[int, ...]
    complete: bool = True
    layout: str | None = None


def attention(attend: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Small:
    return Small(lambda: Attend(attend), (1, 4, 10))


def selection(function: Callable[[Tensor, Tensor], Tensor]) -> Small:
    return Small(lambda: Apply(nn.Conv2d(4, 4, 3, padding=1), function), (1, 4, 6, 7), complete=False)


def recurrent(layer: type[nn.RNNBase], **settings: int | bool) -> Small:
    return Small(lambda: layer(4, 3, batch_first=True, **settings), (2, 9, 4), layout="NTC")


SMALL: dict[str, Small] = {
    "masked": attention(lambda q, k, v: (q @ k.mT).masked_fill(~NEAR, NONE).softmax(-1) @ v),
    "masked by adding": attention(lambda q, k, v: (q @ k.mT + added(NEAR, LEAST)).softmax(-1) @ v),
    "masked by hand": attention(by_hand),
    "masked twice": attention(
        lambda q, k, v: (
            (q @ k.mT).masked_fill(~NEAR, NONE).masked_fill(~LOWER.roll(-1, 0), NONE).softmax(-1) @ v
        )
    ),
    "a row filled whole": attention(lambda q, k, v: (q @ k.mT).masked_fill(~DEAD, -1e30).softmax(-1) @ v),
    "a row of minima": attention(lambda q, k, v: (q @ k.mT + added(DEAD, LEAST)).softmax(-1) @ v),
    "fused, a row of minima": attention(
        lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, added(DEAD, LEAST))
    ),
    "masked over queries": attention(lambda q, k, v: (q @ k.mT).masked_fill(~NEAR, NONE).mT.softmax(-1) @ v),
    "kernel, cumulated": attention(
        lambda q, k, v: torch.einsum("bij,bijk->bik", q, torch.einsum("bij,bik->bijk", k, v).cumsum(1))
    ),
    "triangle": attention(lambda q, k, v: ((q @ k.mT).tril() * 2) @ v),
    "relative shift": attention(
        lambda q, k, v: functional.pad(q @ k.mT, (1, 0)).reshape(1, 11, 10)[:, 1:] + k @ q.mT
    ),
    "relative bias": Small(lambda: RelativeBias(fused=False), (1, 4, 10)),
    "relative bias, fused": Small(lambda: RelativeBias(fused=True), (1, 4, 10)),
    "shifted windows, cut": Small(lambda: Shifted(NONE), (1, 4, 8, 12), complete=False),
    "shifted windows, discouraged": Small(lambda: Shifted(-100.0), (1, 4, 8, 12)),
    "outlook": Small(Outlook, (1, 4, 5, 6)),
    "class tokens": Small(ClassTokens, (1, 4, 8, 10)),
    "ConvLSTM": Small(ConvLSTM, (1, 2, 4, 6, 7)),
    "LSTM": recurrent(nn.LSTM, num_layers=2, bidirectional=True),
    "LSTM, projected": recurrent(nn.LSTM, proj_size=2),
    "GRU": recurrent(nn.GRU),
    "where": selection(lambda y, x: torch.where(y > 0, x.roll(1, 3), y * 2)),
    "argmax": selection(lambda y, x: functional.one_hot(y.argmax(1), 4).movedim(3, 1) * x),
    "sort": selection(lambda y, x: y.sort(2).values + x),
    "gather": selection(lambda y, x: x.gather(3, y.argsort(3))),
    "comparison": selection(lambda y, x: (y > x.flip(2)) * y),
}


def _reached(model: nn.Module, slab: Tensor) -> Masks:
    """Where a change of the slab shows to first order, in any of three draws of input and change."""
    found: Masks = {}
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        x, change = (torch.randn(slab.shape, generator=generator, dtype=torch.float64) for _ in range(2))

        def seen(name: str, tensor: Tensor) -> None:
            slope = forward_ad.unpack_dual(tensor).tangent
            reached = torch.zeros(tensor.shape, dtype=bool) if slope is None else slope != 0
            found[name] = found.get(name, np.False_) | reached.numpy()

        with plain_kernels(), torch.no_grad(), forward_ad.dual_level(), watched(model, seen):
            model(forward_ad.make_dual(x, change * slab))
    return found


@pytest.mark.parametrize("name", SMALL)
def test_boxes_hold_what_a_derivative_reaches(name):
    case = SMALL[name]
    torch.manual_seed(0)
    model = case.network().double().eval()
    report = eyeshot.analyze(model, inputs=torch.zeros(case.shape, dtype=torch.float64), layout=case.layout)
    names = list(_reached(model, torch.ones(case.shape)))
    boxes = {each: field.boxes() for each, field in fields_by_name(report, names).items()}
    for place, axis in enumerate(report.spatial[report.input].axes):
        for position in range(case.shape[axis]):
            index = torch.arange(case.shape[axis])
            for side, chosen in (("prefix", index <= position), ("suffix", index >= position)):
                slab = chosen.double().reshape([-1 if a == axis else 1 for a in range(len(case.shape))])
                for each, reached in _reached(model, slab.expand(case.shape)).items():
                    starts, stops, occupied = boxes[each]
                    hit = starts[place] <= position if side == "prefix" else stops[place] > position
                    assert not (reached & ~(occupied & hit)).any(), (each, axis, position, side, "missed")
                    if case.complete:
                        assert not (occupied & hit & ~reached).any(), (each, axis, position, side, "too much")
