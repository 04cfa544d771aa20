"""In which order the calls of a model's layers are made: each once what it reads is there, the first in the file first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from heapq import heappop, heappush

from eyeshot.errors import FileFormatError
from eyeshot.frontends.keras.configuration import History, LayerEntry, arguments

Key = tuple[str, int]
"""A layer's name, and which of its calls."""


def in_order(
    layers: Sequence[LayerEntry], key: Callable[[History], Key], given: Collection[Key], where: str
) -> Iterator[tuple[LayerEntry, int]]:
    """Layers with the number of the call to make; what a call makes has to be there when the next is asked for.

    Raises
    ------
    FileFormatError
        where calls wait for tensors that nothing makes, or for each other.
    """
    calls = [(layer, number) for layer in layers for number in range(len(layer.calls))]
    missing: list[set[Key]] = []
    waiting: dict[Key, list[int]] = defaultdict(list)
    ready: list[int] = []
    for place, (layer, number) in enumerate(calls):
        read: set[Key] = {(layer.name, number - 1)} if number else set()

        def note(made_by: History, read: set[Key] = read) -> None:
            read.add(key(made_by))

        arguments(layer.calls[number], note, f"{where}.{layer.name}")
        missing.append(read.difference(given))
        for each in missing[-1]:
            waiting[each].append(place)
        if not missing[-1]:
            ready.append(place)
    left = set(range(len(calls)))
    while ready:
        place = heappop(ready)
        left.discard(place)
        layer, number = calls[place]
        yield layer, number
        for other in waiting.pop((layer.name, number), ()):
            missing[other].discard((layer.name, number))
            if not missing[other]:
                heappush(ready, other)
    if left:
        names = ", ".join(repr(calls[place][0].name) for place in sorted(left)[:3])
        raise FileFormatError(f"{names} of {where} wait for tensors that nothing makes")
