"""The JSON of an exported program, read with checks: every piece is of the kind that it has to be, or the file is refused.

The words are those of ``torch/_export/serde/schema.py``, version 8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, TypeVar

from eyeshot.errors import FileFormatError, UnsafeFileError
from eyeshot.frontends.torch.exported.symbols import Number, evaluate, parse, solve, whole

if TYPE_CHECKING:
    from eyeshot.frontends.files import Budget

VERSION = 8

SCALAR_TYPES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64",
    9: "complex32", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16", 28: "uint16",
    29: "float8_e4m3fn", 30: "float8_e5m2", 31: "float8_e4m3fnuz", 32: "float8_e5m2fnuz", 33: "float8_e8m0fnu",
    34: "uint32", 35: "uint64",
}  # fmt: skip
LAYOUTS = {
    1: "sparse_coo",
    2: "sparse_csr",
    3: "sparse_csc",
    4: "sparse_bsr",
    5: "sparse_bsc",
    6: "mkldnn",
    7: "strided",
}
MEMORY_FORMATS = {1: "contiguous_format", 2: "channels_last", 3: "channels_last_3d", 4: "preserve_format"}

# Numbers that speak of values; all others are extents, positions or counts.
VALUES = frozenset(
    ("end", "stop", "start", "fill_value", "other", "self", "value", "min", "max", "scalar", "s", "alpha")
)

_WORDS = {"as_scalar_type": SCALAR_TYPES, "as_memory_format": MEMORY_FORMATS, "as_layout": LAYOUTS}
_TENSORS = frozenset("as_tensor as_tensors as_optional_tensor as_optional_tensors as_nested_tensors".split())
_PLAIN = frozenset("as_bool as_bools as_string as_strings as_operator".split())

K = TypeVar("K")


def get(record: object, key: str, kind: type[K] | tuple[type[K], ...]) -> K:
    """``record[key]``, which has to be there and of one kind.

    Raises
    ------
    FileFormatError
        where it isn't.
    """
    if not isinstance(record, dict) or key not in record:
        raise FileFormatError(f"the exported program has no {key!r} where one belongs")
    value = record[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise FileFormatError(
            f"{key!r} in the exported program is a {type(value).__name__}: {str(value)[:60]}"
        )
    return value


def union(record: object) -> tuple[str, Any]:
    """The kind and the content of one of the schema's unions, ``{"as_int": 3}``."""
    if not isinstance(record, dict) or len(record) != 1:
        raise FileFormatError(f"the exported program has no union where one belongs: {str(record)[:60]}")
    return next(iter(record.items()))


@dataclass(frozen=True, slots=True)
class Meta:
    """What a file says of one tensor; ``strides`` are in elements."""

    shape: tuple[int, ...]
    dtype: str
    strides: tuple[int, ...]

    @property
    def contiguous(self) -> bool:
        """Whether the elements are in order in memory."""
        held = [(n, stride) for n, stride in zip(self.shape, self.strides, strict=True) if n != 1]
        return 0 in self.shape or all(
            stride == prod(n for n, _ in held[place + 1 :]) for place, (_, stride) in enumerate(held)
        )


@dataclass(frozen=True, slots=True)
class Subgraph:
    """A graph that is an argument of an op of higher order."""

    record: dict[str, Any]


