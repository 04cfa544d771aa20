"""The messages of ONNX that are read, and how: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from eyeshot.errors import FileFormatError
from eyeshot.frontends.files import LIMITS, Limits
from eyeshot.frontends.onnx.wire import Buffer, Field, Fields, Kind, Message, Reader, Span

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


def _text(name: str, *, many: bool = False) -> Field:
    return int(Kind.TEXT), name, many, None


def _integer(name: str, *, many: bool = False) -> Field:
    return int(Kind.INTEGER), name, many, None


def _span(name: str, *, many: bool = False) -> Field:
    return int(Kind.SPAN), name, many, None


def _one(name: str, kind: type[Message]) -> Field:
    return int(Kind.MESSAGE), name, False, kind


def _several(name: str, kind: type[Message]) -> Field:
    return int(Kind.MESSAGE), name, True, kind


class Pair(Message):
    """A key with a text."""

    key = ""
    value = ""
    FIELDS: ClassVar[Fields] = {1: _text("key"), 2: _text("value")}


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
        1: _integer("dims", many=True),
        2: _integer("data_type"),
        4: _span("floats", many=True),
        5: _span("int32s", many=True),
        6: _span("strings", many=True),
        7: _span("int64s", many=True),
        8: _text("name"),
        9: _span("raw"),
        10: _span("doubles", many=True),
        11: _span("uint64s", many=True),
        14: _integer("location"),
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
    FIELDS: ClassVar[Fields] = {1: _one("values", Blob), 3: _integer("dims", many=True)}

    @property
    def shape(self) -> tuple[int, ...]:
        """Its extents."""
        return tuple(self.dims)


class Dimension(Message):
    """One extent: a number, a symbol, or unknown."""

    value: int | None = None
    written = ""
    FIELDS: ClassVar[Fields] = {1: _integer("value"), 2: _text("written")}

    @property
    def symbol(self) -> str:
        """A name that stands for one extent wherever it is; "" where there is none ("?" names nothing)."""
        return self.written if any(map(str.isalnum, self.written)) else ""


class Extents(Message):
    """A declared shape."""

    dims: Sequence[Dimension] = ()
    FIELDS: ClassVar[Fields] = {1: _several("dims", Dimension)}


class TensorType(Message):
    """Element type and declared shape; None where the rank is unknown."""

    data_type = 0
    shape: Extents | None = None
    FIELDS: ClassVar[Fields] = {1: _integer("data_type"), 2: _one("shape", Extents)}


class Type(Message):
    """What a name holds: a tensor, or a sequence or optional of a type."""

    tensor: TensorType | None = None
    sequence: Type | None = None
    optional: Type | None = None
    inner: Type | None = None
    FIELDS: ClassVar[Fields] = {}


class _Inner(Type):
    """The message around the type of a sequence's or optional's content."""


_Inner.FIELDS = {1: _one("inner", Type)}
Type.FIELDS = {1: _one("tensor", TensorType), 4: _one("sequence", _Inner), 9: _one("optional", _Inner)}


class Declared(Message):
    """A name with its type, which is read when it is asked for."""

    LAZY = True
    name = ""
    written: Span | None = None
    FIELDS: ClassVar[Fields] = {1: _text("name"), 2: _span("written")}

    @cached_property
    def type(self) -> Type | None:
        """What it holds."""
        return (
            Reader(self.data, self.name, LIMITS.items, LIMITS.depth).read(Type, *self.written)
            if self.written
            else None
        )


class Attribute(Message):
    """One attribute; `value` is whichever field its type says."""

    LAZY = True
    name = ""
    reference = ""
    type = 0
    f = 0.0
    i = 0
    s: Span = (0, 0)
    t: Blob | None = None
    g: Graph | None = None
    floats: Sequence[float] = ()
    ints: Sequence[int] = ()
    strings: Sequence[Span] = ()
    tensors: Sequence[Blob] = ()
    graphs: Sequence[Graph] = ()
    sparse: SparseBlob | None = None
    FIELDS: ClassVar[Fields] = {}

    @property
    def value(self) -> Any:
        """Its content."""
        name = _CONTENTS.get(self.type) or next(
            (each for each in _CONTENTS.values() if each in self.__dict__), "i"
        )
        content = getattr(self, name)
        if name == "s":
            return self._decoded(content)
        return [self._decoded(each) for each in content] if name == "strings" else content

    def _decoded(self, span: Span) -> str:
        return str(self.data[span[0] : span[1]], "utf-8", "replace")


_CONTENTS = {
    1: "f", 2: "i", 3: "s", 4: "t", 5: "g", 6: "floats", 7: "ints", 8: "strings", 9: "tensors", 10: "graphs",
    11: "sparse",
}  # fmt: skip


class Node(Message):
    """One call of an operator; an empty name among inputs or outputs is one left out."""

    LAZY = True
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    name = ""
    op = ""
    domain = ""
    overload = ""
    given: Sequence[Attribute] = ()
    properties: Sequence[Span] = ()
    FIELDS: ClassVar[Fields] = {}

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """Contents of the attributes by name; those that refer to a function's are left out."""
        return {each.name: each.value for each in self.given if not each.reference}

    @property
    def references(self) -> dict[str, str]:
        """Attributes that stand for one of the surrounding function's, by name."""
        return {each.name: each.reference for each in self.given if each.reference}


