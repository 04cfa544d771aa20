"""Opening a stranger's file: what reading one may take, and the few ways to look inside.

Nothing here imports, executes or unpickles anything, and nothing but the one file is opened. Whoever reads a format
counts what it builds against a `Budget`, so that a small file cannot ask for much memory or time.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import IO, TYPE_CHECKING, Any, Self

from eyeshot.errors import FileFormatError, ModelReferenceError, UnsafeFileError
from eyeshot.relations import Along, entries

if TYPE_CHECKING:
    from eyeshot.graph import Node


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one file may take.

    ``text`` is bytes of JSON, YAML or a header that are read into memory (other bytes stay mapped), ``items`` values
    inside, ``depth`` levels of nesting. ``members`` files in an archive, ``unpacked`` bytes of those that are read.
    ``nodes`` ops of a network, ``constant`` elements of one constant that is looked at. ``extent`` elements along one axis,
    ``extents`` the sum of all axes of all tensors, ``entries`` what all distinct axis maps read: the analyses' memory is
    proportional to these two. ``seconds`` until the network is read.
    """

    text: int = 16 << 20
    items: int = 1_000_000
    depth: int = 100
    members: int = 20_000
    nodes: int = 20_000
    constant: int = 1 << 20
    extent: int = 1 << 20
    extents: int = 1 << 22
    seconds: float = 60.0
    unpacked: int = 96 << 20
    entries: int = 1 << 24


LIMITS = Limits()
TRUSTED = Limits(1 << 30, 1 << 40, 1000, 1 << 30, 1 << 40, 1 << 30, 1 << 40, 1 << 60, 1e9, 1 << 40, 1 << 60)
_A_NODE = 16  # what a node costs in memory, counted in extents
_DIRECTORY = 4 << 20  # bytes of an archive's table of contents
# A string that is never closed ends with the text: trying again at each quote inside would take quadratic time.
_STRINGS = re.compile(rb'"(?:[^"\\]++|(?:\\.)++)*+"?', re.DOTALL)
_MARKS = re.compile(rb"[\[{\]}]")
# What zipfile raises at archives that are none: damaged, cut off, or with numbers beyond what a seek takes.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    OverflowError,
)


class Budget:
    """Counts what reading the file ``name`` builds, and watches the clock."""

    def __init__(self, name: object, limits: Limits = LIMITS) -> None:
        self.name = str(name)
        self.limits = limits
        self._nodes = self._extents = 0
        self._end = monotonic() + limits.seconds

    def node(self, count: int = 1) -> None:
        """Count ops of the network.

        Raises
        ------
        UnsafeFileError
            where there are too many, or the time is up.
        """
        self._nodes += count
        if self._nodes > self.limits.nodes:
            raise UnsafeFileError(
                f"{self.name} has more than {self.limits.nodes:,} ops; without trust=True (--trust) more are refused"
            )
        if monotonic() > self._end:
            raise UnsafeFileError(
                f"{self.name} was not read within {self.limits.seconds:g} s; reading was given up"
            )

    def shape(self, shape: tuple[int, ...], what: str) -> tuple[int, ...]:
        """A shape that the file states or implies, if the analyses can hold one such tensor.

        Raises
        ------
        UnsafeFileError
            where an axis is too long, or there are more than 64 axes.
        FileFormatError
            for a negative extent.
        """
        if len(shape) > 64:
            raise UnsafeFileError(f"{what} in {self.name} has {len(shape)} axes; more than 64 are refused")
        for extent in shape:
            if extent < 0:
                raise FileFormatError(f"{what} in {self.name} has a negative extent: {shape}")
            if extent > self.limits.extent:
                raise UnsafeFileError(
                    f"{what} in {self.name} has an axis of {extent:,} elements; "
                    f"more than {self.limits.extent:,} are refused"
                )
        return shape

    def grow(self, shape: tuple[int, ...], what: str) -> tuple[int, ...]:
        """`shape`, for a node that is added to the graph: counted as the graph grows, its own weight included.

        Raises
        ------
        UnsafeFileError, FileFormatError
            as `shape`; where all nodes so far are too large together.
        """
        self._extents += sum(self.shape(shape, what)) + _A_NODE
        if self._extents > self.limits.extents:
            self._fits(self._extents, self.limits.extents, "the axes of all tensors")
        return shape

    def network(self, shapes: Iterable[tuple[int, ...]]) -> None:
        """Check that the analyses of all tensors together fit into memory, before any is begun.

        Raises
        ------
        UnsafeFileError
            where the extents of all axes sum up to more than ``limits.extents``.
        """
        self._fits(sum(sum(shape) for shape in shapes), self.limits.extents, "the axes of all tensors")

    def maps(self, nodes: Sequence[Node]) -> None:
        """Check that what all ops read along single axes fits into memory, as `network`."""
        distinct = {
            (amap, nodes[node.inputs[0]].shape[axis], node.shape[axis])
            for node in nodes
            if isinstance(node.relation, Along)
            for axis, amap in node.relation.maps
        }
        self._fits(sum(entries(*each) for each in distinct), self.limits.entries, "the windows of all ops")

    def _fits(self, count: int, most: int, what: str) -> None:
        if count > most:
            raise UnsafeFileError(
                f"{what} in {self.name} have {count:,} elements together; more than {most:,} are refused. "
                "Pass a smaller input_size, or trust=True (--trust)"
            )


