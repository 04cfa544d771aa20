"""Numbers that describe a map of contributions: arrays of any rank, never negative, with a total above 0.

Coordinates are pixel indices, one an axis. A *share* is a part of the map's total, between 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Map = NDArray[np.float64]

_ROUNDING = 1e-12
_STEPS = 200


@dataclass(frozen=True, slots=True)
class Area:
    """The part of the input that holds a ``share`` of the contribution.

    ``pixels`` of them, which are ``ratio`` of the input, ``held`` being what they hold. ``side`` is the side of the
    centred square, or, for a set of pixels without a shape, of the square (cube, line) of as many.
    """

    share: float
    side: float
    pixels: int
    ratio: float
    held: float


@dataclass(frozen=True, slots=True)
class Gaussian:
    """The Gaussian along the axes that is nearest to a map, in least squares, and how near that is.

    ``r_squared`` = 1 - var(residual) / var(map): 1 for a map that is one. ``sigma`` and ``center`` have an entry an axis;
    ``share`` is what the whole Gaussian would hold of the map's total.
    """

    center: tuple[float, ...]
    sigma: tuple[float, ...]
    share: float
    r_squared: float


@dataclass(frozen=True, slots=True)
class Moments:
    """Center of mass, and the covariance around it in pixels squared."""

    center: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]

    @property
    def sigma(self) -> tuple[float, ...]:
        """Standard deviation along each axis."""
        return tuple(float(np.sqrt(self.covariance[axis][axis])) for axis in range(len(self.center)))

    @property
    def anisotropy(self) -> float:
        """The longest standard deviation in any direction by the shortest: 1 is round, inf a line."""
        least, *_, most = np.sqrt(np.linalg.eigvalsh(np.asarray(self.covariance)).clip(0))[[0, -1]]
        return float(most / least) if least > 0 else (1.0 if most == 0 else float("inf"))


def square(values: Map, center: Sequence[int], share: float, *, published: bool = False) -> Area | None:
    """The smallest square around a pixel that holds a share; cut where it leaves the input.

    ``published`` does as RepLKNet's analyze_erf.py: sides 3, 5, ... up to below the input's height, more than the share
    and not just as much, and (2i + 1)² / (h w) as the ratio even where the square is cut. None where none will do.
    """
    reach = np.zeros(values.shape, np.int64)
    for axis, (middle, extent) in enumerate(zip(center, values.shape, strict=True)):
        shape = [-1 if other == axis else 1 for other in range(values.ndim)]
        reach = np.maximum(reach, np.abs(np.arange(extent) - middle).reshape(shape))
    held = np.cumsum(np.bincount(reach.ravel(), values.ravel())) / values.sum()
    first, stop = (1, values.shape[0] // 2) if published else (0, len(held))
    enough = held > share if published else held >= share - _ROUNDING
    for half in range(first, stop):
        # A square that reaches further than the farthest pixel holds what that one holds.
        ring = min(half, len(held) - 1)
        if enough[ring]:
            side = 2 * half + 1
            pixels = side**values.ndim if published else int((reach <= half).sum())
            return Area(share, side, pixels, pixels / values.size, float(held[ring]))
    return None


def densest(values: Map, share: float) -> Area:
    """The fewest pixels that hold a share: those of the highest contributions."""
    falling = np.sort(values, axis=None)[::-1]
    held = np.cumsum(falling) / values.sum()
    pixels = min(int(np.searchsorted(held, share - _ROUNDING)) + 1, values.size)
    return Area(share, pixels ** (1 / values.ndim), pixels, pixels / values.size, float(held[pixels - 1]))


def level(values: Map, share: float) -> float:
    """The contribution of the weakest of the `densest` pixels: what a contour line of that share follows."""
    return float(np.sort(values, axis=None)[::-1][densest(values, share).pixels - 1])


def moments(values: Map) -> Moments:
    """First and second moments."""
    weights = values / values.sum()
    places = np.stack(np.meshgrid(*map(np.arange, values.shape), indexing="ij"), -1).astype(np.float64)
    center = np.tensordot(weights, places, values.ndim)
    offsets = (places - center).reshape(-1, values.ndim)
    covariance = (offsets * weights.reshape(-1, 1)).T @ offsets
    return Moments(tuple(map(float, center)), tuple(tuple(map(float, row)) for row in covariance))


def within(values: Map, center: Sequence[float], radius: float) -> float:
    """The share inside a Euclidean distance of a point, bounds included."""
    distance = np.zeros(values.shape)
    for axis, (middle, extent) in enumerate(zip(center, values.shape, strict=True)):
        shape = [-1 if other == axis else 1 for other in range(values.ndim)]
        distance = distance + ((np.arange(extent) - middle) ** 2).reshape(shape)
    return float(values[distance <= radius**2].sum() / values.sum())


def concentration(values: Map) -> float:
    """The Gini coefficient: 0 where every pixel contributes alike, towards 1 where few contribute everything."""
    rising = np.sort(values, axis=None)
    count = rising.size
    return float(2 * (np.arange(1, count + 1) * rising).sum() / (count * rising.sum()) - (count + 1) / count)


def gaussian(values: Map) -> Gaussian | None:
    """Fit `Gaussian` by Levenberg and Marquardt's method, from the moments; None where nothing is left to fit.

    The model is a product over the axes, so that every sum over pixels is a product of one matrix an axis.
    """
    weights = values / values.sum()
    start = moments(values)
    if weights.var() == 0 or min(start.sigma) == 0:
        return None
    parameters = np.array([1.0, *start.center, *np.log(start.sigma)])
    error, gradient, curvature = _normal_equations(weights, parameters)
    damping = 1e-3
    for _ in range(_STEPS):
        scaled = curvature + damping * np.diag(np.diag(curvature))
        step = np.linalg.lstsq(scaled, gradient, rcond=None)[0]
        tried = _normal_equations(weights, parameters + step)
        if tried[0] <= error:
            done = error - tried[0] <= 1e-14 * error or float(np.abs(step).max()) < 1e-9
            parameters, (error, gradient, curvature) = parameters + step, tried
            damping /= 5
            if done:
                break
        else:
            damping *= 4
            if damping > 1e12:
                break
    rank = values.ndim
    centers, sigmas = parameters[1 : 1 + rank], np.exp(parameters[1 + rank :])
    residual = weights - parameters[0] * _product(_curves(values.shape, centers, sigmas)[0])
    return Gaussian(
        tuple(map(float, centers)),
        tuple(map(float, sigmas)),
        float(parameters[0]),
        float(1 - residual.var() / weights.var()),
    )


def _curves(shape: Sequence[int], centers: Map, sigmas: Map) -> list[list[Map]]:
    """For each axis the normal curve, and its derivatives by its center and the logarithm of its deviation."""
    kinds: list[list[Map]] = [[], [], []]
    for extent, center, sigma in zip(shape, centers, sigmas, strict=True):
        z = (np.arange(extent) - center) / sigma
        curve = np.exp(-(z**2) / 2) / (np.sqrt(2 * np.pi) * sigma)
        for kind, part in zip(kinds, (curve, curve * z / sigma, curve * (z**2 - 1)), strict=True):
            kind.append(part)
    return kinds


def _product(curves: Sequence[Map]) -> Map:
    whole = np.ones(())
    for curve in curves:
        whole = np.multiply.outer(whole, curve)
    return whole


def _normal_equations(weights: Map, parameters: Map) -> tuple[float, Map, Map]:
    """The sum of squared residuals, and J'r and J'J of the model at ``parameters``: amount, centers, log sigmas."""
    rank = weights.ndim
    amount, centers, sigmas = parameters[0], parameters[1 : 1 + rank], np.exp(parameters[1 + rank :])
    plain, by_center, by_sigma = _curves(weights.shape, centers, sigmas)
    columns = [list(plain)]
    for derivatives in (by_center, by_sigma):
        columns += [[*plain[:axis], amount * derivatives[axis], *plain[axis + 1 :]] for axis in range(rank)]
    count = len(columns)
    curvature = np.empty((count, count))
    for one in range(count):
        for other in range(count):
            curvature[one, other] = prod(
                float(a @ b) for a, b in zip(columns[one], columns[other], strict=True)
            )
    against = np.array([_contracted(weights, column) for column in columns])
    model = amount * curvature[0]
    error = float((weights**2).sum() - 2 * amount * against[0] + amount**2 * curvature[0, 0])
    return error, against - model, curvature


def _contracted(weights: Map, curves: Sequence[Map]) -> float:
    for curve in reversed(curves):
        weights = weights @ curve
    return float(weights)
