"""What is wrong, said by the right error, in the right words, with the right exit code."""

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import eyeshot
from eyeshot import errors
from eyeshot.cli import app
from tests import mystery

SIZE = (1, 3, 32, 32)
REFERENCE, INPUT = errors.ModelReferenceError, errors.InputError

# Reference, input size, error, and what the message says of the cause and of the remedy.
CASES = {
    "an unknown timm model": ("timm:resnet5O", None, REFERENCE, ["'resnet5O'", "resnet50"]),
    "an unknown torchvision model": ("torchvision:alexnot", None, REFERENCE, ["alexnet"]),
    "no zoo at all": ("resnet50", None, REFERENCE, ["'resnet50'", "timm:resnet50"]),
    "no such package": ("nowhere.models:build", None, REFERENCE, ["'nowhere.models'", "imported"]),
    "no such factory": ("tests.mystery:plan", None, REFERENCE, ["'plan'", "plain"]),
    "no factory": ("tests.mystery:__doc__", None, REFERENCE, ["str", "neither a factory nor"]),
    "no model returned": ("tests.mystery:no_model", None, REFERENCE, ["int", "torch.nn.Module"]),
    "arguments refused": ("torch.nn:Conv2d(3)", None, REFERENCE, ["TypeError", "arguments"]),
    "code for arguments": ("torch.nn:Conv2d(open('x'))", None, REFERENCE, ["literal arguments"]),
    "a keyword refused": ("timm:resnet18?depht=3", None, REFERENCE, ["depht", "keywords"]),
    "no keyword": ("timm:resnet18?depth", None, REFERENCE, ["'depth'", "keyword=literal"]),
    "a download": ("timm:resnet18?pretrained=true", None, REFERENCE, ["download", "--weights"]),
    "no size known": ("tests.mystery:plain", None, INPUT, ["not known", "--input-size"]),
    "a wrong rank": ("tests.mystery:plain", (3,), INPUT, ["'0'", "[3]", "rank"]),
    "another wrong rank": ("tests.mystery:plain", (1, 3, 4, 32, 32), INPUT, ["'0'", "rank"]),
    "wrong channels": ("tests.mystery:plain", (1, 4, 32, 32), INPUT, ["'0'", "expects 3 channels, got 4"]),
    "too small": ("torchvision:alexnet", (1, 3, 16, 16), INPUT, ["'features.", "larger input"]),
    "no pixels": ("tests.mystery:plain", (1, 3, 0, 32), INPUT, ["(1, 3, 0, 32)", "at least one"]),
    "no samples": ("tests.mystery:plain", (0, 3, 32, 32), INPUT, ["no elements"]),
    "a size of its own": ("timm:vit_tiny_patch16_224", (1, 3, 96, 96), INPUT, ["96", "224"]),
    "a raising forward": ("tests.mystery:refusing", SIZE, errors.CaptureError, ["'1'", "the lens cap is on"]),
    "an unknown op": ("tests.mystery:strange", SIZE, errors.UnsupportedOpError, ["tests.mystery", "dense"]),
}


@pytest.mark.parametrize(("reference", "size", "kind", "words"), CASES.values(), ids=CASES)
def test_typed_error(reference, size, kind, words):
    with pytest.raises(kind) as raised:
        eyeshot.analyze(reference, size)
    for word in words:
        assert word in str(raised.value)
    options = ["--input-size", ",".join(map(str, size))] if size else []
    done = CliRunner().invoke(app, [reference, *options])
    assert done.exit_code == kind.exit_code
    assert str(raised.value) in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("size", [(1, 3, -1, 4), "1,3,8,8", (1, 3, 8.5, 8), 64, [(1, 3, 8, 8), (1, 8)]])
