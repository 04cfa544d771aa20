"""Weights for a model that a reference built, from a ``.safetensors`` file: a header of JSON, then raw numbers."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from eyeshot.errors import FileFormatError, InputError, MissingExtraError
from eyeshot.frontends.files import LIMITS, Limits, mapped, parse_json

if TYPE_CHECKING:
    from torch import nn

_LENGTH = 8


def load_weights(model: nn.Module, name: str, path: Path) -> None:
    """Load a file's tensors into a model. What they are called and their shapes have to fit before any is read.

    Raises
    ------
    InputError
        where there is no such file, or its tensors are not those of the model.
    FileFormatError, UnsafeFileError
        where it is of another kind, or its header beyond the limits.
    MissingExtraError
        where safetensors is not installed.
    """
    if find_spec("safetensors") is None:
        raise MissingExtraError(
            'reading weights needs safetensors: pip install safetensors (or "eyeshot[demo]")'
        )
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise InputError(f"weights {str(path)!r}: there is no such file")
    found = stated_shapes(path)
    own = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    wrong = [f"{key} is missing from the file" for key in own if key not in found]
    wrong += [f"{key} is not in the model" for key in found if key not in own]
    wrong += [
        f"{key} is {found[key]} in the file, {shape} in the model"
        for key, shape in own.items()
        if key in found and found[key] != shape
    ]
    if wrong:
        more = f"\n  and {len(wrong) - 6} more" if len(wrong) > 6 else ""
        listed = "".join(f"\n  {line}" for line in wrong[:6]) + more
        raise InputError(f"weights {str(path)!r} do not fit {name} in {len(wrong)} places:{listed}")
    try:
        model.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise FileFormatError(f"weights {str(path)!r} are damaged ({error})") from error


def stated_shapes(path: Path, limits: Limits = LIMITS) -> dict[str, tuple[int, ...]]:
    """The shapes of the tensors in a file, by name, from its header alone.

    Raises
    ------
    ModelReferenceError, FileFormatError, UnsafeFileError
        for what is no such file, or a header beyond the limits.
    """
    where = f"weights {str(path)!r}"
    with mapped(path) as data:
        length = int.from_bytes(data[:_LENGTH], "little")
        if len(data) < _LENGTH or length > len(data) - _LENGTH:
            raise FileFormatError(
                f"{where}: this is no .safetensors file (its header would end after the file)"
            )
        header = parse_json(bytes(data[_LENGTH : _LENGTH + min(length, limits.text + 1)]), where, limits)
    if not isinstance(header, dict):
        raise FileFormatError(f"{where}: this is no .safetensors file (its header is no mapping)")
    shapes = {}
    for key, entry in header.items():
        if key == "__metadata__":
            continue
        shape = entry.get("shape") if isinstance(entry, dict) else None
        if not isinstance(shape, list) or not all(isinstance(extent, int) for extent in shape):
            raise FileFormatError(f"{where}: tensor {key!r} has no shape in the header")
        shapes[key] = tuple(shape)
    return shapes
