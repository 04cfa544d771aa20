"""Exported programs that are wrong: whatever a file says, the answer is a report or a typed error, and soon."""

import copy
import json
import random
import time
import tracemalloc
import warnings
import zipfile

import pytest
import torch
from torch import nn
from torch.export import Dim

import eyeshot

JUNK = [
    None, 0, 1, -1, 7, 1 << 23, 1 << 31, (1 << 63) - 1, -(1 << 40), 1.5, "", "x", [], {}, [[]], True,
    {"as_int": 1 << 23}, {"as_ints": [4096, 4096]}, {"as_none": True}, {"as_tensor": {"name": "x"}},
    *(f"torch.ops.aten.{name}" for name in (
        "arange.default", "repeat.default", "view.default", "index.Tensor", "copy_.default",
        "conv2d.default", "constant_pad_nd.default", "as_strided.default", "im2col.default", "einsum.default",
    )),
]  # fmt: skip


class Net(nn.Module):
    """Some of everything: symbols, tables, masks, writes, inner graphs."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 4, 3, 2, 1)
        self.register_buffer("order", torch.tensor([2, 0, 1, 3]))

    def forward(self, x):
        y = self.conv(x)[:, self.order]
        y[:, 1:, 0] = 0
        far = torch.arange(4)[:, None] - torch.arange(4) > 1
        weights = torch.zeros(4, 4).masked_fill(far, float("-inf")).softmax(-1)
        with torch.no_grad():
            z = weights @ nn.functional.pad(y, (1, 0))
        first, second = z.chunk(2, 1)
        return torch.cond(x.sum() > 0, lambda a: a.roll(1, -1), lambda a: a.flip(-1), (first + second,))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("net") / "net.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(Net().eval(), (torch.zeros(1, 3, 12),), dynamic_shapes=({2: Dim.AUTO},))
        torch.export.save(program, path)
    return path


def rewritten(path, out, change):
    """A copy of an archive with another program in it."""
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(out, "w") as copied:
        for name in archive.namelist():
            data = archive.read(name)
            if name.endswith("/models/model.json") or name.startswith("models/"):
                program = json.loads(data)
                data = json.dumps(change(program) or program)
            copied.writestr(name, data)
    return out


def places(record, path=()):
    yield path
    parts = (
        record.items() if isinstance(record, dict) else enumerate(record) if isinstance(record, list) else ()
    )
    for key, part in parts:
        yield from places(part, (*path, key))


def damage(program, draw):
    """Change, drop or duplicate a few pieces of the program."""
    anywhere = [path for path in places(program) if path and "stack_trace" not in path]
    for path in draw.sample(anywhere, draw.choice((1, 1, 2, 3))):
        holder, source = program, program
        try:
            for key in path[:-1]:
                holder = holder[key]
            for key in draw.choice(anywhere):
                source = source[key]
            if draw.random() < 0.2:
                del holder[path[-1]]
            else:
                holder[path[-1]] = draw.choice([*JUNK, copy.deepcopy(source)])
        except (KeyError, IndexError, TypeError):  # an earlier change took it away
            continue
    return program


@pytest.mark.parametrize("seed", range(6))
def test_damaged_programs(seed, file, tmp_path):
    """A slice of what a fuzzer does, by structure."""
    draw = random.Random(seed)
    answers = set()
    for _ in range(60):
        path = rewritten(file, tmp_path / "net.pt2", lambda program: damage(program, draw))
        began = time.monotonic()
        try:
            report = eyeshot.analyze(path, on_unknown=draw.choice(("error", "dense")))
            answers.add(len(report.outputs))
        except eyeshot.EyeshotError as error:
            answers.add(type(error).__name__)
        assert time.monotonic() - began < 5
    assert "FileFormatError" in answers
    assert 1 in answers


def tensor(program, **changes):
    """Change what is said of the convolution's output."""
    program["graph_module"]["graph"]["tensor_values"]["conv1d"].update(changes)


def node(program, number, **changes):
    program["graph_module"]["graph"]["nodes"][number].update(changes)


