"""Zip archives that are none, lie, or unpack into more than anyone has. Each is sent as `.keras` and as `.pt2`."""

import io
import struct
import warnings
import zipfile

from tests.security.case import ANSWERED, REFUSED, Hostile
from tests.security.hostile.exported import program
from tests.security.hostile.keras import config
from tests.security.hostile.pickles import zipped

MAIN = {".keras": "config.json", ".pt2": "net/models/model.json"}
VALID = {".keras": config, ".pt2": program}


def _member(suffix: str, data: bytes, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    return zipped({MAIN[suffix]: data}, compression)


def _patched(data: bytes, mark: bytes, *changes: tuple[int, bytes]) -> bytes:
    """An archive with bytes replaced behind the last of a record's marks."""
    made = bytearray(data)
    at = made.rindex(mark)
    for place, value in changes:
        made[at + place : at + place + len(value)] = value
    return bytes(made)


def _entry(data: bytes, *changes: tuple[int, bytes]) -> bytes:
    return _patched(data, b"PK\1\2", *changes)


def _end(data: bytes, *changes: tuple[int, bytes]) -> bytes:
    return _patched(data, b"PK\5\6", *changes)


def _many(suffix: str, count: int, name: str = "{}") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number in range(count):
            archive.writestr(name.format(number), b"")
        archive.writestr(MAIN[suffix], VALID[suffix]())
    return made.getvalue()


def _twins(suffix: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr(MAIN[suffix], VALID[suffix]())
        archive.writestr(MAIN[suffix], b'{"class_name": "Lambda"}')
    return made.getvalue()


def _overlapping(suffix: str) -> bytes:
    """A table of contents whose entries all point at the same packed bytes."""
    data = _member(suffix, VALID[suffix]())
    start, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    entry = data[start:end]
    copies = b"".join(
        entry.replace(MAIN[suffix].encode(), f"{n:0{len(MAIN[suffix])}}".encode()) for n in range(999)
    )
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1000, 1000, 1000 * len(entry), start, 0)
    return data[:start] + entry + copies + tail


def _zip64(suffix: str, **numbers: int) -> bytes:
    """An archive whose 64-bit end record says what it likes."""
    data = _member(suffix, VALID[suffix]())
    at = data.index(b"PK\5\6")
    told = {"count": 1, "size": at - data.index(b"PK\1\2"), "offset": data.index(b"PK\1\2"), **numbers}
    record = struct.pack(
        "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, told["count"], told["count"], told["size"], told["offset"]
    )
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, told.get("at", at), 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return data[:at] + record + locator + end


def _extra64(suffix: str) -> bytes:
    """An entry whose 64-bit field moves its bytes to 2**63."""
    data = _member(suffix, VALID[suffix]())
    at, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    entry = bytearray(data[at:end])
    extra = struct.pack("<2H1Q", 1, 8, (1 << 63) - 1)
    entry[30:32] = struct.pack("<H", len(extra))
    entry[42:46] = b"\xff" * 4
    entry += extra
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entry), at, 0)
    return data[:at] + bytes(entry) + tail


def _archives(suffix: str):
    valid = VALID[suffix]()
    plain = _member(suffix, valid)
    return {
        "200 MB of spaces": lambda: _member(suffix, b" " * (200 << 20)),
        "16 MB of brackets": lambda: _member(suffix, b"[" * (16 << 20)),
        "a packed size that is a lie": lambda: _entry(
            _member(suffix, bytes(64 << 20)), (24, struct.pack("<L", 4000))
        ),
        "a claim of 4 GB": _entry(plain, (24, b"\xfe\xff\xff\xff")),
        "a claim of nothing": _entry(plain, (20, bytes(8))),
        "a wrong checksum": _entry(plain, (16, b"abcd")),
        "an encrypted member": _entry(plain, (8, b"\1\0")),
        "a strongly encrypted member": _entry(plain, (8, b"\x41\0")),
        "a patch": _entry(plain, (8, b"\x20\0")),
        "a packing that there is not": _entry(plain, (10, b"\x63\0")),
        "LZMA": _member(suffix, valid, zipfile.ZIP_LZMA),
        "bzip2": _member(suffix, valid, zipfile.ZIP_BZIP2),
        "another name inside": plain.replace(MAIN[suffix].encode(), b"x" * len(MAIN[suffix]), 1),
        "a member before the file begins": _entry(plain, (42, b"\xf0\xff\xff\xff")),
        "a member at 2**63": _extra64(suffix),
        "two members of one name": _twins(suffix),
        "1,000 members on the same bytes": _overlapping(suffix),
        "21,000 members": lambda: _many(suffix, 21_000),
        "21,000 members, 1 by its own count": lambda: _end(
            _many(suffix, 21_000), (8, struct.pack("<HH", 1, 1))
        ),
        "names of 60,000 letters": lambda: _many(suffix, 200, "x" * 60_000 + "{}"),
        "a table of contents at 2**64": _zip64(suffix, offset=(1 << 64) - 1),
        "a table of contents of 2**63 bytes": _zip64(suffix, size=1 << 63),
        "2**63 members": _zip64(suffix, count=1 << 63),
        "an end record that is elsewhere": _zip64(suffix, at=(1 << 64) - 1),
        "a table of contents before the file begins": _end(plain, (16, b"\xff\xff\xff\x7f")),
        "several disks": _end(plain, (4, b"\7\0\7\0")),
        "cut off": plain[: len(plain) // 2],
        "an end alone": b"PK\5\6" + bytes(18),
        "paths out of the archive": zipped({"../../etc/passwd": b"", "/etc/passwd": b"", "C:\\x": b""}),
    }


HARMLESS = {"1,000 members on the same bytes", "an end record that is elsewhere", "several disks"}
"""What zip readers pass over: one member is read, and it is what it says."""

CASES = {
    f"{name}, {suffix}": Hostile(suffix, content, REFUSED | ANSWERED if name in HARMLESS else REFUSED)
    for suffix in MAIN
    for name, content in _archives(suffix).items()
}
