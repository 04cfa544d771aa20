"""One mutant against the tests, in a process of its own that it may spoil."""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import os
import resource
import sys
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest
from hypothesis import Phase, settings

from tools.mutants.operators import mutated

# What can reach a mutant of each room, closest first. No test of these folders imports a framework.
TESTS = {
    "relations": ["tests/relations", "tests/graph", "tests/analyses"],
    "graph": ["tests/graph", "tests/analyses"],
    "analyses": ["tests/analyses"],
}
SECONDS = 90  # of processor time: some ten times what the tests take


class Imposter(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from given code instead of its file."""

    def __init__(self, module: str, path: Path, code: CodeType) -> None:
        self.module, self.path, self.code = module, path, code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The mutated module's spec, None for all others."""
        if fullname != self.module:
            return None
        spec = importlib.machinery.ModuleSpec(fullname, self, origin=str(self.path))
        spec.has_location = True
        return spec

    def exec_module(self, module: ModuleType) -> None:
        """Run the mutated code as the module."""
        exec(self.code, module.__dict__)


class Watch:
    """Puts the quick tests first, and remembers the first that fails."""

    def __init__(self) -> None:
        self.failed = ""
        self.count = 0

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Tests of one example before tests of many."""
        items.sort(key=lambda item: hasattr(getattr(item, "obj", None), "hypothesis"))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be imported any more is a failure."""
        if report.failed:
            self.failed = self.failed or f"import of {report.nodeid}"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The first failure."""
        self.count += report.when == "call"
        if report.failed:
            self.failed = self.failed or report.nodeid


def trial(task: dict[str, Any]) -> dict[str, Any]:
    """Run the tests under ``root`` with one change made: which test failed first (``by``), after how many.

    ``number`` None changes nothing. ``examples`` are drawn for each property, always the same.
    """
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    root, file = Path(task["root"]), Path(task["file"])
    for name in [name for name in sys.modules if name.partition(".")[0] in {"eyeshot", "tests"}]:
        del sys.modules[name]
    sys.path[:0] = [str(root / "src"), str(root)]
    os.chdir(root)
    path = root / "src" / "eyeshot" / file
    module = ".".join(("eyeshot", *file.with_suffix("").parts)).removesuffix(".__init__")
    if task["number"] is not None:
        code = compile(mutated(path.read_text(encoding="utf-8"), task["number"]), str(path), "exec")
        sys.meta_path.insert(0, Imposter(module, path, code))
    settings.register_profile(
        "mutants",
        max_examples=task["examples"],
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        report_multiple_bugs=False,
    )
    watch = Watch()
    options = ["-x", "-q", "--tb=no", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist"]
    options += ["--hypothesis-profile=mutants", f"--rootdir={root}"]
    with Path(os.devnull).open("w") as silence, contextlib.redirect_stdout(silence):
        status = pytest.main([*options, *TESTS[file.parts[0]]], plugins=[watch])
    if "torch" in sys.modules:
        raise RuntimeError("these tests were to run without a framework")
    by = watch.failed or ("" if status == pytest.ExitCode.OK else f"pytest: {status!r}")
    return {"by": by, "tests": watch.count, "seconds": round(time.process_time(), 2)}
