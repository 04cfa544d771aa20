"""Every hostile file, opened as a user would: nothing runs, nothing else is opened; the answer is typed, soon and small."""

import json
import subprocess
import sys

import pytest

from tests.security.hostile import CORPUS
from tests.security.judge import ROOT, Server

FAMILIES = sorted({name.partition(":")[0] for name in CORPUS})


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


@pytest.mark.parametrize("family", FAMILIES)
def test_corpus(family, request):
    server = request.getfixturevalue("with_torch" if family == "weights" else "plain")
    found = {}
    for name in CORPUS:
        if name.partition(":")[0] == family:
            outcome, problems = server.judge(name)
            if problems:
                found[name] = [*problems, outcome.output[-300:]]
    assert not found


def test_the_corpus_is_large():
    assert len(CORPUS) > 500
    assert len(FAMILIES) == 11


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
