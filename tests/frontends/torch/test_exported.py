"""Exported programs: what their files say of a network is what a live capture of it says, in every number and every box."""

import json
import subprocess
import sys
import warnings
import zipfile

import pytest
import torch
from torch import nn
from torch.export import Dim

import eyeshot
from eyeshot.frontends.torch.exported.hierarchy import _PARTS
from eyeshot.frontends.torch.zoo import load
from tools.ways_in.comparing import compare


def written(path, model, args, *, core=False, **options):
    """An exported program in a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(model.eval(), args, **options)
        torch.export.save(program.run_decompositions() if core else program, path)
    return path


def the_same(live, file, absent=()):
    outcome = compare(live, file)
    assert not outcome.differing
    assert {name.split(" ")[0] for name in outcome.absent} == set(absent)
    assert list(live.graph.inputs) == list(file.graph.inputs)
    assert list(live.graph.outputs) == list(file.graph.outputs)


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.act(self.norm(self.conv(x)))
        y += x
        return y


class Repeated(nn.Module):
    """One module called three times."""

    def __init__(self):
        super().__init__()
        self.block = Block(3)

    def forward(self, image):
        return self.block(self.block(self.block(image)))


class Writes(nn.Module):
    """Writes in place: into views, views of views, and what they were made of is read afterwards."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 4, 3, padding=1)

    def forward(self, x):
        y = self.conv(x)
        rows = y[:, 1:3]
        rows[:, 0].mul_(2).copy_(x[:, 0].flip(-1))
        y.view(y.shape[0], 2, 2, -1)[:, 1, 1, 4:] = 0
        y[..., 0].fill_(1)
        y[:, 2:].add_(y[:, :2].roll(1, -1))
        torch.relu_(y)
        return y, rows * 1


class Shifted(nn.Module):
    """Windows with a cyclic shift: an index table and a mask of -inf, one made in the forward, one held."""

    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(4, 12)
        grid = torch.arange(8).view(2, 4)
        self.register_buffer("order", grid.T.reshape(-1))
        self.register_buffer(
            "mask",
            torch.zeros(8, 8).masked_fill(grid.T.reshape(-1, 1) % 4 != torch.arange(8) % 4, -torch.inf),
        )

    def forward(self, x):
        x = torch.roll(x, -2, 1)[:, self.order]
        q, k, v = self.qkv(x).chunk(3, -1)
        causal = torch.full((8, 8), float("-inf"), device=x.device).triu(3)
        scores = q @ k.transpose(-2, -1) + self.mask + causal
        return scores.softmax(-1) @ v


class Gathers(nn.Module):
    """Tables of all kinds: lists, counters, masks, and one that depends on the input's extent."""

    def __init__(self):
        super().__init__()
        self.table = torch.tensor([3, 0, 2])

    def forward(self, x):
        every = torch.arange(0, x.shape[-1], 2, device=x.device)
        odd = torch.arange(8) % 3 == 1
        pairs = torch.stack(torch.meshgrid(torch.arange(2), self.table, indexing="ij")).flatten(1)
        padded = nn.functional.pad(x, (1, 2))[..., every]
        return x[:, :, self.table], x[:, :, odd], padded, x[:, :2, :][:, pairs[0], pairs[1]]


class Causal(nn.Module):
    """Attention that core ATen takes apart, masks and all."""

    def forward(self, x):
        return nn.functional.scaled_dot_product_attention(x, x.roll(1, -1), x.flip(-1), is_causal=True)


class Named(nn.Module):
    """Inputs and outputs with structure."""

    def forward(self, image, state, *, scale=None):
        pooled = nn.functional.avg_pool2d(image, 2)
        return {"pooled": pooled, "rest": [state["a"][0] + 1, (scale * 2,)]}


class Wrapped(nn.Module):
    """Inner graphs: one without gradients, and a choice that depends on data."""

    def forward(self, x):
        with torch.no_grad():
            y = nn.functional.avg_pool1d(x, 3, 1, 1)
        return torch.cond(y.sum() > 0, lambda t: t + 1, lambda t: nn.functional.avg_pool1d(t, 5, 1, 2), (y,))


