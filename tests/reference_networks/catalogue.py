"""Every network that a published figure speaks of, under the name it has in the table of figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from torch import nn

from tests.reference_networks import small, tf_slim
from tests.reference_networks.notation import build

Stages = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Network:
    """A table of stages, or another library's factory; `spatial` is the input where a figure names none."""

    spatial: tuple[int, ...]
    stages: Stages = ()
    factory: Callable[[], nn.Module] | None = None
    channels: int = 3
    width: int = 4
    auto: str = "v"

    def input_size(self, resolution: str = "") -> tuple[int, ...]:
        """Batch, channels and the extents that `resolution` ("224", "32x48", or "" for ours) stands for."""
        given = [int(extent) for extent in resolution.split("x") if extent]
        spatial = tuple(given * len(self.spatial)) if len(given) == 1 else tuple(given) or self.spatial
        return (1, self.channels, *spatial)

    def build(self, resolution: str = "") -> nn.Module:
        """The network in eval mode, its SAME paddings those of the resolution."""
        if self.factory:
            return self.factory().eval()
        return build(self.stages, self.input_size(resolution)[2:], self.channels, self.width, self.auto)


def _torchvision(name: str) -> Callable[[], nn.Module]:
    def factory() -> nn.Module:
        from torchvision.models import get_model

        return get_model(name, weights=None)

    return factory


def _slim(stages: Stages, auto: str) -> Network:
    # At 321 every SAME padding of these networks is symmetric, so their branches stay aligned.
    return Network((321, 321), stages, auto=auto)


NETWORKS: dict[str, Network] = {
    **{name: _slim(*stages) for name, stages in tf_slim.networks().items()},
    **{name: Network((64, 64), stages, channels=1, width=1) for name, stages in small.ALIGNED.items()},
    "create_test_network_4": Network((9, 9), small.SAME_4, channels=1, width=1, auto="s"),
    "create_test_network_9": Network((17, 17), small.SAME_9, channels=1, width=1, auto="s"),
    **{name: Network((256, 256), stages) for name, stages in small.PATCH_GANS.items()},
    **{name: Network((1280,), stages, channels=1, width=1) for name, stages in small.CAUSAL.items()},
    **{name: Network((128, 128), stages, channels=1, auto="s") for name, stages in small.U_NETS.items()},
    "2D example": Network((256, 256), small.README_2D),
    "3D example (per axis)": Network((16, 16, 16), small.README_3D),
    "conv3 s2 > relu > conv3": Network((32, 48), (("output", "c3/2 r c3"),)),
    "conv3 > conv3 s2 > pool2 s2 > conv3 d2": Network((64, 64), small.CODINGACE),
    **{
        name: Network((224, 224), factory=_torchvision(name))
        for name in ("resnet18", "resnet50", "resnet101")
    },
    "torchvision resnet50": Network((224, 224), factory=_torchvision("resnet50")),
}
# Keras numbers the convolutions of its Inception-v3 in order; number 85 is the 1x1 branch of the last block.
NETWORKS["keras InceptionV3"] = NETWORKS["inception_v3"]

ENDPOINTS = {
    "output (max over phase)": "output",
    "output (min over phase)": "output",
    "max finite (layer4)": "layer4",
    "conv2d_85/Conv2D": "Mixed_7c.branch_0",
}


def network_name(source: str, model: str) -> str:
    """The key of `NETWORKS` for a row: one source counts two convolutions in each block of the same TCN."""
    return model + small.TWO_CONVOLUTIONS if "two Conv1d per block" in source else model


def module_path(model: str, endpoint: str) -> str:
    """Where in the network the endpoint of a figure is."""
    if endpoint == "final conv feature map":
        return NETWORKS[model].stages[-1][0]
    return ENDPOINTS.get(endpoint, endpoint)


@cache
def reference(model: str, resolution: str) -> tuple[nn.Module, tuple[int, ...]]:
    """The network of a figure, once per resolution, and the size of its input."""
    network = NETWORKS[model]
    return network.build(resolution), network.input_size(resolution)
