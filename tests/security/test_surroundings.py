"""What lies beside a file is not run: modules in the folder that a command is called in."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.security.hostile import archives, protobufs
from tests.security.hostile.pickles import zipped

GOOD = {
    "net.onnx": protobufs.VALID,
    "net.keras": zipped({"config.json": archives.config()}),
    "net.pt2": zipped({"net/models/model.json": archives.program()}),
    "net.yaml": b"layers: conv3 > conv3\n",
    "spec:conv3": b"",
    "net.pt": b"\x80\x04.",
}

MODULES = (
    "json yaml numpy torch onnx keras rich typer click zipfile mmap struct h5py jax safetensors eyeshot sitecustomize "
    "pydantic difflib inspect tests"
).split()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("beside")
    for name in MODULES:
        (made / f"{name}.py").write_text(f"open({str(made / 'ran')!r}, 'a').write({name!r})\n")
    for name, data in GOOD.items():
        (made / name).write_bytes(data)
    return made


@pytest.mark.parametrize("name", GOOD)
def test_no_module_beside_the_file_is_imported(folder, name):
    command = [Path(sys.executable).with_name("eyeshot"), name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == (11 if name == "net.pt" else 0), done.stderr
    assert not (folder / "ran").exists(), (folder / "ran").read_text()


def test_a_factory_that_is_named_is(folder):
    """So the test above can fail."""
    command = [Path(sys.executable).with_name("eyeshot"), "eyeshot_own:build"]
    (folder / "eyeshot_own.py").write_text(f"open({str(folder / 'own')!r}, 'a').write('ran')\n")
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    assert (folder / "own").exists() or (folder / "ran").exists()
