"""Every protocol against a plain script of its definition, and openerf against the package itself."""

import numpy as np
import pytest
import torch
from PIL import Image

import eyeshot
from eyeshot.effective import effective_field
from eyeshot.effective.protocols import PROTOCOLS
from tests.effective import nets, scripts

MODELS = {
    "residual": (nets.Residual, "join", 96),
    "dilated": (nets.Dilated, "last", 64),
    "gated": (nets.Gated, "last", 48),
}
FINISH = {
    "replknet": scripts.logarithm,
    "replknet-linear": scripts.linear,
    "vmamba": scripts.fifth_root,
}


@pytest.fixture(params=MODELS)
def case(request):
    kind, layer, size = MODELS[request.param]
    return nets.seeded(kind), layer, nets.noise(3, size)


def same(ours, theirs, within=1e-5):
    assert np.abs(ours - theirs).max() <= within * np.abs(theirs).max()


@pytest.mark.parametrize("protocol", FINISH)
def test_squares_and_maps_are_those_of_the_script(case, protocol):
    model, layer, images = case
    ours = effective_field(model, images, layer, protocol=protocol)
    theirs = FINISH[protocol](scripts.replknet_scores(model, layer, images))
    same(ours.map, theirs)
    found = 0
    for share in (0.2, 0.3, 0.5, 0.99):
        expected = scripts.replknet_area(theirs, share)
        if expected is None:
            with pytest.raises(eyeshot.QuestionError, match="no"):
                ours.area(share)
        else:
            found += 1
            area = ours.area(share)
            assert (area.side, area.ratio) == pytest.approx(expected)
    assert found >= 2


def test_the_logarithm_hangs_on_the_gradients_scale(case):
    """Issue 25 of RepLKNet: the same field, scaled, has another area; without the logarithm it has not."""
    model, layer, images = case
    louder = nets.seeded(type(model))
    with torch.no_grad():
        for parameter in louder.get_submodule("last").parameters():
            parameter.mul_(1e4)
    layer = "last"
    for protocol, changes in (("replknet", True), ("replknet-linear", False)):
        before = effective_field(model, images, layer, protocol=protocol).densest(0.5)
        after = effective_field(louder, images, layer, protocol=protocol).densest(0.5)
        assert (before.pixels < 0.9 * after.pixels) == changes


def test_luo(case):
    model, layer, images = case
    ours = effective_field(model, images, layer, protocol="luo2016")
    theirs = scripts.luo(model, layer, images)
    same(ours.map * theirs.sum(), theirs)
    assert ours.side == scripts.luo_side(theirs, ours.pixel)
    assert ours.ratio == pytest.approx(ours.side / np.sqrt(ours.box.volume))


def test_plain(case):
    model, layer, images = case
    field = eyeshot.analyze(model, tuple(images[:1].shape))[layer]
    unit = (field.shape[2] // 3, field.shape[3] - 2)
    ours = effective_field(model, images, layer, (0, None, *unit))
    same(ours.map, scripts.plain(model, layer, images, unit))
    assert ours.map.sum() == pytest.approx(1)
    assert ours.map.dtype == np.float64


def images_in_a_folder(folder):
    for place, picture in enumerate(nets.pictures()):
        Image.fromarray(picture).save(folder / f"{place}.png")
    return folder


@pytest.mark.parametrize(
    ("name", "smaller", "target", "layer"),
    [
        ("test_resnet", {}, "layer3", "layer3"),
        ("test_resnet", {}, "layer2", "layer2"),
        ("test_convnext", {}, "forward_features", "norm_pre"),
        ("test_vit", {}, "blocks.1", "blocks.1"),
        (
            "swin_tiny_patch4_window7_224",
            {"embed_dim": 24, "depths": (1, 1, 2, 1), "num_heads": (1, 2, 2, 4)},
            "forward_features",
            "norm",
        ),
    ],
)
def test_openerf_is_the_package(name, smaller, target, layer, tmp_path):
    """The package prepares files its own way, and we ours."""
    import timm
    from openerf import compute_erf, compute_erf_metrics

    torch.manual_seed(0)
    model = timm.create_model(name, **smaller).eval()
    for parameter in model.parameters():
        if parameter.ndim == 1:  # norms without weights have nothing but rounding for a gradient
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    folder = images_in_a_folder(tmp_path)
    theirs = compute_erf(
        model, image_dir=folder, max_images=2, target_layer=target, show_progress=False, device="cpu"
    )
    ours = effective_field(model, sorted(folder.iterdir())[:2], layer, protocol="openerf")
    same(ours.map, theirs.erf_map)
    expected = compute_erf_metrics(theirs.erf_map)
    assert list(ours.peak) == expected["argmax_yx"]
    assert ours.moments.center == pytest.approx((expected["com_y"], expected["com_x"]), abs=1e-3)
    for radius, share in expected["radial_cumulative_mass"].items():
        assert ours.within(int(radius)) == pytest.approx(share, abs=1e-4)


def test_every_protocol_has_a_comparison():
    assert set(PROTOCOLS) == {*FINISH, "luo2016", "plain", "openerf"}
