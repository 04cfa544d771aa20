"""Occlusion maps against the definition: every window covered by hand, every image run whole."""

import numpy as np
import pytest
import torch
from torch import nn

from eyeshot.effective.occlusion import occlude
from eyeshot.errors import InputError, QuestionError


def by_hand(model, image, value, window, stride, covered):
    """One forward a window."""
    extents = image.shape[2:]
    grids = [
        range(-(-max(0, extent - n) // s) + 1) for extent, n, s in zip(extents, window, stride, strict=True)
    ]
    with torch.no_grad():
        reference = value(model, image)
        effects = np.zeros([len(grid) for grid in grids])
        for row in grids[0]:
            for column in grids[1]:
                box = (
                    ...,
                    *(
                        slice(at * s, at * s + n)
                        for at, s, n in zip((row, column), stride, window, strict=True)
                    ),
                )
                changed = image.clone()
                changed[box] = covered[box]
                effects[row, column] = reference - value(model, changed)
    return effects


def classifier(*extra):
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), *extra]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)).eval()


class Gate(nn.Module):
    def forward(self, x):
        return x * x.mean((2, 3), keepdim=True).sigmoid()


IMAGE = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 3, 40, 37)).astype(np.float32))


@pytest.mark.parametrize("extra", [(), (nn.ReLU(), Gate()), (nn.MaxPool2d(3, 2, 1), nn.ReLU())])
@pytest.mark.parametrize(("window", "stride"), [((16, 16), (8, 8)), ((7, 5), (6, 9))])
def test_logits(extra, window, stride):
    model = classifier(*extra)
    found = occlude(model, IMAGE, 3, window, stride, baseline=0.5)
    expected = by_hand(
        model, IMAGE, lambda m, x: m(x)[0, 3].item(), window, stride, torch.full_like(IMAGE, 0.5)
    )
    assert found.effects.shape == expected.shape
    np.testing.assert_allclose(found.effects, expected, atol=2e-5 * abs(found.reference))
    assert found.windows == expected.size


@pytest.mark.parametrize("unit", [(0, None, 10, 9), (0, 2, 0, 18), (0, 1, slice(3, 6), 4)])
def test_units_see_only_their_field_and_run_only_on_it(unit):
    model = classifier()
    found = occlude(model, IMAGE, ("3", unit), 6, 4)

    def value(m, x):
        region = m[:4](x)[tuple(slice(None) if place is None else place for place in unit)]
        return region.sum().item()

    expected = by_hand(model, IMAGE, value, (6, 6), (4, 4), torch.zeros_like(IMAGE))
    np.testing.assert_allclose(found.effects, expected, atol=1e-5 * abs(expected).max())
    assert 0 < found.windows < expected.size / 4


def test_own_targets_and_the_largest_logit():
    model = classifier()
    found = occlude(model, IMAGE, lambda logits: logits.softmax(1)[:, 1])
    expected = by_hand(
        model, IMAGE, lambda m, x: m(x).softmax(1)[0, 1].item(), (16, 16), (8, 8), torch.zeros_like(IMAGE)
    )
    np.testing.assert_allclose(found.effects, expected, atol=1e-6)
    largest = int(model(IMAGE).argmax())
    assert occlude(model, IMAGE).unit == (0, largest)


def test_baselines():
    model, image = classifier(), IMAGE.numpy()
    mean = np.broadcast_to(image.mean((2, 3), keepdims=True), image.shape)
    for baseline, covered in (
        ("mean", mean),
        ((1, 2, 3), np.broadcast_to(np.reshape([1, 2, 3], (1, 3, 1, 1)), image.shape)),
    ):
        found = occlude(model, IMAGE, 0, baseline=baseline)
        by = torch.from_numpy(np.ascontiguousarray(covered, np.float32))
        expected = by_hand(model, IMAGE, lambda m, x: m(x)[0, 0].item(), (16, 16), (8, 8), by)
        np.testing.assert_allclose(found.effects, expected, atol=1e-5)
    noise = [occlude(model, IMAGE, 0, baseline="noise", seed=seed).effects for seed in (0, 0, 1)]
    assert (noise[0] == noise[1]).all()
    assert not np.allclose(noise[0], noise[2])
    flat = torch.ones_like(IMAGE) * torch.tensor([1.0, -2.0, 0.5]).reshape(1, 3, 1, 1)
    assert abs(occlude(model, flat, 0, baseline="blur").effects).max() < 1e-6, "a smooth image stays itself"


def test_map_spreads_effects():
    found = occlude(classifier(), IMAGE, 1, 16, 8)
    total, count = np.zeros((40, 37)), np.zeros((40, 37))
    for row in range(found.effects.shape[0]):
        for column in range(found.effects.shape[1]):
            total[row * 8 : row * 8 + 16, column * 8 : column * 8 + 16] += found.effects[row, column]
            count[row * 8 : row * 8 + 16, column * 8 : column * 8 + 16] += 1
    np.testing.assert_allclose(found.map, total / count)


def test_bad_questions():
    model = classifier()
    for target, message in ((9, "no logit"), ("fc", "no target"), (("nothing", (0, 1)), "nothing called")):
        with pytest.raises(QuestionError, match=message):
            occlude(model, IMAGE, target)
    with pytest.raises(InputError, match="one number an image"):
        occlude(model, IMAGE, lambda logits: logits.sum())
    with pytest.raises(InputError, match="window=0"):
        occlude(model, IMAGE, 0, window=0)
    with pytest.raises(QuestionError, match="baseline"):
        occlude(model, IMAGE, 0, baseline="grey")
    with pytest.raises(InputError, match="takes one image"):
        occlude(model, IMAGE.repeat(2, 1, 1, 1), 0)


def test_a_model_in_train_mode_is_left_as_it_was():
    model = classifier().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    occlude(model, IMAGE, ("0", (0, None, 5, 5)))
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
