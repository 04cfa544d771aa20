"""A chunk of harnesses: capture and lower each, and hold the rule against the oracles."""

from __future__ import annotations

import signal
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from eyeshot.analyses.reach import Reach
from eyeshot.analyses.sets import Sets
from eyeshot.errors import EyeshotError, GraphError, UnsupportedOpError
from eyeshot.frontends.jax.capture import capture
from eyeshot.frontends.jax.lower import lower
from eyeshot.graph import Graph
from eyeshot.graph.verify import verify
from tools.jax_harness.oracles import ORACLES, Key, Matrix, Oracles
from tools.jax_harness.traps import BLIND, COARSE, LEAKS, SINGULAR, TOLERANCE

SECONDS = 20
SURE, PATIENCE = 1, 12
"""Draws of inputs: in any case, and while a rule without a reason holds what no oracle saw."""
SLOPES = 4
"""Of so many cases one is asked for derivatives, too: they are slow to compile, and show little that changes don't."""
LARGEST = 1 << 18
"""Pairs of an output element and an input element up to which a rule is written out whole."""


class LateError(Exception):
    """A case over its time limit."""


class SkippedError(Exception):
    """A case that JAX itself does not run here."""


@dataclass
class Tally:
    """What came of the cases of one chunk.

    A comparison is one output of one case against one of its inputs; a case with whole numbers among its inputs is also
    read with those known. ``wide`` counts the comparisons where the rule holds more than the oracles saw, by the reason
    codes that it carries; "place" for whole numbers, which change for few inputs only; "" for no reason.
    """

    commit: str
    cases: int = 0
    answered: int = 0
    comparisons: int = 0
    exact: int = 0
    missed: int = 0
    wide: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    primitives: list[str] = field(default_factory=list)


def harnesses() -> list[Any]:
    """JAX's own list, which is private. To import it starts threads, after which a process must not fork."""
    from jax._src.internal_test_util import test_harnesses

    return test_harnesses.all_harnesses


def groups() -> dict[str, list[int]]:
    """The numbers of all harnesses, by group."""
    found: dict[str, list[int]] = {}
    for number, harness in enumerate(harnesses()):
        found.setdefault(harness.group_name, []).append(number)
    return found


def check(chunk: tuple[list[int], str]) -> dict[str, Any]:
    """The tally of some harnesses, by number, as JSON holds it; at a commit."""
    numbers, commit = chunk
    warnings.simplefilter("ignore")
    tally = Tally(commit)
    jax.config.update("jax_cpu_enable_async_dispatch", False)  # many small calls, each waited for
    listed = harnesses()  # before wide types are allowed, for then there are others
    with jax.enable_x64(True):
        for number in numbers:
            tally.cases += 1
            _case(listed[number], tally)
    tally.primitives = sorted(set(tally.primitives))
    return vars(tally)


def _case(harness: Any, tally: Tally) -> None:
    try:
        with _limit(SECONDS):
            _compared(harness, tally)
        tally.answered += 1
    except SkippedError as why:
        tally.skipped[str(why)] += 1
    except LateError:
        tally.skipped[f"over {SECONDS} s"] += 1
    except UnsupportedOpError as error:
        tally.refused.update(list(error.ops))
    except EyeshotError as error:
        kind = tally.errors if isinstance(error, GraphError) else tally.refused
        _note(tally, kind, type(error).__name__, f"{harness.fullname}: {error}")
    except Exception as error:  # noqa: BLE001 - a crash is a finding of the campaign, not its end
        _note(tally, tally.errors, type(error).__name__, f"{harness.fullname}: {error}")


def _note(tally: Tally, counter: Counter[str], what: str, example: str) -> None:
    counter[what] += 1
    tally.examples.setdefault(what, example[:600])


def _compared(harness: Any, tally: Tally) -> None:
    if not harness.filter("cpu"):
        raise SkippedError("JAX has it not on this device, or not for this dtype")
    seed = zlib.crc32(harness.fullname.encode())

    def draw(number: int) -> list[Any]:
        return list(harness.dyn_args_maker(np.random.RandomState((seed + number) % (1 << 32))))

    first = draw(0)
    arrays = [place for place, value in enumerate(first) if _is_array(value)]
    _variant(harness, tally, draw, arrays, "")
    learned = [place for place in arrays if jnp.issubdtype(np.asarray(first[place]).dtype, np.inexact)]
    if 0 < len(learned) < len(arrays):
        _variant(harness, tally, draw, learned, ", whole numbers known")


