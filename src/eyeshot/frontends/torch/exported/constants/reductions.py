"""Sums, extremes and orders of constants."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from eyeshot.frontends.torch.exported.constants.registry import EVALUATORS, Out, evaluates
from eyeshot.frontends.torch.exported.known import Array

_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": np.sum, "mean": np.mean, "prod": np.prod, "amax": np.max, "amin": np.min, "any": np.any, "all": np.all,
}  # fmt: skip


def _reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    def evaluator(outs: list[Out], x: Array, dim: Any = None, keepdim: bool = False, **_: Any) -> Any:
        axes = None if dim is None or dim == [] else tuple(dim) if isinstance(dim, list) else dim
        return np.asarray(function(x, axis=axes, keepdims=keepdim))

    return evaluator


EVALUATORS.update({name: _reduction(function) for name, function in _REDUCTIONS.items()})


@evaluates("max")
def largest(outs: list[Out], x: Array, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest of all, of an axis (with its place), or of two tensors element by element."""
    return _extreme(outs, x, dim, keepdim, np.maximum, np.max, np.argmax)


@evaluates("min")
def smallest(outs: list[Out], x: Array, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest of all, of an axis (with its place), or of two tensors element by element."""
    return _extreme(outs, x, dim, keepdim, np.minimum, np.min, np.argmin)


def _extreme(
    outs: list[Out], x: Array, dim: Any, keepdim: bool, of_two: Any, of_axis: Any, place: Any
) -> Any:
    if isinstance(dim, np.ndarray):
        outs[0].fits(np.broadcast_shapes(x.shape, dim.shape))
        return of_two(x, dim)
    if dim is None:
        return np.asarray(of_axis(x))
    return [of_axis(x, dim, keepdims=keepdim), place(x, dim, keepdims=keepdim)]


@evaluates("argmax")
def argmax(outs: list[Out], x: Array, dim: int | None = None, keepdim: bool = False) -> Any:
    """The place of the largest."""
    return np.asarray(np.argmax(x, dim, keepdims=keepdim))


@evaluates("argmin")
def argmin(outs: list[Out], x: Array, dim: int | None = None, keepdim: bool = False) -> Any:
    """The place of the smallest."""
    return np.asarray(np.argmin(x, dim, keepdims=keepdim))


@evaluates("cumsum")
def cumsum(outs: list[Out], x: Array, dim: int, **_: Any) -> Any:
    """Sums up to each element."""
    return np.cumsum(x, dim)


@evaluates("argsort")
def argsort(outs: list[Out], x: Array, dim: int = -1, descending: bool = False, **_: Any) -> Any:
    """The places of elements in order; equal ones keep theirs."""
    if descending:
        return x.shape[dim] - 1 - np.flip(np.argsort(np.flip(x, dim), dim, kind="stable"), dim)
    return np.argsort(x, dim, kind="stable")


@evaluates("sort")
def sort(outs: list[Out], x: Array, dim: int = -1, descending: bool = False, **_: Any) -> Any:
    """Elements in order, and their places."""
    places = argsort(outs, x, dim, descending)
    return [np.take_along_axis(x, places, dim), places]


@evaluates("bucketize")
def bucketize(outs: list[Out], x: Any, boundaries: Array, *, right: bool = False, **_: Any) -> Any:
    """Between which boundaries each element lies."""
    return np.searchsorted(boundaries, x, side="right" if right else "left")


@evaluates("softmax", "_softmax", "_safe_softmax")
def softmax(outs: list[Out], x: Array, dim: int, *args: Any, **_: Any) -> Any:
    """Shares of an axis; -inf has none."""
    return _shares(outs, x, dim)


@evaluates("log_softmax", "_log_softmax")
def log_softmax(outs: list[Out], x: Array, dim: int, *args: Any, **_: Any) -> Any:
    """Their logarithms."""
    return np.log(_shares(outs, x, dim))


def _shares(outs: list[Out], x: Array, dim: int) -> Any:
    wide = x.astype(outs[0].dtype)
    grown = np.exp(wide - wide.max(dim, keepdims=True))
    return grown / grown.sum(dim, keepdims=True)


@evaluates("mm", "bmm", "matmul", "mv", "dot")
def matmul(outs: list[Out], x: Array, y: Array) -> Any:
    """A matrix product."""
    _worth(outs, x)
    return np.asarray(np.matmul(x, y))


@evaluates("addmm", "baddbmm")
def addmm(outs: list[Out], x: Array, left: Array, right: Array, *, beta: float = 1, alpha: float = 1) -> Any:
    """A matrix product and something besides."""
    _worth(outs, left)
    return beta * x + alpha * np.matmul(left, right)


def _worth(outs: list[Out], x: Array) -> None:
    """Refuse products that take long: nobody computes index tables like that.

    Raises
    ------
    ValueError
        beyond 2**30 multiplications.
    """
    if prod(outs[0].shape) * x.shape[-1] > 1 << 30:
        raise ValueError(x.shape)
