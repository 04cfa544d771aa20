"""Files that point at others, and paths that are no files."""

import os
import socket
from pathlib import Path

from tests.security.case import ANSWERED, REFUSED, Hostile
from tests.security.protobuf import FLOAT, message, model, node, tensor, value_info

EITHER = REFUSED | ANSWERED


def _external(location: str, *, shape: bool = False, kind: int = FLOAT, **more: str) -> bytes:
    """A network with a tensor whose numbers lie in another file: weights, or a shape that would have to be looked at."""
    entries = [{1: key, 2: value} for key, value in {"location": location, **more}.items()]
    if shape:
        stored = message({1: [4], 2: 7, 8: "s", 13: entries, 14: 1})
        return model(node("Reshape", "x s", "y"), tensors=[stored])
    stored = message({1: [1, 3, 3, 3], 2: kind, 8: "w", 13: entries, 14: 1})
    return model(node("Conv", "x w", "y"), tensors=[stored])


def _beside(folder: Path) -> Path:
    """A secret in the folder above, and a folder for the model."""
    (folder / "secret").write_bytes(b"\x01\0\0\0\0\0\0\0" * 4)
    (folder / "model").mkdir()
    return folder / "model"


def _lured(make, codes: frozenset[int] = EITHER, **more) -> Hostile:
    """A model whose data lies behind a link of this kind."""

    def build(folder: Path) -> Path:
        inside = _beside(folder)
        make(folder / "secret", inside / "weights.bin")
        (inside / "net.onnx").write_bytes(_external("weights.bin", **more))
        return inside / "net.onnx"

    return Hostile(".onnx", codes=codes, build=build)


def _made(make, suffix: str, codes: frozenset[int] = REFUSED) -> Hostile:
    """A path that is no regular file, or a file made in a way of its own."""

    def build(folder: Path) -> Path:
        path = folder / f"net{suffix}"
        make(path)
        return path

    return Hostile(suffix, codes=codes, build=build)


def _listening(path: Path) -> None:
    """A socket that is there and open."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def _sparse(path: Path) -> None:
    """Eight gigabytes that take no room on the disk: one initializer."""
    head = message({1: 10, 8: {2: 21}})
    with path.open("wb") as file:
        file.write(head)
        file.truncate(8 << 30)


SUFFIXES = (".onnx", ".pt2", ".keras", ".yaml")

CASES = {
    "external data, walking up": Hostile(".onnx", _external("../secret"), EITHER),
    "external data, walking up far": Hostile(".onnx", _external("../" * 40 + "etc/passwd"), EITHER),
    "external data, walking up in the middle": Hostile(".onnx", _external("a/../../secret"), EITHER),
    "external data, Windows paths": Hostile(".onnx", _external("..\\..\\secret"), EITHER),
    "external data, absolute": Hostile(".onnx", _external("/etc/passwd"), EITHER),
    "external data, a URL": Hostile(".onnx", _external("http://127.0.0.1:9/weights.bin"), EITHER),
    "external data, a device": Hostile(".onnx", _external("/dev/zero", length="99999999999"), EITHER),
    "external data, a NUL": Hostile(".onnx", _external("weights.bin\0/../secret"), EITHER),
    "external data, nowhere": Hostile(".onnx", _external(""), EITHER),
    "external data, itself": Hostile(".onnx", _external("net.onnx", offset="-1", length="1e9"), EITHER),
    "external data, a symlink": _lured(lambda secret, link: link.symlink_to(secret)),
    "external data, a hardlink": _lured(os.link),
    "external data, a pipe": _lured(lambda _, link: os.mkfifo(link)),
    "external data that shapes, walking up": Hostile(
        ".onnx", _external("../secret", shape=True), EITHER | {4, 6}
    ),
    "external data that shapes, a symlink": _lured(
        lambda secret, link: link.symlink_to(secret), EITHER | {4, 6}, shape=True
    ),
    "external data that shapes, absolute": Hostile(
        ".onnx", _external("/proc/self/environ", shape=True, offset="0", length="32"), EITHER | {4, 6}
    ),
    "external data with attributes of a class": Hostile(
        ".onnx",
        _external("w", __class__="x", __init__="x", basepath="/etc", offset="9" * 5000, checksum="$(id)"),
        EITHER,
    ),
    "external data and raw data too": Hostile(
        ".onnx",
        model(
            node("Reshape", "x s", "y"),
            tensors=[tensor("s", [1, -1], f13=[{1: "location", 2: "/etc/passwd"}], f14=1)],
        ),
        EITHER | {4, 6},
    ),
    "external data in an attribute": Hostile(
        ".onnx",
        model(
            node(
                "Constant",
                "",
                "s",
                value=tensor("s", [], [2], f13=[{1: "location", 2: "/etc/passwd"}], f14=1),
            ),
            node("Reshape", "x s", "y"),
        ),
        EITHER | {4, 6},
    ),
    "external data of an input's default": Hostile(
        ".onnx",
        message(
            {
                1: 10,
                7: {
                    1: [node("Add", "x w", "y")],
                    5: [tensor("w", [], [8], f13=[{1: "location", 2: "/etc/passwd"}], f14=1)],
                    11: [value_info("x", (1, 3, 8, 8)), value_info("w", (8,))],
                    12: [value_info("y", None)],
                },
                8: {2: 21},
            }
        ),
        EITHER,
    ),
    **{f"a pipe, {suffix}": _made(os.mkfifo, suffix) for suffix in SUFFIXES},
    **{f"a folder, {suffix}": _made(Path.mkdir, suffix) for suffix in SUFFIXES},
    **{f"nothing, {suffix}": Hostile(suffix, b"") for suffix in SUFFIXES},
    **{
        f"a link to /dev/zero, {suffix}": _made(lambda path: path.symlink_to("/dev/zero"), suffix)
        for suffix in SUFFIXES
    },
    "a link to /proc/self/mem": _made(lambda path: path.symlink_to("/proc/self/mem"), ".onnx", REFUSED | {2}),
    "a link to itself": _made(lambda path: path.symlink_to(path.name), ".onnx", frozenset({2})),
    "a link to nothing": _made(lambda path: path.symlink_to("nothing"), ".keras", frozenset({2})),
    "a socket": _made(_listening, ".pt2", frozenset({2})),
    "eight sparse gigabytes": _made(_sparse, ".onnx"),
    "eight sparse gigabytes, .pt2": _made(_sparse, ".pt2"),
    "eight sparse gigabytes, .yaml": _made(_sparse, ".yaml"),
    "eight sparse gigabytes, .pt": _made(_sparse, ".pt"),
}
