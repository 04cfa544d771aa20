"""Weights in safetensors whose header lies: the reference names a network, the file is the stranger's."""

import json
import struct

from tests.security.case import Hostile
from tests.security.hostile.pickles import pickled

INPUT = frozenset({4, 10, 11})
"""Weights that do not fit are an `InputError`."""


def _file(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def _weights(header: object, data: bytes = b"", length: int | None = None) -> Hostile:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return Hostile(".safetensors", _file(text, data, length), INPUT)


def _tensor(
    dtype: object = "F32", shape: object = (4, 3, 3, 3), offsets: object = (0, 432)
) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


ARGUMENTS = ("torch.nn:Conv2d(3, 4, 3)", "--input-size", "1,3,8,8", "--weights")
"""What stands before the file on the command line."""

BIAS = _tensor(shape=(4,), offsets=(432, 448))

VALID = _file(json.dumps({"weight": _tensor(), "bias": BIAS}).encode(), bytes(448))
"""Weights that are loaded."""

CASES = {
    "a header of 2**63 bytes": _weights(b"{}", length=1 << 63),
    "a header of 2**64 - 1 bytes": _weights(b"{}", length=(1 << 64) - 1),
    "a header beyond the file": _weights(b"{}", length=1 << 20),
    "a header of 100 MB": Hostile(".safetensors", lambda: _file(b"{" + b" " * (100 << 20) + b"}"), INPUT),
    "a header of a million tensors": Hostile(
        ".safetensors",
        lambda: _file(
            json.dumps({f"t{n}": _tensor(shape=(0,), offsets=(0, 0)) for n in range(300_000)}).encode()
        ),
        INPUT,
    ),
    "a header 100,000 deep": _weights(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "a header that is a list": _weights([1, 2]),
    "a header in UTF-16": _weights("{}".encode("utf-16")),
    "a header that is a pickle": _weights(pickled()),
    "offsets beyond the file": _weights({"weight": _tensor(offsets=(0, 1 << 40)), "bias": BIAS}, bytes(448)),
    "offsets that overlap": _weights(
        {"weight": _tensor(), "bias": _tensor(shape=(4,), offsets=(0, 16))}, bytes(432)
    ),
    "offsets backwards": _weights({"weight": _tensor(offsets=(432, 0)), "bias": BIAS}, bytes(448)),
    "offsets that are negative": _weights({"weight": _tensor(offsets=(-432, 0)), "bias": BIAS}, bytes(448)),
    "offsets that are text": _weights({"weight": _tensor(offsets=("0", "432")), "bias": BIAS}, bytes(448)),
    "a shape that overflows": _weights(
        {"weight": _tensor(shape=(1 << 62, 1 << 62)), "bias": BIAS}, bytes(448)
    ),
    "a shape that is negative": _weights({"weight": _tensor(shape=(-4, -3, 3, 3)), "bias": BIAS}, bytes(448)),
    "a dtype that there is not": _weights(
        {"weight": _tensor(dtype="__import__('os')"), "bias": BIAS}, bytes(448)
    ),
    "a dtype that is a mapping": _weights({"weight": _tensor(dtype={"a": 1}), "bias": BIAS}, bytes(448)),
    "one key twice": _weights(
        b'{"weight": %s, "weight": %s}' % ((json.dumps(_tensor()).encode(),) * 2), bytes(432)
    ),
    "metadata that is code": _weights(
        {"__metadata__": {"format": "__import__('os').system('id')"}, "weight": 3}
    ),
    "bytes in no tensor": _weights({"weight": _tensor(), "bias": BIAS}, bytes(1000)),
    "a pickle, called .safetensors": Hostile(".safetensors", pickled(), INPUT),
    "nothing": Hostile(".safetensors", b"", INPUT),
    "seven bytes": Hostile(".safetensors", bytes(7), INPUT),
}
