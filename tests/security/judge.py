"""Opens hostile files in a process that stays, and says what is wrong with what comes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.security import opener
from tests.security.hostile import CORPUS, weights

SECONDS, MEGABYTES = 2.0, 300.0
"""What a refusal may take; an answer takes what the file spells out, and in this corpus no more than that either."""
ROOT = Path(__file__).parents[2]


class Server:
    """A process that opens files, each in a child; see `opener`."""

    def __init__(self, *modules: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.security.opener", *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert json.loads(self._line()) == [], "a good file of each format is read"

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def open(self, path: str, arguments: list[str]) -> opener.Outcome:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"path": path, "arguments": arguments}) + "\n")
        self.process.stdin.flush()
        return opener.Outcome(**json.loads(self._line()))

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def judge(self, name: str) -> tuple[opener.Outcome, list[str]]:
        """Build a file of the corpus and open it: the outcome, and what is wrong with it."""
        with TemporaryDirectory() as folder:
            path = str(CORPUS[name].write(Path(folder)))
            arguments = [*weights.ARGUMENTS, path] if name.startswith("weights") else [path]
            outcome = self.open(path, arguments)
        return outcome, list(wrong(name, outcome))


def wrong(name: str, outcome: opener.Outcome) -> Iterator[str]:
    """What is wrong with an outcome, in words."""
    case = CORPUS[name]
    if outcome.code not in case.codes:
        yield f"ended with {outcome.code}, not one of {sorted(case.codes)}"
    yield from outcome.events
    if outcome.seconds > SECONDS:
        yield f"took {outcome.seconds} s"
    # Weights are loaded into a model that the user names; what its framework takes is none of the file's doing.
    megabytes = outcome.grown if name.startswith("weights") else outcome.peak
    if megabytes > MEGABYTES:
        yield f"took {megabytes} MiB"
    odd = {character for character in outcome.output if character != "\n" and not character.isprintable()}
    if odd:
        yield f"printed {sorted(odd)}"
    told = outcome.output.splitlines()
    if sum(line.startswith("eyeshot:") for line in told) > 1:
        yield "let the file speak for eyeshot"
    if outcome.code and len(outcome.output) > 10_000:
        yield f"printed {len(outcome.output)} characters"
