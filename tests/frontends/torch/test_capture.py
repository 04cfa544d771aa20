"""The record of a forward against what plain hooks see in a real CPU forward."""

import collections
import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from eyeshot.frontends.torch.capture import capture
from eyeshot.frontends.torch.modules import leaves
from eyeshot.frontends.torch.trace import Trace, values_in


def meta(*shape, dtype=torch.float32):
    return torch.empty(shape, dtype=dtype, device="meta")


def shapes_by_hooks(model, *args, **kwargs):
    """Path and visit of every module call with its flattened output shapes, from a real forward."""
    seen, visits, handles = {}, collections.Counter(), []

    def hook(path):
        def note(module, inputs, output):
            seen[path, visits[path]] = {name: tuple(t.shape) for name, t in leaves(output)}
            visits[path] += 1

        return note

    for path, module in model.named_modules():
        handles.append(module.register_forward_hook(hook(path)))
    with torch.no_grad():
        model(*args, **kwargs)
    for handle in handles:
        handle.remove()
    return seen


def shapes_in(trace):
    return {(m.path, m.visit): {name: v.shape for name, v in m.outputs.items()} for m in trace.modules}


def ops(trace: Trace):
    return collections.Counter(call.op for call in trace.calls)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 6, 3, 2, 1),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.Conv2d(6, 6, 3, padding="same"),
        )
        self.skip = nn.Conv2d(3, 6, 1, 2)

    def forward(self, x):
        y = self.body(x)
        y += self.skip(x)
        return F.relu_(y)


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.again = self.first
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.again(self.act(self.first(x))))


class Parts(nn.Module):
    """A dictionary of a list and a tensor; the forward takes keywords."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 8, 5)

    def forward(self, x, *, scale, other=None):
        y = self.conv(x)
        if other is not None:
            y = y + other["bias"]
        return {"halves": list(y.chunk(2, 1)), "scaled": y * scale}


class Branchy(nn.Module):
    """Control flow over Python numbers, shapes and known constants."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(4))
        self.register_buffer("order", torch.tensor([2, 0, 3]))

    def forward(self, x):
        for position in self.order.tolist():
            x = self.layers[position](x)
        while x.shape[0] < 8:
            x = torch.cat([x, x])
        if bool((torch.arange(3).sum() > 2).item()):
            x = x[: int(self.order.max())]
        return x


MODELS = {
    "residual": (Residual, ((2, 3, 17, 16),), {}),
    "shared": (Shared, ((1, 3, 8, 8),), {}),
    "branchy": (Branchy, ((2, 8),), {}),
    "attention": (lambda: nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), ((2, 5, 16),), {}),
    "lstm": (lambda: nn.LSTM(4, 6, 2, bidirectional=True, proj_size=3), ((7, 2, 4),), {}),
    "gru": (lambda: nn.GRU(4, 6, batch_first=True), ((2, 7, 4),), {}),
    "rnn": (lambda: nn.RNN(4, 6), ((7, 2, 4),), {}),
    "unbatched lstm": (lambda: nn.LSTM(4, 6), ((7, 4),), {}),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2), ((1, 4, 5, 6),), {}),
    "volume": (
        lambda: nn.Sequential(nn.Conv3d(2, 4, 3), nn.InstanceNorm3d(4), nn.AvgPool3d(2)),
        ((1, 2, 9, 8, 7),),
        {},
    ),
    "parts": (Parts, ((2, 4, 9),), {"scale": (1,), "other": {"bias": (8, 1)}}),
}


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("training", [False, True])
def test_module_outputs_have_the_shapes_that_hooks_see(name, training):
    build, shapes, options = MODELS[name]
    model = build().train(training)
    real = _filled(options, torch.rand)
    expected = shapes_by_hooks(model, *(torch.rand(s) for s in shapes), **real)
    trace = capture(model, tuple(meta(*s) for s in shapes), _filled(options, meta))
    assert shapes_in(trace) == expected
    assert not trace.real
    assert trace.training is training


def _filled(shapes, make):
    return {k: _filled(v, make) if isinstance(v, dict) else make(*v) for k, v in shapes.items()}


def test_calls_are_functional_and_belong_to_their_modules():
    trace = capture(Residual().eval(), (meta(1, 3, 8, 8),))
    assert ops(trace) == {
        "aten.convolution.default": 3,
        "aten.batch_norm.default": 1,
        "aten.relu.default": 2,
        "aten.add.Tensor": 1,
    }
    assert [call.module for call in trace.calls] == ["body.0", "body.1", "body.2", "body.3", "skip", "", ""]
    ranges = {m.path: (m.first_call, m.last_call) for m in trace.modules}
    assert ranges["body"] == (0, 4)
    assert ranges[""] == (0, 7)