class Graph(Message):
    """Nodes in an order in which they can be computed, constants, inputs and outputs."""

    LAZY = True
    nodes: Sequence[Node] = ()
    name = ""
    constants: Sequence[Blob] = ()
    sparse: Sequence[SparseBlob] = ()
    inputs: Sequence[Declared] = ()
    outputs: Sequence[Declared] = ()
    declared: Sequence[Span] = ()
    FIELDS: ClassVar[Fields] = {}


Attribute.FIELDS = {
    1: _text("name"),
    2: (int(Kind.FLOAT), "f", False, None),
    3: _integer("i"),
    4: _span("s"),
    5: _one("t", Blob),
    6: _one("g", Graph),
    7: (int(Kind.FLOAT), "floats", True, None),
    8: _integer("ints", many=True),
    9: _span("strings", many=True),
    10: _several("tensors", Blob),
    11: _several("graphs", Graph),
    20: _integer("type"),
    21: _text("reference"),
    22: _one("sparse", SparseBlob),
}
Node.FIELDS = {
    1: _text("inputs", many=True),
    2: _text("outputs", many=True),
    3: _text("name"),
    4: _text("op"),
    5: _several("given", Attribute),
    7: _text("domain"),
    8: _text("overload"),
    9: _span("properties", many=True),
}
Graph.FIELDS = {
    1: _several("nodes", Node),
    2: _text("name"),
    5: _several("constants", Blob),
    11: _several("inputs", Declared),
    12: _several("outputs", Declared),
    13: _span("declared", many=True),
    15: _several("sparse", SparseBlob),
}


class OperatorSet(Message):
    """The version of a domain's operators."""

    domain = ""
    version = 1
    FIELDS: ClassVar[Fields] = {1: _text("domain"), 2: _integer("version")}


class Function(Message):
    """An operator that the model brings itself."""

    name = ""
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    attributes: Sequence[str] = ()
    defaults: Sequence[Attribute] = ()
    nodes: Sequence[Node] = ()
    opsets: Sequence[OperatorSet] = ()
    domain = ""
    overload = ""
    FIELDS: ClassVar[Fields] = {
        1: _text("name"),
        4: _text("inputs", many=True),
        5: _text("outputs", many=True),
        6: _text("attributes", many=True),
        7: _several("nodes", Node),
        9: _several("opsets", OperatorSet),
        10: _text("domain"),
        11: _several("defaults", Attribute),
        13: _text("overload"),
    }


class Model(Message):
    """A whole file."""

    ir_version = 0
    producer = ""
    graph: Graph | None = None
    opsets: Sequence[OperatorSet] = ()
    functions: Sequence[Function] = ()
    FIELDS: ClassVar[Fields] = {
        1: _integer("ir_version"),
        2: _text("producer"),
        7: _one("graph", Graph),
        8: _several("opsets", OperatorSet),
        25: _several("functions", Function),
    }


def parse(data: Buffer, name: str, limits: Limits = LIMITS) -> Model:
    """The model in these bytes.

    Raises
    ------
    FileFormatError
        naming the byte where it stops being one.
    UnsafeFileError
        beyond the limits of :mod:`eyeshot.frontends.files`.
    """
    model = Reader(data, name, limits.items, limits.depth).read(Model)
    if model.graph is None or not model.opsets:
        raise FileFormatError(
            f"{name} is no ONNX model: it has no graph, or does not say which operators it means"
        )
    return model
