"""Inputs drawn one after the other; those that are answered in a new way are kept, and changed further."""

from __future__ import annotations

import hashlib
import os
import random
import re
import resource
import signal
import time
import traceback
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from eyeshot.errors import EyeshotError, GraphError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.fuzz.targets import Target

DEADLINE = 2.0
"""Seconds of processor time that one input may take."""
ROOM = 1 << 30
"""Bytes that the process may grow by."""
KEPT = 4000


class Hang(BaseException):
    """An input took longer than its deadline; no reader catches it."""


@dataclass(slots=True)
class Outcome:
    """A campaign: executions, answers by their type, and one input for each kind of failure."""

    name: str
    executions: int = 0
    seconds: float = 0
    answers: Counter[str] = field(default_factory=Counter)
    failures: dict[str, bytes] = field(default_factory=dict)


def once(target: Target, data: bytes) -> tuple[str, str]:
    """The type of the answer ("" where it is no failure) and what was answered.

    A `GraphError` is typed, but says that a lowering has a defect: it counts as a failure.
    """
    try:
        with _deadline():
            target.read(data)
    except EyeshotError as error:
        if isinstance(error, GraphError):
            return _place(error), str(error)
        return "", f"{type(error).__name__} {re.sub(r'[0-9]+|0x[0-9a-f]+', '0', str(error))[:80]}"
    except (Exception, Hang) as error:  # noqa: BLE001 - everything else is what is looked for
        return _place(error), str(error)
    return "", "answered"


@contextmanager
def _deadline() -> Iterator[None]:
    signal.signal(signal.SIGPROF, _hang)
    signal.setitimer(signal.ITIMER_PROF, DEADLINE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _hang(*_: object) -> None:
    raise Hang


def _place(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "eyeshot" in frame.filename]
    where = f"{Path(frames[-1].filename).name}:{frames[-1].name}" if frames else "?"
    return f"{type(error).__name__} in {where}"


def campaign(
    name: str, target: Target, *, count: int, seconds: float, seed: int, keep: Path | None = None
) -> Outcome:
    """Read ``count`` inputs, or as many as fit into ``seconds``; the same seed draws the same inputs."""
    draw = random.Random(seed)
    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, resource.RLIM_INFINITY))
    mutate, pool = target.mutate(), list(target.seeds())
    known: set[str] = set()
    outcome = Outcome(name)
    began = time.monotonic()
    while outcome.executions < count and time.monotonic() - began < seconds:
        fresh = outcome.executions < len(pool) and outcome.executions < count // 4
        data = pool[outcome.executions] if fresh else mutate(draw.choice(pool), draw.choice(pool), draw)
        failure, answer = once(target, data)
        outcome.executions += 1
        outcome.answers[failure or answer.partition(" ")[0]] += 1
        if failure and failure not in outcome.failures:
            outcome.failures[failure] = data
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)
        if not failure and answer not in known and len(pool) < KEPT and len(data) < 20_000:
            known.add(answer)
            pool.append(data)
    outcome.seconds = time.monotonic() - began
    return outcome


def led_by_coverage(name: str, target: Target, *, count: int, seconds: float, seed: int, keep: Path) -> None:
    """Let libFuzzer draw the inputs; ends the process, with a code other than 0 at the first failure."""
    import sys

    import atheris

    mutate, pool = target.mutate(), list(target.seeds())
    draw = random.Random(seed)

    def change(data: bytes, most: int, number: int) -> bytes:
        draw.seed(number)
        return mutate(data, draw.choice(pool), draw)[:most]

    def read(data: bytes) -> None:
        failure, answer = once(target, data)
        if failure:
            raise RuntimeError(f"{failure}: {answer}")

    from tools.fuzz.targets import folder

    start = folder() / f"{name}-seeds"
    start.mkdir(exist_ok=True)
    for number, data in enumerate(pool):
        (start / f"{number:05}").write_bytes(data)
    limits = "-rss_limit_mb=2048 -timeout=20 -max_len=20000 -verbosity=0 -print_final_stats=1".split()
    most = int(seconds) if isfinite(seconds) else 0
    keep.mkdir(parents=True, exist_ok=True)
    options = [
        f"-runs={count}",
        f"-max_total_time={most}",
        f"-seed={seed + 1}",
        f"-artifact_prefix={keep}/",
        *limits,
    ]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    atheris.Setup([sys.argv[0], *options, str(start)], read, custom_mutator=change)
    atheris.Fuzz()
