"""Questions in both directions, on every axis and from any tensor, against gradients of the same networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import eyeshot
from eyeshot import Box, QuestionError


class Cross(nn.Module):
    """A 1x3 beside a 3x1, grouped channels after a shuffle, and a strided convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv2d(4, 4, (1, 3), padding=(0, 1), groups=2)
        self.tall = nn.Conv2d(4, 4, (3, 1), padding=(1, 0), groups=2)
        self.shuffle = nn.ChannelShuffle(2)
        self.down = nn.Conv2d(4, 4, 3, stride=2, dilation=2, padding=2, groups=4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(self.shuffle(self.wide(x) + self.tall(x)))


def gradient(net: nn.Module, shape: tuple[int, ...], unit: tuple[int, ...]) -> np.ndarray:
    """Which input elements one output depends on: a gradient with positive weights, nothing to cancel."""
    net = net.double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(1)
    x = torch.ones(shape, dtype=torch.float64, requires_grad=True)
    net(x)[unit].backward()
    return x.grad.numpy() != 0


@pytest.mark.parametrize("unit", [(0, 0, 0, 0), (1, 2, 3, 2), (1, 3, 4, 5)])
def test_masks_are_gradients_on_every_axis(unit: tuple[int, ...]) -> None:
    shape = (2, 4, 9, 11)
    report = eyeshot.analyze(Cross().eval(), shape)
    field = report.outputs[0]
    seen = gradient(Cross(), shape, unit)
    assert np.array_equal(field.mask(*unit, axes="all"), seen)
    assert np.array_equal(field.mask(*unit), seen.any((0, 1)))
    assert np.array_equal(field.mask(*unit, axes="channels"), seen.any((0, 2, 3)))
    assert np.array_equal(field.mask(*unit, axes="CW"), seen.any((0, 2)))
    for shadow, axes in zip(field.shadow(*unit), [(0, 1, 3), (0, 1, 2)], strict=True):
        assert np.array_equal(shadow, seen.any(axes))
    assert field.kind == "hull"
    assert field.holes


def test_unions_and_slices_in_an_index() -> None:
    shape = (1, 4, 9, 11)
    field = eyeshot.analyze(Cross().eval(), shape).outputs[0]
    rows = [gradient(Cross(), shape, (0, 1, 2, w)) for w in range(1, 4)]
    assert np.array_equal(field.mask(0, 1, 2, slice(1, 4), axes="all"), np.any(rows, 0))
    channels = [gradient(Cross(), shape, (0, c, 2, 1)) for c in range(4)]
    assert np.array_equal(field.mask(0, None, 2, 1, axes="all"), np.any(channels, 0))


def test_influence_is_the_transposed_mask() -> None:
    shape = (1, 4, 9, 11)
    report = eyeshot.analyze(Cross().eval(), shape)
    field = report.outputs[0]
    element = (0, 2, 4, 6)
    expected = np.zeros(field.shape, bool)
    for unit in np.ndindex(*field.shape):
        expected[unit] = gradient(Cross(), shape, unit)[element]
    influence = report.influence(*element)
    assert np.array_equal(influence.at(field.name), expected)
    assert np.array_equal(influence["down"], expected.any((0, 1)))
    assert list(influence) == list(report)


def test_a_box_on_the_input_gives_the_units_that_see_it() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3))
    report = eyeshot.analyze(net, (1, 1, 12, 12))
    box = Box((4, 4), (6, 6))
    assert report.influence(box)["1"].sum() == 6**2
    covering = report["1"].covering(box)
    assert covering.shape == (1, 1, 8, 8)
    assert covering.sum() == 4**2
    assert covering[0, 0, 1:5, 1:5].all()
    with pytest.raises(QuestionError, match="2 axes"):
        report.influence(Box((1,), (2,)))


def test_fields_on_other_axes() -> None:
    report = eyeshot.analyze(Cross().eval(), (2, 4, 9, 11))
    grouped = report.field("wide", axes="channels")
    assert grouped.size == (2,)
    assert [(grouped.at(0, c, 0, 0).start, grouped.at(0, c, 0, 0).stop) for c in (0, 3)] == [
        ((0,), (2,)),
        ((2,), (4,)),
    ]
    shuffled = report.about("x", "channels")["shuffle"]
    assert [shuffled.at(0, c, 0, 0).start for c in range(4)] == [(0,), (2,), (0,), (2,)]
    assert report.field("down", axes="batch").size == (1,)
    assert eyeshot.analyze(Cross().eval(), (2, 4, 9, 11), axes="W")["tall"].size == (1,)


