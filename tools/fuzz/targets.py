"""The readers that are fuzzed."""

from __future__ import annotations

import json
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from eyeshot.frontends.files import Archive, Limits, parse_json
from tools.fuzz import mutate, seeds
from tools.fuzz.mutate import Mutate


@dataclass(frozen=True, slots=True)
class Target:
    """A reader: what it is fed with first, how that is changed, and how it reads."""

    seeds: Callable[[], Sequence[bytes]]
    mutate: Callable[[], Mutate]
    read: Callable[[bytes], object]


@cache
def folder() -> Path:
    """Where files lie that have to be files."""
    return Path(tempfile.mkdtemp(prefix="eyeshot-fuzz-"))


def _file(name: str, data: bytes) -> str:
    path = folder() / name
    path.write_bytes(data)
    return str(path)


def _analyzed(model: object, data: bytes) -> None:
    """The whole way; of one small network in eight the fields as well, which take time in proportion to its tensors."""
    import eyeshot

    report = eyeshot.analyze(model)
    small = len(report.graph.tensors) < 300 and sum(sum(node.shape) for node in report.graph.nodes) < 100_000
    if small and zlib.crc32(data) % 8 == 0:
        report.to_dict()


def _wire(data: bytes) -> None:
    from eyeshot.frontends.onnx.model import parse

    parse(data, "net.onnx", Limits(items=20_000))


def _exported(data: bytes) -> None:
    from tests.security.hostile.exported import archive

    _analyzed(_file("net.pt2", archive(data)), data)


def _keras(data: bytes) -> None:
    from tests.security.hostile.keras import archive

    _analyzed(_file("net.keras", archive(data)), data)


def _spec(data: bytes) -> None:
    import eyeshot

    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    spec = eyeshot.parse(text)
    assert eyeshot.parse(str(spec)) == spec, "it reads back as it was written"
    _analyzed(spec, data)


def _yaml(data: bytes) -> None:
    _analyzed(_file("net.yaml", data or b"\n"), data)


def _safetensors(data: bytes) -> None:
    from eyeshot.frontends.torch.weights import stated_shapes

    stated_shapes(Path(_file("net.safetensors", data)))


def _json(data: bytes) -> None:
    found = parse_json(data, "net.json", Limits(text=4096, items=200, depth=20))
    json.dumps(found)


def _archive(data: bytes) -> None:
    with Archive(_file("net.zip", data), Limits(text=100_000, members=50)) as archive:
        for name in archive.names:
            archive.read(name)


def _words(more: Callable[[], list[str]]) -> list[str]:
    return [*seeds.WORDS, *more()]


TARGETS = {
    "wire": Target(lambda: seeds.hostile(".onnx"), lambda: mutate.messages(seeds.WORDS), _wire),
    "onnx": Target(
        lambda: [*seeds.onnx_networks(), *seeds.hostile(".onnx")],
        lambda: mutate.messages(_words(seeds.onnx_ops)),
        lambda data: _analyzed(data, data),
    ),
    "exported": Target(seeds.exported_programs, lambda: mutate.trees(_words(seeds.aten_ops)), _exported),
    "keras": Target(
        seeds.keras_networks,
        lambda: mutate.trees(_words(lambda: [kind.rpartition(".")[2] for kind in seeds.keras_kinds()])),
        _keras,
    ),
    "spec": Target(seeds.lines, lambda: mutate.texts(seeds.PIECES), _spec),
    "yaml": Target(seeds.documents, lambda: mutate.texts(seeds.PIECES), _yaml),
    "safetensors": Target(seeds.headers, lambda: mutate.any_bytes, _safetensors),
    "json": Target(lambda: [seeds.keras.config(), b"[1, 2]"], lambda: mutate.texts(seeds.WORDS), _json),
    "archive": Target(seeds.zips, lambda: mutate.any_bytes, _archive),
}
