"""Long work: many jobs, each in a child process of its own with limits of time and memory; resumable.

    def survey(reference: str) -> dict[str, int]:  # found by its name in the child, so at the top level of a module
        ...
        return {"tensors": 175}  # anything that JSON holds

    jobs = [Job(name, name, fingerprint=commit) for name in references]
    for outcome in run(survey, jobs, limits=Limits(60, 4096), store=Path("zoo.jsonl"), warm=["torch", "timm"]):
        print(outcome.name, outcome.status, outcome.value or outcome.message)

A job ends as ``done`` with a value, ``refused`` (it raised one of eyeshot's own errors, named in ``error``), ``failed``
(any other exception, or the child died: ``message`` says of what), ``timed out`` or ``out of memory``. Nothing that a
child does ends the parent. A script that calls `run` needs the usual ``if __name__ == "__main__"``.

Where the system can fork, children fork from a server that has imported the modules in ``warm`` once: that takes tens of ms
instead of an import each. That server is free of threads, whatever the calling process holds.

`uncollected` holds back the garbage collector.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from eyeshot.errors import EyeshotError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext, SpawnContext

Status = Literal["done", "refused", "failed", "timed out", "out of memory"]

# Seconds between two looks at the memory of the children.
TICK = 0.05

# Bytes of an answer.
LONGEST = 1 << 28


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may take: seconds of wall time, and megabytes resident at once.

    Resident memory includes what the child shares with the server (some 300 MB with PyTorch), and is watched where
    ``/proc`` tells it (Linux). Address space isn't limited: frameworks reserve far more of it than they use.
    """

    seconds: float = 60
    megabytes: float = 4096


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work: ``work(argument)`` is called in a child.

    ``name`` tells it from all others of the run. ``fingerprint`` stands for all that its answer hangs on (versions, a
    commit): a stored outcome counts only where both agree.
    """

    name: str
    argument: Any = None
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended. ``value`` is there if it is done; ``error`` is the exception's type, ``message`` its text.

    ``seconds`` is wall time, ``megabytes`` the largest resident memory seen (0 where it isn't known).
    """

    name: str
    fingerprint: str
    status: Status
    value: Any = None
    error: str = ""
    message: str = ""
    seconds: float = 0
    megabytes: float = 0


def run(
    work: Callable[[Any], Any],
    jobs: Iterable[Job],
    *,
    limits: Limits | None = None,
    store: Path | None = None,
    workers: int = 1,
    warm: Sequence[str] = (),
    label: str = "",
) -> Iterator[Outcome]:
    """Outcomes as the jobs end, ``workers`` of them at a time; those found in ``store`` come first.

    ``store`` is a file of JSON lines; every outcome is appended as soon as it is there, so an interrupted run goes on where
    it stopped. To have a job done again, change its fingerprint or delete its line. On a terminal a bar named
    ``label`` shows the progress.

    Raises
    ------
    ValueError
        where two jobs have one name.
    """
    waiting = list(jobs)
    if len({job.name for job in waiting}) < len(waiting):
        raise ValueError("two jobs of one run have the same name: outcomes are stored by name")
    known = stored(store) if store is not None else {}
    with _progress(label, len(waiting)) as advance:
        for job in list(waiting):
            outcome = known.get(job.name)
            if outcome is not None and outcome.fingerprint == job.fingerprint:
                waiting.remove(job)
                advance()
                yield outcome
        for outcome in _run(work, waiting, limits or Limits(), workers, warm):
            if store is not None:
                _append(store, outcome)
            advance()
            yield outcome


def stored(store: Path) -> dict[str, Outcome]:
    """The last outcome of each name in a store; a line that an interruption cut short is passed over."""
    found = {}
    for line in store.read_text(encoding="utf-8").splitlines() if store.exists() else ():
        with suppress(json.JSONDecodeError):
            outcome = Outcome(**json.loads(line))
            found[outcome.name] = outcome
    return found


def _append(store: Path, outcome: Outcome) -> None:
    store.parent.mkdir(parents=True, exist_ok=True)
    with store.open("ab+") as file:
        if file.tell():
            file.seek(-1, 2)
            if file.read(1) != b"\n":  # an interrupted line ends here, and spoils no other
                file.write(b"\n")
        file.write(json.dumps(asdict(outcome)).encode() + b"\n")


