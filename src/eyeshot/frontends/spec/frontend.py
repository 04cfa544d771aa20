"""The way in for text, YAML files and `Spec` objects."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from time import perf_counter
from typing import TYPE_CHECKING

from eyeshot.errors import InputError
from eyeshot.frontends.files import LIMITS, TRUSTED, Budget, suffix_of
from eyeshot.frontends.registry import Reading
from eyeshot.frontends.spec.tree import Spec

if TYPE_CHECKING:
    from eyeshot.frontends.registry import Request
    from eyeshot.graph import Graph

INPUT = "input"
PREFIX = "spec:"
FILES = (".yaml", ".yml")

SIZES = {1: (1, 1, 1024), 2: (1, 3, 224, 224), 3: (1, 1, 64, 64, 64)}
"""The input where none is given, by the number of spatial axes."""

SHOWN = 60
"""Characters of a text that stand for a network without a name."""


def accepts(model: object) -> bool:
    """A `Spec`, text behind ``spec:``, or the path of a YAML file."""
    written = isinstance(model, str) and model.startswith(PREFIX)
    return written or suffix_of(model) in FILES or isinstance(model, Spec)


def read(request: Request) -> Reading:
    """Parse what is no spec yet, and lower it.

    Raises
    ------
    SpecError, InputError
        see :mod:`eyeshot.errors`.
    """
    began = perf_counter()
    from eyeshot.frontends.spec.lower import lower

    spec = load(request.model)
    loading = perf_counter() - began
    if request.kwargs or request.weights:
        raise InputError(
            "a written network takes no keyword arguments and no weights; leave out kwargs and weights"
        )
    shape = input_shape(spec, _asked(request))
    text = " ".join(str(spec).split())
    name = spec.name or (text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…")

    def enlarged(axes: tuple[int, ...]) -> Graph:
        return lower(spec, tuple(2 * n if axis in axes else n for axis, n in enumerate(shape)))

    written = not isinstance(request.model, Spec)
    budget = Budget(name, TRUSTED if request.trust else LIMITS) if written else None
    provenance = {"training": False, "real": False, "loading": loading}
    return Reading(lower(spec, shape), name, {}, provenance, enlarged, budget)


def load(model: Spec | str | PathLike[str]) -> Spec:
    """The spec that a model reference stands for."""
    if isinstance(model, Spec):
        return model
    if isinstance(model, str) and model.startswith(PREFIX):
        from eyeshot.frontends.spec.parsing import parse

        return parse(model.removeprefix(PREFIX))
    from eyeshot.frontends.spec.documents import read_file

    return read_file(model)


def _asked(request: Request) -> tuple[int, ...] | None:
    """Shape of the one input, if the request says it."""
    size = request.input_size
    if request.inputs is not None:
        given = request.inputs
        one = given[0] if isinstance(given, tuple | list) and len(given) == 1 else given
        return tuple(map(int, getattr(one, "shape", ())))
    if isinstance(size, Mapping):
        if list(size) != [INPUT]:
            raise InputError(
                f"a written network has one input, {INPUT!r}; sizes are given for {', '.join(size)}"
            )
        return size[INPUT]
    return size


def input_shape(spec: Spec, asked: tuple[int, ...] | None) -> tuple[int, ...]:
    """Shape of the input: what was asked for, else what the text says, else the default of its rank.

    Raises
    ------
    InputError
        for a shape that the network does not take.
    """
    if asked is None:
        return (1, *spec.input) if spec.input else SIZES[spec.rank or 2]
    rank = len(asked) - 2
    if rank not in SIZES or 0 in asked or rank != (spec.rank or rank):
        wanted = f"a batch, channels and {spec.rank or '1 to 3'} spatial extents, none of them 0"
        raise InputError(f"this network takes {wanted}, such as {SIZES[spec.rank or 2]}; got {asked}")
    return asked
