"""One operator or module: capture and lower every sample, and hold the rule against the oracles."""

from __future__ import annotations

import os
import random
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from eyeshot.analyses.sets import Sets
from eyeshot.errors import EyeshotError, GraphError, UnsupportedOpError
from eyeshot.frontends.torch.capture import capture
from eyeshot.frontends.torch.lower import lower
from eyeshot.graph.verify import verify
from tools.conformance.oracles import ORACLES, Key, Matrix, Oracles, runs
from tools.conformance.samples import Sample, Skipped, samples
from tools.conformance.traps import BLIND, LIES, UNIT

SECONDS = 30
SHAPES = "meta tensors have another shape there"


class LateError(Exception):
    """A sample over its time limit."""


@dataclass
class Tally:
    """What came of one subject's samples.

    A comparison is one output of one sample against one of its inputs. ``wide`` counts those in which the rule holds more
    than the oracles saw, by the reason codes that it carries; "place" for an integer or boolean output, which flips for
    few numbers only; "blind" for a known blind spot; "" for none of these. ``refused`` counts samples by the ops without
    a lowering, or by the error's type. ``examples`` has one case of each kind of trouble.
    """

    commit: str
    samples: int = 0
    comparisons: int = 0
    exact: int = 0
    missed: int = 0
    wide: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    ops: list[str] = field(default_factory=list)


def check(subject: tuple[str, int | None, str]) -> dict[str, Any]:
    """The tally of one subject, as JSON holds it: of all samples, or of a seeded choice of so many; at a commit."""
    name, most, commit = subject
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    tally = Tally(commit)
    ops: set[str] = set()
    with _silent():
        for number, sample in _chosen(name, most):
            tally.samples += 1
            if isinstance(sample, Skipped):
                tally.skipped[str(sample)] += 1
                continue
            try:
                with _limit(SECONDS):
                    _compare(name, sample, number, tally, ops)
            except Skipped as why:
                tally.skipped[str(why)] += 1
            except LateError:
                tally.skipped[f"over {SECONDS} s"] += 1
            except UnsupportedOpError as error:
                tally.refused.update(list(error.ops))
            except EyeshotError as error:
                kind = tally.errors if isinstance(error, GraphError) else tally.refused
                _note(tally, kind, type(error).__name__, f"{sample.words}: {error}")
            except Exception as error:  # noqa: BLE001 - a crash is a finding of the campaign, not its end
                _note(tally, tally.errors, type(error).__name__, f"{sample.words}: {error}")
    tally.ops = sorted(ops)
    return vars(tally)


def _chosen(name: str, most: int | None) -> Iterator[tuple[int, Sample | Skipped]]:
    if most is None:
        yield from enumerate(samples(name))
    else:
        every = list(enumerate(samples(name)))
        yield from random.Random(name).sample(every, min(most, len(every)))


def _note(tally: Tally, counter: Counter[str], what: str, example: str) -> None:
    counter[what] += 1
    tally.examples.setdefault(what, example[:600])


def _compare(name: str, sample: Sample, number: int, tally: Tally, ops: set[str]) -> None:
    if not runs(sample.call, sample.inputs):
        raise Skipped("the sample does not run here")
    oracles = Oracles(sample, number, unit=name in UNIT)
    torch.manual_seed(0)
    trace = capture(sample.call, tuple(sample.inputs))
    graph = lower(trace)
    verify(graph)
    ops.update(call.op for call in trace.calls)
    nodes = list(graph.outputs.values())
    if len(nodes) != len(oracles.outputs):
        raise GraphError(f"{len(nodes)} outputs, the real op has {len(oracles.outputs)}")
    rules: dict[Key, Matrix] = {}
    for o, (node, output) in enumerate(zip(nodes, oracles.outputs, strict=True)):
        if output.numel() == 0:
            tally.skipped["empty output"] += 1
        elif graph.nodes[node].shape != tuple(output.shape):
            _note(
                tally,
                tally.skipped,
                SHAPES,
                f"{sample.words}: {graph.nodes[node].shape}, {tuple(output.shape)}",
            )
        else:
            rules |= {(o, i): np.empty(0) for i in range(len(sample.inputs))}
    for i, source in enumerate(graph.inputs.values()):
        sets = Sets(graph, source, None)
        for o, node in enumerate(nodes):
            if (o, i) in rules:
                rules[o, i] = sets.matrix(node).reshape(oracles.outputs[o].numel(), -1)
    reasons = {
        node: " ".join(sorted({graph.nodes[n].reason or "" for n in graph.ancestors([node])} - {""}))
        for node in nodes
    }
    codes = {o: reasons[node] or _unseen(name, oracles.outputs[o]) for o, node in enumerate(nodes)}
    trusted = {key: _trusted(name, *key) for key in rules}
    oracles.observe(rules, trusted, patient=not all(codes.values()))
    for key, rule in rules.items():
        _judge(oracles, key, rule, trusted[key], codes[key[0]], tally, sample.words)


def _judge(
    oracles: Oracles, key: Key, rule: Matrix, trusted: tuple[str, ...], code: str, tally: Tally, words: str
) -> None:
    """One output against one input."""
    seen, columns = oracles.union(key, trusted), oracles.columns[key[1]]
    missed, extra = seen & ~rule, (rule & ~seen)[:, columns]
    where = f"{words}, output {key[0]}, input {key[1]}"
    tally.comparisons += 1
    if missed.any():
        by = [oracle for oracle in trusted if (oracles.seen[oracle][key] & ~rule).any()]
        tally.missed += 1
        tally.examples.setdefault("missed", f"{where}, by {by}: {_first(missed)}"[:600])
    elif extra.any():
        _note(tally, tally.wide, code, f"{where}: {int(extra.sum())} of {extra.size}, {_first(extra)}")
    else:
        tally.exact += 1


def _unseen(name: str, output: torch.Tensor) -> str:
    """Why no oracle may see a dependence that is there; "" where nothing is known to blind them."""
    if name in BLIND:
        return "blind"
    return "" if output.is_floating_point() or output.is_complex() else "place"


def _trusted(name: str, output: int, given: int) -> tuple[str, ...]:
    """The oracles that are believed about one output and one input."""
    lying = {oracle for lie in LIES if lie.about(name, output, given) for oracle in lie.oracles}
    return tuple(oracle for oracle in ORACLES if oracle not in lying)


def _first(matrix: Matrix) -> list[list[int]]:
    return np.argwhere(matrix)[:4].tolist()


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    def late(*_: object) -> None:
        raise LateError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _silent() -> Iterator[None]:
    """Numerical libraries complain to the terminal about the numbers that probes put in."""
    sys.stdout.flush()
    kept = [os.dup(1), os.dup(2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        yield
    finally:
        for stream, was in zip((1, 2), kept, strict=True):
            os.dup2(was, stream)
            os.close(was)
        os.close(nowhere)
