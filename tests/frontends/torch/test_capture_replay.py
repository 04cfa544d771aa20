"""A trace run again, call by call, on real numbers gives what the model gives."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import eyeshot
from eyeshot.frontends.torch.capture import capture
from eyeshot.frontends.torch.trace import Value

WORDS = {"dtype": torch, "memory_format": torch, "layout": torch}


def replay(trace, model, inputs):
    """Every output of the trace, computed from its calls alone."""
    held = dict(model.named_parameters(remove_duplicate=False)) | dict(
        model.named_buffers(remove_duplicate=False)
    )
    made = {id(value): inputs[name] for name, value in trace.inputs.items()}

    def real(item):
        if isinstance(item, Value):
            if id(item) in made:
                return made[id(item)]
            if item.known is not None:
                return torch.from_numpy(item.known).to(getattr(torch, item.dtype))
            return held[item.name].detach()
        if isinstance(item, list | tuple):
            return [real(part) for part in item]
        return item

    for call in trace.calls:
        namespace, packet, overload = call.op.split(".")
        function = getattr(getattr(getattr(torch.ops, namespace), packet), overload)
        options = {k: getattr(torch, v) if k in WORDS and v else real(v) for k, v in call.kwargs.items()}
        out = function(*(real(arg) for arg in call.args), **options)
        parts = out if isinstance(out, list | tuple) else [out]
        for value, part in zip(call.outputs, parts, strict=True):
            if value is not None:
                assert tuple(part.shape) == value.shape
                assert str(part.dtype) == f"torch.{value.dtype}"
                made[id(value)] = part.contiguous()  # a Value has no strides
    return {name: real(value) for name, value in trace.outputs.items()}


def check(model, *inputs, real=False):
    shapes = [x if real else torch.empty(x.shape, dtype=x.dtype, device="meta") for x in inputs]
    trace = capture(model, tuple(shapes))
    assert trace.real is real
    with torch.no_grad():
        expected = model(*(x.clone() for x in inputs))
    got = replay(trace, model, dict(zip(trace.inputs, inputs, strict=True)))
    expected = expected if isinstance(expected, tuple | list) else (expected,)
    assert len(expected) == len(got)
    for a, b in zip(expected, got.values(), strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-5)


class Run(nn.Module):
    """A function as a model."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


def chained(x):
    y = x.clone()
    y.relu_().mul_(2).sub_(x)
    return y


def through_views(x):
    y = x.clone()
    flat = y.flatten(2)
    z = flat.view(*x.shape)
    flat.relu_()
    z[..., 0] += 1
    y.add_(2)
    y.permute(0, 2, 3, 1)[:, 1:, ::2].mul_(3)
    y.transpose(1, 2).select(1, 2).neg_()
    return z, flat, y


def slices(x):
    out = torch.zeros(2, 3, 5, 6, device=x.device)
    out[:, 1:2, ::2] = x[:, :1, ::2]
    out[0] = 1
    out[:, 2, 1:4, -3:] = 7.0
    out[:, 0].diagonal(dim1=1, dim2=2).add_(5)
    out[..., 3:4] *= x[..., 2:3]
    return out


def many_views(x):
    y = x + 0
    first, second = y.chunk(2, dim=3)
    parts = y.unbind(1)
    rows = y.split([2, 3], dim=2)
    first.zero_()
    parts[1].add_(1)
    rows[1].mul_(x[:, :, 2:])
    second.squeeze(0).unsqueeze(0).copy_(first.expand_as(second) + 4)
    return y, first, second, *parts, *rows


def moving(x):
    y = x.clone()
    view = y[0]
    y.unsqueeze_(0).transpose_(1, 2)
    y.add_(1)
    view.mul_(2)
    y.squeeze_(0)
    return y, view


def with_out(x):
    y = torch.empty_like(x)
    torch.add(x, 1, out=y)
    values, order = torch.empty_like(x), torch.empty(x.shape, dtype=torch.long, device=x.device)
    torch.sort(x, out=(values, order))
    return y, values, order


def indices(x):
    y = x.clone()
    mask = torch.arange(6) > 2
    y[..., mask] = 0
    y[:, torch.tensor([0, 2])] += 1
    y.masked_fill_(y > 0.5, -1.0)
    y.index_add_(3, torch.tensor([0, 1]), x[..., :2])
    return y, y[..., mask], y[:, [1, 0]]


