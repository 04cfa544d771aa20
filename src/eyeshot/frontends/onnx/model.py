"""The messages of ONNX that are read, and how: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from eyeshot.errors import FileFormatError
from eyeshot.frontends.files import LIMITS, Limits
from eyeshot.frontends.onnx.tensors import Blob, SparseBlob
from eyeshot.frontends.onnx.wire import (
    Buffer,
    Fields,
    Kind,
    Message,
    Reader,
    Span,
    integer,
    one,
    several,
    span,
    text,
)


class Pair(Message):
    """A key with a text."""

    key = ""
    value = ""
    FIELDS: ClassVar[Fields] = {1: text("key"), 2: text("value")}


class Dimension(Message):
    """One extent: a number, a symbol, or unknown."""

    value: int | None = None
    written = ""
    FIELDS: ClassVar[Fields] = {1: integer("value"), 2: text("written")}

    @property
    def symbol(self) -> str:
        """A name that stands for one extent wherever it is; "" where there is none ("?" names nothing)."""
        return self.written if any(map(str.isalnum, self.written)) else ""


class Extents(Message):
    """A declared shape."""

    dims: Sequence[Dimension] = ()
    FIELDS: ClassVar[Fields] = {1: several("dims", Dimension)}


class TensorType(Message):
    """Element type and declared shape; None where the rank is unknown."""

    data_type = 0
    shape: Extents | None = None
    FIELDS: ClassVar[Fields] = {1: integer("data_type"), 2: one("shape", Extents)}


class Type(Message):
    """What a name holds: a tensor, or a sequence or optional of a type."""

    tensor: TensorType | None = None
    sequence: Type | None = None
    optional: Type | None = None
    inner: Type | None = None
    FIELDS: ClassVar[Fields] = {}


class _Inner(Type):
    """The message around the type of a sequence's or optional's content."""


_Inner.FIELDS = {1: one("inner", Type)}
Type.FIELDS = {1: one("tensor", TensorType), 4: one("sequence", _Inner), 9: one("optional", _Inner)}


class Declared(Message):
    """A name with its type, which is read when it is asked for."""

    LAZY = True
    name = ""
    written: Span | None = None
    FIELDS: ClassVar[Fields] = {1: text("name"), 2: span("written")}

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
    1: text("name"),
    2: (int(Kind.FLOAT), "f", False, None),
    3: integer("i"),
    4: span("s"),
    5: one("t", Blob),
    6: one("g", Graph),
    7: (int(Kind.FLOAT), "floats", True, None),
    8: integer("ints", many=True),
    9: span("strings", many=True),
    10: several("tensors", Blob),
    11: several("graphs", Graph),
    20: integer("type"),
    21: text("reference"),
    22: one("sparse", SparseBlob),
}
Node.FIELDS = {
    1: text("inputs", many=True),
    2: text("outputs", many=True),
    3: text("name"),
    4: text("op"),
    5: several("given", Attribute),
    7: text("domain"),
    8: text("overload"),
    9: span("properties", many=True),
}
Graph.FIELDS = {
    1: several("nodes", Node),
    2: text("name"),
    5: several("constants", Blob),
    11: several("inputs", Declared),
    12: several("outputs", Declared),
    13: span("declared", many=True),
    15: several("sparse", SparseBlob),
}


class OperatorSet(Message):
    """The version of a domain's operators."""

    domain = ""
    version = 1
    FIELDS: ClassVar[Fields] = {1: text("domain"), 2: integer("version")}


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
        1: text("name"),
        4: text("inputs", many=True),
        5: text("outputs", many=True),
        6: text("attributes", many=True),
        7: several("nodes", Node),
        9: several("opsets", OperatorSet),
        10: text("domain"),
        11: several("defaults", Attribute),
        13: text("overload"),
    }


class Model(Message):
    """A whole file."""

    ir_version = 0
    producer = ""
    graph: Graph | None = None
    opsets: Sequence[OperatorSet] = ()
    functions: Sequence[Function] = ()
    FIELDS: ClassVar[Fields] = {
        1: integer("ir_version"),
        2: text("producer"),
        7: one("graph", Graph),
        8: several("opsets", OperatorSet),
        25: several("functions", Function),
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
