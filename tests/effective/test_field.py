"""Effective fields of networks: theory, convergence, regions, targets, what is said and what is refused."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import eyeshot
from eyeshot.effective import compare, effective_field, growth
from eyeshot.effective.gradient import Mean
from eyeshot.execution.target import Target
from tests.effective import nets


def lines(depth):
    """A stack of uniform kernels at the input of just the size at which no border counts."""
    side = 2 * depth + 3
    return effective_field(nets.stack(depth), torch.zeros(1, 1, side, side))


@pytest.mark.parametrize("depth", [1, 4, 9])
def test_uniform_stacks_are_as_luo_derives(depth):
    """sigma = sqrt(n (k² - 1) / 12), the center in the middle, and ever more like a Gaussian."""
    field = lines(depth)
    assert field.moments.sigma == pytest.approx([np.sqrt(depth * 8 / 12)] * 2)
    assert field.offset == pytest.approx((0, 0), abs=1e-6)
    assert field.theoretical == 2 * depth + 1
    assert field.map.sum() == pytest.approx(1)
    if depth == 9:
        assert field.gaussian.r_squared > 0.999
        assert field.gaussian.sigma == pytest.approx(field.moments.sigma, rel=0.03)


def test_growth_is_with_the_square_root_of_depth():
    found = growth([lines(depth) for depth in (4, 8, 16, 32)], (4, 8, 16, 32))
    assert found.exponent == pytest.approx(0.5, abs=0.04)
    assert found.relative == pytest.approx(-0.5, abs=0.09)
    assert found.r_squared > 0.99
    with pytest.raises(eyeshot.QuestionError, match="two depths"):
        growth([lines(2)])


def test_the_mean_and_its_error_do_not_hang_on_batches():
    maps = np.random.default_rng(0).random((11, 5, 6)) + 0.3
    pieces = Mean()
    for part in np.split(maps, [2, 3, 7]):
        pieces.add(part)
    assert pieces.value == pytest.approx(maps.mean(0))
    each = maps.std(0, ddof=1) / np.sqrt(11)
    assert pieces.stderr == pytest.approx(np.linalg.norm(each) / np.linalg.norm(maps.mean(0)))
    model = nets.seeded(nets.Residual)
    whole = effective_field(model, 6, "join", input_size=(1, 3, 48, 48))
    tight = effective_field(model, 6, "join", input_size=(1, 3, 48, 48), memory=1)
    assert np.allclose(whole.map, tight.map, atol=1e-6 * whole.map.max())
    assert whole.stderr == pytest.approx(tight.stderr, rel=1e-4)
    assert [count for count, _ in tight.convergence] == [2, 3, 4, 5, 6]


def test_it_stops_at_the_tolerance_and_says_so():
    model = nets.seeded(nets.Residual)
    seen = []
    field = effective_field(
        model, 200, "join", input_size=(1, 3, 48, 48), tolerance=0.2, memory=1 << 20,
        progress=lambda done, whole: seen.append((done, whole)),
    )  # fmt: skip
    assert 4 <= field.images < 200
    assert field.stderr <= 0.2
    assert all(error > 0.2 for count, error in field.convergence[:-1] if count >= 4)
    assert seen[-1] == (field.images, 200)
    assert any("stopped after" in note for note in field.notes)


def test_seeds_and_repeats():
    model = nets.seeded(nets.Dilated)
    one, again, other = (
        effective_field(model, 2, seed=seed, input_size=(1, 3, 32, 32)).map for seed in (5, 5, 6)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_regions_are_asked_for_by_slices_and_see_what_their_units_see():
    model = nets.seeded(nets.Dilated)
    images = nets.noise(2, 48)
    region = effective_field(model, images, "last", (0, 1, slice(3, 6), slice(8, 9)))
    x = images.clone().requires_grad_()
    model(x)[:, 1, 3:6, 8:9].sum().backward()
    expected = x.grad.abs().mean(1).mean(0).double().numpy()
    assert np.allclose(region.map, expected / expected.sum(), atol=1e-6 * region.map.max())
    boxes = [eyeshot.analyze(model, (1, 3, 48, 48))["last"].at(0, 1, row, 8) for row in (3, 4, 5)]
    assert region.box.start == (min(box.start[0] for box in boxes), boxes[0].start[1])
    assert region.box.stop == (max(box.stop[0] for box in boxes), boxes[0].stop[1])


def test_logits_and_functions_of_them():
    model = nets.seeded(nets.Tokens)
    images = nets.noise(3, 32)
    logit = effective_field(model, images, "head", (0, 2))
    x = images.clone().requires_grad_()
    model(x)[:, 2].sum().backward()
    expected = x.grad.abs().mean(1).mean(0).double().numpy()
    assert np.allclose(logit.map, expected / expected.sum(), atol=1e-6 * logit.map.max())
    same = effective_field(model, images, target=lambda logits: logits[:, 2].sum())
    assert np.allclose(same.map, logit.map, atol=1e-6 * logit.map.max())
    named = effective_field(model, images, target=Target("head", (2,)))
    assert np.array_equal(named.map, logit.map)


def test_tokens_have_a_center_behind_the_class_token():
    model = nets.seeded(nets.Tokens)
    field = effective_field(model, nets.noise(1, 32))
    assert (field.layer, field.unit) == ("norm", (0, 1 + 2 * 4 + 2, None))
    upper = effective_field(model, nets.noise(1, 32), protocol="openerf")
    assert upper.unit == (0, 1 + 1 * 4 + 1, None)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((1, 3, 224, 224), "layer4"), ((1, 3, 64, 96), "layer4")],
)
def test_the_default_layer_is_the_last_with_places(shape, expected):
    import timm

    field = effective_field(timm.create_model("test_resnet").eval(), 1, input_size=shape)
    assert field.layer == expected
    assert field.map.shape == shape[2:]


def test_global_maps_with_channels_last_have_their_center():
    import timm

    small = {"embed_dim": 24, "depths": (1, 1, 2, 1), "num_heads": (1, 2, 2, 4)}
    model = timm.create_model("swin_tiny_patch4_window7_224", **small).eval()
    field = effective_field(model, 1, "layers.3", input_size=(1, 3, 224, 224))
    assert field.unit == (0, 3, 3, None)


def test_one_axis_and_three():
    torch.manual_seed(0)
    sound = nn.Sequential(nn.Conv1d(2, 4, 9, 2, 4), nn.Tanh(), nn.Conv1d(4, 4, 5)).eval()
    field = effective_field(sound, 3, input_size=(1, 2, 64))
    assert field.map.shape == (64,)
    assert field.side <= field.theoretical == 17
    assert field.area(1.0).side <= 17 + 2
    solid = nn.Sequential(nn.Conv3d(1, 2, 3), nn.Tanh(), nn.Conv3d(2, 2, 3)).eval()
    field = effective_field(solid, 2, input_size=(1, 1, 9, 10, 11))
    assert field.map.shape == (9, 10, 11)
    assert field.theoretical == pytest.approx(5)
    assert field.densest(1.0).pixels <= 125


def test_channels_last_inputs():
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nets.seeded(nets.Dilated)

        def forward(self, x):
            return self.inner(x.permute(0, 3, 1, 2))

    model, images = Last().eval(), nets.noise(2, 32)
    report = eyeshot.analyze(model, (1, 32, 32, 3), layout="NHWC")
    ours = effective_field(model, images.permute(0, 2, 3, 1), "inner.last", report=report)
    plain = effective_field(model.inner, images, "last")
    assert np.allclose(ours.map, plain.map, atol=1e-6 * plain.map.max())
    whole = effective_field(model, 2, "inner.last", report=report, protocol="replknet")
    assert whole.map.max() == 1


def test_the_model_is_left_as_it_was():
    model = nets.seeded(nets.Residual)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    trained = [parameter.requires_grad for parameter in model.parameters()]
    effective_field(model, 2, "join", input_size=(1, 3, 48, 48))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert [parameter.requires_grad for parameter in model.parameters()] == trained
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not model.training


def test_comparisons():
    model = nets.seeded(nets.Residual)
    shallow, deep = (
        effective_field(model, 4, layer, input_size=(1, 3, 64, 64)) for layer in ("stem", "last")
    )
    same = compare(deep, deep)
    assert (same.correlation, same.overlap, same.growth) == pytest.approx((1, 1, 1))
    found = compare(shallow, deep)
    assert found.growth == deep.side / shallow.side > 1
    assert 0 <= found.overlap < 1
    with pytest.raises(eyeshot.QuestionError, match="do not compare"):
        compare(deep, effective_field(model, 4, "last", input_size=(1, 3, 64, 64), protocol="vmamba"))


def test_plain_data():
    model = nets.seeded(nets.Residual)
    field = effective_field(model, 3, "join", input_size=(1, 3, 48, 48), protocol="replknet")
    data = json.loads(json.dumps(field.to_dict(with_map=True), allow_nan=False))
    assert np.array_equal(np.array(data["map"]), field.map)
    assert data["box"] == {"start": list(field.box.start), "stop": list(field.box.stop)}
    assert [area["share"] for area in data["areas"]] == [0.2, 0.3, 0.5, 0.99]
    assert "map" not in field.to_dict()


# What is said, and what is refused


class Dead(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.last = nn.Conv2d(4, 2, 3, padding=1)
        nn.init.constant_(self.first.bias, -1e4)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)))


def test_a_dead_unit_is_said_to_be_dead():
    field = effective_field(Dead().eval(), nets.noise(2, 16))
    assert field.dead
    assert not field.map.any()
    assert field.ratio == 0
    assert field.gaussian is None
    assert any("dead" in note and "2 image(s)" in note for note in field.notes)
    assert "dead" in repr(field)
    assert json.loads(json.dumps(field.to_dict(), allow_nan=False))["dead"]
    for measure in (lambda: field.side, lambda: field.area(0.5), lambda: field.moments):
        with pytest.raises(eyeshot.QuestionError, match="dead there"):
            measure()


def test_images_that_leave_a_unit_dead_are_counted():
    model = Dead().eval()
    nn.init.constant_(model.first.bias, 0)
    images = nets.noise(3, 16)
    for parameter in model.first.parameters():
        parameter.data.abs_()
    images[1] = -images[1].abs() - 1
    images[2] = images[2].abs()
    field = effective_field(model, images[1:])
    assert any("1 of 2 images leave the unit dead" in note for note in field.notes)


def test_channels_that_cancel_are_no_field_of_rounding_errors():
    """The sum over channels of a layer norm without weights is constant."""

    class Normed(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix = nn.Conv2d(3, 8, 3, padding=1)
            self.norm = nn.LayerNorm(8)

        def forward(self, x):
            return self.norm(torch.tanh(self.mix(x)).permute(0, 2, 3, 1))

    torch.manual_seed(0)
    model, images = Normed().eval(), nets.noise(2, 16)
    field = effective_field(model, images, "norm", (0, 8, 8, None))
    assert field.dead
    assert any("cancel" in note for note in field.notes)
    assert not effective_field(model, images, "norm", (0, 8, 8, 3)).dead


class Overflowing(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        return self.last(torch.log(x))


def test_gradients_with_nan_are_refused_or_left_out():
    model, images = Overflowing().eval(), nets.noise(3, 16).abs() + 1
    images[1] = 0
    with pytest.raises(eyeshot.InputError, match="image 1 gives"):
        effective_field(model, images, "last")
    field = effective_field(model, images, "last", protocol="replknet")
    assert field.images == 2
    assert any("1 images left out" in note for note in field.notes)
    with pytest.raises(eyeshot.InputError, match="all 1 images give"):
        effective_field(model, images[1:2], "last", protocol="vmamba")


def test_nan_behind_a_rectifier_does_not_pass_for_a_dead_unit():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.ReLU()).eval()
    nn.init.constant_(model[1].bias, float("nan"))
    with pytest.raises(eyeshot.InputError, match=r"image 0 gives '2'"):
        effective_field(model, nets.noise(1, 16), "2")


def test_running_statistics_are_left_as_they_were_in_train_mode():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3)).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    field = effective_field(model, nets.noise(2, 16), "3")
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert model.training
    assert model[1].training
    assert any("train mode" in note for note in field.notes)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (0, "no images"),
        ([], "no images"),
        (torch.zeros(0, 3, 16, 16), "no images"),
        (torch.zeros(1, 4, 16, 16), "takes"),
        (torch.zeros(2, 3, 20, 16), "takes"),
        ("nowhere.png", "no such file"),
        ([torch.zeros(3, 16, 16), torch.zeros(3, 18, 16)], "differ in shape"),
        (torch.full((1, 3, 16, 16), float("nan")), "NaN or infinity"),
        (torch.zeros(1, 3, 16, 16, dtype=torch.complex64), "not real"),
        ({"a": 1}, "no image"),
        ([None], "no image"),
    ],
)
def test_bad_images(images, message):
    model = nets.seeded(nets.Dilated)
    report = eyeshot.analyze(model, (1, 3, 16, 16))
    with pytest.raises(eyeshot.InputError, match=message):
        effective_field(model, images, "last", report=report)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"layer": "lost"}, "nothing called"),
        ({"unit": (0, None, 99, 0)}, "outside"),
        ({"unit": (0, 0)}, "indices"),
        ({"unit": "middle"}, "center"),
        ({"protocol": "best"}, "no protocol"),
        ({"method": "magic"}, "no method"),
        ({"target": 7}, "neither a Target"),
        ({"layer": "gate.0"}, None),
    ],
)
def test_bad_questions(asked, message):
    model = nets.seeded(nets.Gated)
    if message is None:
        field = effective_field(model, nets.noise(1, 16), **asked)
        assert field.box.size == (16, 16)
        return
    with pytest.raises(eyeshot.QuestionError, match=message):
        effective_field(model, nets.noise(1, 16), **{"layer": "last", **asked})


class Choice(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.chosen = nn.Identity()

    def forward(self, x):
        return self.chosen((self.first(x) > 0).float())


def test_targets_without_a_gradient_are_refused():
    with pytest.raises(eyeshot.InputError, match="has a gradient"):
        effective_field(Choice().eval(), nets.noise(1, 16), "chosen", (0, None, 3, 3))
    with pytest.raises(eyeshot.InputError, match="one number"):
        effective_field(nets.seeded(nets.Tokens), nets.noise(1, 32), target=lambda logits: logits)


def test_only_modules_are_measured():
    with pytest.raises(eyeshot.InputError, match="PyTorch module"):
        effective_field("net.onnx", 1)
    with pytest.raises(eyeshot.InputError, match="load them into"):
        effective_field(nets.seeded(nets.Gated), 1, weights="x.safetensors")
    with pytest.raises(eyeshot.ModelReferenceError):
        effective_field("timm:nothing_such", 1)
    with pytest.raises(eyeshot.InputError, match="two images"):
        effective_field("torchvision:raft_small", 1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_models_of_other_precisions(dtype):
    model, images = nets.seeded(nets.Dilated), nets.noise(2, 32)
    single = effective_field(model, images, "last")
    other = effective_field(model.to(dtype), images, "last")
    assert np.abs(single.map - other.map).max() < (1e-5 if dtype == torch.float64 else 0.1) * single.map.max()


def test_the_second_call_of_a_module_is_a_layer_of_its_own():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x):
            return self.block(torch.tanh(self.block(x)))

    torch.manual_seed(0)
    model = Twice().eval()
    assert [
        effective_field(model, nets.noise(1, 16), layer).theoretical for layer in ("block", "block:1")
    ] == [3, 5]


def test_what_later_ops_write_in_place_is_not_seen():
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 4, 3)
    alone = effective_field(nn.Sequential(conv).eval(), nets.noise(1, 16), "0")
    before = effective_field(nn.Sequential(conv, nn.ReLU(inplace=True)).eval(), nets.noise(1, 16), "0")
    assert np.array_equal(alone.map, before.map)


def test_random_weights_are_said():
    field = effective_field("timm:test_resnet", 1, "layer1")
    assert any("random weights" in note for note in field.notes)
    assert field.model == "timm:test_resnet"


def test_shares_lie_between_0_and_1():
    field = lines(2)
    for share in (0, -1, 1.5):
        with pytest.raises(eyeshot.QuestionError, match="no share"):
            field.area(share)