def _run(
    work: Callable[[Any], Any], waiting: list[Job], limits: Limits, workers: int, warm: Sequence[str]
) -> Iterator[Outcome]:
    from multiprocessing.connection import wait

    context = _context(warm)
    running: list[_Child] = []
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running.append(_Child(context, work, waiting.pop(0), limits))
            wait([end for child in running for end in (child.pipe, child.process.sentinel)], TICK)
            for child in list(running):
                outcome = child.outcome()
                if outcome is not None:
                    running.remove(child)
                    yield outcome
    finally:
        for child in running:
            child.end()


def _context(warm: Sequence[str]) -> ForkServerContext | SpawnContext:
    import multiprocessing

    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(warm))
    return context


class _Child:
    """A running job."""

    def __init__(
        self,
        context: ForkServerContext | SpawnContext,
        work: Callable[[Any], Any],
        job: Job,
        limits: Limits,
    ) -> None:
        self.job, self.limits = job, limits
        self.pipe, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=_answer, args=(theirs, work, job.argument), daemon=True)
        self.process.start()  # returns once the server has imported what it is warm with, and forked
        theirs.close()
        self.started = time.monotonic()
        self.megabytes = 0.0

    def outcome(self) -> Outcome | None:
        """How it ended, None while it runs within its limits."""
        # Asked first: a child that is gone after this has sent all that it will send.
        alive = self.process.is_alive()
        if self.pipe.poll():
            try:
                return self._ended(*_checked(json.loads(self.pipe.recv_bytes(LONGEST))))
            except (ValueError, TypeError, RecursionError):
                return self._ended("failed", error="garbled", message="sent something that is no answer")
            except (EOFError, OSError):
                pass
            alive = False
        if not alive:
            return self._ended("failed", error="died", message=self._death())
        now = _resident(self.process.pid)
        self.megabytes = max(self.megabytes, now)
        if now > self.limits.megabytes:
            return self._ended("out of memory", message=f"more than {self.limits.megabytes:g} MB resident")
        if time.monotonic() - self.started > self.limits.seconds:
            return self._ended("timed out", message=f"more than {self.limits.seconds:g} s")
        return None

    def _ended(self, status: Status, value: Any = None, error: str = "", message: str = "") -> Outcome:
        seconds = round(time.monotonic() - self.started, 3)
        self.end()
        return Outcome(
            self.job.name,
            self.job.fingerprint,
            status,
            value,
            error,
            message,
            seconds,
            round(self.megabytes, 1),
        )

    def _death(self) -> str:
        import signal

        self.process.join(1)
        code = self.process.exitcode or 0
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with status {code}"

    def end(self) -> None:
        """Kill the child and whatever it has started."""
        import os
        import signal

        if self.process.pid is not None and hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()
        self.process.close()
        self.pipe.close()


def _answer(pipe: Connection, work: Callable[[Any], Any], argument: Any) -> None:
    """What a child does: its own process group, the work, and one message."""
    import os

    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    try:
        answer = json.dumps(("done", work(argument), "", ""))
    except EyeshotError as error:
        answer = json.dumps(("refused", None, type(error).__name__, str(error)))
    except MemoryError as error:
        answer = json.dumps(("out of memory", None, "MemoryError", str(error)))
    except BaseException as error:  # noqa: BLE001 - whatever it was, the parent reports it
        answer = json.dumps(("failed", None, type(error).__name__, str(error)))
    pipe.send_bytes(answer.encode())


def _checked(answer: Any) -> tuple[Status, Any, str, str]:
    """What a child sent, if it is an answer: it may have run a stranger's code, so it is not believed."""
    status, value, error, message = answer
    if status not in get_args(Status) or not isinstance(error, str) or not isinstance(message, str):
        raise ValueError(status)
    return status, value, error, message


def _resident(pid: int | None) -> float:
    """Megabytes of physical memory that a process holds; 0 where the system doesn't say."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    import resource

    return int(pages) * resource.getpagesize() / 2**20


def _progress(label: str, total: int) -> AbstractContextManager[Callable[[], None]]:
    """A bar on a terminal, nothing elsewhere; gives the function that moves it on by one job."""
    return _bar(label, total) if label and sys.stderr.isatty() else nullcontext(lambda: None)


@contextmanager
def _bar(label: str, total: int) -> Iterator[Callable[[], None]]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total)
        yield lambda: bar.advance(task)


@contextmanager
def uncollected() -> Iterator[None]:
    """Hold back cyclic garbage collection.

    One pass over the heap of an imported framework takes longer (0.3 s with PyTorch) than a whole analysis, which makes
    many small objects and no cycles worth collecting.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