SMALL = {
    "block": (Block(3), (1, 3, 9, 9)),
    "repeated": (Repeated(), (2, 3, 8, 8)),
    "writes": (Writes(), (2, 3, 8)),
    "shifted": (Shifted(), (1, 8, 4)),
    "gathers": (Gathers(), (1, 3, 8)),
    "causal": (Causal(), (1, 2, 6, 4)),
    "slopes": (nn.Sequential(nn.Conv2d(2, 3, 3), nn.PReLU(3), nn.PReLU()), (1, 2, 6, 6)),
    "recurrent": (nn.Sequential(nn.LSTM(4, 3, batch_first=True, bidirectional=True)), (1, 5, 4)),
    "attention": (nn.TransformerEncoderLayer(8, 2, 8, batch_first=True), (1, 6, 8)),
    "upsampled": (nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.PixelUnshuffle(2)), (1, 2, 5, 5)),
    "transposed": (nn.Sequential(nn.ConvTranspose2d(2, 3, 3, 2, 1, 1), nn.AdaptiveAvgPool2d(4)), (1, 2, 5, 5)),
    "norms": (nn.Sequential(nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), nn.LayerNorm([6, 6]), nn.Softmax(1)), (1, 4, 6, 6)),
}  # fmt: skip


@pytest.mark.parametrize("core", [False, True], ids=["training", "core"])
@pytest.mark.parametrize("name", SMALL)
def test_a_file_is_the_live_network(name, core, tmp_path):
    model, size = SMALL[name]
    live = eyeshot.analyze(model.eval(), size)
    file = eyeshot.analyze(written(tmp_path / "m.pt2", model, (torch.zeros(size),), core=core))
    gone = {name for name in live if core and live[name].op == "Dropout"}
    the_same(live, file, gone)


ZOO = [
    "timm:test_resnet", "timm:test_vit", "timm:test_efficientnet", "timm:test_convnext", "timm:test_nfnet",
    "torchvision:squeezenet1_1",
]  # fmt: skip


@pytest.mark.parametrize("reference", ZOO)
def test_networks_of_the_zoos(reference, tmp_path):
    """The slice of ``python -m tools.ways_in pt2`` that takes a few seconds."""
    model = load(reference, initialised=True).model
    size = (1, 3, 64, 64) if "vit" not in reference else (1, 3, 160, 160)
    live = eyeshot.analyze(model, size)
    outcome = compare(live, eyeshot.analyze(written(tmp_path / "m.pt2", model, (torch.zeros(size),))))
    assert not outcome.differing
    assert outcome.rows > 20
    assert all("Identity" in name or "Dropout" in name or "Drop" in name for name in outcome.absent)


def test_a_program_in_memory_is_its_file(tmp_path):
    model = Shifted()
    program = torch.export.export(model, (torch.zeros(1, 8, 4),))
    the_same(eyeshot.analyze(model.eval(), (1, 8, 4)), eyeshot.analyze(program))


def test_names_of_inputs_and_outputs(tmp_path):
    args, kwargs = (torch.zeros(1, 3, 8, 8), {"a": [torch.zeros(4)]}), {"scale": torch.zeros(2)}
    path = written(tmp_path / "m.pt2", Named(), args, kwargs=kwargs)
    live = eyeshot.analyze(Named(), inputs=args, kwargs=kwargs)
    file = eyeshot.analyze(path)
    assert list(file.graph.inputs) == ["image", "state.a.0", "scale"] == list(live.graph.inputs)
    the_same(live, file)
    assert eyeshot.analyze(path, {"image": (1, 3, 8, 8)}).outputs[0].size == (2, 2)
    with pytest.raises(eyeshot.InputError, match="no input 'picture'"):
        eyeshot.analyze(path, {"picture": (1, 3, 8, 8)})


