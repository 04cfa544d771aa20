"""Specs built in PyTorch: two frontends that share no op give the same fields, and the module runs."""

import subprocess
import sys
from random import Random

import numpy as np
import pytest
import torch

import eyeshot
from eyeshot.frontends.spec.frontend import input_shape
from tests.frontends.spec import pages
from tests.frontends.spec.drawn import fitting


def arrays(field: eyeshot.Field) -> list[np.ndarray]:
    starts, stops, occupied = field.boxes()
    return [np.broadcast_to(array, field.shape) for array in (*starts, *stops, occupied)]


def agree(spec: eyeshot.Spec, shape: tuple[int, ...]) -> None:
    """Every row of the spec's report is the module's, in size, stride, offset, boxes and cost; the module runs."""
    ours = eyeshot.analyze(spec, shape)
    module = spec.build("torch", shape)
    theirs = eyeshot.analyze(module, shape)
    for name, field in ours.items():
        other = theirs[name]
        assert field.shape == other.shape, name
        # What holds at one size alone depends on how a framework spells an op; the boxes of that size do not.
        if not any(law.at_size for law in (*field.law, *other.law)):
            law = field.size, field.stride, field.offset, field.clipped
            assert law == (other.size, other.stride, other.offset, other.clipped), name
        for one, two in zip(arrays(field), arrays(other), strict=True):
            assert np.array_equal(one, two), name
    assert [name for name in theirs if name in ours] == list(ours)
    assert ours.cost.parameters == sum(parameter.numel() for parameter in module.parameters())
    assert ours.cost.macs == theirs.cost.macs
    with torch.no_grad():
        assert module(torch.randn(shape)).shape == ours.outputs[0].shape


