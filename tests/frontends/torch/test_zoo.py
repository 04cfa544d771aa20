"""References: what is built, how it wants its input, and that building neither downloads nor waits."""

import random
import sys
import types

import numpy as np
import pytest
import torch
from torch import nn

import eyeshot
from eyeshot.frontends.torch.zoo import _unset_weights, load

# Reference, usual input, layout, and how many tensors the forward takes.
FAMILIES = {
    "timm:resnet18": ((1, 3, 224, 224), None, 1),
    "timm:resnet18?features_only=true&in_chans=1": ((1, 1, 224, 224), None, 1),
    "timm:vit_tiny_patch16_224?img_size=96": ((1, 3, 96, 96), None, 1),
    "timm:tf_efficientnet_b1.ns_jft_in1k": ((1, 3, 240, 240), None, 1),
    "torchvision:alexnet": ((1, 3, 224, 224), None, 1),
    "torchvision:inception_v3": ((1, 3, 299, 299), None, 1),
    "torchvision:swin_v2_t": ((1, 3, 256, 256), None, 1),
    "torchvision:vit_h_14": ((1, 3, 224, 224), None, 1),
    "torchvision:quantized_resnet18": ((1, 3, 224, 224), None, 1),
    "torchvision:lraspp_mobilenet_v3_large": ((1, 3, 520, 520), None, 1),
    "torchvision:ssdlite320_mobilenet_v3_large": ((3, 320, 320), "CHW", 1),
    "torchvision:raft_small": ((1, 3, 520, 960), None, 2),
    "torchvision:r3d_18": ((1, 3, 16, 112, 112), None, 1),
    "torchvision:mvit_v2_s": ((1, 3, 16, 224, 224), None, 1),
    "torch.nn:Conv2d(3, 4, kernel_size=3)": (None, None, 1),
}


@pytest.mark.parametrize("reference", FAMILIES)
def test_families(reference):
    size, layout, tensors = FAMILIES[reference]
    loaded = load(reference)
    assert (loaded.input_size, loaded.layout, loaded.name) == (size, layout, reference)
    assert not any(module.training for module in loaded.model.modules())
    arguments = loaded.arguments(torch.empty(size or (1, 3, 8, 8), device="meta"))
    assert len(arguments) == tensors


def test_images_come_as_a_list():
    loaded = load("torchvision:ssdlite320_mobilenet_v3_large")
    (one,) = loaded.arguments(torch.empty(3, 64, 48))
    (two,) = loaded.arguments(torch.empty(2, 3, 64, 48))
    assert [tuple(image.shape) for image in one] == [(3, 64, 48)]
    assert [tuple(image.shape) for image in two] == [(3, 64, 48)] * 2


def test_keywords_reach_the_factory():
    model = load("timm:resnet18?num_classes=7&act_layer=silu&zero_init_last=False").model
    assert model.fc.out_features == 7
    assert isinstance(model.act1, nn.SiLU)


def test_known_parameter_counts():
    """As published with the models: unset weights are weights all the same."""
    for reference, count in {"torchvision:alexnet": 61_100_840, "timm:resnet18": 11_689_512}.items():
        assert sum(parameter.numel() for parameter in load(reference).model.parameters()) == count


def test_only_large_parameters_are_left_unset():
    large, small = nn.Parameter(torch.zeros(512, 512)), nn.Parameter(torch.zeros(8))
    with _unset_weights():
        large.data.normal_()
        nn.init.ones_(large)
        small.data.fill_(3)
        table = torch.zeros(512, 512).fill_(2)
    assert not large.any()
    assert (small == 3).all()
    assert (table == 2).all()


def test_detectors_are_initialised_and_the_same_every_time():
    """Their forward depends on data, so noise from memory would give other shapes each time."""
    one, two = (load("torchvision:ssdlite320_mobilenet_v3_large").model.state_dict() for _ in range(2))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert all(value.isfinite().all() for value in one.values())


def test_building_leaves_the_generators_alone():
    def states():
        return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002

    before = states()
    load("torchvision:squeezenet1_1")
    with pytest.raises(eyeshot.ModelReferenceError):
        load("timm:resnet18?nonsense=1")
    assert states() == before


class Stubborn(nn.Module):
    """Draws its large weight until all of it is small: never so for numbers that nobody drew."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.full((300, 300), 9.0))
        with torch.no_grad():
            while self.weight.abs().max() > 1:
                self.weight.uniform_(-1, 1)
        nn.init.trunc_normal_(self.weight, std=0.02)


@pytest.mark.parametrize("zoo", ["timm", "torchvision"])
def test_weights_drawn_by_rejection_end(zoo, monkeypatch):
    if zoo == "timm":
        import timm

        monkeypatch.setattr(timm, "create_model", lambda name: Stubborn())
        loaded = load("timm:resnet18")
    else:
        from torchvision import models

        def builder():
            return Stubborn()

        builder.__module__ = "torchvision.models.alexnet"
        monkeypatch.setattr(models, "get_model_builder", lambda name: builder)
        loaded = load("torchvision:alexnet")
    assert loaded.model.weight.abs().max() <= 1


def test_own_factories(monkeypatch):
    home = types.ModuleType("my_models")
    home.ready = nn.Conv2d(3, 4, 3)
    home.Nested = types.SimpleNamespace(build=lambda width, depth=1: nn.Conv2d(3, width, depth))
    home.stated = lambda: nn.Conv2d(3, 4, 3)
    monkeypatch.setitem(sys.modules, "my_models", home)
    assert load("my_models:ready").model is home.ready
    model = load("my_models:Nested.build(5, depth=2)").model
    assert (model.out_channels, model.kernel_size) == (5, (2, 2))


def test_models_may_state_their_input():
    class Lightning(nn.Conv2d):
        example_input_array = torch.zeros(1, 3, 20, 30)

    assert eyeshot.analyze(Lightning(3, 4, 3)).input_shape == (1, 3, 20, 30)
