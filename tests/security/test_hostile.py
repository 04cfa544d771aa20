"""Every hostile file, opened as a user would: nothing runs, nothing else is opened; the answer is typed, soon and small."""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.security import opener
from tests.security.hostile import CORPUS, weights

SECONDS, MEGABYTES = 2.0, 300.0
ROOT = Path(__file__).parents[2]
FAMILIES = sorted({name.partition(":")[0] for name in CORPUS})


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


@pytest.fixture(scope="module")
def plain():
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="module")
def with_torch():
    pytest.importorskip("safetensors")
    server = Server("torch")
    yield server
    server.close()


def wrong(name, outcome):
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


@pytest.mark.parametrize("family", FAMILIES)
def test_corpus(family, request):
    server = request.getfixturevalue("with_torch" if family == "weights" else "plain")
    found = {}
    for name, case in CORPUS.items():
        if name.partition(":")[0] == family:
            with TemporaryDirectory() as folder:
                path = str(case.write(Path(folder)))
                arguments = [*weights.ARGUMENTS, path] if family == "weights" else [path]
                outcome = server.open(path, arguments)
            problems = list(wrong(name, outcome))
            if problems:
                found[name] = [*problems, outcome.output[-300:]]
    assert not found


def test_the_corpus_is_large():
    assert len(CORPUS) > 500
    assert len(FAMILIES) == 10


def misdeeds(folder):
    """Statements that no reader may make, and what has to be noticed of each."""
    return {
        "import os; os.system('true')": "os.system",
        "import subprocess; subprocess.run(['true'])": "subprocess.Popen",
        "import pickle; pickle.loads(b'cos\\nsystem\\n.')": "pickle.find_class",
        "import socket; socket.socket().close()": "socket.__new__",
        "exec('1')": "compile",
        "eval(compile('1', 'x', 'eval'))": "compile",
        "import marshal; marshal.loads(marshal.dumps(1))": "marshal.loads",
        "import ctypes; ctypes.CDLL(None)": "ctypes.dlopen",
        "open('/etc/hostname')": "open",
        f"open({str(folder / 'new')!r}, 'w')": "open",
        "import os; os.listdir('/')": "os.listdir",
        "import os; os.remove('/nowhere')": "os.remove",
        "import this_is_not_there": "import",
    }


def test_the_watch_sees_what_it_is_there_for(tmp_path):
    """A forked child for each misdeed: a watch that sees nothing would let everything pass."""
    program = (
        "import sys, os, json, contextlib\n"
        "from tests.security.watch import Watch\n"
        "watch = Watch()\n"
        "code = compile(sys.argv[1], 'statement', 'exec')\n"
        "os.dup2(os.open(os.devnull, os.O_WRONLY), 2)\n"
        "for name in ('subprocess', 'pickle', 'socket', 'marshal', 'ctypes'): __import__(name)\n"
        "watch.on = True\n"
        "try: exec(code)\n"
        "except BaseException: pass\n"
        "watch.on = False\n"
        "print(json.dumps(watch.seen))\n"
    )
    for statement, event in misdeeds(tmp_path).items():
        done = subprocess.run(
            [sys.executable, "-c", program, statement], capture_output=True, text=True, check=True, cwd=ROOT
        )
        assert any(seen.startswith(event) for seen in json.loads(done.stdout)), statement
