"""What a capture hands on: a record of ATen calls as pure data, free of torch objects.

The same record can come from a live model or from an exported file, so the lowerings that
read it work where torch is not installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Origin = Literal["input", "parameter", "buffer", "constant", "call"]

# Elements up to which the values of a constant are kept (see `Value.known`): integers and booleans, floats, and the
# distinct values up to which floats are a mask and kept as integers are.
INTEGER_LIMIT = 4 * 1024 * 1024
FLOAT_LIMIT = 64 * 1024
MASK_LEVELS = 4

# Buffers whose names end like this are learned, whatever they look like.
STATISTICS = ("running_mean", "running_var")


@dataclass(slots=True, eq=False)
class Value:
    """One tensor of the trace; two Values are the same tensor only if they are the same object.

    ``dtype`` is torch's word without its prefix ("float32", "int64", "bool").
    ``name`` is the name of an input, parameter or buffer.
    ``known`` holds the elements where they follow from no floating parameter and no input.
    """

    shape: tuple[int, ...]
    dtype: str
    origin: Origin
    name: str | None = None
    known: np.ndarray[Any, np.dtype[Any]] | None = None

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.shape)) or "scalar"
        name = f" {self.name}" if self.name else ""
        return f"<{self.origin}{name} {self.dtype} {shape}{' known' if self.known is not None else ''}>"


@dataclass(slots=True)
class Call:
    """One recorded ATen op.

    ``op`` always names the overload ("aten.convolution.default"). ``args`` and ``kwargs`` hold
    Values in the place of tensors (inside lists and tuples too), Python scalars, and strings for
    dtypes, devices, layouts and memory formats. ``outputs`` is flat and in order; ``None`` stands
    where the op returned none. ``module`` is the path of the innermost module whose forward ran
    ("" is the model itself), ``visit`` counts the calls of that module from 0.
    """

    op: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[Value | None, ...]
    module: str
    visit: int


@dataclass(slots=True)
class ModuleCall:
    """One finished forward of one module; the root's path is "".

    ``outputs`` is the flattened output: "" for a single tensor, ".0", ".key" or ".0.key" for parts.
    ``first_call`` and ``last_call`` are a half-open range of indices into ``Trace.calls``.
    ``parameters`` counts the elements of the parameters that this module owns directly; a
    parameter shared by several modules counts for the first of them only.
    """

    path: str
    visit: int
    kind: str
    outputs: dict[str, Value]
    first_call: int
    last_call: int
    parameters: int


@dataclass(slots=True)
class Trace:
    """One forward pass.

    ``real`` tells that the model ran on real numbers (its control flow or shapes depend on
    data), ``training`` is ``model.training`` as found, ``notes`` are sentences for the user.
    """

    inputs: dict[str, Value]
    outputs: dict[str, Value]
    calls: list[Call]
    modules: list[ModuleCall]
    real: bool = False
    training: bool = False
    notes: list[str] = field(default_factory=list)


def values_in(item: object) -> Iterator[Value]:
    """Every Value inside ``item``, in order; looks into lists, tuples and dictionaries."""
    if isinstance(item, Value):
        yield item
    elif isinstance(item, list | tuple):
        for part in item:
            yield from values_in(part)
    elif isinstance(item, dict):
        for part in item.values():
            yield from values_in(part)
