"""A layer's own configuration, read with its types and bounds checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eyeshot.errors import FileFormatError, UnsafeFileError
from eyeshot.frontends.files import LIMITS

LONGEST = LIMITS.extent
"""Most elements along one axis, or taps of a kernel."""

WIDEST = 1 << 31
"""Most features of a layer: axes that nothing is placed along are never enumerated."""

_REQUIRED: Any = object()


class Options:
    """The configuration of one layer, by its keys; ``where`` names the layer in errors."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self._values = values
        self.where = where

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def get(self, key: str, default: Any = None) -> Any:
        """The value as it stands in the configuration."""
        return self._values.get(key, default)

    def malformed(self, key: str, expected: str) -> FileFormatError:
        """What to raise where an entry is not what Keras writes."""
        shown = repr(self._values.get(key))
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        return FileFormatError(f"the configuration of {self.where} has {key}={shown}, not {expected}")

    def whole(self, key: str, default: Any = _REQUIRED, *, low: int = 1, high: int = LONGEST) -> int:
        """A whole number from ``low`` to ``high``."""
        return self._whole(key, self._given(key, default), low, high)

    def features(self, key: str) -> int:
        """A number of features (filters, units)."""
        return self.whole(key, high=WIDEST)

    def sizes(self, key: str, count: int, default: Any = _REQUIRED, *, low: int = 1) -> tuple[int, ...]:
        """``count`` whole numbers, or one that stands for all."""
        given = self._given(key, default)
        listed = [given] * count if isinstance(given, int) else given
        if not isinstance(listed, list | tuple) or len(listed) not in {1, count}:
            raise self.malformed(key, f"{count} whole numbers")
        numbers = tuple(self._whole(key, number, low, LONGEST) for number in listed)
        return numbers * count if len(numbers) != count else numbers

    def pairs(self, key: str, count: int, default: Any = _REQUIRED) -> list[tuple[int, int]]:
        """Before and after for each of ``count`` axes, as padding and cropping have them."""
        given = self._given(key, default)
        listed = [given] * count if isinstance(given, int) else given
        if count == 1 and isinstance(given, list | tuple) and all(isinstance(n, int) for n in given):
            listed = [given]
        if not isinstance(listed, list | tuple) or len(listed) != count:
            raise self.malformed(key, f"a pair of whole numbers for each of {count} axes")
        pairs = [(item, item) if isinstance(item, int) else tuple(item) for item in listed]
        if any(len(pair) != 2 for pair in pairs):
            raise self.malformed(key, f"a pair of whole numbers for each of {count} axes")
        return [
            (self._whole(key, low, 0, LONGEST), self._whole(key, high, 0, LONGEST)) for low, high in pairs
        ]

    def flag(self, key: str, default: bool = False) -> bool:
        """True or False."""
        given = self._values.get(key, default)
        return bool(default if given is None else given)

    def choice(self, key: str, *allowed: str) -> str:
        """One of a few words; the first is the default. Upper case counts as lower."""
        given = self._values.get(key) or allowed[0]
        if not isinstance(given, str) or given.lower() not in allowed:
            raise self.malformed(key, f"one of {', '.join(allowed)}")
        return given.lower()

    def axes(self, key: str, rank: int, default: Any = None) -> tuple[int, ...]:
        """Axes counted from the front; one number or several, None where there are none."""
        given = self._given(key, default)
        listed = [given] if isinstance(given, int) else given
        if not isinstance(listed, list | tuple) or not all(
            isinstance(axis, int) and -rank <= axis < rank for axis in listed
        ):
            raise self.malformed(key, f"axes of a tensor of rank {rank}")
        return tuple(axis % rank for axis in listed)

    def axis(self, key: str, rank: int, default: int = -1) -> int:
        """One axis counted from the front."""
        return self.axes(key, rank, default)[0]

    def _given(self, key: str, default: Any) -> Any:
        given = self._values.get(key)
        if given is None:
            if default is _REQUIRED:
                raise self.malformed(key, "given")
            return default
        return given

    def _whole(self, key: str, number: Any, low: int, high: int) -> int:
        if isinstance(number, bool) or not isinstance(number, int) or number < low:
            raise self.malformed(key, f"a whole number from {low}")
        if number > high:
            raise UnsafeFileError(
                f"the configuration of {self.where} has {key}={number}: more than {high} is not read"
            )
        return number
