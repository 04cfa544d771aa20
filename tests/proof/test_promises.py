"""Promises kept and broken on small models; every counterexample is checked by gradients of the model itself."""

from __future__ import annotations

import re
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import eyeshot
from eyeshot import InputError, QuestionError, testing
from eyeshot.testing import (
    PromiseError,
    assert_batch_independent,
    assert_causal,
    assert_independent,
    assert_local,
    assert_same_field,
    assert_sees,
)

DRAWS = 30
"""Random weights and inputs tried: of a max-pooling each draw selects one element."""


class CausalConv(nn.Module):
    """Two convolutions padded in front, with room for a mistake."""

    def __init__(self, missing: int = 0, stride: int = 1) -> None:
        super().__init__()
        self.missing = missing
        self.first = nn.Conv1d(3, 3, 3)
        self.second = nn.Conv1d(3, 3, 3, dilation=2, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.first(F.pad(x, (2, 0))))
        return self.second(F.pad(x, (4 - self.missing, self.missing)))


class Attention(nn.Module):
    """Self-attention that sees the last ``window`` tokens, all before it, or all there are; (N, T, C)."""

    def __init__(self, *, causal: bool = True, window: int | None = None, batch_first: bool = True) -> None:
        super().__init__()
        self.embed = nn.Linear(4, 8)
        self.attend = nn.MultiheadAttention(8, 2, batch_first=batch_first)
        self.causal, self.window = causal, window

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        steps = torch.arange(x.shape[1 if self.attend.batch_first else 0])
        ahead = steps[None] - steps[:, None]
        mask = ahead > 0 if self.causal else torch.zeros_like(ahead, dtype=torch.bool)
        if self.window is not None:
            mask |= ahead <= -self.window
        return self.attend(x, x, x, attn_mask=mask, need_weights=False)[0]


class Gated(nn.Module):
    """A convolution behind a squeeze-and-excitation gate."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.gate = nn.Conv2d(2, 2, 1)
        self.after = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.after(x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid())


class Cross(nn.Module):
    """A 1x3 beside a 3x1: the box of a 3x3."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv2d(1, 1, (1, 3), padding=(0, 1))
        self.tall = nn.Conv2d(1, 1, (3, 1), padding=(1, 0))

    def forward(self, x: Tensor) -> Tensor:
        return self.wide(x) + self.tall(x)


