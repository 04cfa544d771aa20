"""The archive of an exported program: its JSON, and the raw bytes of its constants. No pickle in it is ever opened."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from eyeshot.errors import FileFormatError, UnsafeFileError
from eyeshot.frontends.files import Archive, Budget, parse_json
from eyeshot.frontends.torch.exported import known
from eyeshot.frontends.torch.exported.program import Program, read
from eyeshot.frontends.torch.exported.schema import Scope, get, union

if TYPE_CHECKING:
    from eyeshot.frontends.torch.trace import Origin

# The layout of torch.export.save before 2.8, whose constants are pickles.
_OLD = "serialized_exported_program.json"


def load(path: str | os.PathLike[str], budget: Budget) -> Program:
    """The exported program in a ``.pt2`` file, with the constants whose raw values are there.

    Raises
    ------
    ModelReferenceError, FileFormatError, UnsafeFileError
        see :mod:`eyeshot.errors`.
    """
    with Archive(path, budget.limits) as archive:
        name, root = _program(archive)
        record = parse_json(archive.read(name), f"{name!r} in {archive.path!r}", budget.limits)
        payloads = {} if name == _OLD else _payloads(archive, root, name)
        left = known.TOTAL
        passed_over: list[str] = []

        def values(tensor: str, origin: Origin) -> known.Array | None:
            nonlocal left
            member, payload = payloads.get(tensor, ("", {}))
            most = min(left, budget.limits.constant * 8)
            try:
                found, taken = _values(archive, member, payload, tensor, origin, most, budget)
            except UnsafeFileError:
                passed_over.append(tensor)
                return None
            left -= taken
            return found

        program = read(record, values, budget)
    if passed_over:
        program.notes.append(
            f"{len(passed_over)} constant(s) of {archive.path!r} were not looked at, because they are pickled or too large "
            f"({', '.join(passed_over[:3])}): what they index or mask is read as if it depended on data"
        )
    return program


def _payloads(archive: Archive, root: str, name: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """The member with the bytes of each tensor, and what the archive says of it."""
    model = name.rpartition("/")[2].removesuffix(".json")
    payloads = {}
    for kind in ("weights", "constants"):
        config = f"{root}data/{kind}/{model}_{kind}_config.json"
        if config in archive.names:
            listed = parse_json(archive.read(config), f"{config!r} in {archive.path!r}", archive.limits)
            for tensor, payload in get(listed, "config", dict).items():
                payloads[tensor] = f"{root}data/{kind}/{get(payload, 'path_name', str)}", payload
    return payloads


def _values(
    archive: Archive,
    member: str,
    payload: dict[str, Any],
    name: str,
    origin: Origin,
    most: int,
    budget: Budget,
) -> tuple[known.Array | None, int]:
    """The elements of a tensor if it is a constant, and the number of bytes that were read for it.

    Raises
    ------
    UnsafeFileError
        where it is pickled, or larger than ``most`` bytes.
    """
    record = payload.get("tensor_meta")
    if record is None:
        return None, 0
    meta = Scope({"tensor_values": {}}, {}, budget).described(record, name)
    if not known.worth_reading(meta, origin, name):
        return None, 0
    if get(payload, "use_pickle", bool):
        raise UnsafeFileError(f"{name!r} is pickled")
    kind, offset = union(get(record, "storage_offset", dict))
    if kind != "as_int" or not isinstance(offset, int):
        raise FileFormatError(f"constant {name!r} has no offset that eyeshot knows")
    data = archive.read(member, most)
    if not data:  # exported from fake tensors: shapes without elements
        return None, 0
    values = known.from_bytes(data, meta, offset, name)
    return values if known.counts(values, origin) else None, len(data)


def _program(archive: Archive) -> tuple[str, str]:
    """The member that is the program, and the folder in front of all members."""
    if _OLD in archive.names:
        return _OLD, ""
    listed = [name for name in archive.names if "/models/" in f"/{name}" and name.endswith(".json")]
    found = [name for name in listed if name.count("/") <= 2]
    if len(found) == 1:
        return found[0], found[0][: found[0].rindex("models/")]
    shown = archive.path
    if found:
        raise FileFormatError(
            f"{shown!r} holds {len(found)} programs ({', '.join(found[:4])}); eyeshot reads one"
        )
    compiled = any("aotinductor" in name for name in archive.names)
    hint = "it holds machine code" if compiled else "pickled models and TorchScript need trust=True (--trust)"
    raise FileFormatError(
        f"{shown!r} holds no exported program (models/*.json) as torch.export.save writes it: {hint}"
    )
