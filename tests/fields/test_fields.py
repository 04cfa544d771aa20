"""What fields promise beyond numbers: halos that suffice, laws settled at two sizes, earlier tensors, records."""

from __future__ import annotations

import json
from fractions import Fraction
from math import ceil, floor

import pytest
import torch
from torch import nn

import eyeshot
from eyeshot.errors import QuestionError


class Windows(nn.Module):
    """Attention-like mixing inside windows of 4, or across a grid of 4."""

    def __init__(self, grid: bool) -> None:
        super().__init__()
        self.stem = nn.Conv1d(1, 4, 2, stride=2)
        self.grid = grid

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        n, c, t = x.shape
        cut = x.view(n, c, 4, t // 4) if self.grid else x.view(n, c, t // 4, 4)
        axis = 2 if self.grid else 3
        return (cut + cut.softmax(axis)).view(n, c, t)


def test_a_window_is_the_same_at_every_size() -> None:
    field = eyeshot.analyze(Windows(grid=False), (1, 1, 64)).outputs[0]
    assert field.size == (8,)
    assert field.stride == (2,)
    assert not field.law[0].at_size


def test_a_grid_grows_with_the_input() -> None:
    field = eyeshot.analyze(Windows(grid=True), (1, 1, 64)).outputs[0]
    assert field.law[0].at_size or field.law[0].why


def test_given_inputs_leave_it_open() -> None:
    field = eyeshot.analyze(Windows(grid=False), inputs=torch.zeros(1, 1, 64)).outputs[0]
    assert field.size == (8,)
    assert field.law[0].at_size


NETS = {
    "conv": nn.Sequential(nn.Conv1d(1, 2, 5), nn.ReLU(), nn.Conv1d(2, 1, 3, dilation=3)),
    "strided": nn.Sequential(nn.Conv1d(1, 2, 5, stride=2), nn.Conv1d(2, 1, 4, stride=3)),
    "down and up": nn.Sequential(
        nn.Conv1d(1, 2, 4, stride=2),
        nn.Conv1d(2, 2, 3),
        nn.ConvTranspose1d(2, 1, 4, stride=2, padding=3),
        nn.Conv1d(1, 1, 3),
    ),
    "up": nn.Sequential(nn.Upsample(scale_factor=2, mode="linear"), nn.Conv1d(1, 1, 3, padding=1)),
}


@pytest.mark.parametrize("name", NETS)
def test_the_halo_suffices_and_is_needed(name: str) -> None:
    """An inner tile computed from its input and the halo equals the whole; NaN just inside the halo reaches some."""
    net = NETS[name].double().eval()
    x = torch.rand(1, 1, 960, dtype=torch.float64)
    field = eyeshot.analyze(net, x.shape).outputs[0]
    (stride,), ((low, high),) = field.stride, field.halo
    whole = net(x)
    reached = set()
    for start in range(60, 60 + len(field.phases[0])):
        stop = start + 20
        first, last = ceil(Fraction(stride) * start - low), floor(Fraction(stride) * stop + high)
        outside = x.clone()
        outside[..., :first] = torch.nan
        outside[..., last:] = torch.nan
        assert torch.equal(net(outside)[..., start:stop], whole[..., start:stop])
        for side, inner in (("low", first), ("high", last - 1)):
            poisoned = x.clone()
            poisoned[..., inner] = torch.nan
            if net(poisoned)[..., start:stop].isnan().any():
                reached.add(side)
    assert reached == {"low", "high"}


def test_an_earlier_tensor_is_a_source_too() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2), nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3))
    report = eyeshot.analyze(net, (1, 1, 32, 32))
    assert report.field("2", wrt="0").size == (5, 5)
    assert report.field("2", wrt="0").stride == (1, 1)
    assert report.field("2", wrt="0").at(0, 0, 1, 2).slices == (slice(1, 6), slice(2, 7))
    with pytest.raises(QuestionError, match="does not depend"):
        report.field("0", wrt="2")


def test_each_input_has_its_own_fields() -> None:
    class Two(nn.Module):
        def forward(self, image: torch.Tensor, guide: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"sum": image[..., 1:] + guide[..., :-1], "image": image * 2}

    report = eyeshot.analyze(Two(), inputs=(torch.zeros(1, 1, 8), torch.zeros(1, 1, 8)))
    assert report.input == "image"
    about = {field.name: field for field in report.about("guide").outputs}
    assert about["sum"].at(0, 0, 3).slices == (slice(3, 4),)
    assert about["image"].empty
    assert report.field("sum", input="image").at(0, 0, 3).slices == (slice(4, 5),)
    with pytest.raises(QuestionError, match="no input 'mask'"):
        report.about("mask")


def test_units_outside_are_refused() -> None:
    field = eyeshot.analyze(nn.Conv1d(1, 1, 3), (1, 1, 8)).outputs[0]
    assert field.at(0, 0, -1) == field.at(0, 0, 5)
    with pytest.raises(QuestionError, match="extent 6"):
        field.at(0, 0, 6)
    with pytest.raises(QuestionError, match="3 indices"):
        field.at(0, 0)


def test_json_and_records_say_the_same() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Upsample(scale_factor=2), nn.Conv2d(2, 1, (3, 1)))
    report = eyeshot.analyze(net, (1, 1, 16, 16))
    document = json.loads(report.to_json())
    assert document["schema"] == 1
    assert document["input"] == {"name": "input", "shape": [1, 1, 16, 16], "axes": "HW"}
    up = next(entry for entry in document["tensors"] if entry["name"] == "1")
    assert (up["size"], up["stride"], up["kind"]) == ([3, 3], ["1/2", "1/2"], "exact")
    record = next(record for record in report.records() if record["name"] == "2")
    assert (record["size_h"], record["size_w"], record["stride_w"]) == (4, 3, 0.5)
    assert record["parameters"] == 2 * 3 + 1