class Scope:
    """The names of one graph: shapes, dtypes and numbers, with symbols given values."""

    def __init__(self, graph: dict[str, Any], bound: dict[str, int], budget: Budget) -> None:
        self._bound = bound
        self._budget = budget
        self._tensors = get(graph, "tensor_values", dict)
        self._metas: dict[str, Meta] = {}
        self._numbers: dict[str, Any] = {}
        for table in ("sym_int_values", "sym_bool_values", "sym_float_values"):
            self._numbers.update(get(graph, table, dict) if table in graph else {})

    def meta(self, name: str) -> Meta:
        """Shape, dtype and strides of a tensor."""
        if name not in self._metas:
            if name not in self._tensors:
                raise FileFormatError(f"the exported program says nothing of the tensor {name!r}")
            self._metas[name] = self.described(self._tensors[name], name)
        return self._metas[name]

    def found(self, name: str, shape: tuple[int, ...]) -> None:
        """Note the shape of a tensor, which values told: it gives symbols a value that nothing else does.

        Raises
        ------
        FileFormatError
            where the tensor is said to have another.
        """
        for size, extent in zip(get(self._tensors.get(name), "sizes", list), shape, strict=False):
            kind, content = union(size)
            if kind == "as_expr":
                self._bound.update(
                    [solve(parse(get(content, "expr_str", str)), extent, self._bound) or ("", 0)]
                )
        if self.meta(name).shape != shape:
            raise FileFormatError(f"tensor {name!r} of the exported program is {shape}, not as it says")

    def number_found(self, name: str, value: int) -> None:
        """Note a number that values told."""
        kind, content = union(self._numbers.get(name))
        if kind == "as_expr":
            self._bound.update([solve(parse(get(content, "expr_str", str)), value, self._bound) or ("", 0)])

    def described(self, record: object, name: str) -> Meta:
        """A record of a tensor's shape and dtype.

        Raises
        ------
        UnsafeFileError
            for an axis longer than the limit.
        """
        shape = tuple(whole(self._value(size)) for size in get(record, "sizes", list))
        self._budget.shape(shape, f"tensor {name!r}")
        strides = tuple(whole(self._value(stride)) for stride in get(record, "strides", list))
        code = get(record, "dtype", int)
        if code not in SCALAR_TYPES or len(shape) != len(strides):
            raise FileFormatError(
                f"tensor {name!r} of the exported program has no dtype or strides that eyeshot knows"
            )
        return Meta(shape, SCALAR_TYPES[code], strides)

    def number(self, name: str) -> Number | bool:
        """The value of a symbolic number by its name."""
        if name not in self._numbers:
            raise FileFormatError(f"the exported program says nothing of the number {name!r}")
        return self._value(self._numbers[name])

    def _value(self, record: object) -> Number:
        kind, content = union(record)
        if kind == "as_expr":
            return evaluate(parse(get(content, "expr_str", str)), self._bound)
        if kind == "as_float":
            return _float(content)
        if kind not in ("as_int", "as_bool") or not isinstance(content, int):
            raise FileFormatError(f"{kind} {str(content)[:60]} is no number of an exported program")
        return content

    def argument(self, record: object, name: str, tensor: Callable[[str], K]) -> Any:
        """An argument as pure data, with ``tensor(name)`` in the place of every tensor."""
        kind, content = union(record)
        if kind == "as_none":
            return None
        if kind in _TENSORS:
            return self._tensors_in(content, name, tensor)
        if kind in ("as_int", "as_ints", "as_int_lists"):
            return self._ints(content, name)
        if kind in ("as_float", "as_floats", "as_float_lists"):
            return _floats(content)
        if kind in _WORDS:
            return _WORDS[kind].get(content) if isinstance(content, int) else None
        if kind in _PLAIN:
            return content
        if kind in ("as_sym_int", "as_sym_bool", "as_sym_float"):
            return self._symbolic(content, name)
        if kind in ("as_sym_ints", "as_sym_bools", "as_sym_floats"):
            return [self._symbolic(each, name) for each in _list(content)]
        if kind == "as_graph":
            return Subgraph(get(content, "graph", dict))
        if kind == "as_device":
            return "cpu"
        if kind == "as_complex":
            return complex(_float(get(content, "real", object)), _float(get(content, "imag", object)))
        raise FileFormatError(
            f"argument {name!r} of the exported program is {kind}, which eyeshot does not read"
        )

    def _tensors_in(self, content: object, name: str, tensor: Callable[[str], K]) -> Any:
        """A tensor, or lists of them, some of them perhaps absent."""
        if isinstance(content, list):
            return [self._tensors_in(part, name, tensor) for part in content]
        if isinstance(content, dict) and "name" not in content:
            return self.argument(content, name, tensor)
        return tensor(get(content, "name", str))

    def _symbolic(self, record: object, name: str) -> Any:
        kind, content = union(record)
        if kind == "as_name":
            value = self.number(str(content))
            return value if isinstance(value, bool | float) else self._ints(whole(value), name)
        if kind == "as_float":
            return _float(content)
        return content if isinstance(content, bool) else self._ints(content, name)

    def _ints(self, content: object, name: str) -> Any:
        if isinstance(content, list):
            return [self._ints(part, name) for part in content]
        if not isinstance(content, int):
            raise FileFormatError(f"argument {name!r} is no whole number: {str(content)[:60]}")
        most = self._budget.limits.extent
        if abs(content) > most and name not in VALUES:
            raise UnsafeFileError(
                f"argument {name!r} in {self._budget.name} is {content:,}; extents above {most:,} are refused"
            )
        return content


def _list(content: object) -> list[Any]:
    if not isinstance(content, list):
        raise FileFormatError(f"the exported program has no list where one belongs: {str(content)[:60]}")
    return content


def _floats(content: object) -> Any:
    return [_floats(part) for part in content] if isinstance(content, list) else _float(content)


def _float(content: object) -> float:
    """A number; infinities and NaN are written as words."""
    if isinstance(content, int | float) or content in ("Infinity", "-Infinity", "NaN"):
        return float(content)
    raise FileFormatError(f"{str(content)[:60]} is no number of an exported program")