@pytest.mark.parametrize(
    ("axes", "shape", "message"), [("time", (1, 4, 9, 11), "NCHW"), ("Q", (1, 4, 9, 11), "'Q'")]
)
def test_axes_that_are_not_there(axes: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        eyeshot.analyze(Cross().eval(), shape, axes=axes)


def test_causality_and_lookahead_of_a_sequence() -> None:
    class Sequence(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.look = nn.Conv1d(3, 3, 3, padding=1)
            self.attend = nn.MultiheadAttention(4, 2, batch_first=True)
            self.mix = nn.Linear(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = self.mix(self.look(x).transpose(1, 2))
            mask = torch.triu(torch.ones(8, 8, dtype=torch.bool), 1)
            return self.attend(tokens, tokens, tokens, attn_mask=mask, need_weights=False)[0]

    report = eyeshot.analyze(Sequence().eval(), (1, 3, 8), axes="time")
    out = report.outputs[0]
    for t in range(8):
        assert np.flatnonzero(out.mask(0, t, 0)).tolist() == list(range(min(t + 2, 8)))


def test_masks_relative_to_an_earlier_tensor() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3, dilation=2), nn.Conv2d(1, 1, 3))
    report = eyeshot.analyze(net, (1, 1, 16, 16))
    near = report.field("2", wrt="0")
    assert near.size == (7, 7)
    mask = near.mask(0, 0, 3, 3)
    assert mask.shape == (14, 14)
    assert np.flatnonzero(mask.any(0)).tolist() == [3, 4, 5, 6, 7, 8, 9]
    dilated = report.field("1", wrt="0")
    assert np.flatnonzero(dilated.mask(0, 0, 3, 3).any(0)).tolist() == [3, 5, 7]
    assert dilated.holes


def test_the_local_mask_leaves_out_gates() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 3, padding=1)
            self.gate = nn.Conv2d(2, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.conv(x)
            return x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()

    report = eyeshot.analyze(Gated().eval(), (1, 2, 9, 9))
    assert report.outputs[0].mask(0, 0, 4, 4).all()
    local = report.view("local")
    assert np.argwhere(local.outputs[0].mask(0, 0, 4, 4)).tolist() == [
        [y, x] for y in (3, 4, 5) for x in (3, 4, 5)
    ]
    assert local["gate"].mask(0, 0, 0, 0).all()
    assert local.outputs[0].kind == "exact"


def test_paths_of_a_residual_network() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(x + self.conv(x))

    report = eyeshot.analyze(nn.Sequential(Block(), Block(), Block()), (1, 2, 16, 16))
    high, wide = report.paths("2")
    assert dict(high) == dict(wide) == {1: 1, 3: 3, 5: 3, 7: 1}
    assert (high.total, high.min, high.max, high.mean) == (8, 1, 7, 4)


def test_units_behind_nothing_but_padding_are_empty() -> None:
    class Rest(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.pad(x, (0, 3))[..., -3:] @ torch.ones(3, 2)

    out = eyeshot.analyze(Rest(), (1, 1, 4, 5)).outputs[0]
    assert out.empty
    assert out.at(0, 0, 0, 0).empty
    assert not out.mask(0, 0, 0, 0).any()


class Attention(nn.Module):
    """Self-attention under a mask that is made from the lengths of the tokens given, or from their number."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        place = torch.arange(x.shape[1])
        if self.how == "window":
            mask = (place[:, None] - place).abs() <= 2
        else:
            mask = (x.sum(-1) > 0)[:, None, :].expand(-1, x.shape[1], -1)
        if self.how == "fused":
            return nn.functional.scaled_dot_product_attention(x, x, x, attn_mask=mask)
        scores = x @ x.transpose(1, 2)
        if self.how == "where":
            scores = torch.where(mask, scores, torch.tensor(-1e9))
        else:
            scores = scores.masked_fill(~mask, float("-inf"))
        return scores.softmax(-1) @ x


@pytest.mark.parametrize("how", ["fused", "filled", "where"])
def test_a_mask_made_from_data_is_dense_and_flagged(how: str) -> None:
    out = eyeshot.analyze(Attention(how), (1, 9, 4), layout="NTC").outputs[0]
    assert out.kind == "sound"
    assert out.reasons == {"data-dependent-mask"}
    assert out.mask(0, 4, 0).all()


def test_a_sliding_window_is_static() -> None:
    out = eyeshot.analyze(Attention("window"), (1, 9, 4), layout="NTC", axes="tokens").outputs[0]
    assert out.kind == "exact"
    assert [np.flatnonzero(out.mask(0, t, 0)).tolist() for t in (0, 4)] == [[0, 1, 2], [2, 3, 4, 5, 6]]