CONTRADICTIONS = {
    "a long axis": (lambda p: tensor(p, sizes=[{"as_int": 1}, {"as_int": 4}, {"as_int": 1 << 40}]), "UnsafeFileError"),
    "a negative axis": (lambda p: tensor(p, sizes=[{"as_int": 1}, {"as_int": 4}, {"as_int": -6}]), "FileFormatError"),
    "another shape": (lambda p: tensor(p, sizes=[{"as_int": 1}, {"as_int": 4}, {"as_int": 5}]), "FileFormatError"),
    "another rank": (lambda p: tensor(p, sizes=[{"as_int": 1}]), "FileFormatError"),
    "no such dtype": (lambda p: tensor(p, dtype=99), "FileFormatError"),
    "many axes": (lambda p: tensor(p, sizes=[{"as_int": 1}] * 10**5, strides=[{"as_int": 1}] * 10**5), "UnsafeFileError"),
    "no nodes": (lambda p: p["graph_module"]["graph"].update(nodes=[]), "FileFormatError"),
    "nodes in reverse": (lambda p: p["graph_module"]["graph"]["nodes"].reverse(), "FileFormatError"),
    "another version": (lambda p: p["schema_version"].update(major=99), "FileFormatError"),
    "an unknown op": (lambda p: node(p, -1, target="torch.ops.evil.run.default"), "UnsupportedOpError"),
    "code for an op": (lambda p: node(p, -1, target="os.system"), "UnsupportedOpError"),
    "a list": (lambda p: [p], "FileFormatError"),
    "nothing": (lambda p: {"graph_module": None}, "FileFormatError"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_contradictions_are_refused(name, file, tmp_path):
    change, error = CONTRADICTIONS[name]
    with pytest.raises(getattr(eyeshot, error)):
        eyeshot.analyze(rewritten(file, tmp_path / "net.pt2", change))


def test_guards_are_text(file, tmp_path):
    """What torch would run as code, and hand to SymPy, is never looked at, or only as arithmetic."""
    marker = tmp_path / "ran"
    code = f"__import__('pathlib').Path({str(marker)!r}).touch()"

    def guarded(program):
        program["guards_code"] = [code]
        program["range_constraints"][code] = {"min_val": 1, "max_val": None}

    assert eyeshot.analyze(rewritten(file, tmp_path / "a.pt2", guarded)).outputs
    with pytest.raises(eyeshot.FileFormatError, match="symbolic extent"):
        eyeshot.analyze(
            rewritten(
                file,
                tmp_path / "b.pt2",
                lambda program: tensor(program, sizes=[{"as_expr": {"expr_str": code}}] * 3),
            )
        )
    assert not marker.exists()


def test_extents_do_not_become_memory(file, tmp_path):
    """Many tensors within the limit of each: what all of them would take is added up first."""

    def grown(program):
        graph = program["graph_module"]["graph"]
        for record in graph["tensor_values"].values():
            record["sizes"] = [{"as_int": 1 << 23} for _ in record["sizes"]]

    path = rewritten(file, tmp_path / "net.pt2", grown)
    tracemalloc.start()
    try:
        with pytest.raises(eyeshot.EyeshotError):
            eyeshot.analyze(path)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_archives_without_a_program(tmp_path):
    path = tmp_path / "net.pt2"
    path.write_bytes(b"PK")
    with pytest.raises(eyeshot.FileFormatError):
        eyeshot.analyze(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", b"")
    with pytest.raises(eyeshot.FileFormatError, match="no exported program"):
        eyeshot.analyze(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/models/a.json", "{}")
        archive.writestr("net/models/b.json", "{}")
    with pytest.raises(eyeshot.FileFormatError, match="2 programs"):
        eyeshot.analyze(path)


def endless(program):
    """A loop that ends never, and does nothing."""
    graph = program["graph_module"]["graph"]
    truth = {**next(iter(graph["tensor_values"].values())), "dtype": 12, "sizes": [], "strides": []}
    graph["tensor_values"].update(start=truth, end=truth)
    same = {name: [{"as_tensor": {"name": "it"}}] for name in ("inputs", "outputs")} | {
        "nodes": [],
        "tensor_values": {},
    }
    inner = {"name": "", "arg": {"as_graph": {"name": "same", "graph": same}}, "kind": 1}
    state = {"name": "", "arg": {"as_tensors": [{"name": "start"}]}, "kind": 1}
    ones = {"target": "torch.ops.aten.ones.default", "inputs": [{"name": "size", "arg": {"as_ints": []}, "kind": 1}],
            "outputs": [{"as_tensor": {"name": "start"}}], "metadata": {}}  # fmt: skip
    loop = {"target": "torch.ops.higher_order.while_loop", "inputs": [inner, inner, state],
            "outputs": [{"as_tensors": [{"name": "end"}]}], "metadata": {}}  # fmt: skip
    graph["nodes"][:0] = [ones, loop]


def nested(program):
    stack = ";".join(f"{number},m{number},Net" for number in range(200_000))
    node(program, 0, metadata={"nn_module_stack": stack})


def unfolded(program):
    """Far more windows than the tensor it is said to give."""
    x = {"name": "self", "arg": {"as_tensor": {"name": "x"}}, "kind": 1}
    sizes = [{"name": "a", "arg": {"as_int": number}, "kind": 1} for number in (2, 1 << 23, 1)]
    node(program, 0, target="torch.ops.aten.unfold.default", inputs=[x, *sizes])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (endless, "UnsafeFileError"),
        (nested, "UnsafeFileError"),
        (unfolded, "UnsafeFileError"),
        (
            lambda program: tensor(program, sizes=[{"as_int": 1}, {"as_int": 1 << 23}, {"as_int": 1 << 23}]),
            "UnsafeFileError",
        ),
    ],
)
def test_what_would_take_long_is_refused_soon(change, error, file, tmp_path):
    path = rewritten(file, tmp_path / "net.pt2", change)
    began = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(getattr(eyeshot, error)):
            eyeshot.analyze(path)
        assert tracemalloc.get_traced_memory()[1] < 200 << 20
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < 10  # tracing slows it down five times
