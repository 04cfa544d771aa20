"""Pickles, and everything that holds one: opening any of these with pickle runs a program."""

import io
import os
import pickle
import struct
import zipfile

from tests.security.case import REFUSED, Hostile

COMMAND = "echo eyeshot-was-here"


class _Runs:
    def __init__(self, run=os.system, *arguments):
        self.run, self.arguments = run, arguments or (COMMAND,)

    def __reduce__(self):
        return self.run, self.arguments


def pickled(protocol: int = 2) -> bytes:
    """A pickle that runs a command."""
    return pickle.dumps({"state_dict": _Runs()}, protocol)


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive of these members."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


def _torch_zip(data: bytes) -> bytes:
    return zipped({"archive/data.pkl": data, "archive/byteorder": b"little", "archive/version": b"3\n"})


def _torch_old(data: bytes) -> bytes:
    """The layout of torch.save before 1.6: magic number, protocol, system, then the object."""
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    return b"".join(pickle.dumps(each, 2) for each in (0x1950A86A20F9469CFC6C, 1001, system)) + data


def _torchscript() -> bytes:
    return zipped(
        {
            "net/data.pkl": pickled(),
            "net/code/__torch__.py": b"import os\nos.system('echo eyeshot-was-here')\n",
            "net/constants.pkl": pickled(),
            "net/version": b"3\n",
        }
    )


CASES = {
    **{f"protocol {number}": Hostile(".pkl", pickled(number)) for number in range(6)},
    "torch.save, today's layout": Hostile(".pt", _torch_zip(pickled())),
    "torch.save, today's layout, .pth": Hostile(".pth", _torch_zip(pickled(4))),
    "torch.save, the old layout": Hostile(".pt", _torch_old(pickled())),
    "torch.save, the old layout, .bin": Hostile(".bin", _torch_old(pickled())),
    "a bare pickle, .pt": Hostile(".pt", pickled()),
    "a bare pickle, .ckpt": Hostile(".ckpt", pickled()),
    "TorchScript": Hostile(".pt", _torchscript()),
    "TorchScript, .torchscript": Hostile(".torchscript", _torchscript(), REFUSED | {2}),
    "a pickle that imports": Hostile(".pt", b"ceyeshot_canary\nsing\n."),
    "a pickle that evaluates": Hostile(
        ".pt", b'cbuiltins\neval\n(S\'__import__("os").system("' + COMMAND.encode() + b"\")'\ntR."
    ),
    "a pickle of a pickle": Hostile(".pt", pickle.dumps(_Runs(pickle.loads, pickled()))),
    "a pickle that doubles 40 times": Hostile(".pt", b"(lp0\n" + b"(g0\ng0\nl" * 40 + b"."),
    "a pickle that wants 8 EiB": Hostile(".pt", b"\x80\x05\x8e" + struct.pack("<Q", 1 << 63) + b"..."),
    "a pickle that nests 100,000 deep": Hostile(".pt", b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b"."),
    "a numpy file of objects": Hostile(
        ".npy",
        b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(127)
        + b"\n"
        + pickled(),
        REFUSED | {2},
    ),
    "called .pt2": Hostile(".pt2", pickled()),
    "called .keras": Hostile(".keras", pickled()),
    "called .onnx": Hostile(".onnx", pickled()),
    "called .yaml": Hostile(".yaml", pickled(0), REFUSED | {12}),
    "called .h5": Hostile(".h5", pickled()),
    "torch.save, called .pt2": Hostile(".pt2", _torch_zip(pickled())),
    "torch.save, called .keras": Hostile(".keras", _torch_zip(pickled())),
    "torch.save, called .onnx": Hostile(".onnx", _torch_zip(pickled())),
    "TorchScript, called .pt2": Hostile(".pt2", _torchscript()),
}