class UNet(nn.Module):
    """One level: convolution, pooling, convolution, upsampling, skip, convolution."""

    def __init__(self, kernel: int = 3) -> None:
        super().__init__()
        self.enter = nn.Conv2d(2, 2, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.deep = nn.Conv2d(2, 2, kernel, padding=kernel // 2)
        self.up = nn.ConvTranspose2d(2, 2, 2, stride=2)
        self.leave = nn.Conv2d(4, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        return self.leave(torch.cat([x, self.up(self.deep(self.pool(x)))], 1))


class Folded(nn.Module):
    """Tokens brought to (T, N, C), rightly or by a reshape."""

    def __init__(self, *, right: bool) -> None:
        super().__init__()
        self.right = right
        self.mix = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        n, t, c = x.shape
        return self.mix(x.transpose(0, 1) if self.right else x.reshape(t, n, c))


class Pair(nn.Module):
    """Two inputs, two outputs; the second output looks at both."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, image: Tensor, text: Tensor) -> dict[str, Tensor]:
        seen = self.left(image)
        return {"seen": seen, "both": self.right(text) + seen}


def broken(promise, *args, **how) -> PromiseError:
    with pytest.raises(AssertionError) as caught:
        promise(*args, **how)
    assert isinstance(caught.value, PromiseError)
    return caught.value


def check(error: PromiseError, net: nn.Module, shape: tuple[int, ...], layer: str | None = None) -> None:
    """The unit depends, or does not, on the element; and each module on the path stands between them."""
    example = error.counterexample
    assert example is not None
    said = str(error)
    assert f"[{', '.join(map(str, example.unit))}]" in said
    assert f"[{', '.join(map(str, example.element))}]" in said
    assert dependence(net, shape, layer, example.unit, example.element) == example.reads
    linked = example.element if example.reads else example.nearest
    assert linked is not None
    assert dependence(net, shape, layer, example.unit, linked)
    modules = [name for name in example.path if name in dict(net.named_modules())]
    assert modules
    assert example.path[0] == example.input
    for name in modules:
        assert between(net, shape, layer, example.unit, linked, name), name


def run(net: nn.Module, shape: tuple[int, ...], layer: str | None, seed: int, tap: str | None = None):
    """A real forward in float64 on random numbers: the input, the layer's output and a tapped module's."""
    torch.manual_seed(seed)
    net = deepcopy(net).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_()
    held: dict[str | None, Tensor] = {}
    hooks = [
        net.get_submodule(name).register_forward_hook(
            lambda _m, _a, out, name=name: held.update({name: out[0] if isinstance(out, tuple) else out})
        )
        for name in {layer, tap} - {None}
    ]
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    out = net(x)
    for hook in hooks:
        hook.remove()
    return x, held[layer] if layer else out[0] if isinstance(out, tuple) else out, held.get(tap)


def dependence(net, shape, layer, unit, element) -> bool:
    for seed in range(DRAWS):
        x, out, _ = run(net, shape, layer, seed)
        (slope,) = torch.autograd.grad(out[unit], x)
        if slope[element] != 0:
            return True
    return False


def between(net, shape, layer, unit, element, module) -> bool:
    """Whether the unit depends on something of a module's output that depends on the element."""
    for seed in range(DRAWS):
        x, out, tapped = run(net, shape, layer, seed, module)
        (outer,) = torch.autograd.grad(out[unit], tapped, retain_graph=True)
        (inner,) = torch.autograd.grad((tapped * (outer != 0) * torch.randn_like(outer)).sum(), x)
        if inner[element] != 0:
            return True
    return False


# Causality


@pytest.mark.parametrize("stride", [1, 2])
def test_causal_convolutions(stride: int) -> None:
    shape = (1, 3, 12)
    assert_causal(CausalConv(stride=stride), input_size=shape)
    late = CausalConv(2, stride)
    error = broken(assert_causal, late, input_size=shape)
    check(error, late, shape)
    # With stride 2 a unit stands for two steps, so that one of the two looked ahead is its own.
    ahead = 2 if stride == 1 else 1
    assert f"looks {ahead} ahead along T" in str(error)
    unit, element = error.counterexample.unit, error.counterexample.element
    assert element[2] == stride * (unit[2] + 1) - 1 + ahead
    assert error.counterexample.path == ("x", "constant_pad_nd", "first", "constant_pad_nd_1", "second")
    assert_causal(late, lookahead=ahead, input_size=shape)
    broken(assert_causal, late, lookahead=ahead - 1, input_size=shape)


def test_attention_with_and_without_a_mask() -> None:
    shape = (2, 6, 4)
    how = {"input_size": shape, "layout": "NTC"}
    for net in (Attention(), Attention(window=2)):
        assert_causal(net.eval(), "tokens", **how)
        assert_batch_independent(net.eval(), **how)
    open_net = Attention(causal=False).eval()
    error = broken(assert_causal, open_net, "tokens", **how)
    check(error, open_net, shape)
    assert (error.counterexample.unit[1], error.counterexample.element[1]) == (0, 5)
    assert_causal(open_net, "tokens", lookahead=5, **how)


def test_sliding_window_attention_is_local() -> None:
    shape = (1, 9, 4)
    how = {"input_size": shape, "layout": "NTC"}
    window = Attention(window=3).eval()
    assert_local(window, halo=(2, 0), **how)
    error = broken(assert_local, window, halo=(1, 0), **how)
    check(error, window, shape)
    assert error.counterexample.unit[1] - error.counterexample.element[1] == 2
    both = Attention(causal=False, window=3).eval()
    error = broken(assert_local, both, halo=(2, 0), **how)
    check(error, both, shape)
    assert error.counterexample.element[1] > error.counterexample.unit[1]


def test_recurrent_networks() -> None:
    shape = (2, 7, 4)
    how = {"input_size": shape, "layout": "NTC"}
    assert_causal(nn.GRU(4, 8, batch_first=True), layer="0", **how)
    both_ways = nn.GRU(4, 8, batch_first=True, bidirectional=True)
    error = broken(assert_causal, both_ways, layer="0", **how)
    example = error.counterexample
    assert example.unit[2] >= 8, "the half that runs backwards"
    assert dependence(both_ways, shape, None, example.unit, example.element)
    assert "looks 6 ahead" in str(error)
    assert_batch_independent(both_ways, **how)
    with pytest.raises(QuestionError, match="'1' of shape"):
        assert_causal(nn.GRU(4, 8, batch_first=True), **how)
    assert_causal(nn.GRU(4, 8), layer="0", input_size=(7, 2, 4), layout="TNC")
    assert_batch_independent(nn.GRU(4, 8), layer="0", input_size=(7, 2, 4), layout="TNC")


def test_an_axis_that_says_nothing() -> None:
    with pytest.raises(QuestionError, match="about one"):
        assert_causal(nn.Conv2d(1, 1, 3), "HW", input_size=(1, 1, 8, 8))
    pooled = nn.Sequential(nn.Conv1d(3, 3, 3), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    with pytest.raises(QuestionError, match="output_axis="):
        assert_causal(pooled, input_size=(1, 3, 9))
    error = broken(assert_causal, pooled, output_axis=1, input_size=(1, 3, 9))
    assert (error.counterexample.unit, error.counterexample.element[2]) == ((0, 0), 8)


# Batch


def test_batch_norm_in_train_mode() -> None:
    shape = (3, 2, 5, 5)
    net = nn.Sequential(nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
    assert_batch_independent(net.eval(), input_size=shape)
    net.train()
    error = broken(assert_batch_independent, net, input_size=shape)
    check(error, net, shape)
    assert error.counterexample.unit[0] != error.counterexample.element[0]
    assert error.counterexample.path == ("input", "0", "1")
    assert "reads 3 of 3 samples" in str(error)
    assert "eval()" in str(error)
    assert_batch_independent(net, layer="0", input_size=shape)


def test_a_reshape_across_samples() -> None:
    shape = (2, 3, 4)
    how = {"input_size": shape, "layout": "NTC"}
    assert_batch_independent(Folded(right=True), **how)
    leak = Folded(right=False)
    error = broken(assert_batch_independent, leak, **how)
    check(error, leak, shape)
    error = broken(assert_batch_independent, leak, output_axis=1, **how)
    check(error, leak, shape)
    assert error.counterexample.unit[1] != error.counterexample.element[0]


def test_batch_and_time_in_one_axis() -> None:
    flat = nn.Sequential(nn.Linear(4, 4), nn.Flatten(0, 1))
    assert_batch_independent(flat, input_size=(2, 3, 4), layout="NTC")


def test_attention_over_the_wrong_axis_mixes_samples() -> None:
    shape = (2, 6, 4)
    wrong = Attention(causal=False, batch_first=False).eval()
    error = broken(assert_batch_independent, wrong, input_size=shape, layout="NTC")
    check(error, wrong, shape)


def test_samples_in_another_order() -> None:
    class Flipped(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flip(0)

    error = broken(assert_batch_independent, Flipped(), input_size=(2, 4))
    assert error.counterexample.unit[0] == 1 - error.counterexample.element[0]


def test_a_loss_mixes_and_one_sample_cannot() -> None:
    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.square().mean()

    error = broken(assert_batch_independent, Mean(), input_size=(2, 4))
    assert error.counterexample.unit == ()
    with pytest.raises(InputError, match="larger batch"):
        assert_batch_independent(nn.Linear(4, 4), input_size=(1, 4))


# Sizes


def test_sees() -> None:
    shape = (1, 2, 15, 15)
    net = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, (3, 5), stride=2))
    assert_sees(net, "1", 5, input_size=shape)
    assert_sees(net, "1", (5, 7), stride=2, input_size=shape)
    assert_sees(net, "1", (None, 7), stride=(2, None), input_size=shape)
    error = broken(assert_sees, net, "1", 7, input_size=shape)
    check(error, net, shape, "1")
    assert "sees 5 along H" in str(error)
    assert error.counterexample.path == ("input", "0", "1")
    assert error.counterexample.element[2] - error.counterexample.nearest[2] == 1
    assert "stride 2 along H, promised 4" in str(broken(assert_sees, net, "1", 5, stride=4, input_size=shape))
    with pytest.raises(QuestionError, match="2 axes"):
        assert_sees(net, "1", (1, 2, 3), input_size=shape)


def test_sees_without_room_to_show_it() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 5, padding=2), nn.Conv2d(1, 1, 5, padding=2))
    error = broken(assert_sees, net, "1", 11, input_size=(1, 1, 4, 4))
    assert error.counterexample is None
    assert "too small" in str(error)


def test_sees_of_a_unet_and_of_a_gate() -> None:
    shape = (1, 2, 24, 24)
    report = eyeshot.analyze(UNet(), shape)
    size = report.outputs[0].size[0]
    assert_sees(report, "leave", size)
    error = broken(assert_sees, report, "leave", size + 1)
    check(error, UNet(), shape, "leave")
    assert_sees(Gated(), "after", 1000, input_size=(1, 2, 9, 9))
    error = broken(assert_sees, Gated(), "after", 6, view="local", input_size=(1, 2, 12, 12))
    assert "sees 5 along H" in str(error)


# Locality


def test_a_gate_breaks_locality_and_the_local_view_does_not() -> None:
    shape = (1, 2, 12, 12)
    net = Gated()
    error = broken(assert_local, net, halo=2, input_size=shape)
    check(error, net, shape)
    assert "since mean" in str(error)
    assert "gate" in error.counterexample.path
    assert 'view="local"' in str(error)
    assert_local(net, halo=2, view="local", input_size=shape)
    error = broken(assert_local, net, halo=1, view="local", input_size=shape)
    check(error, net, shape)
    assert error.counterexample.path == ("x", "conv", "mul", "after")


def test_the_halo_of_a_unet() -> None:
    shape = (1, 2, 24, 24)
    net = UNet()
    halo = eyeshot.analyze(net, shape).outputs[0].halo[0]
    assert_local(net, halo=max(halo), input_size=shape)
    assert_local(net, halo=[halo, halo], input_size=shape)
    for low, high in ((halo[0] - 1, halo[1]), (halo[0], halo[1] - 1)):
        error = broken(assert_local, net, halo=(low, high), input_size=shape)
        check(error, net, shape)
        distance = error.counterexample.element[2] - error.counterexample.unit[2]
        assert distance == (halo[1] if high < halo[1] else -halo[0])
        assert {"pool", "deep", "up", "leave"} <= set(error.counterexample.path)


def test_locality_at_any_input_size_and_at_the_border() -> None:
    wide = nn.Conv1d(1, 1, 9, padding=4)
    error = broken(assert_local, wide, halo=3, input_size=(1, 1, 3))
    assert error.counterexample is None
    assert "too small" in str(error)
    ring = nn.Conv1d(1, 1, 3, padding=1, padding_mode="circular")
    error = broken(assert_local, ring, halo=1, input_size=(1, 1, 8))
    assert dependence(ring, (1, 1, 8), None, error.counterexample.unit, error.counterexample.element)
    assert {error.counterexample.unit[2], error.counterexample.element[2]} == {0, 7}


def test_tokens_have_no_place_on_each_axis() -> None:
    tokens = nn.Sequential(nn.Conv2d(2, 2, 2, stride=2), nn.Flatten(2))
    how = {"input_size": (1, 2, 8, 8)}
    assert_local(tokens, "0", halo=0, **how)
    with pytest.raises(QuestionError, match="layer="):
        assert_local(tokens, halo=0, **how)
    # Frames are the leading part of such an axis, so that a unit has its place in time.
    video = nn.Sequential(nn.Conv3d(2, 2, (2, 1, 1)), nn.Flatten(2))
    how = {"input_size": (1, 2, 5, 3, 3)}
    assert_causal(video, lookahead=1, **how)
    error = broken(assert_causal, video, **how)
    check(error, video, (1, 2, 5, 3, 3))
    assert error.counterexample.element[2] - error.counterexample.unit[2] // 9 == 1


# The same field


def test_the_same_field() -> None:
    shape = (1, 2, 24, 24)
    assert_same_field(UNet(), UNet(), input_size=shape)
    error = broken(assert_same_field, UNet(), UNet(5), input_size=shape)
    assert "first module to differ" in str(error)
    assert "deep" in str(error).partition("first module to differ")[2]
    example = error.counterexample
    assert dependence(UNet(5), shape, None, example.unit, example.element)
    assert not dependence(UNet(), shape, None, example.unit, example.element)


def test_the_same_field_of_two_layers() -> None:
    net = nn.Sequential(
        nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 4, 1), nn.Conv2d(4, 4, 3, padding=1, groups=2)
    )
    shape = (1, 2, 8, 8)
    report = eyeshot.analyze(net, shape)
    assert_same_field(report["0"], report["1"])
    assert_same_field(report, report, ("0", "1"))
    error = broken(assert_same_field, report, report, ("0", "2"))
    check(error, net, shape, error.counterexample.layer)
    with pytest.raises(InputError, match="field"):
        assert_same_field(report["0"], report)


def test_the_same_box_with_other_holes() -> None:
    square = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1))
    shape = (1, 1, 9, 9)
    error = broken(assert_same_field, Cross(), square, input_size=shape)
    check(error, square, shape)
    example = error.counterexample
    assert not dependence(Cross(), shape, None, example.unit, example.element)
    assert "different elements" in str(error)


