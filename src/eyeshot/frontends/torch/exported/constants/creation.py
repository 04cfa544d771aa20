"""Ops that make a constant of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from eyeshot.frontends.torch.exported.constants.registry import Out, evaluates
from eyeshot.frontends.torch.exported.known import Array
from eyeshot.frontends.torch.trace import INTEGER_LIMIT


@evaluates("arange")
def arange(outs: list[Out], start: float, end: float | None = None, step: float = 1, **_: Any) -> Any:
    """A range; with one number, its end."""
    first = 0 if end is None else start
    return first + np.arange(outs[0].shape[0]) * np.asarray(step)


@evaluates("full", "new_full", "full_like")
def full(outs: list[Out], like: Any, fill_value: Any, *args: Any, **_: Any) -> Any:
    """One number everywhere."""
    number = args[0] if isinstance(like, np.ndarray) and args else fill_value
    return np.full(outs[0].shape, number, outs[0].dtype)


@evaluates("scalar_tensor")
def scalar_tensor(outs: list[Out], number: float, **_: Any) -> Any:
    """A number."""
    return np.asarray(number)


@evaluates("zeros", "zeros_like", "new_zeros", "zero", "empty", "empty_like", "new_empty", "empty_strided")
@evaluates("new_empty_strided", "empty_permuted")
def zeros(outs: list[Out], *args: Any, **_: Any) -> Any:
    """Zeros; what is empty is written to before anything reads it."""
    return np.zeros(outs[0].shape, outs[0].dtype)


@evaluates("ones", "ones_like", "new_ones")
def ones(outs: list[Out], *args: Any, **_: Any) -> Any:
    """Ones."""
    return np.ones(outs[0].shape, outs[0].dtype)


@evaluates("eye")
def eye(outs: list[Out], *args: Any, **_: Any) -> Any:
    """Ones on the diagonal."""
    return np.eye(outs[0].shape[0], outs[0].shape[1])


@evaluates("linspace")
def linspace(outs: list[Out], start: float, end: float, *args: Any, **_: Any) -> Any:
    """Numbers in equal steps, both ends included."""
    return np.linspace(start, end, outs[0].shape[0])


@evaluates("tril_indices")
def tril_indices(outs: list[Out], row: int, col: int, offset: int = 0, **_: Any) -> Any:
    """Rows and columns of a lower triangle."""
    _small(row, col)
    return np.stack(np.tril_indices(row, offset, col))


@evaluates("triu_indices")
def triu_indices(outs: list[Out], row: int, col: int, offset: int = 0, **_: Any) -> Any:
    """Rows and columns of an upper triangle."""
    _small(row, col)
    return np.stack(np.triu_indices(row, offset, col))


def _small(row: int, col: int) -> None:
    if row * col > INTEGER_LIMIT:
        raise ValueError((row, col))


@evaluates("fill")
def fill(outs: list[Out], x: Array, number: Any) -> Any:
    """One number everywhere."""
    return np.full(outs[0].shape, number, outs[0].dtype)
