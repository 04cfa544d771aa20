"""A slice of the fuzz campaign (`make fuzz`), and that the campaign finds what is there to be found."""

import subprocess
import sys
import time

import pytest

from tests.security.judge import ROOT

COUNT, SECONDS = 2000, 1.0

PLANTED = """
import sys
from tools.fuzz import engine
from tools.fuzz.targets import Target

def read(data):
    if data[:1] == b"c":
        raise KeyError("a defect")
    while data[:1] == b"h":
        pass
    if data[:1] == b"m":
        bytearray(1 << 33)

target = Target(lambda: [sys.argv[1].encode()], lambda: lambda data, other, draw: b"x", read)
print(engine.campaign("planted", target, count=4, seconds=60, seed=1).failures)
"""


def test_every_reader_answers_with_typed_errors():
    command = [
        sys.executable,
        "-m",
        "tools.fuzz",
        "--count",
        str(COUNT),
        "--seconds",
        str(SECONDS),
        "--seed",
        "5",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("executions") == 9


@pytest.mark.parametrize(("first", "failure"), [("c", "KeyError"), ("h", "Hang"), ("m", "MemoryError")])
def test_a_planted_defect_is_found(first, failure):
    command = [sys.executable, "-c", PLANTED, first]
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert failure in done.stdout
    assert time.monotonic() - began < 60
