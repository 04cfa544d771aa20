"""Elements of constants: the operators that shapes, axes, indices and masks are computed with, as NumPy functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from eyeshot.frontends.onnx.rules import DEFAULT_DOMAIN, Registry, Rule

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

EVALUATIONS = Registry()


def evaluates(*ops: str, since: int = 1) -> Callable[[F], F]:
    """Register ``function(call, *arrays, **attributes)`` as what an operator computes.

    ``call`` has ``op``, ``opset`` and ``shapes`` (the outputs', as the lowering found them: a result of another shape counts
    as not known). It gives an array, a tuple of them for several outputs, or None where the elements can't be known.
    """

    def register(function: F) -> F:
        for op in ops:
            EVALUATIONS.add(DEFAULT_DOMAIN, op, Rule.of(function, since, ()))
        return function

    return register
