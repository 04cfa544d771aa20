"""The wheel, and what someone gets who installs it and nothing else."""

import os
import subprocess
import sys
import venv
import zipfile
from email import message_from_bytes
from importlib.metadata import distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import eyeshot

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = out.glob("*.whl")
    return path


def core_requirements(site: Path) -> set[str]:
    """Names of all that the wheel in ``site`` needs without any extra, and of what those need in turn."""
    (own,) = distributions(path=[str(site)])
    names, todo = set(), [own]
    while todo:
        for line in todo.pop().requires or []:
            requirement = Requirement(line)
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if wanted and requirement.name not in names:
                names.add(requirement.name)
                todo.append(distribution(requirement.name))
    return names


@pytest.fixture(scope="module")
def alone(wheel, tmp_path_factory):
    """A fresh environment with the wheel and its core requirements (linked, so that no network is needed)."""
    home = tmp_path_factory.mktemp("alone")
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    (site,) = home.glob("lib/python*/site-packages")
    for name in core_requirements(site):
        dist = distribution(name)
        for top in {file.parts[0] for file in dist.files or []} - {"..", "__pycache__"}:
            (site / top).symlink_to(dist.locate_file(top))
    return home / "bin"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, env=environment)


def test_wheel_holds_the_package_and_nothing_else(wheel):
    info = f"eyeshot-{eyeshot.__version__}.dist-info"
    names = set(zipfile.ZipFile(wheel).namelist())
    source = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src/eyeshot").rglob("*.py")}
    assert names - source == {
        "eyeshot/py.typed",
        f"{info}/METADATA",
        f"{info}/WHEEL",
        f"{info}/RECORD",
        f"{info}/entry_points.txt",
        f"{info}/licenses/LICENSE",
    }
    assert source <= names
    assert wheel.name.endswith("-py3-none-any.whl")


def test_wheel_metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        metadata = message_from_bytes(archive.read(f"eyeshot-{eyeshot.__version__}.dist-info/METADATA"))
    assert metadata["Name"] == "eyeshot"
    assert metadata["Version"] == eyeshot.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert {"torch", "timm", "plots", "demo", "dev"} <= set(metadata.get_all("Provides-Extra", []))
    core = [Requirement(line) for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert {requirement.name for requirement in core} == {"numpy", "pydantic", "pyyaml", "rich", "typer"}
    assert {clause.operator for requirement in core for clause in requirement.specifier} == {">="}


def test_help_works_alone(alone):
    done = run(alone / "eyeshot", "--help")
    assert done.returncode == 0, done.stderr
    assert "analyze" in done.stdout


def test_public_names_resolve_alone(alone):
    done = run(alone / "python", "-W", "error", "-c", "from eyeshot import *; print(analyze, Field, Box)")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("reference", ["timm:resnet50", "torchvision:resnet50"])
def test_missing_framework_names_the_extra(alone, reference):
    assert run(alone / "python", "-c", "import torch").returncode == 1, "torch leaked in"
    done = run(alone / "eyeshot", "analyze", reference)
    assert done.returncode == 3, done.stderr
    assert 'pip install "eyeshot[timm]"' in done.stderr
    assert "Traceback" not in done.stderr
