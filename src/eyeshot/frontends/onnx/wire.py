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


Field = tuple[Kind, str, bool, "type[Message] | None"]
"""Kind, attribute, whether it may be there several times, and the message in it."""


class Message:
    """What a message holds: attributes of this class, with defaults where the file has nothing.

    ``FIELDS`` maps the numbers of the fields that are wanted. ``data`` is the file, ``place`` where the message lies in it.
    """

    FIELDS: ClassVar[dict[int, Field]] = {}
    data: Buffer
    place: Span


M = TypeVar("M", bound=Message)

_INTEGER, _FLOAT, _TEXT, _MESSAGE = (int(kind) for kind in list(Kind)[:4])
_FLOATS = struct.Struct("<f")
_A_MESSAGE = 4  # what one costs in memory, counted in fields
_SKIPPED = {1: 8, 5: 4}
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
        for position, stop in spans:
            self._count((stop - position) // 2)
            while position < stop:
                number = data[position]
                position += 1
                if number > 127:
                    number, position = self._varint(position - 1)
                found.append(number if number < _SIGN else number - _BIG)
        return found

    def text(self, start: int, stop: int) -> str:
        """Text, UTF-8."""
        try:
            return str(self.data[start:stop], "utf-8")
        except UnicodeDecodeError as error:
            raise self._broken(start, "is no UTF-8 text") from error

    def _message(self, kind: type[M], start: int, stop: int, depth: int) -> M:
        if depth < 0:
            raise UnsafeFileError(f"{self.name} nests messages more than {self.depth} levels deep: refused")
        self._count(_A_MESSAGE)
        data, fields, most = self.data, kind.FIELDS, self.items
        held: dict[str, Any] = {"data": data, "place": (start, stop)}
        position = start
        count = 0
        while position < stop:
            at = position
            count += 1
            if count > most:
                self._count(count)
            key = data[position]
            position += 1
            if key > 127:
                key, position = self._varint(at)
            field = fields.get(key >> 3)
            wire = key & 7
            if key < 8:
                raise self._broken(at, "has the number 0, which there is not")
            if wire == 2:
                length = data[position]
                position += 1
                if length > 127:
                    length, position = self._varint(position - 1)
                end = position + length
                if end > stop:
                    raise self._broken(at, f"holds {length} bytes, more than its message has left")
                if field is not None:
                    self._keep(held, field, position, end, depth, at)
                position = end
            elif wire == 0:
                number = data[position]
                position += 1
                if number > 127:
                    number, position = self._varint(position - 1)
                if field is not None:
                    _hold(
                        held, field, number if number < _SIGN else number - _BIG, _INTEGER, (at + 1, position)
                    )
            elif wire in _SKIPPED:
                end = position + _SKIPPED[wire]
                if end > stop:
                    raise self._broken(at, "is cut off")
                if field is not None:
                    value = _FLOATS.unpack(data[position:end])[0] if wire == 5 else 0.0
                    _hold(held, field, value, _FLOAT, (position, end))
                position = end
            else:
                raise self._broken(at, f"has wire type {wire}, which there is not")
        if position != stop:
            raise self._broken(start, "ends in the middle of a field")
        self._count(count)
        made = kind.__new__(kind)
        made.__dict__ = held
        return made

    def _keep(self, held: dict[str, Any], field: Field, start: int, stop: int, depth: int, at: int) -> None:
        """One field of stated length."""
        kind, name, many, inner = field
        value: Any
        if kind == _TEXT:
            value = self.text(start, stop)
        elif kind == _MESSAGE:
            assert inner is not None
            value = self._message(inner, start, stop, depth - 1)
        elif kind == _INTEGER:  # several, packed
            if not many:
                raise self._broken(at, "is no whole number")
            held.setdefault(name, []).extend(self.integers([(start, stop)]))
            return
        elif kind == _FLOAT:
            if not many or (stop - start) % 4:
                raise self._broken(at, "is no list of floats")
            self._count((stop - start) // 4)
            held.setdefault(name, []).extend(struct.unpack(f"<{(stop - start) // 4}f", self.data[start:stop]))
            return
        else:
            value = (start, stop)
        if many:
            if name in held:
                held[name].append(value)
            else:
                held[name] = [value]
        else:
            held[name] = value

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


def _hold(held: dict[str, Any], field: Field, value: float, kind: int, place: Span) -> None:
    """One number; a field that holds something else is left out, as readers of this encoding do."""
    wanted, name, many, _ = field
    kept: Any = value
    if wanted == Kind.SPAN:
        kept = place
    elif wanted != kind:
        return
    if many:
        held.setdefault(name, []).append(kept)
    else:
        held[name] = kept
