"""Hooks miss what happens in C: what the system is asked while a hostile file is opened, as strace sees it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.security.hostile import CORPUS
from tests.security.traced import MARK
from tests.security.watch import _ours

ROOT = Path(__file__).parents[2]
CALLS = (
    "open,openat,openat2,creat,execve,execveat,connect,bind,listen,socket,unlink,unlinkat,rename,renameat,renameat2,"
    "mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,truncate,chmod,fchmodat,chown,fchownat,ptrace,kill,mount"
)
MARKED = "stat,newfstatat,statx,access,faccessat,faccessat2"
CALL = re.compile(r'^(\d+) +(\w+)\((?:AT_FDCWD, )?(?:"([^"]*)")?(.*)$')


def strace() -> str:
    """Where strace is, if it may be used here."""
    found = shutil.which("strace")
    allowed = found and subprocess.run([found, "-o", os.devnull, "true"], capture_output=True, check=False)
    if not allowed or allowed.returncode:
        pytest.skip("strace is not installed, or may not trace here")
    return found


def traced(paths, log):
    """What each opening asked the system for: a list of (call, path) for every file."""
    command = [strace(), "-f", "-qq", "-s", "4096", "-e", f"trace={CALLS},{MARKED}", "-o", str(log)]
    command += [sys.executable, "-m", "tests.security.traced"]
    subprocess.run(
        command, input="\n".join(paths), text=True, check=True, cwd=ROOT, stdout=subprocess.DEVNULL
    )
    numbers, asked = {}, {path: [] for path in paths}
    for line in log.read_text(errors="replace").splitlines():
        found = CALL.match(line)
        if found is None:
            continue
        process, call, path, rest = found.groups()
        if path and path.startswith(MARK):
            numbers[process] = int(path.removeprefix(MARK))
        elif process in numbers and call not in MARKED.split(","):
            asked[paths[numbers[process]]].append((call, path, rest))
    assert sorted(numbers.values()) == list(range(len(paths))), "every opening was seen"
    return asked


def harmless(call, path, rest, allowed):
    """Whether this is reading the file itself, or a module of Python, of a package or of eyeshot."""
    reads = (
        call.startswith("open") and "O_WRONLY" not in rest and "O_RDWR" not in rest and "O_CREAT" not in rest
    )
    return reads and path is not None and (path == allowed or _ours(path))


def files(tmp_path, *, all_of_them):
    """Hostile files, built. Names change what is printed, not what is opened; large ones are told by the hooks."""
    paths = []
    for number, (name, case) in enumerate(CORPUS.items()):
        family = name.partition(":")[0]
        if family in {"names", "weights"} or "MB" in name or "sparse" in name:
            continue
        if all_of_them or family in {"paths", "pickles"} or number % 4 == 0:
            folder = tmp_path / str(number)
            folder.mkdir()
            paths.append(str(case.write(folder)))
    return paths


def test_nothing_else_is_opened_sent_or_run(tmp_path):
    paths = files(tmp_path, all_of_them="EYESHOT_TRACE_ALL" in os.environ)
    asked = traced(paths, tmp_path / "log")
    wrong = {
        path: bad
        for path, calls in asked.items()
        if (bad := [each for each in calls if not harmless(*each, path)])
    }
    assert not wrong
    opened = [path for path, calls in asked.items() if any(each[1] == path for each in calls)]
    assert len(opened) > len(paths) * 0.9, "the files themselves are opened, so opens are seen"