@pytest.mark.parametrize("text", pages.EXAMPLES)
def test_examples(text):
    spec = eyeshot.parse(text)
    full = input_shape(spec, None)
    # Half the extents are as good, where the network does not count them.
    shape = full if spec.input or "adaptive" in text else (*full[:2], *(n // 2 for n in full[2:]))
    agree(spec, shape)


@pytest.mark.parametrize("seed", range(50))
def test_random_specs(seed):
    agree(*fitting(Random(seed)))


def test_names_that_modules_have_already():
    agree(eyeshot.parse("train=conv3 > forward=(conv3 > type=relu) > children={id + conv3}"), (1, 3, 9, 9))


def test_written_names_are_kept():
    """An op's own counter steps over them, whatever comes first, and repetitions count on."""
    spec = eyeshot.parse(
        "conv3 > conv3 > conv_1=conv5 > 3*(a=conv3 > {id + b=conv3}) > a_1=conv7 > x=(relu > id)"
    )
    report = eyeshot.analyze(spec, (1, 3, 32, 32))
    assert [name for name in report if "." not in name] == [
        "conv", "conv_2", "conv_1", "a", "add", "a_2", "add_1", "a_3", "add_2", "a_1", "x",
    ]  # fmt: skip
    assert report["conv_1"].op == "conv5"
    assert report["a_1"].op == "conv7"
    agree(spec, (1, 3, 32, 32))


def test_published_alexnet():
    """Figures of google-research/receptive_field for alexnet_v2; the defaults of padding are TF-Slim's there."""
    (text,) = [example for example in pages.EXAMPLES if "pool5" in example]
    report = eyeshot.analyze(eyeshot.parse(text))
    published = {"conv1": (11, 4, 0), "pool1": (19, 8, 0), "conv2": (51, 8, 16), "conv3": (99, 16, 32),
                 "conv4": (131, 16, 48), "conv5": (163, 16, 64), "pool5": (195, 32, 64)}  # fmt: skip
    for name, (size, stride, padding) in published.items():
        field = report[name]
        assert (field.size[0], field.stride[0], field.offset[0]) == (size, stride, -padding)


@pytest.mark.parametrize(
    "text",
    [
        "conv3s2 > {id + conv3 > in} > se2 > up2-linear > s=conv3",
        "conv4s4:8 > attn4h2 > shuffle2 > [id | dwconv5d2] > avgpool2",
        "1d: conv2d2-causal:6 > gru:4-both > deconv4s2p1 > pad2-replicate > maxpool3",
    ],
)
def test_reports_are_proved(text):
    """NaN and linearised gradients of the built module, against the spec's own report."""
    spec = eyeshot.parse(text)
    report = eyeshot.analyze(spec, (1, 4, 24) if spec.rank == 1 else (1, 4, 16, 32))
    proof = eyeshot.verify(spec, report, units=24)
    assert proof.mismatches == ()
    assert proof.cells > 1000


def test_rows_are_named():
    report = eyeshot.analyze(
        "spec:stem=conv3:8 > 2*(conv3) > s=2*({id + a=conv3 > relu} > relu) > [conv1 | conv3]"
    )
    assert list(report) == [
        "stem", "conv", "conv_1",
        "s.0.add.id", "s.0.add.a", "s.0.add.relu", "s.0.add", "s.0.relu", "s.0",
        "s.1.add.id", "s.1.add.a", "s.1.add.relu", "s.1.add", "s.1.relu", "s.1", "s",
        "concat.conv", "concat.conv_1", "concat",
    ]  # fmt: skip
    assert report["stem"].op == "conv3:8"
    assert report["s.0"].op == "{id + a=conv3 > relu} > relu"
    assert report["s"].op == "2*({id + a=conv3 > relu} > relu)"


@pytest.mark.parametrize(
    ("text", "shape", "words"),
    [
        ("conv3 > maxpool2 > [conv1 | maxpool2]", (1, 3, 8, 8), "do not lie end to end"),
        ("conv3 > {id + conv3:5}", (1, 3, 8, 8), "no common shape"),
        ("conv9p0", (1, 3, 8, 8), "longer than the 8 elements"),
        ("conv3g2", (1, 3, 8, 8), "2 groups"),
        ("gn", (1, 3, 8, 8), "32 groups"),
        ("flatten > conv3", (1, 3, 8, 8), "flattened"),
        ("attn3", (1, 3, 8, 8), "do not tile"),
        ("attn-causal", (1, 3, 8, 8), "1d"),
        ("conv3p1-causal", (1, 3, 8), "leave out p"),
        ("lstm:3-both", (1, 3, 8), "two directions"),
        ("up2-corners", (1, 3, 8, 8), "-linear"),
        ("down3", (1, 3, 8, 8), "do not divide"),
        ("shuffle2", (1, 3, 8, 8), "blocks of 4"),
        ("pad8-reflect", (1, 3, 8, 8), "at most 7"),
        ("crop4", (1, 3, 8, 8), "nothing is left"),
        ("maxpool3p2", (1, 3, 8, 8), "half its kernel"),
        ("deconv3o1", (1, 3, 8, 8), "output padding"),
        ("conv1x7 > relu", (1, 3, 8), None),
    ],
)
def test_what_does_not_fit_is_refused_at_its_place(text, shape, words):
    kind = eyeshot.SpecError if words else eyeshot.InputError
    with pytest.raises(kind, match=words) as caught:
        eyeshot.analyze(f"spec:{text}", shape)
    if words:
        assert str(caught.value).splitlines()[-1].strip() == "^"


def test_inputs():
    text = "spec:conv3s2"
    assert eyeshot.analyze(text).input_shape == (1, 3, 224, 224)
    assert eyeshot.analyze("spec:1d: conv3").input_shape == (1, 1, 1024)
    assert eyeshot.analyze("spec:3d: conv3").input_shape == (1, 1, 64, 64, 64)
    assert eyeshot.analyze("spec:4x9x7: conv3").input_shape == (1, 4, 9, 7)
    assert eyeshot.analyze("spec:4x9x7: conv3", (2, 4, 5, 5)).input_shape == (2, 4, 5, 5)
    assert eyeshot.analyze(text, (1, 1, 50)).axes == "T"
    assert eyeshot.analyze(text, inputs=(np.zeros((1, 3, 20, 20)),)).input_shape == (1, 3, 20, 20)
    assert eyeshot.analyze(text, {"input": (1, 3, 20, 20)}).input_shape == (1, 3, 20, 20)
    for wrong in ((3, 3), (1, 3, 0, 5), {"x": (1, 3, 20, 20)}):
        with pytest.raises(eyeshot.InputError):
            eyeshot.analyze(text, wrong)
    with pytest.raises(eyeshot.InputError, match="jax"):
        eyeshot.parse("conv3").build("jax")


def test_needs_no_framework():
    code = (
        "import eyeshot, sys; r = eyeshot.analyze('spec:conv3s2 > conv3'); r.outputs[0].size; eyeshot.explain(r)\n"
        "sys.exit('torch' in sys.modules or 'yaml' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