def test_inner_graphs(tmp_path):
    """A choice reads what both branches read, and the condition: the whole input."""
    report = eyeshot.analyze(written(tmp_path / "m.pt2", Wrapped(), (torch.zeros(1, 2, 9),)))
    assert report.graph.outputs
    assert report.outputs[0].at(0, 0, 4).size == (9,)


class TestSymbols:
    """Extents that were left open."""

    def both(self, path, model, size):
        return eyeshot.analyze(model.eval(), size), eyeshot.analyze(path, size)

    @pytest.mark.parametrize("core", [False, True], ids=["training", "core"])
    def test_at_any_size(self, core, tmp_path):
        model = nn.Sequential(nn.Conv2d(3, 4, 5, 2, 1), Block(4), nn.Conv2d(4, 4, 3, 2, 1))
        axes = {0: Dim("batch"), 2: Dim("height", min=12), 3: Dim.AUTO}
        path = written(
            tmp_path / "m.pt2", model, (torch.zeros(2, 3, 20, 24),), dynamic_shapes=(axes,), core=core
        )
        for size in ((2, 3, 20, 24), (3, 3, 31, 17), (1, 3, 64, 40)):
            the_same(*self.both(path, model, size))
        assert eyeshot.analyze(path).input_shape == (2, 3, 20, 24)
        with pytest.raises(eyeshot.InputError, match="12 to any number"):
            eyeshot.analyze(path, (2, 3, 8, 24))

    def test_tables_grow_with_the_input(self, tmp_path):
        class Backwards(nn.Module):
            def forward(self, x):
                order = torch.arange(x.shape[2] - 1, -1, -1, device=x.device)
                far = order[:, None] - order > 2
                return x[:, :, order] + (x @ torch.where(far, float("-inf"), 0.0).softmax(-1))

        path = written(
            tmp_path / "m.pt2", Backwards(), (torch.zeros(2, 3, 8),), dynamic_shapes=({2: Dim.AUTO},)
        )
        the_same(*self.both(path, Backwards(), (2, 3, 12)))

    def test_a_multiple(self, tmp_path):
        class Halves(nn.Module):
            def forward(self, x):
                left, right = x.chunk(2, 2)
                return left + right

        half = Dim("half", min=2)
        path = written(tmp_path / "m.pt2", Halves(), (torch.zeros(1, 1, 8),), dynamic_shapes=({2: 2 * half},))
        the_same(*self.both(path, Halves(), (1, 1, 12)))
        with pytest.raises(eyeshot.InputError, match="no extents make its axis 2"):
            eyeshot.analyze(path, (1, 1, 13))

    def test_what_is_fixed_stays(self, tmp_path):
        path = written(tmp_path / "m.pt2", Block(3), (torch.zeros(1, 3, 8, 8),))
        with pytest.raises(eyeshot.InputError, match=r"axis 2 is fixed, and cannot be 9.*dynamic_shapes"):
            eyeshot.analyze(path, (1, 3, 9, 8))
        with pytest.raises(eyeshot.InputError, match="another rank"):
            eyeshot.analyze(path, (3, 8, 8))

    def test_extents_that_depend_on_data(self, tmp_path):
        class Chosen(nn.Module):
            def forward(self, x):
                return x[x > 0] * 2

        path = written(tmp_path / "m.pt2", Chosen(), (torch.rand(8),))
        with pytest.raises(eyeshot.UnsupportedOpError, match="depend on data"):
            eyeshot.analyze(path)


def test_results_of_modules(tmp_path):
    """Several tensors have the program's own names, unless torch was asked to keep how a module returns them."""

    class Two(nn.Module):
        def forward(self, x):
            early = x * 2
            return {"late": early.flip(-1), "early": early}

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.two = Two()

        def forward(self, x):
            found = self.two(x)
            return found["late"] + nn.functional.avg_pool1d(found["early"], 3, 1, 1)

    example = (torch.zeros(1, 2, 8),)
    plain = eyeshot.analyze(written(tmp_path / "a.pt2", Both(), example))
    assert list(plain) == ["two.mul", "two.flip"]
    kept = eyeshot.analyze(
        written(tmp_path / "b.pt2", Both(), example, preserve_module_call_signature=("two",))
    )
    the_same(eyeshot.analyze(Both().eval(), (1, 2, 8)), kept)


