"""An effective field: how much each place of the input contributes to a unit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from math import ceil, isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from eyeshot.effective import metrics
from eyeshot.effective.protocols import TWO_SIGMA, protocol_named
from eyeshot.errors import QuestionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyeshot.effective.metrics import Area, Gaussian, Moments
    from eyeshot.geometry import Box

SHARES = (0.2, 0.3, 0.5, 0.99)
"""Shares of the contribution whose areas are listed."""

RADII = (5, 10, 20, 30, 40, 60, 80)
"""Distances from the center, in pixels, within which the contribution is listed."""


@dataclass(frozen=True, eq=False, repr=False)
class EffectiveField:
    """How much each place of the input contributes to a unit of ``layer``, averaged over images.

    ``map`` lies on the spatial axes of the input and is never negative; its scale is its protocol's affair
    (`eyeshot.effective.protocols`; ``plain``: a total of 1). It is all 0 where the unit is ``dead``. ``unit`` is a full
    index (None: all of an axis) and ``box`` its theoretical field, outside which the map is 0. ``stderr`` is the
    standard error of the mean over ``images``, relative to the mean (both Euclidean norms over all pixels), None for one;
    ``convergence`` has (images, stderr) as they came in. ``central`` units were asked for as such. ``photograph`` is the
    first one as the model saw it (height, width, colours from 0 to 1), where there is one. Coordinates are pixel indices.
    """

    map: NDArray[np.float64]
    model: str
    layer: str
    unit: tuple[int | slice | None, ...]
    box: Box
    axes: str
    method: str
    protocol: str
    images: int
    stderr: float | None
    convergence: tuple[tuple[int, float], ...]
    notes: tuple[str, ...]
    central: bool = False
    photograph: NDArray[np.float64] | None = None

    def __repr__(self) -> str:
        if self.dead:
            return (
                f"<EffectiveField {self.layer!r} {self.unit}: dead, {self.protocol}, {self.images} image(s)>"
            )
        return (
            f"<EffectiveField {self.layer!r} {self.unit}: side {self.side:.1f} of {self.theoretical:.1f}, "
            f"{self.method}, {self.protocol}, {self.images} image(s)>"
        )

    @property
    def dead(self) -> bool:
        """Whether nothing contributes: the gradient is 0 everywhere, for every image."""
        return not self.map.any()

    @property
    def center(self) -> tuple[float, ...]:
        """The middle of the theoretical field (unclipped where a law knows it)."""
        return (self.box.unclipped or self.box).center

    @property
    def pixel(self) -> tuple[int, ...]:
        """The pixel at ``center``; of two in the middle the later one, as h // 2 is."""
        return tuple(
            min(max(ceil(place), 0), extent - 1)
            for place, extent in zip(self.center, self.map.shape, strict=True)
        )

    def area(self, share: float) -> Area:
        """The part of the input that holds a share of the contribution: the smallest square around ``pixel``.

        Protocols with published squares (replknet, vmamba) have theirs: sides 3, 5, ..., and for the central unit around
        (h // 2, w // 2).

        Raises
        ------
        QuestionError
            for a share outside (0, 1], a dead unit, or where a protocol's squares end before they hold it.
        """
        found = self.square(share)
        if found is None:
            raise QuestionError(
                f"{self.protocol} looks at squares up to below {self.map.shape[0]} pixels around the center, and none "
                f"of them holds more than {share:.0%}: densest({share}) asks for no shape"
            )
        return found

    def square(self, share: float) -> Area | None:
        """As `area`, None where a protocol's squares end before they hold the share."""
        published = protocol_named(self.protocol).squares
        center = self._middle if published else self.pixel
        return metrics.square(self._alive(share), center, share, published=published)

    def densest(self, share: float) -> Area:
        """The fewest pixels that hold a share, whatever their shape.

        Raises
        ------
        QuestionError
            for a share outside (0, 1], or a dead unit.
        """
        return metrics.densest(self._alive(share), share)

    def level(self, share: float) -> float:
        """The contribution that bounds ``densest(share)``: where a contour line of that share runs."""
        return metrics.level(self._alive(share), share)

    @cached_property
    def side(self) -> float:
        """Side of the effective field: that of a square with as many pixels (in 2-D).

        Effective are the fewest pixels that hold 95.45%; in ``luo2016`` those above 4.55% of the center's value.
        """
        values = self._alive()
        if protocol_named(self.protocol).around_center:
            pixels = int((values > (1 - TWO_SIGMA) * values[self.pixel]).sum())
        else:
            pixels = metrics.densest(values, TWO_SIGMA).pixels
        return float(pixels ** (1 / values.ndim))

    @property
    def theoretical(self) -> float:
        """Side of the theoretical field, clipped to the input: that of a square with as many pixels."""
        return float(self.box.volume ** (1 / self.map.ndim))

    @property
    def ratio(self) -> float:
        """``side`` by ``theoretical``: how much of what the unit may see it uses; 0 if it is dead."""
        return 0.0 if self.dead else self.side / self.theoretical

    @cached_property
    def gaussian(self) -> Gaussian | None:
        """The nearest Gaussian, with its goodness; None where there is nothing to fit."""
        return None if self.dead else metrics.gaussian(self.map)

    @cached_property
    def moments(self) -> Moments:
        """Center of mass and covariance, from which come standard deviations and anisotropy."""
        return metrics.moments(self._alive())

    @property
    def offset(self) -> tuple[float, ...]:
        """From the middle of the theoretical field to the center of mass."""
        return tuple(mass - middle for mass, middle in zip(self.moments.center, self.center, strict=True))

    @cached_property
    def concentration(self) -> float:
        """Gini coefficient over the theoretical field: 0 where all of it counts alike, near 1 where few pixels do."""
        return metrics.concentration(self._alive()[self.box.slices])

    @property
    def peak(self) -> tuple[int, ...]:
        """The pixel that contributes most."""
        values = self._alive()
        return tuple(map(int, np.unravel_index(values.argmax(), values.shape)))

    def within(self, radius: float) -> float:
        """The share that lies within a Euclidean distance of ``pixel`` (``openerf``: of (h // 2, w // 2))."""
        middle = self._middle if self.protocol == "openerf" else self.pixel
        return metrics.within(self._alive(), middle, radius)

    def to_dict(self, *, with_map: bool = False) -> dict[str, Any]:
        """All numbers as plain data, schema version 1; the map itself, as nested lists, if it is asked for."""
        data = {
            "schema": 1,
            "model": self.model,
            "layer": self.layer,
            "unit": [str(place) if isinstance(place, slice) else place for place in self.unit],
            "method": self.method,
            "protocol": self.protocol,
            "images": self.images,
            "stderr": self.stderr,
            "convergence": [list(pair) for pair in self.convergence],
            "axes": self.axes,
            "input": list(self.map.shape),
            "box": {"start": list(self.box.start), "stop": list(self.box.stop)},
            "center": list(self.center),
            "dead": self.dead,
            "ratio": self.ratio,
            "notes": list(self.notes),
        }
        if not self.dead:
            data |= self._numbers()
        return data | ({"map": self.map.tolist()} if with_map else {})

    def _numbers(self) -> dict[str, Any]:
        squares = [self.square(share) for share in SHARES]
        stretched = self.moments.anisotropy
        return {
            "side": self.side,
            "theoretical": self.theoretical,
            "areas": [asdict(area) for area in squares if area is not None],
            "densest": [asdict(self.densest(share)) for share in SHARES],
            "gaussian": None if self.gaussian is None else asdict(self.gaussian),
            "center_of_mass": list(self.moments.center),
            "sigma": list(self.moments.sigma),
            "anisotropy": stretched if isfinite(stretched) else None,
            "offset": list(self.offset),
            "concentration": self.concentration,
            "peak": list(self.peak),
            "center_value": float(self.map[self.pixel]),
            "within": {str(radius): self.within(radius) for radius in RADII},
        }

    @property
    def _middle(self) -> tuple[int, ...]:
        """Where protocols that know central units alone have the center."""
        return tuple(extent // 2 for extent in self.map.shape) if self.central else self.pixel

    def _alive(self, share: float = 1.0) -> NDArray[np.float64]:
        if not 0 < share <= 1:
            raise QuestionError(
                f"{share} is no share of the contribution: it lies above 0, up to 1 (0.5 is half of it)"
            )
        if self.dead:
            raise QuestionError(
                f"the gradient of {self.layer!r} {self.unit} is 0 everywhere for all {self.images} image(s): the unit is "
                "dead there, and has no effective field. Other images, or all channels of the layer, may show one"
            )
        return self.map
