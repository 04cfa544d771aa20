"""What models are shown: photographs prepared as timm and torchvision do, numbers as they are, noise by its seed."""

import numpy as np
import pytest
import torch
from PIL import Image

import eyeshot
from eyeshot.effective.images import Images
from tests.effective import nets


class Configured(torch.nn.Module):
    """A model that says how its images are made, by timm's custom."""

    def __init__(self, size=(64, 64), channels=3, **config):
        super().__init__()
        self.only = torch.nn.Conv2d(channels, 2, 3)
        self.pretrained_cfg = {
            "input_size": (channels, *size), "mean": (0.5, 0.4, 0.3)[:channels], "std": (0.2, 0.25, 0.3)[:channels],
            "interpolation": "bicubic", "crop_pct": 0.8, "crop_mode": "center", **config,
        }  # fmt: skip

    def forward(self, x):
        return self.only(x)


def shown(given, model, framing="fill", size=None, seed=0, **how):
    report = eyeshot.analyze(model, size or (1, *model.pretrained_cfg["input_size"]), **how)
    return Images(given, report, model, framing, seed)


@pytest.fixture(scope="module")
def photographs():
    return [Image.fromarray(picture) for picture in nets.pictures()]


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("crop", [0.8, 0.95, 1.0])
def test_evaluation_is_timms(photographs, crop, interpolation):
    from timm.data import create_transform, resolve_model_data_config

    model = Configured(crop_pct=crop, interpolation=interpolation)
    theirs = create_transform(**resolve_model_data_config(model), is_training=False)
    ours = shown(photographs, model, "evaluation")
    for place, photograph in enumerate(photographs):
        assert np.allclose(ours[place], theirs(photograph).numpy(), atol=1e-5)


def test_stretching_and_filling_are_torchvisions(photographs):
    from torchvision.transforms import v2

    normal = [
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize((0.5, 0.4, 0.3), (0.2, 0.25, 0.3)),
    ]
    bicubic = v2.InterpolationMode.BICUBIC
    for framing, steps, size in (
        ("stretch", [v2.Resize((64, 96), bicubic)], (64, 96)),
        ("fill", [v2.Resize(64, bicubic), v2.CenterCrop(64)], (64, 64)),
    ):
        theirs = v2.Compose([*steps, *normal])
        ours = shown(photographs, Configured(size), framing)
        for place, photograph in enumerate(photographs):
            assert np.allclose(ours[place], theirs(photograph).numpy(), atol=1e-5)


def test_filling_covers_any_shape_without_distortion(photographs):
    """A disc stays round."""
    y, x = np.mgrid[:300, :500]
    disc = Image.fromarray(np.where((y - 150) ** 2 + (x - 250) ** 2 < 100**2, 255, 0).astype(np.uint8))
    for size in ((40, 90), (90, 40), (64, 64)):
        picture = shown([disc], Configured(size)).shown()[..., 0] > 0.5
        high, wide = picture.any(1).sum(), picture.any(0).sum()
        assert abs(int(high) - int(wide)) <= 1 or min(high, wide) == min(size)


def test_paths_folders_arrays_and_images_are_the_same(tmp_path, photographs):
    for place, photograph in enumerate(photographs):
        photograph.save(tmp_path / f"{place}.png")
    model = Configured()
    expected = shown(photographs, model)
    for given in (
        tmp_path, str(tmp_path), sorted(tmp_path.iterdir()), [np.asarray(photograph) for photograph in photographs],
    ):  # fmt: skip
        found = shown(given, model)
        assert len(found) == 3
        assert all(np.array_equal(found[place], expected[place]) for place in range(3))
    one = shown(np.asarray(photographs[0]), model)
    assert len(one) == 1
    assert np.array_equal(one[0], expected[0])
    (tmp_path / "empty").mkdir()
    with pytest.raises(eyeshot.InputError, match="holds no pictures"):
        shown(tmp_path / "empty", model)
    (tmp_path / "note.png").write_text("no picture")
    with pytest.raises(eyeshot.InputError, match="cannot be read"):
        shown(tmp_path / "note.png", model)[0]


def test_numbers_are_taken_as_they_are():
    model = Configured((8, 9))
    array = np.random.default_rng(0).standard_normal((3, 3, 8, 9))
    for given in (array, torch.from_numpy(array), list(array), [torch.from_numpy(each) for each in array]):
        found = shown(given, model)
        assert np.array_equal(np.concatenate(list(found.batches(2))), array.astype(np.float32))
        assert not found.notes
    assert len(shown(array[0], model)) == 1


def test_noise_is_drawn_one_image_at_a_time():
    model = Configured((8, 9))
    found = shown(5, model, seed=3)
    assert np.array_equal(np.concatenate(list(found.batches(2))), np.concatenate(list(found.batches(5))))
    assert np.array_equal(found[4], shown(9, model, seed=3)[4])
    assert not np.array_equal(found[4], shown(5, model, seed=4)[4])
    many = np.stack([found[place] for place in range(5)])
    assert abs(many.mean()) < 0.15
    assert abs(many.std() - 1) < 0.1
    assert "seed 3" in found.notes[0]


def test_what_is_assumed_is_said(photographs):
    bare = torch.nn.Conv2d(3, 1, 3)
    images = shown(photographs, bare, size=(1, 3, 32, 32))
    assert "ImageNet" in images.notes[0]
    expected = (images.shown() - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    assert np.allclose(images[0], expected.transpose(2, 0, 1), atol=1e-6)
    assert not shown(photographs, Configured()).notes


def test_channels_last_and_grey(photographs):
    class Last(torch.nn.Module):
        def forward(self, x):
            return x.permute(0, 3, 1, 2).mean((2, 3))

    last = Last()
    last.pretrained_cfg = Configured().pretrained_cfg
    ours = shown(photographs, last, size=(1, 64, 64, 3), layout="NHWC")
    assert np.array_equal(ours[1], shown(photographs, Configured())[1].transpose(1, 2, 0))
    grey = shown(photographs, Configured(channels=1))
    assert grey[0].shape == (1, 64, 64)
    with pytest.raises(eyeshot.InputError, match="no normalisation"):
        shown(photographs, torch.nn.Conv2d(5, 1, 3), size=(1, 5, 32, 32))[0]
    with pytest.raises(eyeshot.InputError, match="cut in another way"):
        shown(photographs, Configured(crop_mode="squash"), "evaluation")[0]
    with pytest.raises(eyeshot.InputError, match="no picture"):
        shown(photographs, torch.nn.Conv1d(3, 1, 3), size=(1, 3, 32))[0]