@pytest.mark.parametrize(("kind", "model"), [
    ("LSTM", nn.LSTM(4, 3)), ("GRU", nn.GRU(4, 3)), ("RNN", nn.RNN(4, 3)),
    ("MultiheadAttention", nn.MultiheadAttention(4, 2)),
])  # fmt: skip
def test_parts_of_torch_modules(kind, model, tmp_path):
    """What `_PARTS` says is what they return."""

    class Uses(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model

        def forward(self, x):
            out = self.inner(x, x, x) if kind == "MultiheadAttention" else self.inner(x)
            return torch.utils._pytree.tree_leaves(out)

    live = eyeshot.analyze(Uses().eval(), (5, 1, 4))
    file = eyeshot.analyze(written(tmp_path / "m.pt2", Uses(), (torch.zeros(5, 1, 4),)))
    expected = {f"inner{part}" for part in _PARTS[kind]}
    assert expected <= set(live)
    assert expected <= set(file)
    assert not compare(live, file).differing


def test_train_mode_is_said(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(Block(3).train(), (torch.zeros(2, 3, 8, 8),))
    report = eyeshot.analyze(program)
    assert report.provenance["training"]
    assert report.outputs[0].at(0, 0, 4, 4).size == (8, 8)


def test_statistics_are_written(tmp_path):
    """A batch norm in train mode writes what is read afterwards, though its name says nothing of it."""

    class Normed(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(2)

        def forward(self, x):
            return self.norm(x), self.norm.running_mean * 2

    model = Normed().train()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(model, (torch.zeros(3, 2, 5),))
    for each in (program, program.run_decompositions()):
        assert eyeshot.analyze(each).outputs[1].at(0).size == (5,)


def test_torch_is_not_needed(tmp_path):
    path = written(tmp_path / "m.pt2", Shifted(), (torch.zeros(1, 8, 4),))
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import eyeshot; report = eyeshot.analyze(sys.argv[1], layout='NTC'); print(report.outputs[0].at(0, 0, 0))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    assert not done.stderr
    assert done.stdout.strip() == repr(
        eyeshot.analyze(Shifted(), (1, 8, 4), layout="NTC").outputs[0].at(0, 0, 0)
    )


def test_the_layout_before_2_8(tmp_path):
    """The JSON is the same; what it calls constants are pickles, which stay closed."""
    new = written(tmp_path / "new.pt2", Gathers(), (torch.zeros(1, 3, 8),))
    with zipfile.ZipFile(new) as archive:
        name = next(name for name in archive.namelist() if name.endswith("models/model.json"))
        program = archive.read(name)
    with zipfile.ZipFile(tmp_path / "old.pt2", "w") as archive:
        archive.writestr("serialized_exported_program.json", program)
        archive.writestr("serialized_constants.pt", b"\x80\x02cos\nsystem\n")
        archive.writestr("version", "8.3")
    report = eyeshot.analyze(tmp_path / "old.pt2")
    assert report.outputs[0].kind == "sound"
    assert report.outputs[1].kind == "exact"


def test_a_pickled_constant_stays_closed(tmp_path):
    path = written(tmp_path / "m.pt2", Gathers(), (torch.zeros(1, 3, 8),))
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "p.pt2", "w") as out:
        for name in archive.namelist():
            data = archive.read(name)
            if name.endswith("constants_config.json"):
                config = json.loads(data)
                for payload in config["config"].values():
                    payload["use_pickle"] = True
                data = json.dumps(config)
            out.writestr(name, data)
    report = eyeshot.analyze(tmp_path / "p.pt2")
    assert report.outputs[0].kind == "sound"
    assert report.outputs[0].reasons == {"data-dependent-index"}
    assert any("not looked at" in note for note in report.graph.notes)