def _is_array(value: Any) -> bool:
    return isinstance(value, int | float | complex) or (hasattr(value, "shape") and hasattr(value, "dtype"))


def _variant(
    harness: Any, tally: Tally, draw: Callable[[int], list[Any]], places: list[int], words: str
) -> None:
    """One way to split the arguments into inputs (at ``places``) and constants."""
    first = draw(0)

    def function(*inputs: Any) -> Any:
        args = list(first)
        for place, value in zip(places, inputs, strict=True):
            args[place] = value
        return harness.dyn_fun(*args)

    def inputs(number: int) -> list[Any]:
        args = draw(number)
        return [np.asarray(args[place]) for place in places]

    seed = zlib.crc32(harness.fullname.encode())
    tolerance = TOLERANCE if harness.group_name in COARSE else 0
    try:
        oracles = Oracles(function, inputs, seed, tolerance)
    except Exception as error:
        raise SkippedError(f"does not run here: {type(error).__name__}") from error
    shapes = tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in oracles.inputs)
    graph = lower(capture(function, (shapes, {})))
    verify(graph)
    tally.primitives += sorted({tensor.op for tensor in graph.tensors})
    nodes = list(graph.outputs.values())
    rules = _rules(graph, nodes, oracles)
    reasons = [
        " ".join(sorted({graph.nodes[n].reason or "" for n in graph.ancestors([node])} - {""}))
        for node in nodes
    ]
    codes = {o: reasons[o] or _unseen(harness, oracles.outputs[o]) for o in range(len(nodes))}
    patient = any(
        not reasons[o] and jnp.issubdtype(output.dtype, np.inexact)
        for o, output in enumerate(oracles.outputs)
    )
    oracles.observe(rules, draws=PATIENCE if patient else SURE, slopes=seed % SLOPES == 0)
    for key, rule in rules.items():
        leaks = harness.group_name in LEAKS or harness.group_name + words in LEAKS
        trusted = tuple(oracle for oracle in ORACLES if oracle != "nan" or not leaks)
        _judge(oracles, key, rule, trusted, codes[key[0]], tally, harness.fullname + words)


def _rules(graph: Graph, nodes: list[int], oracles: Oracles) -> dict[Key, Matrix]:
    """What every output reads of the probed elements of every input."""
    rules: dict[Key, Matrix] = {}
    for i, (source, x) in enumerate(zip(graph.inputs.values(), oracles.inputs, strict=True)):
        kept = [o for o, output in enumerate(oracles.outputs) if output.size and x.size]
        if sum(oracles.outputs[o].size for o in kept) * x.size <= LARGEST:
            sets = Sets(graph, source, None) if kept else None
            for o in kept:
                rules[o, i] = sets.matrix(nodes[o]).reshape(-1, x.size)[:, oracles.columns[i]]
            continue
        for o in kept:
            rules[o, i] = np.zeros((oracles.outputs[o].size, len(oracles.columns[i])), np.bool_)
        for place, column in enumerate(oracles.columns[i]):
            reach = Reach(graph, source, tuple(int(k) for k in np.unravel_index(column, x.shape)))
            for o in kept:
                rules[o, i][:, place] = reach.at(nodes[o]).reshape(-1)
    return rules


def _judge(
    oracles: Oracles, key: Key, rule: Matrix, trusted: tuple[str, ...], code: str, tally: Tally, words: str
) -> None:
    """One output against one input."""
    seen = oracles.union(key, trusted)
    missed, extra = seen & ~rule, rule & ~seen
    where = f"{words}, output {key[0]}, input {key[1]}"
    tally.comparisons += 1
    if missed.any():
        by = [oracle for oracle in trusted if (oracles.seen[oracle][key] & ~rule).any()]
        tally.missed += 1
        tally.examples.setdefault("missed", f"{where}, by {by}: {np.argwhere(missed)[:4].tolist()}"[:600])
    elif extra.any():
        some = np.argwhere(extra)[:4].tolist()
        _note(tally, tally.wide, code, f"{where}: {int(extra.sum())} of {extra.size}, {some}")
    else:
        tally.exact += 1


def _unseen(harness: Any, output: Any) -> str:
    """Why no oracle may see a dependence that is there; "" where nothing is known to blind them."""
    if harness.group_name in BLIND or any(word in harness.fullname for word in SINGULAR):
        return "blind"
    return "" if jnp.issubdtype(output.dtype, np.inexact) else "place"


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
