"""From a model and example arguments to a jaxpr, and the names of what goes in and comes out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr

from eyeshot.errors import CaptureError, EyeshotError, InputError
from eyeshot.frontends.jax.models import Arguments, subject
from eyeshot.frontends.jax.naming import Call
from eyeshot.frontends.jax.shapes import is_array, shape_of
from eyeshot.frontends.jax.watching import path_of

# What JAX's, flax's and equinox's own complaints about the shape of an input say.
_MISFIT = ("shape", "rank", "dimension", "ndim", "axis", "axes", "broadcast", "spatial")


@dataclass
class Capture:
    """A jaxpr with a name for every input (None: held by the model) and output, and the calls marked in it."""

    jaxpr: ClosedJaxpr
    names: list[str | None]
    outputs: list[str]
    calls: list[Call]
    owned: Mapping[str, int]
    model: str


def capture(model: Any, arguments: Arguments) -> Capture:
    """Trace a model on the shapes of its arguments; nothing is computed.

    Raises
    ------
    InputError, CaptureError
        where the model's own code raised, with what it said.
    """
    leaves, structure = jax.tree_util.tree_flatten(arguments)
    places = [place for place, leaf in enumerate(leaves) if is_array(leaf)]
    shapes = [shape_of(leaves[place]) for place in places]
    inputs: list[str] = []
    try:
        found = subject(model, arguments)
        every = _names(found.signature, arguments)
        inputs = [every[place] for place in places]

        def run(held: list[Any], given: list[Any]) -> Any:
            filled = list(leaves)
            for place, value in zip(places, given, strict=True):
                filled[place] = value
            args, kwargs = jax.tree_util.tree_unflatten(structure, filled)
            return found.call(held, args, kwargs)

        jaxpr, out = jax.make_jaxpr(run, return_shape=True)(found.held, shapes)
    except Exception as error:
        listed = ", ".join(f"{name} {shape.shape}" for name, shape in zip(inputs, shapes, strict=False))
        raise _explained(error, listed) from error
    names = [None] * len(found.held) + inputs
    outputs = [
        path_of(keys).lstrip(".") or "output" for keys, _ in jax.tree_util.tree_flatten_with_path(out)[0]
    ]
    return Capture(jaxpr, names, outputs, found.watch.calls, found.watch.owned, found.name)


def _names(signature: Callable[..., Any], arguments: Arguments) -> list[str]:
    """A name for every leaf: the argument's own, then the way to the leaf."""
    args, kwargs = arguments
    firsts = positional(signature, len(args))
    found = []
    for keys, _ in jax.tree_util.tree_flatten_with_path((args, kwargs))[0]:
        part, argument = keys[0].idx, keys[1]
        first = firsts[argument.idx] if part == 0 else argument.key
        found.append(f"{first}{path_of(keys[2:])}")
    return found


def positional(function: Callable[..., Any], count: int) -> list[str]:
    """The function's own names for its positional arguments; ``*rest`` as rest.0, rest.1."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names: list[str] = []
    for position in range(count):
        star = next((p for p in parameters[: position + 1] if p.kind is p.VAR_POSITIONAL), None)
        if star is not None:
            names.append(f"{star.name}.{position - parameters.index(star)}")
        elif position < len(parameters):
            names.append(parameters[position].name)
        else:
            names.append(f"input{position}")
    return names


def _explained(error: Exception, inputs: str) -> EyeshotError:
    if isinstance(error, EyeshotError):
        return error
    said = str(error).strip().split("\n\n")[0] or type(error).__name__
    text = f"{type(error).__name__}: {said} [inputs: {inputs}]"
    if isinstance(error, jax.errors.ConcretizationTypeError | jax.errors.NonConcreteBooleanIndexError):
        return CaptureError(
            f"{text} The function's control flow needs the numbers themselves: use jax.lax.cond or jax.numpy.where, or "
            "hand in what is no array (flags, sizes) as plain Python values."
        )
    if any(word in said.lower() for word in _MISFIT):
        return InputError(f"{text} Give inputs of the rank and size that the model is made for.")
    return CaptureError(f"{text} Check that the model runs on inputs of these shapes.")
