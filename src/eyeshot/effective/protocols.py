"""How published effective fields are computed from gradients, each as its source defines it.

Figures of different protocols do not compare, and those that papers print were measured on ImageNet's validation images.

``plain``
    Ours. Scalar: the sum over the unit's channels. Absolute gradient, mean over input channels and images, divided by its
    total.
``replknet``
    Ding et al., Scaling Up Your Kernels to 31x31 (2022); RepLKNet-pytorch, erf/visualize_erf.py and analyze_erf.py. Scalar:
    sum over channels of the positive part of the last feature map at (h // 2, w // 2). Positive part of the gradient, sum
    over input channels, mean over images; images with NaN are left out. Then log10(A + 1), by its maximum; areas are those
    of centred squares. Theirs: 50 images stretched to 1024 x 1024 (bicubic). The logarithm makes areas depend on the
    gradient's scale, so that rankings of models may turn (their issue 25).
``replknet-linear``
    The same without the logarithm, as in SLaK (VITA-Group/SLaK, erf).
``vmamba``
    Liu et al., VMamba (2024); analyze/utils.py. As replknet, with (A / max) ** 0.2 for the logarithm; images fill 1024 x
    1024 and are cut at the center. (An older version took the fourth root.)
``openerf``
    The package openerf 0.6.1. Scalar: mean over channels at the center, of tokens (and of maps of networks that embed
    patches) the upper left of the central four. Gradient averaged over input channels with its sign and then cut at 0,
    summed over images, by its total.
``luo2016``
    Luo, Li, Urtasun and Zemel, Understanding the Effective Receptive Field in Deep CNNs (NIPS 2016). A gradient of 1 at the
    central unit, averaged over runs. Effective are the pixels above 1 - 95.45% of the center's value; size is the square
    root of their number, compared with the side of the theoretical field. The paper does not say how signs and channels
    are averaged: here absolute, over all channels; nor which weights it would take of yours: here those that the model has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from eyeshot.errors import QuestionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Map = NDArray[np.float64]

TWO_SIGMA = 0.9545
"""The share of a normal distribution within two standard deviations, as Luo et al. round it."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way from gradients to a map.

    ``reduce``, ``rectified`` and ``upper_left`` make the scalar of one image (`eyeshot.execution.target`); ``contribution``
    turns gradients (images, channels, ...) into one map an image; ``finish`` the mean of these into the result.
    ``framing`` is how photographs are brought to the input's size, ``skips_nan`` says whether images with NaN are left
    out, ``squares`` whether areas are those of published squares, and ``around_center`` whether effective pixels are those
    above a share of the center's value (else the densest that hold `TWO_SIGMA`).
    """

    name: str
    contribution: Callable[[NDArray[np.floating[Any]]], Map]
    finish: Callable[[Map], Map]
    reduce: Literal["sum", "mean"] = "sum"
    rectified: bool = False
    upper_left: bool = False
    framing: Literal["stretch", "fill", "evaluation"] = "fill"
    skips_nan: bool = False
    squares: bool = False
    around_center: bool = False


def _absolute(gradients: NDArray[np.floating[Any]]) -> Map:
    return np.asarray(np.abs(gradients).mean(1, dtype=np.float64))


def _positive(gradients: NDArray[np.floating[Any]]) -> Map:
    return np.asarray(gradients.clip(0).sum(1, dtype=np.float64))


def _signed(gradients: NDArray[np.floating[Any]]) -> Map:
    return np.asarray(gradients.mean(1, dtype=np.float64).clip(0))


def _by_total(mean: Map) -> Map:
    return np.asarray(mean / mean.sum())


def _by_maximum(mean: Map) -> Map:
    return np.asarray(mean / mean.max())


def _by_logarithm(mean: Map) -> Map:
    return _by_maximum(np.log10(mean + 1))


def _by_root(mean: Map) -> Map:
    return _by_maximum(mean**0.2)


_REPLKNET: dict[str, Any] = {"rectified": True, "skips_nan": True, "squares": True}

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("plain", _absolute, _by_total),
        Protocol("replknet", _positive, _by_logarithm, framing="stretch", **_REPLKNET),
        Protocol("replknet-linear", _positive, _by_maximum, framing="stretch", **_REPLKNET),
        Protocol("vmamba", _positive, _by_root, framing="fill", **_REPLKNET),
        Protocol("openerf", _signed, _by_total, reduce="mean", upper_left=True, framing="evaluation"),
        Protocol("luo2016", _absolute, _by_total, around_center=True),
    )
}


def protocol_named(name: str) -> Protocol:
    """The protocol of that name.

    Raises
    ------
    QuestionError
        where there is none.
    """
    if name not in PROTOCOLS:
        raise QuestionError(f"there is no protocol {name!r}; there are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
