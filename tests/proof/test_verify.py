"""Verification finds reports that are wrong, accepts those that are right, and says what it cannot see."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import eyeshot
from eyeshot.frontends.torch import context
from eyeshot.frontends.torch.lower import load_lowerings
from eyeshot.frontends.torch.ops.convolution import convolution
from eyeshot.proof import Proof
from eyeshot.proof.rules import call
from tests.mystery import Mystery
from tests.networks import draw_network
from tests.reference_networks import NETWORKS
from tests.test_token_probe import NONE, SMALL
from tests.test_untouched import SIZE, Busy, state

NAN, GRADIENT = "NaN probe", "linearised gradient"


def checked(model: nn.Module, report: eyeshot.Report, **options: object) -> Proof:
    torch.manual_seed(0)
    return eyeshot.verify(model, report, **{"units": 24, "elements": 4, **options})


# Reports that are right


@pytest.mark.parametrize("name", SMALL)
def test_small_networks_are_proved(name):
    case = SMALL[name]
    model = case.network().double().eval()
    given = torch.rand(case.shape, dtype=torch.float64)
    report = eyeshot.analyze(model, inputs=given, layout=case.layout)
    proof = checked(model, report, inputs=given)
    assert proof.mismatches == ()
    assert proof.clean
    assert {oracle.name for oracle in proof.oracles} == {NAN, GRADIENT}


@pytest.mark.parametrize("name", ["U-Net trf54.json", "PatchGAN n_layers=3", "inception_v2"])
def test_reference_networks_are_proved(name):
    model = NETWORKS[name].build("64x96").eval()
    report = eyeshot.analyze(model, NETWORKS[name].input_size("64x96"))
    proof = checked(model, report)
    assert proof.mismatches == ()
    assert sum(oracle.one_way for oracle in proof.oracles) == 0


@pytest.mark.parametrize("seed", range(12))
def test_random_networks_are_proved(seed):
    network = draw_network(Random(seed))
    given = torch.rand(network.shape, dtype=torch.float64)
    proof = checked(network, eyeshot.analyze(network, inputs=given), inputs=given, seed=seed, units=12)
    assert proof.mismatches == ()


def test_a_reference_is_built_with_its_random_weights():
    report = eyeshot.analyze("timm:resnet18", (1, 3, 45, 59))
    proof = eyeshot.verify("timm:resnet18", report, units=16, elements=2)
    assert proof.mismatches == ()
    # 16 units with every element of the input and every place of their box; 4 slabs and 2 places with every unit.
    nan, gradient = proof.oracles
    assert gradient.cells == 16 * (3 * 45 * 59 + 45 * 59)
    named = {*report, *(output.name for output in report.outputs)}
    assert nan.cells == 6 * sum(torch.Size(report[name].shape).numel() for name in named)
    assert nan.tensors == len(named)


def test_the_seed_decides_everything():
    model, report = conv()(), eyeshot.analyze(conv(padding=2, kernel_size=5)(), (1, 2, 12, 13))
    first, again, other = (checked(model, report, seed=seed) for seed in (1, 1, 2))
    assert first.mismatches == again.mismatches
    assert first.mismatches
    assert first.mismatches != other.mismatches


def test_several_inputs_and_another_one_than_the_first():
    model = nn.Bilinear(4, 5, 3).double().eval()
    given = (torch.rand(2, 4, dtype=torch.float64), torch.rand(2, 5, dtype=torch.float64))
    for name in ("input1", "input2"):
        report = eyeshot.analyze(model, inputs=given, input=name, layout="NT")
        assert checked(model, report, inputs=given).mismatches == ()


# Reports that are wrong


class Twin(NamedTuple):
    """What was analyzed, and what is run: the shapes of all tensors are the same, the fields are not."""

    analyzed: Callable[[], nn.Module]
    run: Callable[[], nn.Module]
    oracles: frozenset[str] = frozenset({NAN, GRADIENT})


class Skip(nn.Module):
    def __init__(self, kernel: int, *, skip: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, kernel, padding=kernel // 2, dilation=1)
        self.far, self.skip = nn.Conv2d(2, 2, 3, padding=4, dilation=4), skip

    def forward(self, x: Tensor) -> Tensor:
        return self.far(x) + self.conv(x) if self.skip else self.far(x) + 0 * self.conv(torch.zeros_like(x))


def conv(padding: int = 1, dilation: int = 1, **settings: int) -> Callable[[], nn.Module]:
    settings = {"stride": 1, "groups": 1, "kernel_size": 3, **settings}
    return lambda: nn.Sequential(nn.Conv2d(2, 2, padding=padding, dilation=dilation, **settings), nn.ReLU())


class Flip(nn.Module):
    def __init__(self, *axes: int) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x: Tensor) -> Tensor:
        return x.flip(self.axes)


class Windowed(nn.Module):
    """Rows of the image attend to rows within a window."""

    def __init__(self, reach: int) -> None:
        super().__init__()
        self.reach = reach

    def forward(self, x: Tensor) -> Tensor:
        t = x.flatten(1, 2)
        far = torch.arange(t.shape[1])[:, None] - torch.arange(t.shape[1])
        return (t @ t.mT).masked_fill(far.abs() > self.reach, NONE).softmax(-1) @ t


WRONG = {
    "a dilation": Twin(conv(), conv(padding=2, dilation=2)),
    "a hole": Twin(conv(padding=2, kernel_size=5), conv(padding=2, dilation=2)),
    "one element more": Twin(conv(padding=2, kernel_size=5), conv()),
    "groups": Twin(conv(), conv(groups=2)),
    "a skip that is not there": Twin(lambda: Skip(3, skip=True), lambda: Skip(3, skip=False)),
    "a skip that nobody told of": Twin(lambda: Skip(3, skip=False), lambda: Skip(3, skip=True)),
    "a norm": Twin(lambda: nn.GroupNorm(1, 2), lambda: nn.GroupNorm(2, 2)),
    "a flip": Twin(Flip, lambda: Flip(3)),
    "an attention mask": Twin(lambda: Windowed(4), lambda: Windowed(3)),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_report_is_found(name):
    twin = WRONG[name]
    report = eyeshot.analyze(twin.analyzed().eval(), (1, 2, 14, 15))
    proof = checked(twin.run().eval(), report)
    assert not proof.clean
    assert "not proved" in str(proof)
    assert GRADIENT in {mismatch.oracle for mismatch in proof.mismatches}
    if name != "an attention mask":
        assert NAN in {mismatch.oracle for mismatch in proof.mismatches}
    for mismatch in proof.mismatches:
        assert mismatch.expected != mismatch.found
        assert mismatch.cells > 0
        assert mismatch.tensor in str(mismatch)
    # The right report of the same model is proved.
    own = twin.run().eval()
    assert checked(own, eyeshot.analyze(own, (1, 2, 14, 15))).clean


def test_mismatches_are_where_they_say():
    """Kernel 5 was analyzed, kernel 3 runs: in the middle, the box is too wide by one on each side."""
    report = eyeshot.analyze(conv(padding=2, kernel_size=5)(), (1, 2, 14, 15))
    for mismatch in checked(conv()(), report).mismatches:
        assert mismatch.expected
        places = [place for place in mismatch.element[2:] if place is not None]
        units = [
            unit
            for unit, place in zip(mismatch.unit[2:], mismatch.element[2:], strict=True)
            if place is not None
        ]
        assert max(abs(unit - place) for unit, place in zip(units, places, strict=True)) == 2


def test_a_wrong_lowering_is_found(monkeypatch):
    load_lowerings()
    model = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)).eval()
    monkeypatch.setitem(context.LOWERINGS, "aten.convolution.default", lambda ctx, x, *_: ctx.pointwise(x))
    wrong = checked(model, eyeshot.analyze(model, (1, 3, 12, 13)))
    assert {mismatch.oracle for mismatch in wrong.mismatches} == {NAN, GRADIENT}
    monkeypatch.setitem(context.LOWERINGS, "aten.convolution.default", convolution)
    assert checked(model, eyeshot.analyze(model, (1, 3, 12, 13))).clean


# What oracles cannot see


def proved(function: Callable[[Tensor], Tensor], shape: tuple[int, ...] = (1, 4, 6, 7)) -> Proof:
    class Model(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return function(x)

    model = Model().eval()
    proof = checked(model, eyeshot.analyze(model, shape, on_unknown="dense"))
    assert proof.mismatches == ()
    return proof


HIDING = {
    "comparison": (lambda x: (x > x.flip(3)).float(), "gt"),
    "choice": (lambda x: torch.where(x.flip(2) > 0.5, x, -x), "where"),
    "rank": (lambda x: x.topk(3, 3).values, "topk"),
    "nan_to_num": (torch.nan_to_num, "nan_to_num"),
}


@pytest.mark.parametrize("name", HIDING)
def test_nan_is_said_to_hide(name):
    function, op = HIDING[name]
    proof = proved(function)
    (spot,) = [spot for spot in proof.blind_spots[NAN] if "stay clean" in spot]
    assert op in spot
    assert proof.oracles[1].cells > 0
    assert proof.oracles[1].one_way == 0  # the gradient decides


def test_nan_is_said_to_leak_through_masks():
    mask = torch.full((7, 7), NONE).triu(1)
    proof = proved(lambda x: (x.mT @ x + mask).softmax(-1) @ x.mT, (1, 4, 7))
    assert any("turn NaN" in spot for spot in proof.blind_spots[NAN])
    assert proof.oracles[0].one_way == proof.oracles[0].cells
    assert proof.oracles[1].one_way == 0


def test_the_gradient_is_said_to_miss_what_is_looked_up():
    proof = proved(lambda x: x.gather(3, (x * 6).long()))
    assert any("gather" in spot for spot in proof.blind_spots[GRADIENT])
    assert proof.oracles[1].one_way == proof.oracles[1].cells


def test_unknown_ops_are_said_to_be_blind_spots():
    model = nn.Sequential(nn.Conv2d(3, 3, 3), Mystery()).eval()
    proof = checked(model, eyeshot.analyze(model, (1, 3, 9, 9), on_unknown="dense"))
    assert proof.mismatches == ()
    assert any("not exact" in spot for spot in proof.blind_spots[GRADIENT])


def test_a_model_that_refuses_nan():
    def guarded(x: Tensor) -> Tensor:
        if torch.compiler.is_compiling() or x.is_meta or not x.isnan().any():
            return functional.avg_pool2d(x, 2)
        raise ArithmeticError("not a number")

    proof = proved(guarded)
    assert any("reads numbers" in spot or "raises" in spot for spot in proof.blind_spots[NAN])


def test_integers_are_never_nan():
    model = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 3)).eval()
    given = torch.randint(9, (2, 7))
    proof = checked(model, eyeshot.analyze(model, inputs=given), inputs=given)
    assert proof.mismatches == ()
    assert proof.oracles[0].cells == 0
    assert proof.oracles[1].cells > 0
    assert any("integers" in spot for spot in proof.blind_spots[NAN])


def test_depth_beyond_float64_binds_one_way():
    """200 means of 31: the corner of the field has a slope of 31 ** -200, which is 0 in float64."""

    class Deep(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            for _ in range(200):
                x = functional.avg_pool1d(x, 31, 1)
            return x

    model = Deep().eval()
    proof = checked(model, eyeshot.analyze(model, (1, 1, 6010)), units=6, elements=1)
    assert proof.mismatches == ()
    assert any("float64" in spot for spot in proof.blind_spots[GRADIENT])


# The model, and its errors


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_the_model_is_untouched(training):
    model = Busy(nn.Identity()).train(training)
    report = eyeshot.analyze(model, SIZE)
    small = torch.rand(1, 3, 4, 4)
    before = state(model)
    proof = eyeshot.verify(model, report, units=4)
    assert proof.mismatches == ()
    assert state(model) == before
    with pytest.raises(eyeshot.InputError):
        eyeshot.verify(model, report, inputs=small)
    assert state(model) == before


class Unlucky(nn.Module):
    """Works on meta tensors alone."""

    def forward(self, x: Tensor) -> Tensor:
        if not x.is_meta:
            raise ArithmeticError("not today")
        return x * 2


def test_what_cannot_be_run_is_refused():
    model = nn.Conv2d(3, 4, 3)
    report = eyeshot.analyze(model, (1, 3, 8, 9))
    with pytest.raises(eyeshot.InputError, match="without weights"):
        eyeshot.verify(nn.Conv2d(3, 4, 3, device="meta"), report)
    with pytest.raises(eyeshot.InputError, match=r"\(1, 3, 9, 9\)"):
        eyeshot.verify(model, report, inputs=torch.rand(1, 3, 9, 9))
    with pytest.raises(eyeshot.InputError, match="pass inputs="):
        eyeshot.verify(nn.Bilinear(3, 4, 5), report)
    with pytest.raises(eyeshot.QuestionError, match="full"):
        eyeshot.verify(model, report.view("local"))
    with pytest.raises(eyeshot.QuestionError, match="units=-1"):
        eyeshot.verify(model, report, units=-1)
    with pytest.raises(eyeshot.CaptureError, match="not today"):
        eyeshot.verify(Unlucky(), eyeshot.analyze(Unlucky(), (1, 3, 8, 9)))


# Where a proof is shown


def test_a_report_carries_its_proof():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    report = eyeshot.analyze(model, (1, 3, 8, 9))
    assert report.to_dict()["proof"] is None
    proof = checked(model, report)
    assert report.attach(proof) is report
    kept = json.loads(report.to_json())["proof"]
    assert kept["clean"]
    assert kept["cells"] == proof.cells
    assert [oracle["name"] for oracle in kept["oracles"]] == [NAN, GRADIENT]
    assert report.view("local").proof is None  # it is about full fields
    other = eyeshot.analyze(nn.ReLU(), (1, 3, 8, 9))
    with pytest.raises(eyeshot.QuestionError, match="ReLU"):
        other.attach(proof)


def test_a_rule_that_fails_is_our_defect(monkeypatch):
    def failing(_: object) -> Callable[[object], list[Tensor]]:
        return lambda twins: [1 / 0]

    model = nn.ReLU()
    report = eyeshot.analyze(model, (1, 3, 8, 9))
    monkeypatch.setitem(call._RULES, "pointwise", failing)
    with pytest.raises(eyeshot.GraphError, match=r"relu failed: ZeroDivisionError"):
        eyeshot.verify(model, report)
