"""Keras files: the configuration inside, and nothing else.

A `.keras` file is a zip archive of `config.json`, `metadata.json` and the weights; only the first two are read. Of an
HDF5 file only the attribute `model_config` is, in a child process: HDF5 is parsed by a C library.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from os import PathLike, fspath
from typing import Any

from eyeshot.errors import FileFormatError, MissingExtraError, UnsafeFileError
from eyeshot.frontends.files import LIMITS, Archive, opened, parse_json
from eyeshot.frontends.keras.configuration import LayerEntry, entry

CODE = {
    "Lambda": "holds Python bytecode, which Keras runs",
    "__lambda__": "is Python bytecode, which Keras runs",
    "TorchModuleWrapper": "holds a pickled PyTorch module, and pickles run code when they are opened",
    "TFSMLayer": "loads a TensorFlow SavedModel from another path",
    "JaxLayer": "holds a function of its maker's",
    "FlaxLayer": "holds a module of its maker's",
}

_READ = """
import sys
import h5py
with h5py.File(sys.argv[1], "r") as file:
    held = file.attrs.get("model_config")
    version = file.attrs.get("keras_version", "")
if held is None:
    sys.exit("it has no model_config: it holds weights alone")
text = held if isinstance(held, bytes) else str(held).encode()
version = version.decode() if isinstance(version, bytes) else str(version)
sys.stdout.buffer.write(version.encode()[:40] + b"\\n" + text)
"""


def read_archive(path: str | PathLike[str]) -> tuple[LayerEntry, str]:
    """The model in a `.keras` file, and the version of Keras that wrote it ("" where that is not told).

    Raises
    ------
    ModelReferenceError, FileFormatError
        where there is no such file; where it is no Keras archive.
    UnsafeFileError
        where it is larger than is read, or holds code.
    """
    with Archive(path) as archive:
        if "config.json" not in archive.names:
            raise FileFormatError(f"{archive.path!r} has no config.json, so it is no Keras model")
        data = parse_json(archive.read("config.json"), f"config.json in {archive.path!r}")
        version = ""
        if "metadata.json" in archive.names:
            told = parse_json(archive.read("metadata.json"), f"metadata.json in {archive.path!r}")
            version = str(told.get("keras_version", ""))[:40] if isinstance(told, Mapping) else ""
    return _checked(data, fspath(path)), version


def read_hdf5(path: str | PathLike[str], *, trust: bool) -> tuple[LayerEntry, str]:
    """The model in an `.h5` file, if its maker is trusted.

    Raises
    ------
    UnsafeFileError
        without ``trust``.
    MissingExtraError, FileFormatError
        without h5py; where there is no model inside.
    """
    shown = repr(fspath(path))
    opened(path).close()
    if not trust:
        raise UnsafeFileError(
            f"{shown} is an HDF5 file, which is not opened unasked: a C library would parse all of its structure, and "
            "Keras itself runs code that such files hold. Convert it (load it with Keras, save it as .keras), or pass "
            "trust=True (--trust), which reads its model_config in a child process"
        )
    if find_spec("h5py") is None:
        raise MissingExtraError(f"reading {shown} needs h5py, which is not installed: pip install h5py")
    child = subprocess.run(  # noqa: S603 - this interpreter, on a program of our own
        [sys.executable, "-I", "-c", _READ, fspath(path)],
        capture_output=True,
        check=False,
        timeout=LIMITS.seconds,
    )
    if child.returncode:
        reason = child.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise FileFormatError(f"{shown} holds no Keras model: {reason[0] if reason else child.returncode}")
    version, _, text = child.stdout.partition(b"\n")
    return _checked(parse_json(text, f"model_config in {shown}"), fspath(path)), version.decode(
        errors="replace"
    )


def _checked(data: Any, path: str) -> LayerEntry:
    for found, place in _classes(data, ""):
        if found in CODE:
            raise UnsafeFileError(
                f"{path!r} has a {found} at {place or 'its top'}: it {CODE[found]}. Nothing of a file is run here, so what "
                "it would do is not known. Replace it by layers or keras.ops, or give the live model"
            )
    root = entry(data, path)
    if not root.is_model and not root.kind.startswith("layers."):
        raise FileFormatError(
            f"{path!r} holds a {root.kind}, whose call() is Python code that is not in the file: give the live model to a "
            "framework that runs it (under jax: eyeshot.analyze(lambda x: model(x), inputs=...))"
        )
    return root


def _classes(data: Any, place: str) -> Iterator[tuple[str, str]]:
    """Every class named anywhere inside, and the layer it is in; not deep, since JSON was checked for that."""
    if isinstance(data, Mapping):
        name, config = data.get("class_name"), data.get("config")
        own = config.get("name") if isinstance(config, Mapping) else None
        place = f"{place}.{own}".lstrip(".") if isinstance(own, str) else place
        if isinstance(name, str):
            yield name, place
        for value in data.values():
            yield from _classes(value, place)
    elif isinstance(data, list):
        for value in data:
            yield from _classes(value, place)
