"""Protocol buffers, read as far as wanted: a table of fields for each message, and everything else skipped.

The encoding: https://protobuf.dev/programming-guides/encoding/. Payloads (the numbers of tensors) are not copied; a
message remembers where they lie.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any, ClassVar, TypeVar

from eyeshot.errors import FileFormatError, UnsafeFileError

Buffer = bytes | memoryview
Span = tuple[int, int]


class Kind(IntEnum):
    """What a field holds: a signed whole number, a float, text, one message, or bytes left where they are."""

    INTEGER = 0
    FLOAT = 1
    TEXT = 2
    MESSAGE = 3
    SPAN = 4


Field = tuple[int, str, bool, "type[Message] | None"]
"""Kind, attribute, whether it may be there several times, and the message in it."""
Fields = dict[int, Field]


class Message:
    """What a message holds: attributes of this class, with defaults where the file has nothing.

    ``FIELDS`` maps the numbers of the fields that are wanted. Where some of them are looked at later (``LAZY``), ``data``
    is the file, and ``place`` where the message lies in it.
    """

    FIELDS: ClassVar[Fields] = {}
    LAZY: ClassVar[bool] = False
    data: Buffer
    place: Span


def text(name: str, *, many: bool = False) -> Field:
    """A field of text."""
    return int(Kind.TEXT), name, many, None


def integer(name: str, *, many: bool = False) -> Field:
    """A field of whole numbers."""
    return int(Kind.INTEGER), name, many, None


def span(name: str, *, many: bool = False) -> Field:
    """A field that is left where it is."""
    return int(Kind.SPAN), name, many, None


def one(name: str, kind: type[Message]) -> Field:
    """A field with a message."""
    return int(Kind.MESSAGE), name, False, kind


def several(name: str, kind: type[Message]) -> Field:
    """A field with messages."""
    return int(Kind.MESSAGE), name, True, kind


M = TypeVar("M", bound=Message)

_INTEGER, _FLOAT, _TEXT, _MESSAGE, _SPAN = map(int, Kind)
_FLOATS = struct.Struct("<f")
_A_MESSAGE = 4  # what one costs in memory, counted in fields
_LONG = 64  # bytes of text that count as one field more
_SIZES = {1: 8, 5: 4}
_BIG, _SIGN = 1 << 64, 1 << 63


class Reader:
    """Reads messages from one file, up to ``items`` fields and ``depth`` levels."""

    def __init__(self, data: Buffer, name: str, items: int, depth: int) -> None:
        self.data, self.name, self.items, self.depth = data, name, items, depth

    def read(self, kind: type[M], start: int = 0, stop: int | None = None) -> M:
        """The message at ``start:stop``.

        Raises
        ------
        FileFormatError
            naming the offset of the first byte that is no protocol buffer.
        UnsafeFileError
            beyond the limits.
        """
        stop = len(self.data) if stop is None else stop
        try:
            return self._message(kind, start, stop, self.depth)
        except IndexError as error:
            raise FileFormatError(f"{self.name} ends in the middle of a message") from error

    def integers(self, spans: list[Span]) -> list[int]:
        """Whole numbers laid end to end."""
        found: list[int] = []
        data = self.data
        for start, stop in spans:
            position = start
            self._count((stop - start) // 2)
            while position < stop:
                number = data[position]
                position += 1
                if number > 127:
                    number, position = self._varint(position - 1)
                found.append(number if number < _SIGN else number - _BIG)
        return found

    def _message(self, kind: type[M], start: int, stop: int, depth: int) -> M:
        """One message, field by field: nearly all of the time that a file takes to parse is spent here."""
        if depth < 0:
            raise UnsafeFileError(f"{self.name} nests messages more than {self.depth} levels deep: refused")
        self._count(_A_MESSAGE)
        data, fields, most = self.data, kind.FIELDS, self.items
        held: dict[str, Any] = {}
        position, count = start, 0
        while position < stop:
            at = position
            count += 1
            if count > most:  # a file of gigabytes has to be refused before its end
                self._count(count)
            key = data[position]
            position += 1
            if key > 127:
                key, position = self._varint(at)
            if key & 7 == 2 and data[position] < 128:
                end = position + 1 + data[position]
                position += 1
            else:
                position, end = self._bounds(key & 7, position, at)
            if end > stop or key < 8:
                raise self._broken(at, "is longer than its message has left, or has the number 0")
            field = fields.get(key >> 3)
            if field is not None:
                value = self._value(field, key & 7, position, end, depth, at)
                name = field[1]
                if not field[2]:
                    held[name] = value
                elif field[0] < _TEXT and key & 7 == 2:  # numbers, packed
                    held.setdefault(name, []).extend(value)
                elif name in held:
                    held[name].append(value)
                else:
                    held[name] = [value]
            position = end
        self._count(count)
        if kind.LAZY:
            held["data"], held["place"] = data, (start, stop)
        made = kind.__new__(kind)
        made.__dict__ = held
        return made

    def _bounds(self, wire: int, position: int, at: int) -> tuple[int, int]:
        """Where a field's content begins and ends."""
        if wire == 2:
            length, position = self._varint(position)
            return position, position + length
        if wire == 0:
            return position, self._varint(position)[1] if self.data[position] > 127 else position + 1
        if wire in _SIZES:
            return position, position + _SIZES[wire]
        raise self._broken(at, f"has wire type {wire}, which there is not")

    def _value(self, field: Field, wire: int, start: int, stop: int, depth: int, at: int) -> Any:
        """What a field holds."""
        code, _, many, inner = field
        if code == _SPAN:
            return start, stop
        if code == _MESSAGE and wire == 2 and inner is not None:
            return self._message(inner, start, stop, depth - 1)
        if code == _TEXT and wire == 2:
            if stop - start > _LONG:
                self._count((stop - start) // _LONG)
            try:
                return str(self.data[start:stop], "utf-8")
            except UnicodeDecodeError as error:
                raise self._broken(start, "is no UTF-8 text") from error
        if code == _INTEGER and wire == 0:
            number = self._varint(start)[0]
            return number if number < _SIGN else number - _BIG
        if code == _FLOAT and wire == 5:
            return _FLOATS.unpack(self.data[start:stop])[0]
        if code < _TEXT and many and wire == 2:
            return self._packed(code, start, stop, at)
        raise self._broken(at, "holds something else than it should")

    def _packed(self, code: int, start: int, stop: int, at: int) -> list[Any]:
        """Numbers laid end to end."""
        if code == _INTEGER:
            return self.integers([(start, stop)])
        if code != _FLOAT or (stop - start) % 4:
            raise self._broken(at, "holds something else than it should")
        self._count((stop - start) // 4)
        return list(struct.unpack(f"<{(stop - start) // 4}f", self.data[start:stop]))

    def _varint(self, position: int) -> tuple[int, int]:
        data, start, shift, number = self.data, position, 0, 0
        while True:
            byte = data[position]
            position += 1
            number |= (byte & 127) << shift
            if byte < 128:
                return number & (_BIG - 1), position
            shift += 7
            if shift > 63:
                raise self._broken(start, "is a number of more than 10 bytes")

    def _count(self, count: int) -> None:
        self.items -= count
        if self.items < 0:
            raise UnsafeFileError(f"{self.name} has too many fields; that many are refused")

    def _broken(self, offset: int, problem: str) -> FileFormatError:
        return FileFormatError(
            f"{self.name} is no such file, or damaged: the field at byte {offset:,} {problem}"
        )
