"""Tensors inside a file: where their numbers lie, and what they are."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from eyeshot.errors import FileFormatError
from eyeshot.frontends.files import LIMITS
from eyeshot.frontends.onnx.wire import Fields, Message, Reader, Span, integer, one, span, text

DTYPES = (
    "undefined float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32 uint64 complex64 "
    "complex128 bfloat16 float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz uint4 int4 float4e2m1 float8e8m0 "
    "uint2 int2 float6e2m3 float6e3m2"
).split()
"""Element types by their number, in NumPy's words."""

_PLAIN = frozenset(
    "float32 uint8 int8 uint16 int16 int32 int64 bool float16 float64 uint32 uint64 complex64 complex128".split()
)


def dtype_name(number: int) -> str:
    """An element type in NumPy's words; "undefined" for a number that stands for none."""
    return DTYPES[number] if 0 <= number < len(DTYPES) else DTYPES[0]


class Blob(Message):
    """A tensor inside the file; its numbers stay there until `array` is called."""

    LAZY = True
    dims: Sequence[int] = ()
    data_type = 0
    name = ""
    location = 0
    raw: Span | None = None
    floats: Sequence[Span] = ()
    int32s: Sequence[Span] = ()
    int64s: Sequence[Span] = ()
    doubles: Sequence[Span] = ()
    uint64s: Sequence[Span] = ()
    strings: Sequence[Span] = ()
    FIELDS: ClassVar[Fields] = {
        1: integer("dims", many=True),
        2: integer("data_type"),
        4: span("floats", many=True),
        5: span("int32s", many=True),
        6: span("strings", many=True),
        7: span("int64s", many=True),
        8: text("name"),
        9: span("raw"),
        10: span("doubles", many=True),
        11: span("uint64s", many=True),
        14: integer("location"),
    }

    @property
    def shape(self) -> tuple[int, ...]:
        """Its extents."""
        return tuple(self.dims)

    @property
    def dtype(self) -> str:
        """Its element type in NumPy's words."""
        return dtype_name(self.data_type)

    def array(self) -> NDArray[Any] | None:
        """A copy of its numbers; None where they lie outside the file, are too many, or of a type NumPy lacks.

        Raises
        ------
        FileFormatError
            where there are not as many as its shape says.
        """
        count = prod(self.shape)
        if self.location or not 0 <= count <= LIMITS.constant:
            return None
        found = self._strings() if self.dtype == "string" else self._numbers(count)
        if found is None:
            return None
        if found.size != count:
            raise FileFormatError(
                f"the tensor {self.name!r} of shape {self.shape} holds {found.size} elements instead of {count}"
            )
        return found.reshape(self.shape)

    def _strings(self) -> NDArray[Any]:
        held = [str(self.data[start:stop], "utf-8", "replace") for start, stop in self.strings]
        return np.array(held, object)

    def _numbers(self, count: int) -> NDArray[Any] | None:
        name = self.dtype
        if self.raw is not None and name in _PLAIN | {"bfloat16"}:
            stored = np.dtype("uint16" if name == "bfloat16" else name).newbyteorder("<")
            start, stop = self.raw
            if stop - start != count * stored.itemsize:
                raise FileFormatError(
                    f"the tensor {self.name!r} of shape {self.shape} and type {name} holds {stop - start} bytes"
                )
            return _decoded(np.frombuffer(self.data, stored, count, start), name)
        if self.raw is not None:
            return None
        fixed = {
            "float32": self.floats,
            "complex64": self.floats,
            "float64": self.doubles,
            "complex128": self.doubles,
        }
        if name in fixed:
            joined = b"".join(bytes(self.data[start:stop]) for start, stop in fixed[name])
            size = np.dtype(name).itemsize
            return np.frombuffer(joined[: len(joined) // size * size], name)
        spans = {"int64": self.int64s, "uint32": self.uint64s, "uint64": self.uint64s}.get(name, self.int32s)
        if name not in _PLAIN | {"bfloat16"} or sum(stop - start for start, stop in spans) > 10 * count:
            return None
        numbers = Reader(self.data, self.name, LIMITS.items * 10, 1).integers(list(spans))
        stored = np.dtype("uint16") if name in {"float16", "bfloat16"} else np.dtype(name)
        wrapped = (
            np.array(numbers, np.int64)
            if name != "uint64"
            else np.array([n % 2**64 for n in numbers], np.uint64)
        )
        return _decoded(wrapped.astype(stored), name)


def _decoded(stored: NDArray[Any], name: str) -> NDArray[Any]:
    """Numbers from their bits, in this machine's byte order and in memory of their own."""
    if name == "bfloat16":
        return (stored.astype(np.uint32) << 16).view(np.float32)
    if name == "float16" and stored.dtype.kind == "u":
        return stored.astype(np.uint16).view(np.float16)
    return stored.astype(name)


class SparseBlob(Message):
    """A sparse tensor; of its elements nothing is taken to be known."""

    values: Blob | None = None
    dims: Sequence[int] = ()
    FIELDS: ClassVar[Fields] = {1: one("values", Blob), 3: integer("dims", many=True)}

    @property
    def shape(self) -> tuple[int, ...]:
        """Its extents."""
        return tuple(self.dims)
