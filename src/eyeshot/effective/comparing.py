"""Effective fields side by side: layers, models, checkpoints, and growth with depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eyeshot.errors import QuestionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyeshot.effective.field import EffectiveField


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two maps of one input size differ.

    ``correlation`` is Pearson's over all pixels, ``overlap`` the share of the contribution that lies in the same places (1:
    equal maps, 0: apart). ``growth`` is the second one's side by the first one's, ``shift`` leads from the first center of
    mass to the second.
    """

    correlation: float
    overlap: float
    growth: float
    shift: tuple[float, ...]


def compare(first: EffectiveField, second: EffectiveField) -> Comparison:
    """Compare two effective fields, of layers, models or checkpoints.

    Raises
    ------
    QuestionError
        for maps of different sizes or protocols, and for dead units.
    """
    if first.map.shape != second.map.shape or first.protocol != second.protocol:
        raise QuestionError(
            f"{first.layer!r} ({first.protocol}, {first.map.shape}) and {second.layer!r} ({second.protocol}, "
            f"{second.map.shape}) do not compare: measure both by one protocol on inputs of one size"
        )
    shift = tuple(b - a for a, b in zip(first.moments.center, second.moments.center, strict=True))
    one, other = (each.map / each.map.sum() for each in (first, second))
    correlation = np.corrcoef(one.ravel(), other.ravel())[0, 1]
    return Comparison(
        float(correlation), float(np.minimum(one, other).sum()), second.side / first.side, shift
    )


@dataclass(frozen=True, slots=True)
class Growth:
    """How sides grow with depth: side = c · depth^``exponent``, fitted to the logarithms.

    Luo et al. (2016) derive 0.5 for the side of stacked convolutions and -0.5 for its ratio to the theoretical one
    (``relative``). ``r_squared`` is the goodness of the first fit.
    """

    depths: tuple[float, ...]
    sides: tuple[float, ...]
    ratios: tuple[float, ...]
    exponent: float
    relative: float
    r_squared: float


def growth(fields: Sequence[EffectiveField], depths: Sequence[float] | None = None) -> Growth:
    """Fit the growth of effective fields of ever deeper layers; ``depths`` are 1, 2, 3, ... unless given.

    Raises
    ------
    QuestionError
        for fewer than two depths, or depths that are not above 0.
    """
    at = tuple(map(float, depths if depths is not None else range(1, len(fields) + 1)))
    if len(at) != len(fields) or len(set(at)) < 2 or min(at) <= 0:
        raise QuestionError(
            f"growth takes two depths above 0 or more, one for each of {len(fields)} fields; got {at}"
        )
    sides, ratios = tuple(field.side for field in fields), tuple(field.ratio for field in fields)
    slope, start = np.polyfit(np.log(at), np.log(sides), 1)
    residual = np.log(sides) - start - slope * np.log(at)
    spread = float(np.var(np.log(sides)))
    relative = float(np.polyfit(np.log(at), np.log(ratios), 1)[0])
    goodness = 1 - float(np.var(residual)) / spread if spread else 1.0
    return Growth(at, sides, ratios, float(slope), relative, goodness)