def casting(x):
    y = torch.ones(2, 3, 5, 6, dtype=torch.float64)
    y[:] = x
    z = torch.zeros(2, 3, 5, 6, dtype=torch.long)
    z.copy_(x * 9)
    z.fill_(x[0, 0, 0, 0] * 0 + 3)
    return y, z, y.to(x), x.type(torch.int32), x.half().float()


def strided(x):
    y = x.contiguous().clone()
    y.as_strided((4, 5), (7, 3), 2).add_(1)
    inner = y[1].transpose(0, 2)
    return y, y.unfold(3, 2, 2), inner.as_strided((2, 3), (1, 4)), inner.as_strided((2, 3), (1, 4), 5)


def mixed(x):
    a, b = F.pad(x, (1, 2, 0, 1), mode="reflect"), F.interpolate(x, scale_factor=1.5, mode="bilinear")
    c = torch.einsum("nchw,ncij->nhi", x, x).softmax(-1).log_softmax(1)
    d = torch.stack(torch.meshgrid(torch.arange(5), torch.arange(6), indexing="ij")) * x[:, :2]
    e = F.adaptive_avg_pool2d(F.max_pool2d(x, 2, ceil_mode=True), 2).var(1, keepdim=True)
    return a, b, c, d, e, torch.cat([x, x.flip(-1)], 1).roll(2, 2), x.std(), x.repeat(1, 2, 1, 1).argmax(1)


FUNCTIONS = (
    chained, through_views, slices, many_views, moving, with_out, indices, casting, strided, mixed,
)  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_functions(function):
    torch.manual_seed(0)
    shape = (1, 3, 5, 6) if function is many_views else (2, 3, 5, 6)
    check(Run(function), torch.rand(shape) - 0.3)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_functions_in_a_real_forward(function):
    def needy(x):
        assert x.sum().item() < 1e9
        return function(x)

    torch.manual_seed(0)
    shape = (1, 3, 5, 6) if function is many_views else (2, 3, 5, 6)
    check(Run(needy), torch.rand(shape) - 0.3, real=True)


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.gru = nn.LSTM(4, 6, 2, bidirectional=True), nn.GRU(12, 3)

    def forward(self, x):
        y, (h, c) = self.lstm(x)
        return y, h, c, *self.gru(y)


LAYERS = {
    "transformer": (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32), 2), (5, 2, 16)),
    "batch first": (lambda: nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), (5, 2, 16)),
    "recurrent": (Sequence, (7, 2, 4)),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2, dilation=2), (1, 4, 5, 6)),
    "same": (lambda: nn.Conv2d(4, 6, (4, 3), padding="same"), (1, 4, 5, 6)),
    "circular": (lambda: nn.Conv1d(4, 6, 3, padding=1, padding_mode="circular"), (4, 9)),
    "unbatched": (lambda: nn.Conv2d(4, 6, 3), (4, 5, 6)),
}


@pytest.mark.filterwarnings("ignore:enable_nested_tensor", "ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    torch.manual_seed(0)
    build, shape = LAYERS[name]
    check(build().eval(), torch.rand(shape))


@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5", "swin_t", "squeezenet1_1"]
)
def test_torchvision(name):
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    check(torchvision.models.get_model(name, weights=None).eval(), torch.rand(1, 3, 65, 70))


@pytest.mark.parametrize(
    "name", ["convnext_atto", "levit_128s", "xcit_nano_12_p8_224", "ghostnet_050", "halonet26t"]
)
def test_timm(name):
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    size = 224 if name == "levit_128s" else 256 if name == "halonet26t" else 64
    check(timm.create_model(name, pretrained=False).eval(), torch.rand(1, 3, size, size))


class Statistics(nn.Module):
    """A batch norm in train mode, and what it wrote."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x):
        return self.norm(x), self.norm.running_mean, self.norm.running_var + 1


def test_running_statistics_are_of_this_forward():
    torch.manual_seed(0)
    x = torch.randn(4, 3, 5, 6)
    model = Statistics()
    trace = capture(model, (x.to("meta"),))
    got = replay(trace, model, {"x": x})
    with torch.no_grad():
        expected = model(x)
    for a, b in zip(expected, got.values(), strict=True):
        torch.testing.assert_close(a, b)
    report = eyeshot.analyze(Statistics(), (4, 3, 5, 6), axes="all")
    assert report.outputs[1].at(1).size == (4, 1, 5, 6)