def test_fields_are_frozen() -> None:
    field = eyeshot.analyze(nn.Conv1d(1, 1, 3), (1, 1, 8)).outputs[0]
    for name in ("size", "name", "offset"):
        with pytest.raises(AttributeError):
            setattr(field, name, None)


def test_sizes_without_a_law_say_that_they_are_clipped() -> None:
    class Sums(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.cumsum(-1)

    report = eyeshot.analyze(Sums(), (1, 1, 8))
    (field,) = report.outputs
    assert (field.size, field.clipped) == ((8,), (True,))
    assert ", clipped, full>" in repr(field)
    assert report.to_dict()["outputs"][0]["clipped"] == [True]
    assert eyeshot.analyze(nn.Conv1d(1, 1, 3), (1, 1, 8)).outputs[0].clipped == (False,)


def test_memory_is_that_of_the_dtype() -> None:
    class Kinds(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"half": x * 2, "double": x.double(), "first": x.argmax(1), "positive": x > 0}

    outputs = eyeshot.analyze(nn.Sequential(Kinds()), inputs=torch.zeros(1, 2, 8, dtype=torch.half)).outputs
    held = {field.name: (field.dtype, field.cost.activation_bytes) for field in outputs}
    assert held == {
        "half": ("float16", 32),
        "double": ("float64", 128),
        "first": ("int64", 64),
        "positive": ("bool", 16),
    }


def test_a_report_is_a_mapping() -> None:
    report = eyeshot.analyze(nn.Sequential(nn.Conv1d(1, 1, 3), nn.ReLU()), (1, 1, 8))
    assert list(report) == ["0", "1"]
    assert report.get("0") is report["0"]
    assert report.get("2") is None
    assert "2" not in report
    with pytest.raises(QuestionError, match="nothing called 0"):
        report[0]
    with pytest.raises(QuestionError, match="no view 'near'"):
        report.view("near")


def test_earlier_tensors_have_layouts_and_inputs_are_some() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.mix = nn.Linear(5, 4), nn.Conv1d(4, 4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.mix(self.embed(x).transpose(1, 2))

    report = eyeshot.analyze(Tokens(), (1, 9, 5), layout="NTC")
    assert report.field("mix", wrt="embed", layout="NTC").size == (3,)
    assert report.field("mix", wrt="embed").size == (None,), "by rank, the last axis: channels here"
    assert report.field("mix", wrt="x").size == report["mix"].size == (3,)


def test_every_input_may_have_a_layout_and_keywords_may_stand_beside_a_size() -> None:
    class Gated(nn.Module):
        def forward(
            self, image: torch.Tensor, tokens: torch.Tensor | None = None, scale: float = 0
        ) -> list[torch.Tensor]:
            return [image * scale, image if tokens is None else tokens.roll(1, 1)]

    given = (torch.zeros(1, 8, 8, 3), torch.zeros(1, 6, 5))
    report = eyeshot.analyze(Gated(), inputs=given, layout={"image": "NHWC", "tokens": "NTC"})
    assert report["0"].at(0, 2, 3, None).slices == (slice(2, 3), slice(3, 4))
    assert report.about("tokens")["1"].at(0, 2, None).slices == (slice(1, 2),)
    assert eyeshot.analyze(Gated(), (1, 3, 8, 8), kwargs={"scale": 2.0})["0"].size == (1, 1)


def test_the_local_view_has_its_own_place_where_fields_become_global() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1))
            self.mix = nn.MultiheadAttention(4, 1, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = (x * self.gate(x)).flatten(2).transpose(1, 2)
            return self.mix(tokens, tokens, tokens)[0]

    report = eyeshot.analyze(Gated().eval(), (1, 4, 6, 6))
    assert report.outputs[0].global_since == "gate.0"
    assert report.view("local").outputs[0].global_since == "mix"
    assert report["gate"].global_since == "gate.0"
    assert report["mix.0"].global_since == "gate.0"


def test_centers_and_shares_by_hand() -> None:
    """Sizes 4 and 8 at stride 2: unit 0 looks at -1..2, so at 0.5; the middle unit sees 8 of 32 in each row."""
    net = nn.Sequential(nn.Conv2d(1, 1, 4, stride=2, padding=1), nn.Conv2d(1, 1, 3, padding=1))
    report = eyeshot.analyze(net, (1, 1, 32, 32))
    assert report["0"].center == (Fraction(1, 2), Fraction(1, 2))
    assert report["1"].center == (Fraction(1, 2), Fraction(1, 2))
    assert report["1"].at(0, 0, 8, 8).center == (16.5, 16.5)
    assert report["1"].share == 64 / 1024
    assert [record["share"] for record in report.records()] == [16 / 1024, 64 / 1024]
    assert [record["macs"] for record in report.records()] == [16 * 256, 9 * 256]


def test_a_scalar_input_is_no_picture() -> None:
    class Scaled(nn.Module):
        def forward(self, scale: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
            return x * scale

    inputs = (torch.tensor(2.0), torch.zeros(1, 1, 8))
    report = eyeshot.analyze(Scaled(), inputs=inputs)
    assert report.input == "x"
    with pytest.raises(QuestionError, match="no input 'scale'"):
        report.about("scale")
    with pytest.raises(eyeshot.InputError, match="scalar"):
        eyeshot.analyze(Scaled(), inputs=inputs, input="scale")
