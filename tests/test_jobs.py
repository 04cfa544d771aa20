"""Jobs that sleep, eat, crash and raise, under a parent that must outlive them all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eyeshot import jobs
from eyeshot.errors import InputError
from eyeshot.jobs import Job, Limits, Outcome, run, stored


def behave(how):  # noqa: C901 one line a way to end
    """The work of all tests: what its argument says."""
    match how:
        case int():
            return how * 2
        case "sleep":
            time.sleep(60)
        case "eat":
            held = bytearray(1 << 30)
            held[:: os.sysconf("SC_PAGE_SIZE")] = b"x" * (len(held) // os.sysconf("SC_PAGE_SIZE"))
            time.sleep(60)
        case "overflow":
            raise MemoryError("no room")
        case "crash":
            os.kill(os.getpid(), 11)
        case "exit":
            os._exit(3)
        case "leave":
            sys.exit("enough")
        case "raise":
            raise ZeroDivisionError("one over none")
        case "refuse":
            raise InputError("no such axis")
        case "unsayable":
            return object()
        case ("send", answer):
            sys._getframe(1).f_locals["pipe"].send_bytes(answer.encode())
            time.sleep(60)
        case ("note", path):
            with Path(path).open("a") as file:
                file.write("done\n")
            return "noted"
        case ("start", path):
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
            Path(path).write_text(str(child.pid))
            time.sleep(60)
    raise AssertionError(how)


def outcome_of(how, limits=None) -> Outcome:
    (outcome,) = run(behave, [Job("it", how)], limits=limits or Limits(20, 4096))
    return outcome


@pytest.mark.parametrize(
    ("how", "status", "error", "said"),
    [
        ("overflow", "out of memory", "MemoryError", "no room"),
        ("crash", "failed", "died", "SIGSEGV"),
        ("exit", "failed", "died", "status 3"),
        ("leave", "failed", "SystemExit", "enough"),
        ("raise", "failed", "ZeroDivisionError", "one over none"),
        ("refuse", "refused", "InputError", "no such axis"),
        ("unsayable", "failed", "TypeError", "JSON"),
    ],
)
def test_ends_of_a_child(how, status, error, said):
    outcome = outcome_of(how)
    assert (outcome.status, outcome.error) == (status, error)
    assert said in outcome.message
    assert outcome.value is None


@pytest.mark.parametrize(
    "answer", ["", "{", "7", "[1, 2]", '["done", 1, 2, 3]', '["won", 1, "", ""]', "[" * 100_000]
)
def test_a_child_that_sends_nonsense_is_not_believed(answer):
    outcome = outcome_of(("send", answer))
    assert (outcome.status, outcome.error, outcome.value) == ("failed", "garbled", None)
    assert outcome.seconds < 10


def test_a_child_that_sleeps_is_killed():
    started = time.monotonic()
    outcome = outcome_of("sleep", Limits(seconds=0.5))
    assert outcome.status == "timed out"
    assert 0.5 < outcome.seconds < 5
    assert time.monotonic() - started < 20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is not known here")
def test_a_child_that_eats_memory_is_killed():
    outcome = outcome_of("eat", Limits(seconds=30, megabytes=300))
    assert outcome.status == "out of memory"
    assert 300 < outcome.megabytes < 1200
    assert outcome.seconds < 20


def test_what_a_child_started_is_killed_with_it(tmp_path):
    note = tmp_path / "pid"
    assert outcome_of(("start", str(note)), Limits(seconds=3)).status == "timed out"
    grandchild = int(note.read_text())
    deadline = time.monotonic() + 10
    while _runs(grandchild):
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    state = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_one_bad_job_spoils_no_other():
    given = [1, "crash", 2, "raise", 3, "exit", 4]
    outcomes = {o.name: o for o in run(behave, [Job(str(how), how) for how in given], workers=2)}
    assert {name: o.value for name, o in outcomes.items() if o.status == "done"} == dict(
        zip("1234", (2, 4, 6, 8), strict=True)
    )
    assert len(outcomes) == len(given)


def test_workers_run_side_by_side():
    napping = [Job(str(i), "sleep") for i in range(4)]
    list(run(behave, [Job("first", 1)]))  # the server is up
    started = time.monotonic()
    assert {o.status for o in run(behave, napping, limits=Limits(seconds=1.5), workers=4)} == {"timed out"}
    assert time.monotonic() - started < 4.5, "6 s if one after the other"


def test_resume_does_only_what_is_missing(tmp_path):
    store, log = tmp_path / "deep" / "outcomes.jsonl", tmp_path / "log"
    todo = [Job(f"job {i}", ("note", str(log)), "v1") for i in range(4)]
    interrupted = run(behave, todo, store=store)
    before = [next(interrupted).name for _ in range(2)]
    interrupted.close()
    with store.open("a") as file:
        file.write('{"name": "job 3", "finger')  # as if the power had failed
    done_before = len(log.read_text().splitlines())
    outcomes = list(run(behave, todo, store=store))
    assert [o.name for o in outcomes[:2]] == before
    assert {o.name for o in outcomes} == {job.name for job in todo}
    assert {o.value for o in outcomes} == {"noted"}
    assert len(log.read_text().splitlines()) - done_before == 2
    assert set(stored(store)) == {job.name for job in todo}
    assert list(run(behave, todo, store=store)) == outcomes, "what is stored is what was answered"


def test_another_fingerprint_is_another_job(tmp_path):
    store = tmp_path / "outcomes.jsonl"
    list(run(behave, [Job("it", 1, "old")], store=store))
    (outcome,) = run(behave, [Job("it", 2, "new")], store=store)
    assert (outcome.value, outcome.fingerprint) == (4, "new")
    assert stored(store)["it"].value == 4
    assert len([json.loads(line) for line in store.read_text().splitlines()]) == 2


def test_names_are_unique():
    with pytest.raises(ValueError, match="same name"):
        list(run(behave, [Job("it", 1), Job("it", 2)]))


def test_children_are_warm(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nfrom eyeshot.jobs import Job, run\n"
        "def work(name):\n    return name in sys.modules\n"
        "if __name__ == '__main__':\n"
        "    for o in run(work, [Job('warm', 'colorsys'), Job('cold', 'sndhdr')], warm=['colorsys']):\n"
        "        print(o.name, o.value)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["warm", "True", "cold", "False"]
    assert done.stderr == "", "no terminal, no bar"


def test_the_collector_is_held_back_and_let_go():
    import gc

    assert gc.isenabled()
    with jobs.uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