# Independence


def test_one_head_does_not_look_at_one_input() -> None:
    inputs = (torch.ones(2, 4), torch.ones(2, 4))
    assert_independent(Pair(), "seen", input="text", inputs=inputs)
    error = broken(assert_independent, Pair(), "both", input="image", inputs=inputs)
    assert error.counterexample.path == ("image", "left", "add")
    grouped = nn.Conv2d(4, 4, 3, groups=2)
    shape = (1, 4, 5, 5)
    half = {"unit": (None, slice(0, 2), None, None), "input_size": shape}
    assert_independent(grouped, element=(None, slice(2, 4), None, None), **half)
    error = broken(assert_independent, grouped, element=(None, slice(1, 4), None, None), **half)
    assert error.counterexample.element[1] == 1
    assert dependence(grouped, shape, None, error.counterexample.unit, error.counterexample.element)


# What is not certain


def test_over_approximation_keeps_no_promise_of_size() -> None:
    class Gather(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(3, 3, 3, padding=1)

        def forward(self, x: Tensor, index: Tensor) -> Tensor:
            x = self.conv(x)
            return x + x.gather(2, index)

    inputs = (torch.ones(1, 3, 9), torch.zeros(1, 3, 9, dtype=torch.int64))
    assert_sees(Gather(), "add", 3, inputs=inputs)
    error = broken(assert_sees, Gather(), "add", 9, inputs=inputs)
    assert not error.certain
    assert "data-dependent-index" in str(error)
    error = broken(assert_causal, Gather(), lookahead=1, inputs=inputs)
    assert not error.certain
    error = broken(assert_causal, Gather(), inputs=inputs)
    assert error.certain
    assert error.counterexample.path == ("x", "conv", "add")


# As a module


def test_reports_take_no_options() -> None:
    report = eyeshot.analyze(nn.Conv1d(1, 1, 3), (1, 1, 9))
    assert_causal(report, lookahead=2)
    with pytest.raises(InputError, match="input_size"):
        assert_causal(report, input_size=(1, 1, 9))


def test_importing_loads_nothing_heavy() -> None:
    code = "import sys, eyeshot.testing; print({'numpy', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_page_on_testing_holds() -> None:
    page = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
    example, message = (
        re.search(rf"^```{kind}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL).group(1)
        for kind in ("python", "text")
    )
    names: dict[str, object] = {}
    exec(example, names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 4
    for test in tests:
        test()
    decoder = nn.GRU(16, 32, batch_first=True, bidirectional=True).eval()
    error = broken(assert_causal, decoder, layer="0", input_size=(1, 20, 16), layout="NTC")
    assert str(error) == message.strip()
    assert set(re.findall(r"^\| `(assert_\w+)\(", page, re.MULTILINE)) == {
        name for name in testing.__all__ if name.startswith("assert_")
    }


def test_long_paths_are_shortened() -> None:
    net = nn.Sequential(*(nn.Conv1d(1, 1, 3, padding=1) for _ in range(20)))
    error = broken(assert_sees, net, "19", 43, input_size=(1, 1, 60))
    assert "by input → 0 → 1 → 2 → (13 more) → 16 → 17 → 18 → 19" in str(error)
    assert len(error.counterexample.path) == 21