def test_every_value_is_made_before_it_is_read():
    for build, shapes, options in MODELS.values():
        trace = capture(build().eval(), tuple(meta(*s) for s in shapes), _filled(options, meta))
        made = set(map(id, trace.inputs.values()))
        for call in trace.calls:
            for value in values_in((call.args, call.kwargs)):
                assert value.origin in {"parameter", "buffer", "constant"} or id(value) in made
            made |= set(map(id, call.outputs))
        assert all(id(v) in made for v in trace.outputs.values())


def test_a_module_under_two_names_has_the_first_and_counts_its_visits():
    trace = capture(Shared(), (meta(1, 3, 8, 8),))
    assert [(m.path, m.visit) for m in trace.modules] == [
        ("first", 0),
        ("act", 0),
        ("first", 1),
        ("act", 1),
        ("", 0),
    ]
    assert [call.visit for call in trace.calls] == [0, 0, 1, 1]
    weights = {
        value.name for call in trace.calls for value in values_in(call.args) if value.origin == "parameter"
    }
    assert weights == {"first.weight", "first.bias"}


def test_parameters_are_counted_where_they_are_owned_and_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(5))
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.b(self.a(x)) * self.scale[0]

    trace = capture(Tied(), (meta(1, 4),))
    assert {m.path: m.parameters for m in trace.modules} == {"a": 20, "b": 4, "": 5}


def test_inputs_are_named_after_the_forward_and_their_place():
    class Many(nn.Module):
        def forward(self, image, pair, *rest, flag=None):
            return image + pair[0] + pair[1]["deep"] + rest[0] + flag

    one = meta(2)
    trace = capture(Many(), (one, (one, {"deep": one}), one), {"flag": one})
    assert list(trace.inputs) == ["image", "pair.0", "pair.1.deep", "rest.0", "flag"]
    assert all(value.origin == "input" and value.name == name for name, value in trace.inputs.items())


def test_dataclass_and_named_outputs():
    @dataclasses.dataclass
    class Out:
        logits: torch.Tensor
        extra: tuple[torch.Tensor, ...]

    class Model(nn.Module):
        def forward(self, x):
            return Out(x * 2, (x + 1, x - 1))

    trace = capture(Model(), (meta(3),))
    assert {name: v.shape for name, v in trace.outputs.items()} == {
        ".logits": (3,), ".extra.0": (3,), ".extra.1": (3,),
    }  # fmt: skip


def test_training_shows_in_the_batch_norm_call():
    (call,) = capture(nn.BatchNorm2d(3).eval(), (meta(2, 3, 4, 4),)).calls
    assert (call.op, call.args[5]) == ("aten.batch_norm.default", False)
    calls = capture(nn.BatchNorm2d(3).train(), (meta(2, 3, 4, 4),)).calls
    assert "aten._native_batch_norm_legit_functional.default" in [call.op for call in calls]


def test_attention_stays_one_call_with_its_mask():
    class Causal(nn.Module):
        def forward(self, q, mask):
            return F.scaled_dot_product_attention(q, q, q, attn_mask=mask), F.scaled_dot_product_attention(
                q, q, q, is_causal=True
            )

    trace = capture(Causal(), (meta(1, 2, 5, 4), meta(5, 5)))
    assert ops(trace) == {"aten.scaled_dot_product_attention.default": 2}
    masked = trace.calls[0].args + tuple(trace.calls[0].kwargs.values())
    assert any(item is trace.inputs["mask"] for item in masked)


def test_packed_sequences():
    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.LSTM(4, 6)

        def forward(self, x):
            packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([5, 3]))
            return nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0])[0]

    trace = capture(Packed(), (meta(5, 2, 4),))
    assert trace.outputs[""].shape == (5, 2, 6)
    assert ops(trace)["aten.lstm.data"] == 1


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda m: torch.compile(m, backend="eager")])
def test_wrappers_are_taken_off(wrap):
    trace = capture(wrap(Residual().eval()), (meta(1, 3, 8, 8),))
    assert "body.0" in {m.path for m in trace.modules}


def test_arguments_are_pure_data():
    class Mixed(nn.Module):
        def forward(self, x):
            y = x.to(torch.float64).sum((1,), dtype=torch.float32)
            return torch.full_like(y, 3.0) + y.to("cpu", memory_format=torch.contiguous_format)

    def plain(item):
        if isinstance(item, list | tuple):
            return all(map(plain, item))
        return isinstance(item, int | float | str | None) or type(item).__name__ == "Value"

    trace = capture(Mixed(), (meta(2, 3),))
    assert all(plain(call.args) and plain(tuple(call.kwargs.values())) for call in trace.calls)
    assert trace.calls[0].kwargs == {"dtype": "float64"}
