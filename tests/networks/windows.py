"""Steps that slide along spatial axes: convolutions, pools, pads, resizes, folds."""

from __future__ import annotations

from math import gcd
from random import Random

import torch
from torch import nn
from torch.nn import functional as F

from tests.networks.step import Do, Shape, divisors, each, fits, proposes

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


def _groups(rng: Random, channels: int, out: int) -> int:
    return rng.choice(divisors(gcd(channels, out)))


@proposes(5)
def convolution(rng: Random, shape: Shape) -> nn.Module | None:
    """Any kernel, stride, dilation, padding and padding mode; grouped and depthwise."""
    channels, spatial = shape[1], shape[2:]
    out = rng.choice([channels, channels, rng.randint(1, 6)])
    kernel = each(rng, spatial, 1, lambda n: min(4, n + 1))
    dilation = each(rng, spatial, 1, lambda n: 2)
    spans = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    common = {"dilation": dilation, "groups": _groups(rng, channels, out), "bias": rng.random() < 0.5}
    if rng.random() < 0.3:
        mode = rng.choice(["zeros", "reflect", "replicate", "circular"])
        if mode != "zeros" and any(span >= n for span, n in zip(spans, spatial, strict=True)):
            mode = "zeros"
        return CONVOLUTIONS[len(spatial)](channels, out, kernel, padding="same", padding_mode=mode, **common)
    padding = tuple(
        max(-(-(span + 1 - n) // 2), rng.randint(0, 2)) for span, n in zip(spans, spatial, strict=True)
    )
    stride = each(rng, spatial, 1, lambda n: 3)
    return CONVOLUTIONS[len(spatial)](channels, out, kernel, stride=stride, padding=padding, **common)


@proposes(1.5)
def transposed(rng: Random, shape: Shape) -> nn.Module | None:
    """Transposed convolutions, with output padding, dilation and groups."""
    channels, spatial = shape[1], shape[2:]
    out = rng.randint(1, channels)
    kernel, stride = each(rng, spatial, 1, lambda n: 3), each(rng, spatial, 1, lambda n: 3)
    dilation = each(rng, spatial, 1, lambda n: 2)
    between = tuple(rng.randint(0, max(s, d) - 1) for s, d in zip(stride, dilation, strict=True))
    padding = tuple(
        rng.randint(0, max(0, min(2, ((n - 1) * s + d * (k - 1) + o) // 2)))
        for n, s, d, k, o in zip(spatial, stride, dilation, kernel, between, strict=True)
    )
    return TRANSPOSED[len(spatial)](
        channels, out, kernel, stride, padding, between, _groups(rng, channels, out), dilation=dilation
    )


@proposes(3)
def pool(rng: Random, shape: Shape) -> nn.Module | None:
    """Max, average and power pools: ceil mode, padding that counts or not, dilation."""
    spatial = shape[2:]
    rank = len(spatial)
    kernel = each(rng, spatial, 1, lambda n: min(3, n))
    stride = each(rng, spatial, 1, lambda n: 3)
    padding = tuple(rng.randint(0, k // 2) for k in kernel)
    ceil = rng.random() < 0.4
    kind = rng.choice(["max", "avg", "avg", "lp"])
    if kind == "lp":
        layer = (nn.LPPool1d, nn.LPPool2d, nn.LPPool3d)[rank - 1]
        return layer(2, kernel, stride, ceil) if rank > 1 else layer(2, kernel[0], stride[0], ceil)
    if kind == "avg":
        layer = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[rank - 1]
        return layer(kernel, stride, padding, ceil, rng.random() < 0.5)
    layer = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[rank - 1]
    dilation = tuple(
        rng.randint(1, 2) if 2 * (k - 1) < n + 2 * p else 1
        for k, n, p in zip(kernel, spatial, padding, strict=True)
    )
    return layer(kernel, stride, padding, dilation, ceil_mode=ceil)


@proposes(1.5)
def adaptive_pool(rng: Random, shape: Shape) -> nn.Module | None:
    """Windows that follow from the output's extent."""
    spatial = shape[2:]
    size = each(rng, spatial, 1, lambda n: min(n + 1, 6))
    kinds = [nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d]
    if rng.random() < 0.3:
        kinds = [nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d]
    return kinds[len(spatial) - 1](size)


@proposes(2)
def pad(rng: Random, shape: Shape) -> nn.Module | None:
    """All four modes; constant ones may crop."""
    mode = rng.choice(["constant", "reflect", "replicate", "circular"])
    amounts: list[int] = []
    for extent in reversed(shape[2:]):
        if mode == "constant":
            low = rng.randint(-min(1, extent - 1), 2)
            amounts += [low, rng.randint(-min(1, extent + low - 1), 2)]
        else:
            most = {"reflect": extent - 1, "circular": extent}.get(mode, 2)
            amounts += [rng.randint(0, min(2, most)), rng.randint(0, min(2, most))]
    return Do(f"pad {mode} {amounts}", lambda x: F.pad(x, amounts, mode))


MODES = {
    1: ["nearest", "nearest-exact", "linear", "area"],
    2: ["nearest", "nearest-exact", "bilinear", "bicubic", "area"],
    3: ["nearest", "nearest-exact", "trilinear", "area"],
}


@proposes(3)
def resize(rng: Random, shape: Shape) -> nn.Module | None:
    """Every mode, aligned or not, with and without antialiasing, by size or by factor."""
    spatial = shape[2:]
    given: dict = {"mode": rng.choice(MODES[len(spatial)])}
    if given["mode"] in {"linear", "bilinear", "bicubic", "trilinear"}:
        given["align_corners"] = rng.random() < 0.4
    if given["mode"] in {"bilinear", "bicubic"}:
        given["antialias"] = rng.random() < 0.4
    if rng.random() < 0.5:
        given["size"] = each(rng, spatial, 1, lambda n: min(9, 2 * n))
    else:
        given["scale_factor"] = tuple(
            rng.choice([0.5, 1.3, 1.5, 2.0, 3.0]) if n > 1 else 2.0 for n in spatial
        )
    sizes = given.get("size") or tuple(
        int(n * f) for n, f in zip(spatial, given["scale_factor"], strict=True)
    )
    if not fits((*shape[:2], *sizes)) or _inconsistent(given, spatial, sizes):
        return None
    return Do(f"resize {given}", lambda x: F.interpolate(x, **given), lambda x: resize_probe(x, given))


def _inconsistent(given: dict, spatial: Shape, sizes: Shape) -> bool:
    """Where PyTorch 2.14 disagrees with itself, so that no oracle can decide.

    With a ragged factor that leaves an extent as it is, or doubles it, values follow the factor and slopes the
    extents, or the other way about. Antialiased resizes to width 1 read the same rows everywhere, but not so where
    the image lies in channels_last order.
    """
    if given.get("antialias") and sizes[-1] == 1:
        return True
    factors = given.get("scale_factor")
    return factors is not None and any(
        m in {n, 2 * n} and f not in {1, 2} for n, m, f in zip(spatial, sizes, factors, strict=True)
    )


def resize_probe(x: torch.Tensor, given: dict) -> torch.Tensor:
    """What has a coefficient other than 0 in PyTorch's own resize of each single element turns NaN."""
    spatial = x.shape[2:]
    elements = torch.eye(spatial.numel(), dtype=torch.float64).reshape(-1, 1, *spatial)
    coefficients = F.interpolate(elements, **given).flatten(1).abs() > 1e-9
    missing = x.isnan()
    out = F.interpolate(x.masked_fill(missing, 0.0), **given)
    reached = missing.flatten(2).double() @ coefficients.double() > 0
    return out.masked_fill(reached.reshape(out.shape), torch.nan)


@proposes(1)
def unfold(rng: Random, shape: Shape) -> nn.Module | None:
    """Image to columns; back again into a larger or smaller image, overlaps added."""
    if len(shape) != 4:
        size = rng.randint(1, shape[2])
        step = rng.randint(1, 2)
        return Do(
            f"x.unfold(2, {size}, {step}) into channels",
            lambda x: x.unfold(2, size, step).movedim(-1, 2).flatten(1, 2),
        )
    kernel = each(rng, shape[2:], 1, lambda n: min(3, n))
    stride = each(rng, shape[2:], 1, lambda n: 2)
    padding = each(rng, shape[2:], 0, lambda n: 1)
    dilation = tuple(
        rng.randint(1, 2) if 2 * (k - 1) < n + 2 * p else 1
        for k, n, p in zip(kernel, shape[2:], padding, strict=True)
    )
    given = {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    if rng.random() < 0.4:
        return Do(f"unfold {given}", lambda x: F.unfold(x, **given))
    return Do(f"fold of unfold {given}", lambda x: F.fold(F.unfold(x, **given), x.shape[2:], **given))


@proposes(1.5)
def pixel_shuffle(rng: Random, shape: Shape) -> nn.Module | None:
    """Space to depth, depth to space, channel shuffle."""
    groups = rng.choice(divisors(shape[1]))
    if len(shape) == 4 and shape[1] % 4 == 0 and rng.random() < 0.7:
        return nn.PixelShuffle(2)
    if len(shape) == 4 and shape[2] % 2 == shape[3] % 2 == 0:
        return nn.PixelUnshuffle(2)
    return nn.ChannelShuffle(groups) if groups not in {1, shape[1]} else None
