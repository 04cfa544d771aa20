"""Changes that keep the structure of a file, mostly, so that they get past its parser."""

from __future__ import annotations

import copy
import json
import random
import re
import struct
from collections.abc import Callable, Sequence
from typing import Any

from tests.security.protobuf import varint

Mutate = Callable[[bytes, bytes, random.Random], bytes]
"""An input, another one to take parts from, and where chance comes from."""

NUMBERS = (
    0, 1, 2, 3, 4, 5, 7, 8, 16, 17, 31, 64, 100, 255, 256, 1000, 65536, -1, -2, -3, -4, -7, 1 << 20, 1 << 24, (1 << 24) + 1,
    1 << 31, -(1 << 31), 1 << 32, 1 << 62, (1 << 63) - 1, -(1 << 63), 1 << 63, 1 << 64, 10**30,
)  # fmt: skip
FLOATS = (0.0, -0.0, 0.5, 1.0, 2.0, 1e-30, 1e9, 1e30, 1e300, -1.5, float("nan"), float("inf"), float("-inf"))
_DEEPEST = 60


def any_bytes(data: bytes, other: bytes, draw: random.Random) -> bytes:
    """Bytes turned, cut out, doubled, put in from elsewhere, or overwritten with numbers at the edge."""
    made = bytearray(data or b"\0")
    for _ in range(draw.choice((1, 1, 2, 4, 8))):
        at = draw.randrange(len(made) + 1)
        size = draw.choice((1, 2, 4, 8, draw.randrange(1, 64)))
        match draw.randrange(6):
            case 0:
                made[at : at + 1] = bytes([draw.randrange(256)])
            case 1:
                del made[at : at + size]
            case 2:
                made[at:at] = made[at : at + size]
            case 3:
                place = draw.randrange(len(other) + 1)
                made[at : at + draw.choice((0, size))] = other[place : place + size]
            case 4:
                number = draw.choice(NUMBERS) % (1 << 64)
                layout = draw.choice(("<Q", ">Q", "<I", "<H"))
                made[at : at + size] = struct.pack(layout, number % (1 << 8 * struct.calcsize(layout)))
            case _:
                made = made[:at] if draw.randrange(4) == 0 else made
    return bytes(made)


def texts(words: Sequence[str]) -> Mutate:
    """A mutation of text: words, numbers and marks changed for others."""

    def mutate(data: bytes, other: bytes, draw: random.Random) -> bytes:
        if draw.randrange(12) == 0:
            return any_bytes(data, other, draw)
        parts = re.findall(r"\d+|\w+|\s+|.", data.decode("utf-8", "replace"), re.DOTALL)
        spare = re.findall(r"\d+|\w+|\s+|.", other.decode("utf-8", "replace"), re.DOTALL)
        for _ in range(draw.choice((1, 1, 2, 3, 6))):
            at = draw.randrange(len(parts) + 1)
            size = draw.choice((1, 1, 2, 5))
            match draw.randrange(6):
                case 0:
                    parts[at : at + 1] = [str(draw.choice(NUMBERS))]
                case 1:
                    parts[at : at + draw.choice((0, 1))] = [draw.choice(words)]
                case 2:
                    del parts[at : at + size]
                case 3:
                    parts[at:at] = parts[at : at + size] * draw.choice((1, 1, 3))
                case 4:
                    place = draw.randrange(len(spare) + 1)
                    parts[at:at] = spare[place : place + 2 * size]
                case _:
                    parts[at:at] = [draw.choice("[](){}|+,:=>*&!%@`'\"#-?~ \n\t\0é∪\u0661")]
        return "".join(parts).encode()

    return mutate


