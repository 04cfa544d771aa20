"""Nothing that has a gradient lies outside the structural mask, and crops change nothing."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import eyeshot
from eyeshot.effective import effective_field
from eyeshot.fields import Field
from tests.effective import nets, scripts

TOOLS = Path(__file__).parents[2] / "tools"


class Upsampled(nn.Module):
    """Down and up again, with a skip."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 6, 4, 2, 1)
        self.up = nn.ConvTranspose2d(6, 3, 4, 2, 1)
        self.last = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x):
        return self.last(torch.cat([x[:, :1], self.up(torch.tanh(self.down(x)))[:, :2]], 1))


class Shuffled(nn.Module):
    """Pixels into channels and back, and a flip."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(12, 12, 3, padding=1, groups=3)
        self.last = nn.Conv2d(3, 5, 3, padding=1)

    def forward(self, x):
        x = nn.functional.pixel_unshuffle(x, 2)
        return self.last(nn.functional.pixel_shuffle(torch.relu(self.first(x)), 2).flip(3))


class Windowed(nn.Module):
    """Attention inside windows of four by four."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 2, 2)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.last = nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, x):
        x = self.embed(x)
        n, c, h, w = x.shape
        tokens = x.reshape(n, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, c)
        tokens = self.attention(tokens, tokens, tokens, need_weights=False)[0]
        x = tokens.reshape(n, h // 4, w // 4, 4, 4, c).permute(0, 5, 1, 3, 2, 4).reshape(n, c, h, w)
        return self.last(x)


class Placed(nn.Module):
    """Adds what depends on the place, and pads by reflection: a crop has to know."""

    def __init__(self, size=32):
        super().__init__()
        self.place = nn.Parameter(torch.randn(1, 6, size // 2, size // 2))
        self.first = nn.Conv2d(3, 6, 3, 2, 1, padding_mode="reflect")
        self.last = nn.Conv2d(6, 4, 3, padding=1)

    def forward(self, x):
        return self.last(torch.sigmoid(self.first(x) + self.place))


NETS = [
    (nets.Residual, "last"), (nets.Dilated, "last"), (nets.Dilated, "wide"), (nets.Gated, "last"), (nets.Tokens, "norm"),
    (Upsampled, "last"), (Upsampled, "up"), (Shuffled, "last"), (Windowed, "last"), (Placed, "last"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "layer"), NETS, ids=lambda value: getattr(value, "__name__", value))
def test_gradients_lie_inside_the_mask_and_crops_change_nothing(kind, layer):
    model, images = nets.seeded(kind), nets.noise(2, 32)
    report = eyeshot.analyze(model, (1, 3, 32, 32))
    shape = report[layer].shape
    rng = np.random.default_rng(0)
    units = ["center", *(tuple(int(rng.integers(n)) for n in shape) for _ in range(4))]
    for unit in units:
        field = effective_field(model, images, layer, unit, report=report)
        index = tuple(slice(None) if place is None else place for place in field.unit[1:])
        whole = np.zeros((32, 32))
        for image in images:
            x = image[None].clone().requires_grad_()
            scripts.features(model, layer, x)[(0, *index)].sum().backward()
            whole += x.grad[0].abs().mean(0).double().numpy()
        mask = report[layer].mask(*field.unit)
        assert not (whole > 0)[~mask].any()
        assert not (field.map > 0)[~mask].any()
        assert (field.map[field.box.slices].sum(), whole.any()) == (pytest.approx(1), True)
        assert np.allclose(field.map, whole / whole.sum(), atol=1e-5 * field.map.max())


def test_a_slice_of_the_campaign(monkeypatch):
    monkeypatch.syspath_prepend(TOOLS / "effective")
    inside = importlib.import_module("inside")
    rows = inside.measure("timm:test_efficientnet", 0)
    assert len(rows) == 3
    assert all(row["outside"] == 0 < row["used"] for row in rows)
    assert max(row["difference"] for row in rows) < inside.CLOSE


def test_the_campaign_sees_what_lies_outside(monkeypatch):
    """Masks that lack most of what is seen."""
    monkeypatch.syspath_prepend(TOOLS / "effective")
    inside = importlib.import_module("inside")
    true = Field.mask

    def thin(*args, **kwargs):
        mask = true(*args, **kwargs)
        return mask & np.eye(*mask.shape, dtype=bool)

    monkeypatch.setattr(Field, "mask", thin)
    assert all(row["outside"] > 0 for row in inside.measure("timm:test_efficientnet", 0))
