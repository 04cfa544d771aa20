"""Opens files as a user would, one in a child of its own, and tells what each of them did; MODULEs are imported before.

    python -m tests.security.opener [MODULE ...]

A line of JSON comes in for each file, ``{"path": ..., "arguments": [...]}``; a line goes out, `Outcome` as JSON. The
watch is there before anything of eyeshot is imported, and children fork from a process that has read a good file of
each format, so that what is written down is what the hostile file asked for.
"""

from __future__ import annotations

import sys

from tests.security.watch import Watch

WATCH = Watch()

import io  # noqa: E402 - the watch comes first
import json  # noqa: E402
import os  # noqa: E402
import resource  # noqa: E402
import signal  # noqa: E402
import tempfile  # noqa: E402
from contextlib import redirect_stderr, redirect_stdout  # noqa: E402
from dataclasses import asdict, dataclass, field  # noqa: E402
from functools import cache  # noqa: E402
from importlib import import_module  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import typer  # noqa: E402

SECONDS = 20
"""Wall time after which a child is killed."""
ROOM = 700 << 20
"""Bytes that a child may map beyond what it begins with (and beyond the file): more is a bomb that went off."""


@dataclass
class Outcome:
    """How one file ended. ``code`` is the exit code, negative for a signal; ``seconds`` processor time, sizes in MiB.

    ``peak`` is all that was resident, ``grown`` what came on top of the process that it forked from.
    """

    code: int
    output: str = ""
    events: list[str] = field(default_factory=list)
    seconds: float = 0
    peak: float = 0
    grown: float = 0


@cache
def _group() -> Any:
    """The commands; building them evaluates annotations, so it is done once, and before the watch is on."""
    from eyeshot.cli import app

    return typer.main.get_command(app)


def command(arguments: list[str]) -> tuple[int, str]:
    """Run the command line in this process: exit code, and all that it printed."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            code = _group().main(arguments, "eyeshot", standalone_mode=False)
        except SystemExit as error:
            code = error.code
        except BaseException as error:  # noqa: BLE001 - told as what it is: a defect
            code = 1
            printed.write(f"{type(error).__name__}: {error}")
    return int(code or 0), printed.getvalue()


def _resident() -> float:
    return (
        int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize() / 2**20
    )


def _child(path: str, arguments: list[str], pipe: int) -> None:
    virtual = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    size = Path(path).stat().st_size if Path(path).is_file() else 0
    resource.setrlimit(resource.RLIMIT_AS, (virtual + size + ROOM,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    before = _resident()
    WATCH.allowed = os.path.realpath(path)
    WATCH.words = " ".join(arguments)
    WATCH.on = True
    code, output = command(arguments)
    WATCH.on = False
    usage = resource.getrusage(resource.RUSAGE_SELF)
    peak = usage.ru_maxrss / 1024
    outcome = Outcome(
        code,
        output,
        WATCH.seen,
        round(usage.ru_utime + usage.ru_stime, 3),
        round(peak, 1),
        round(peak - before, 1),
    )
    with os.fdopen(pipe, "wb") as file:
        file.write(json.dumps(asdict(outcome)).encode())


def opened(path: str, arguments: list[str]) -> Outcome:
    """Open a file in a child."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        signal.alarm(SECONDS)
        try:
            _child(path, arguments, theirs)
        finally:
            os._exit(70)
    os.close(theirs)
    with os.fdopen(ours, "rb") as file:
        data = file.read()
    _, status, usage = os.wait4(child, 0)
    if not data:
        code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        return Outcome(code, seconds=usage.ru_utime + usage.ru_stime, peak=usage.ru_maxrss / 1024)
    return Outcome(**json.loads(data))


def warm() -> list[str]:
    """Read a good file of each format, and refuse one; names those that are not read."""
    from tests.security.hostile import archives, names, protobufs, weights

    good = {
        ".onnx": protobufs.VALID,
        ".keras": archives.zipped({"config.json": archives.config()}),
        ".pt2": archives.zipped({"net/models/model.json": archives.program()}),
        ".yaml": b"layers: conv3 > conv3\n",
    }
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix, data in good.items():
            path = Path(folder, f"net{suffix}")
            path.write_bytes(data)
            code, output = command([str(path)])
            if code:
                failed.append(f"{suffix} ({code}): {output}")
            path.write_bytes(b"\0")
            command([str(path)])
        path = Path(folder, "net.onnx")
        path.write_bytes(names._onnx_op("strange"))
        command([str(path)])
        if "torch" in sys.modules:
            path = Path(folder, "net.safetensors")
            path.write_bytes(weights.VALID)
            code, output = command([*weights.ARGUMENTS, str(path)])
            if code:
                failed.append(f"weights ({code}): {output}")
            path.write_bytes(b"\0")
            command([*weights.ARGUMENTS, str(path)])
    return failed


def main() -> None:
    """Answer lines until there are no more."""
    sys.dont_write_bytecode = True
    for name in sys.argv[1:]:
        import_module(name)
    _tell(warm())
    for line in sys.stdin:
        asked = json.loads(line)
        _tell(asdict(opened(asked["path"], asked["arguments"])))


def _tell(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