def trees(words: Sequence[str]) -> Mutate:
    """A mutation of JSON: values changed for others, parts removed, doubled, or taken from elsewhere."""

    def mutate(data: bytes, other: bytes, draw: random.Random) -> bytes:
        if draw.randrange(30) == 0:
            return any_bytes(data, other, draw)
        try:
            tree, spare = json.loads(data), json.loads(other)
        except (ValueError, RecursionError):
            return any_bytes(data, other, draw)
        holder = [tree]
        for _ in range(draw.choice((1, 1, 2, 3, 5))):
            places = _places(holder)
            where, key = draw.choice(places)
            match draw.randrange(8):
                case 0 | 1 | 2:
                    where[key] = _value(where[key], words, draw)
                case 3 if where is not holder:
                    del where[key]
                case 4:
                    giver, part = draw.choice(_places([spare]))
                    where[key] = copy.deepcopy(giver[part])
                case 5:
                    giver, part = draw.choice(places)
                    where[key] = copy.deepcopy(giver[part])
                case 6 if isinstance(where, list) and where is not holder:
                    where.insert(draw.randrange(len(where) + 1), copy.deepcopy(where[key]))
                case _:
                    where[key] = draw.choice(
                        ([where[key]], {"a": where[key]}, [], {}, None, [where[key]] * 2)
                    )
        return json.dumps(holder[0]).encode()

    return mutate


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every place in a tree as the container and the key."""
    found: list[tuple[Any, Any]] = []
    waiting = [(tree, 0)]
    while waiting:
        item, depth = waiting.pop()
        if depth > _DEEPEST:
            continue
        keys = item.keys() if isinstance(item, dict) else range(len(item))
        for key in keys:
            found.append((item, key))
            if isinstance(item[key], dict | list):
                waiting.append((item[key], depth + 1))
    return found


def _value(old: Any, words: Sequence[str], draw: random.Random) -> Any:
    if draw.randrange(5) == 0:
        old = draw.choice((0, 0.5, "", None, True, [1, 2]))
    match old:
        case bool():
            return draw.choice((True, False, 1, "true"))
        case int():
            return draw.choice((draw.choice(NUMBERS), old + 1, old - 1, 2 * old, -old))
        case float():
            return draw.choice(FLOATS)
        case str():
            return draw.choice(
                (draw.choice(words), draw.choice(words), "", old * 2, old[:-1], str(draw.choice(NUMBERS)))
            )
        case list():
            return draw.choice(
                ([], old[::-1], old * 2, old[1:], [draw.choice(NUMBERS) for _ in range(draw.randrange(6))])
            )
        case dict():
            return draw.choice(({}, [*old.values()], dict(list(old.items())[:-1])))
        case _:
            return draw.choice((None, 1, "x", [], {}))


# Protocol buffers

Fields = list[list[Any]]
"""Field number, wire type and value of each field; the value of a message is such a list itself."""


def decoded(data: bytes, depth: int = 0) -> Fields | None:
    """The fields of a message, None for bytes that are none; what could be a message inside is taken for one."""
    fields: Fields = []
    at = 0
    try:
        while at < len(data):
            key, at = _varint(data, at)
            number, wire = key >> 3, key & 7
            value: Any
            if wire == 0:
                value, at = _varint(data, at)
            elif wire == 2:
                size, at = _varint(data, at)
                value, at = data[at : at + size], at + size
                inner = None if depth > 12 or _text(value) else decoded(value, depth + 1)
                value = value if inner is None else inner
            elif wire in (1, 5):
                size = 8 if wire == 1 else 4
                value, at = data[at : at + size], at + size
            else:
                return None
            if at > len(data) or number == 0:
                return None
            fields.append([number, wire, value])
    except IndexError:
        return None
    return fields


def _text(value: bytes) -> bool:
    return value.isascii() and value.decode().isprintable()


def encoded(fields: Fields) -> bytes:
    """The bytes of a message."""
    made = bytearray()
    for number, wire, value in fields:
        held = encoded(value) if isinstance(value, list) else value
        made += varint(number << 3 | wire)
        made += varint(held) if isinstance(held, int) else varint(len(held)) + held if wire == 2 else held
    return bytes(made)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, at


def messages(words: Sequence[str]) -> Mutate:
    """A mutation of protocol buffers: fields changed, removed, doubled, renumbered, or taken from elsewhere."""
    spelled = [word.encode() for word in words]

    def mutate(data: bytes, other: bytes, draw: random.Random) -> bytes:
        tree, spare = decoded(data), decoded(other)
        if not tree or not spare or draw.randrange(20) == 0:
            return any_bytes(data, other, draw)
        for _ in range(draw.choice((1, 1, 2, 3, 5))):
            places = _fields(tree)
            if not places:
                break
            holder, at = draw.choice(places)
            field = holder[at]
            match draw.randrange(9):
                case 0 | 1 | 2 | 3:
                    field[2] = _content(field, spelled, draw)
                    field[1] = 0 if isinstance(field[2], int) else 2 if field[1] == 0 else field[1]
                case 4:
                    del holder[at]
                case 5:
                    holder.insert(draw.randrange(len(holder) + 1), copy.deepcopy(field))
                case 6:
                    giver, part = draw.choice(_fields(spare))
                    holder[at] = copy.deepcopy(giver[part])
                case 7:
                    giver, part = draw.choice(_fields(spare))
                    holder.append(copy.deepcopy(giver[part]))
                case _:
                    field[0] = draw.choice((field[0] + 1, max(1, field[0] - 1), draw.randrange(1, 30)))
        return encoded(tree)

    return mutate


def _fields(tree: Fields) -> list[tuple[Fields, int]]:
    found = []
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        for at, field in enumerate(item):
            found.append((item, at))
            if isinstance(field[2], list):
                waiting.append(field[2])
    return found


def _content(field: list[Any], words: Sequence[bytes], draw: random.Random) -> Any:
    match field[2]:
        case int() as old:
            return draw.choice((draw.choice(NUMBERS), old + 1, old - 1, old * 2)) % (1 << 64)
        case bytes() as old if field[1] == 5:
            return struct.pack("<f", min(draw.choice(FLOATS), 1e38))
        case bytes() as old if len(old) % 8 == 0 and old and draw.randrange(2):
            listed = list(struct.unpack(f"<{len(old) // 8}q", old))
            listed[draw.randrange(len(listed))] = draw.choice(
                [n for n in NUMBERS if -(1 << 63) <= n < 1 << 63]
            )
            return struct.pack(f"<{len(listed)}q", *listed)
        case bytes() as old:
            return draw.choice((draw.choice(words), draw.choice(words), old[:-1], old * 2, b""))
        case list() as old:
            return draw.choice((old[:-1], old * 2, old[::-1], []))
        case _:
            return field[2]