def test_sizes_that_are_none(size):
    with pytest.raises(eyeshot.InputError, match="whole numbers"):
        eyeshot.analyze(mystery.plain(), size)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"inputs": torch.zeros(SIZE)}, "give either"),
        ({"on_unknown": "ignore"}, "'ignore' is neither"),
        ({"weights": "some.safetensors"}, "load them into this one yourself"),
    ],
    ids=["two inputs for one", "no way to treat the unknown", "weights for a model that has its own"],
)
def test_arguments_that_do_not_fit_together(wrong, words):
    with pytest.raises(eyeshot.InputError, match=words):
        eyeshot.analyze(mystery.plain(), SIZE, **wrong)


def test_things_that_are_no_models():
    with pytest.raises(eyeshot.ModelReferenceError, match="an object of type int"):
        eyeshot.analyze(3, SIZE)


def test_an_input_that_is_not_there():
    with pytest.raises(eyeshot.InputError, match="no input 'y'; its inputs are input"):
        eyeshot.analyze(mystery.plain(), SIZE, input="y")


def test_a_model_without_tensors():
    class Numb(nn.Module):
        def forward(self):
            return torch.ones(3)

    with pytest.raises(eyeshot.InputError, match="Numb ran without any tensor input"):
        eyeshot.analyze(Numb(), inputs=())


@pytest.mark.parametrize("layout", ["NHW", "NHHW", "NCNC"])
def test_layouts_that_do_not_fit(layout):
    with pytest.raises(eyeshot.QuestionError, match=rf"'{layout}'.*NHWC"):
        eyeshot.analyze(mystery.plain(), SIZE, layout=layout)


def test_questions_that_have_no_answer():
    report = eyeshot.analyze(mystery.plain(), SIZE)
    with pytest.raises(eyeshot.QuestionError, match="nothing called 'two'"):
        report["two"]
    with pytest.raises(eyeshot.QuestionError, match="has 4 indices"):
        report["0"].at(3, 3)
    with pytest.raises(eyeshot.QuestionError, match="axis 3 has extent 15"):
        report["0"].at(0, 0, 0, 15)


def test_train_mode_says_what_it_changes():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    assert model.training
    report = eyeshot.analyze(model, SIZE)
    (note,) = report.notes
    assert "train mode" in note
    assert "model.eval()" in note
    assert report["1"].size == (None, None), "batch norm takes its statistics from the whole image"
    assert report["0"].size == (3, 3)
    assert "batch norm (1)" in note
    model.eval()[1].train()
    assert "batch norm (1)" in eyeshot.analyze(model, SIZE).notes[0], "a part in train mode counts, too"
    assert "batch norm" not in eyeshot.analyze(nn.Conv2d(3, 4, 3).train(), SIZE).notes[0]
    inference = eyeshot.analyze(model.eval(), SIZE)
    assert inference.notes == []
    assert inference["1"].size == (3, 3)


class TestWeights:
    """Files of weights that do not fit."""

    reference = "torch.nn:Conv2d(3, 4, 3)"

    def save(self, path, **tensors):
        from safetensors.torch import save_file

        save_file(tensors, path)
        return str(path)

    def read(self, path):
        return eyeshot.analyze(self.reference, SIZE, weights=path)

    def test_that_fit(self, tmp_path):
        good = self.save(tmp_path / "good.safetensors", weight=torch.ones(4, 3, 3, 3), bias=torch.ones(4))
        assert self.read(good).outputs[0].size == (3, 3)

    def test_that_do_not(self, tmp_path):
        path = self.save(tmp_path / "bad.safetensors", weight=torch.ones(4, 3, 5, 5), other=torch.ones(1))
        with pytest.raises(eyeshot.InputError) as raised:
            self.read(path)
        for words in (
            "3 places",
            "bias is missing",
            "other is not in the model",
            "(4, 3, 5, 5)",
            "(4, 3, 3, 3)",
        ):
            assert words in str(raised.value)

    def test_that_are_none(self, tmp_path):
        path = tmp_path / "noise.safetensors"
        path.write_bytes(np.arange(64, dtype=np.uint8).tobytes())
        with pytest.raises(eyeshot.FileFormatError, match=r"no \.safetensors file"):
            self.read(str(path))
        with pytest.raises(eyeshot.InputError, match="no such file"):
            self.read(str(tmp_path / "nothing"))
