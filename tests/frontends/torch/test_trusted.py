"""Files that run code when they are opened: refused without trust, and in a child process with it."""

import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import eyeshot
from eyeshot.errors import FileFormatError
from eyeshot.frontends.torch.capture import capture
from eyeshot.frontends.torch.lower import lower
from eyeshot.frontends.torch.transfer import decode, encode
from tools.ways_in.comparing import compare

SIZE = (1, 3, 9, 9)


class Touches:
    """Unpickling it leaves a mark."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, 1)).eval()


def saved(path, what):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if isinstance(what, torch.jit.ScriptModule):
            what.save(str(path))
        else:
            torch.save(what, path)
    return path


def scripted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(network())


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "net.bin", "net.ckpt", "net.pkl"])
def test_pickles_are_not_opened(name, tmp_path):
    mark = tmp_path / "ran"
    path = saved(tmp_path / name, {"model": Touches(mark)})
    with pytest.raises(eyeshot.UnsafeFileError, match=r"runs whatever code.*trust=True \(--trust\)"):
        eyeshot.analyze(path, SIZE)
    assert not mark.exists()


def test_script_is_not_opened(tmp_path):
    with pytest.raises(eyeshot.UnsafeFileError, match="TorchScript"):
        eyeshot.analyze(saved(tmp_path / "net.ts", scripted()), SIZE)


def test_a_pickled_module(tmp_path):
    live = eyeshot.analyze(network(), SIZE)
    for name, what in (("a.pt", network()), ("b.pth", {"epoch": 3, "model": network()})):
        outcome = compare(live, eyeshot.analyze(saved(tmp_path / name, what), SIZE, trust=True))
        assert outcome.rows == outcome.modules == 4
        assert not outcome.differing


def test_a_script(tmp_path):
    """The child's interpreter hides modules; what it computes is the same."""
    live = eyeshot.analyze(network(), SIZE)
    file = eyeshot.analyze(saved(tmp_path / "net.pt", scripted()), SIZE, trust=True)
    assert not compare(live, file).differing
    assert [tensor.op for tensor in file.graph.tensors] == [tensor.op for tensor in live.graph.tensors]


def test_what_holds_no_network(tmp_path):
    weights = saved(tmp_path / "weights.pth", network().state_dict())
    with pytest.raises(eyeshot.FileFormatError, match="weights without an architecture"):
        eyeshot.analyze(weights, SIZE, trust=True)
    noise = tmp_path / "noise.pt"
    noise.write_bytes(b"\x80\x02noise")
    with pytest.raises(eyeshot.ModelReferenceError, match="opening it raised"):
        eyeshot.analyze(noise, SIZE, trust=True)
    with pytest.raises(eyeshot.ModelReferenceError, match="cannot open"):
        eyeshot.analyze(tmp_path / "nothing.pt", SIZE, trust=True)


def test_errors_come_back_typed(tmp_path):
    path = saved(tmp_path / "net.pt", network())
    with pytest.raises(eyeshot.InputError, match="channels"):
        eyeshot.analyze(path, (1, 5, 9, 9), trust=True)
    with pytest.raises(eyeshot.InputError, match="input size"):
        eyeshot.analyze(path, trust=True)
    with pytest.raises(eyeshot.InputError, match="child process"):
        eyeshot.analyze(path, inputs=torch.zeros(SIZE), trust=True)


def test_an_exported_program_under_another_name(tmp_path):
    """It needs no trust."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(network(), (torch.zeros(SIZE),)), tmp_path / "net.pt2")
    path = (tmp_path / "net.pt2").rename(tmp_path / "net.pt")
    assert not compare(eyeshot.analyze(network(), SIZE), eyeshot.analyze(path)).differing


def test_from_a_plain_script(tmp_path):
    """A script without a guard around its main part isn't run again in the child."""
    path = saved(tmp_path / "net.pt", network())
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
            import eyeshot
            print(eyeshot.analyze({str(path)!r}, {SIZE}, trust=True).outputs[0].size)
        """)
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.stdout == "(7, 7)\n", done.stderr


class Tables(nn.Module):
    def forward(self, x, more):
        order = torch.arange(x.shape[-1], device=x.device).flip(0)
        return {
            "a": x[..., order] * (1 + 2j),
            "b": [torch.einsum("ij,j->i", x[0], more), x.sum(dtype=torch.float64)],
        }


def test_a_trace_survives_the_way():
    trace = capture(Tables(), (torch.zeros(1, 4, 3), torch.zeros(3)))
    again = decode(encode(trace))
    assert [str(call.args) for call in again.calls] == [str(call.args) for call in trace.calls]
    one, two = lower(trace), lower(again)
    assert [node.shape for node in one.nodes] == [node.shape for node in two.nodes]
    assert one.outputs == two.outputs
    assert list(again.inputs) == list(trace.inputs)
    known = [value.known for value in again.calls[0].args[1] if value is not None]
    assert np.array_equal(known[0], [2, 1, 0])


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["values"][0].__setitem__(0, [-1]),
        lambda record: record["values"][0].__setitem__(2, "elsewhere"),
        lambda record: record["values"][0].__setitem__(4, ["O", "gASVIA=="]),
        lambda record: record["values"][0].__setitem__(4, ["<i8", "AAAA"]),
        lambda record: record["calls"][0].__setitem__(1, {"value": 10**9}),
        lambda record: record["calls"][0].__setitem__(0, None),
        lambda record: record["calls"][0].pop(),
        lambda record: record["inputs"].update(x=-(10**9)),
        lambda record: record["modules"][0].__setitem__(4, 10**9),
        lambda record: record["notes"].append(7),
        lambda record: record.pop("calls"),
    ],
)
def test_what_a_child_sends_is_checked(change):
    record = encode(capture(Tables(), (torch.zeros(1, 4, 3), torch.zeros(3))))
    change(record)
    with pytest.raises(FileFormatError, match="no trace"):
        decode(record)