def suffix_of(model: object) -> str:
    """The lower-case ending of a model given as a file's path; "" for everything else."""
    if isinstance(model, str | os.PathLike):
        return os.path.splitext(os.fspath(model))[1].lower()  # noqa: PTH122 - a Path would take 10 us longer each
    return ""


def opened(path: str | os.PathLike[str]) -> IO[bytes]:
    """A regular file, open for reading.

    Raises
    ------
    ModelReferenceError
        where there is no such file, or it may not be read.
    FileFormatError
        where it is empty, or no regular file (a pipe, a device).
    """
    shown = repr(os.fspath(path))
    try:
        # A pipe would keep a blocking open waiting for somebody to write.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelReferenceError(f"cannot open {shown}: {reason}") from error
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size:
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    what = "is empty" if stat.S_ISREG(status.st_mode) else "is no regular file"
    raise FileFormatError(f"{shown} {what}, so there is no network in it")


@contextmanager
def mapped(path: str | os.PathLike[str]) -> Iterator[memoryview]:
    """The bytes of a regular file, mapped into memory and not read; raises as `opened`."""
    with opened(path) as file:
        try:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError, OverflowError) as error:
            raise FileFormatError(f"{os.fspath(path)!r} cannot be mapped into memory: {error}") from error
    view = memoryview(data)
    try:
        yield view
    finally:
        # Whatever still looks at a part of it, such as the frames of an error, keeps it mapped.
        with suppress(BufferError):
            view.release()
            data.close()


def read_text(path: str | os.PathLike[str], limits: Limits = LIMITS) -> str:
    """A text file, UTF-8.

    Raises
    ------
    ModelReferenceError, FileFormatError
        as `opened`; not UTF-8.
    UnsafeFileError
        where it is longer than ``limits.text``.
    """
    with mapped(path) as data:
        _check_text(len(data), os.fspath(path), limits)
        try:
            return str(data, "utf-8")
        except UnicodeDecodeError as error:
            raise FileFormatError(f"{os.fspath(path)!r} is no UTF-8 text: {error}") from error


