"""``python -m tools.fuzz``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

FOUND = Path("build/fuzz")


def main() -> int:
    """Run campaigns, each in a process of its own; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*")
    parser.add_argument("--count", type=int, default=1_000_000, help="executions of each reader")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="at most, for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true", help="let coverage lead the choice of inputs")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if given.here:
        return _led(given)
    from tools.fuzz.targets import TARGETS

    names = given.readers or list(TARGETS)
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # files in memory, where that can be had
    with tempfile.TemporaryDirectory(prefix="eyeshot-fuzz-", dir=base) as place:
        os.environ["TMPDIR"] = tempfile.tempdir = place
        if not given.atheris:
            return _drawn(given, names)
        options = [word for word in sys.argv[1:] if word not in given.readers]
        command = [sys.executable, "-m", "tools.fuzz", "--here", *options]
        codes = [subprocess.run([*command, name], check=False).returncode for name in names]
        return int(any(codes))


def _drawn(given: argparse.Namespace, names: list[str]) -> int:
    from tools.fuzz import engine
    from tools.fuzz.targets import TARGETS

    failures = 0
    for name in names:
        outcome = engine.campaign(
            name, TARGETS[name], count=given.count, seconds=given.seconds, seed=given.seed, keep=FOUND
        )
        answers = ", ".join(f"{answer} {count:,}" for answer, count in outcome.answers.most_common())
        print(f"{name}: {outcome.executions:,} executions in {outcome.seconds:.0f} s: {answers}", flush=True)
        for failure, data in outcome.failures.items():
            print(f"  {failure}: {data[:160]!r}")
        failures += len(outcome.failures)
    return int(failures > 0)


def _led(given: argparse.Namespace) -> int:
    """One reader in this process, which libFuzzer ends; what is imported here is watched for coverage."""
    import atheris

    with atheris.instrument_imports(include=["eyeshot.frontends", "eyeshot.graph"]):
        from tools.fuzz import engine
        from tools.fuzz.targets import TARGETS

        (name,) = given.readers
        target = TARGETS[name]
        for data in target.seeds()[:50]:
            engine.once(target, data)
    engine.led_by_coverage(
        name, target, count=given.count, seconds=given.seconds, seed=given.seed, keep=FOUND
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
