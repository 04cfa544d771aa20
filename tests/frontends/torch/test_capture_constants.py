"""What follows from no parameter and no input is known, and equals what eager PyTorch computes."""

import numpy as np
import pytest
import torch
from torch import nn

from eyeshot.frontends.torch.capture import capture
from eyeshot.frontends.torch.trace import values_in


def meta(*shape):
    return torch.empty(shape, device="meta")


class Run(nn.Module):
    """A function as a model."""

    def __init__(self, function, **buffers):
        super().__init__()
        self.function = function
        for name, tensor in buffers.items():
            self.register_buffer(name, tensor)

    def forward(self, *args):
        return self.function(self, *args)


def known_output(function, *args, **buffers):
    trace = capture(Run(function, **buffers), args)
    return trace.outputs[""].known


BUILDERS = {
    "arange": lambda self, x: torch.arange(x.shape[-1], device=x.device) * 2 + 1,
    "literal": lambda self, x: torch.tensor([[1, 2], [3, 4]], device=x.device),
    "as_tensor": lambda self, x: torch.as_tensor([0.5, 2.0], device=x.device),
    "new_tensor": lambda self, x: x.new_tensor([1.0, 2.0]),
    "new_zeros": lambda self, x: x.new_zeros(2, 3) + 1,
    "full_like": lambda self, x: torch.full_like(x, 3.0),
    "linspace": lambda self, x: torch.linspace(-1, 1, 5, device=x.device),
    "eye": lambda self, x: torch.eye(4, dtype=torch.bool),
    "causal": lambda self, x: torch.full((5, 5), float("-inf"), device=x.device).triu(1),
    "meshgrid": lambda self, x: torch.stack(torch.meshgrid(torch.arange(3), torch.arange(2), indexing="ij")),
    "nonzero": lambda self, x: (torch.arange(6) % 2 == 0).nonzero(),
    "mask index": lambda self, x: torch.arange(6)[torch.arange(6) > 2],
    "from buffer": lambda self, x: self.table[1:].view(-1) + 1,
    "buffer cast": lambda self, x: self.table.to(x.device).float(),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_known_values_equal_eager(name):
    build = BUILDERS[name]
    table = torch.arange(6).reshape(3, 2)
    known = known_output(build, meta(2, 8), table=table)
    expected = Run(build, table=table)(torch.rand(2, 8))
    assert np.array_equal(known, expected.numpy())


def shifted_window_mask(self, x):
    mask = torch.zeros((1, 8, 8, 1), device=x.device)
    count = 0
    for rows in (slice(0, -4), slice(-4, -2), slice(-2, None)):
        for columns in (slice(0, -4), slice(-4, -2), slice(-2, None)):
            mask[:, rows, columns, :] = count
            count += 1
    windows = mask.view(1, 2, 4, 2, 4, 1).permute(0, 1, 3, 2, 4, 5).reshape(-1, 16)
    difference = windows.unsqueeze(1) - windows.unsqueeze(2)
    return difference.masked_fill(difference != 0, -100.0).masked_fill(difference == 0, 0.0)


def test_a_mask_built_by_writes_through_views():
    known = known_output(shifted_window_mask, meta(1, 3))
    assert np.array_equal(known, shifted_window_mask(None, torch.rand(1, 3)).numpy())
    assert len(np.unique(known)) == 2


def test_an_unknown_write_makes_the_whole_tensor_unknown_and_earlier_reads_stay():
    def forward(self, x):
        table = torch.zeros(4)
        before = table + 1
        view = table[2:]
        table[0] = x[0]
        return before, table, view, table[2:].clone()

    trace = capture(Run(forward), (meta(3),))
    assert np.array_equal(trace.outputs[".0"].known, np.ones(4))
    assert all(trace.outputs[f".{i}"].known is None for i in (1, 2, 3))


@pytest.mark.parametrize(
    "make",
    [
        lambda self, x: torch.rand(3),
        lambda self, x: torch.randperm(3),
        lambda self, x: torch.rand_like(x),
        lambda self, x: x.new_empty(3).bernoulli_(0.5),
        lambda self, x: torch.zeros(3).uniform_(),
    ],
)
def test_random_numbers_are_never_known(make):
    trace = capture(Run(make), (meta(3),))
    assert trace.outputs[""].known is None
    assert trace.outputs[""].origin == "constant"


def test_which_buffers_are_known():
    buffers = {
        "table": torch.arange(5),
        "gate": torch.tensor([True, False]),
        "mask": torch.tensor([0.0, float("-inf"), 0.0]),
        "weights": torch.linspace(0, 1, 7),
        "huge": torch.zeros(4 * 1024 * 1024 + 1, dtype=torch.bool),
    }
    trace = capture(Run(lambda self, x: dict(self.named_buffers()), **buffers), (meta(1),))
    assert {name for name, v in trace.outputs.items() if v.known is not None} == {".table", ".gate", ".mask"}
    assert {v.name for v in trace.outputs.values()} == set(buffers)
    assert all(
        np.array_equal(trace.outputs[f".{n}"].known, buffers[n].numpy()) for n in ("table", "gate", "mask")
    )


def test_floating_parameters_and_what_follows_are_unknown_but_integer_ones_known():
    class Held(nn.Module):
        def __init__(self):
            super().__init__()
            self.zero = nn.Parameter(torch.zeros(3))
            self.count = nn.Parameter(torch.tensor([1, 2]), requires_grad=False)

        def forward(self, x):
            return self.zero + 1, self.count + 1

    trace = capture(Held(), (meta(1),))
    assert trace.outputs[".0"].known is None
    assert trace.outputs[".1"].known.tolist() == [2, 3]


def test_integer_inputs_are_inputs():
    trace = capture(Run(lambda self, i: i + 1), (torch.tensor([1, 2]),))
    assert trace.outputs[""].known is None
    assert not trace.real


def test_large_results_are_left_on_meta():
    def forward(self, x):
        n = torch.arange(3000)
        return n[:, None] * n[None], torch.zeros(1 << 23)

    trace = capture(Run(forward), (meta(1),))
    assert all(v.known is None for v in trace.outputs.values())
    assert trace.outputs[".0"].shape == (3000, 3000)


def test_swin_tables_and_masks():
    timm = pytest.importorskip("timm")
    model = timm.create_model("swin_tiny_patch4_window7_224").eval()
    buffers = dict(model.named_buffers())
    trace = capture(model, (meta(1, 3, 224, 224),))
    read = [v for call in trace.calls for v in values_in((call.args, call.kwargs)) if v.known is not None]
    tables = {v for v in read if v.shape == (49 * 49,)}
    masks = {v for v in read if v.known.dtype == np.float32}
    assert len(tables) == 12
    assert len(masks) == 5
    expected = {buffers[n].numpy().tobytes() for n in buffers if n.endswith("relative_position_index")}
    assert {v.known.tobytes() for v in tables} == expected
    expected = {buffers[n].numpy().tobytes() for n in buffers if n.endswith("attn_mask")}
    assert {v.known.tobytes() for v in masks} == expected