def parse_json(data: bytes | bytearray, name: object, limits: Limits = LIMITS) -> Any:
    """JSON, if it is small, shallow and not too rich in values; that is checked before anything is built.

    Raises
    ------
    FileFormatError
        for what is no JSON in UTF-8.
    UnsafeFileError
        beyond ``limits.text``, ``items`` or ``depth``.
    """
    _check_text(len(data), name, limits)
    plain = data.replace(b"\\\\", b"")
    quotes = plain.count(b'"') - plain.count(b'\\"')
    del plain
    if quotes > 2 * limits.items + 2:
        raise UnsafeFileError(f"{name} holds more than {limits.items:,} texts; that many are refused")
    bare = _STRINGS.sub(b'"', data)
    items = sum(bare.count(mark) for mark in (b",", b":", b"[", b"{"))
    if max(items, bare.count(b"]") + bare.count(b"}")) > limits.items:
        raise UnsafeFileError(f"{name} holds more than {limits.items:,} values; that many are refused")
    level = deepest = 0
    for mark in _MARKS.findall(bare):
        level += 1 if mark in b"[{" else -1
        deepest = max(deepest, level)
    if deepest > limits.depth:
        raise UnsafeFileError(f"{name} nests {deepest} levels deep; more than {limits.depth} are refused")
    del bare
    try:
        # Bytes would be taken for UTF-16 or UTF-32 where they look like it, which is not what was counted.
        return json.loads(str(data, "utf-8"))
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{name} is no JSON: {error}") from error


def _check_text(length: int, name: object, limits: Limits) -> None:
    if length > limits.text:
        raise UnsafeFileError(f"{name} has {length:,} bytes of text; more than {limits.text:,} are refused")


class Archive:
    """A zip archive; members are read on request, alone and within limits."""

    def __init__(self, path: str | os.PathLike[str], limits: Limits = LIMITS) -> None:
        """Read the table of contents.

        Raises
        ------
        ModelReferenceError, FileFormatError
            as `opened`; not a zip archive.
        UnsafeFileError
            too many members, or two of one name.
        """
        self.path, self.limits = str(path), limits
        self._left = limits.unpacked
        self._file = opened(path)
        try:
            _check_directory(self._file, self.path, limits)
            self._zip = zipfile.ZipFile(self._file)
            self.names = self._zip.namelist()
            _check_names(self.names, self.path, limits)
        except _DAMAGE as error:
            self._file.close()
            raise FileFormatError(f"{self.path!r} is no zip archive: {error}") from error
        except UnsafeFileError:
            self._file.close()
            raise

    def read(self, name: str, most: int | None = None) -> bytes:
        """The bytes of one member, of which there may be ``most`` (``limits.text`` by default).

        Raises
        ------
        FileFormatError
            where there is no such member, or it is damaged.
        UnsafeFileError
            where it is too large, alone or with all that was read before, or packed in a way that is not plain deflate.
        """
        where = f"{name!r} in {self.path!r}"
        most = min(self._left, self.limits.text if most is None else most)
        if name not in self._zip.NameToInfo:
            raise FileFormatError(f"{self.path!r} has no member {name!r}")
        info = self._zip.getinfo(name)
        if info.flag_bits & 1 or info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise UnsafeFileError(f"{where} is encrypted or packed in an uncommon way; neither is unpacked")
        if info.file_size > most:
            raise UnsafeFileError(f"{where} claims {info.file_size:,} bytes; more than {most:,} are refused")
        self._left -= info.file_size
        try:
            with self._zip.open(info) as member:
                data = member.read(info.file_size)
        except _DAMAGE as error:
            raise FileFormatError(f"{where} is damaged: {error}") from error
        if len(data) != info.file_size:
            raise FileFormatError(
                f"{where} has {len(data):,} bytes, not the {info.file_size:,} that it claims"
            )
        return data

    def close(self) -> None:
        """Close the file."""
        self._zip.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


def _check_directory(file: IO[bytes], path: str, limits: Limits) -> None:
    """Refuse a table of contents that is too long, before `zipfile` builds an object for each entry."""
    end = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # noqa: SLF001 - what ZipFile itself goes by
    if end is None:
        raise zipfile.BadZipFile("there is no table of contents at its end")
    size, count = end[5], end[4]
    if size > _DIRECTORY or count > limits.members:
        raise UnsafeFileError(
            f"{path!r} lists {count:,} members in {size:,} bytes; more than {limits.members:,} are refused"
        )


def _check_names(names: list[str], path: str, limits: Limits) -> None:
    if len(names) > limits.members:
        raise UnsafeFileError(
            f"{path!r} has {len(names):,} members; more than {limits.members:,} are refused"
        )
    if len(set(names)) < len(names):
        raise UnsafeFileError(f"{path!r} has two members of one name; which one counts is anyone's guess")
