"""What a harness's outputs really depend on, asked of JAX in three ways, each with its own blind spots.

`change`: another number in one element changes the output. Blind to what is rounded away, or never chosen.
`nan`: a NaN in one element reaches the output. Takes 0 * NaN for a dependence; hidden by comparisons.
`gradient`: a derivative that isn't 0, of all elements at once. Blind where the function is flat, or has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from numpy.typing import NDArray

Matrix = NDArray[np.bool_]
Values = NDArray[Any]
Key = tuple[int, int]

ORACLES = ("change", "nan", "gradient")
PLACES = ((64, 64), (1 << 11, 16), (1 << 60, 6))
"""How many elements of an input are probed, by the number that it has."""
CHANGES = ((1.3, 0.1), (0, 1e3), (0, -1e3), (-1, -0.7), (0, 0), (0, 1), (0, 0.5))
"""What one element x becomes, as (a, b) of a x + b."""
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
"""What is compiled runs a few hundred times on a few elements."""
STEPS = (1, -1, 2, 7, -5)
"""What is added to a whole number."""


class Oracles:
    """One function under observation, at inputs that ``draw`` makes of a seed.

    A change of an output counts if it is more than ``tolerance``, as a share of the output.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        draw: Callable[[int], list[Values]],
        seed: int,
        tolerance: float = 0,
    ) -> None:
        self._tolerance = tolerance
        self._plain = lambda *inputs: jax.tree_util.tree_leaves(function(*inputs))
        self._function = jax.jit(self._plain, compiler_options=QUICK)
        self._draw = draw
        self.inputs = draw(0)
        self.outputs = self._run(self.inputs)
        random = np.random.RandomState(seed % (1 << 32))
        self.columns = [
            sorted(
                random.permutation(x.size)[: next(most for size, most in PLACES if x.size <= size)].tolist()
            )
            for x in self.inputs
        ]
        self.seen: dict[str, dict[Key, Matrix]] = {
            oracle: {
                (o, i): np.zeros((output.size, len(self.columns[i])), np.bool_)
                for o, output in enumerate(self.outputs)
                for i in range(len(self.inputs))
            }
            for oracle in ORACLES
        }

    def observe(self, rules: dict[Key, Matrix], *, draws: int, slopes: bool = True) -> None:
        """Ask until everything that the rules say was seen, or give up after some ``draws`` of inputs."""
        if slopes:
            self._gradient(rules)
        waiting = [list(range(len(columns))) for columns in self.columns]
        for number in range(draws):
            inputs = self._draw(number)
            base = self._run(inputs)
            for i, places in enumerate(waiting):
                for place in places:
                    self._probe(inputs, base, i, place)
            unseen = {key: rule & ~self.union(key) for key, rule in rules.items()}
            waiting = [
                [p for p in places if any(unseen[key][:, p].any() for key in unseen if key[1] == i)]
                for i, places in enumerate(waiting)
            ]
            if not any(waiting):
                return

    def union(self, key: Key, oracles: Sequence[str] = ORACLES) -> Matrix:
        """What any of the oracles saw of one output and one input: output elements by probed input elements."""
        return np.logical_or.reduce([self.seen[oracle][key] for oracle in oracles])

    def _run(self, inputs: Sequence[Values]) -> list[Values]:
        return [_numbers(value) for value in self._function(*inputs)]

    def _probe(self, inputs: list[Values], base: list[Values], i: int, place: int) -> None:
        column = self.columns[i][place]
        for oracle, value in _values(inputs[i].reshape(-1)[column], inputs[i].dtype):
            other = inputs[i].copy()
            other.reshape(-1)[column] = value
            found = self._run([*inputs[:i], other, *inputs[i + 1 :]])
            for o, (before, after) in enumerate(zip(base, found, strict=True)):
                self.seen[oracle][o, i][:, place] |= _differs(before, after, self._tolerance).reshape(-1)

    def _gradient(self, rules: dict[Key, Matrix]) -> None:
        for i, x in enumerate(self.inputs):
            dense = all(rule.all() for key, rule in rules.items() if key[1] == i)
            if dense or not jnp.issubdtype(x.dtype, np.floating):
                continue
            slope = jax.jit(lambda given, x, i=i: self._slopes(i, given, x), compiler_options=QUICK)
            try:
                for place, column in enumerate(self.columns[i]):
                    one = np.zeros_like(x)
                    one.reshape(-1)[column] = 1
                    self._note_slopes(i, place, slope(self.inputs, one))
            except (TypeError, NotImplementedError, ValueError):
                continue  # it has no derivative, or none in this direction

    def _slopes(self, i: int, inputs: Sequence[Any], direction: Any) -> Any:
        def of_one(x: Any) -> Any:
            return self._plain(*inputs[:i], x, *inputs[i + 1 :])

        return jax.jvp(of_one, (inputs[i],), (direction,))[1]

    def _note_slopes(self, i: int, place: int, slopes: Sequence[Any]) -> None:
        for o, slope in enumerate(slopes):
            if jnp.issubdtype(self.outputs[o].dtype, np.inexact):
                flat = np.asarray(slope).reshape(-1)
                self.seen["gradient"][o, i][:, place] |= (flat != 0) & ~np.isnan(flat)


def _values(x: Any, dtype: Any) -> Iterator[tuple[str, Any]]:
    """What one element becomes, and for which oracle."""
    if dtype == np.bool_:
        yield "change", not x
    elif jnp.issubdtype(dtype, np.integer):
        low, high = int(jnp.iinfo(dtype).min), int(jnp.iinfo(dtype).max)
        for step in STEPS:
            yield "change", low + (int(x) + step - low) % (high - low + 1)
        yield "change", 0
    else:
        for a, b in CHANGES:
            yield "change", np.asarray(a * x + b).astype(dtype)
        if jnp.issubdtype(dtype, np.complexfloating):
            yield "change", np.asarray(x + 0.7j).astype(dtype)
        yield "nan", np.asarray(np.nan).astype(dtype)


def _numbers(value: Any) -> Values:
    if jnp.issubdtype(value.dtype, jax.dtypes.extended):
        value = jax.random.key_data(value).max(-1)
    return np.asarray(value)


def _differs(before: Values, after: Values, tolerance: float) -> Matrix:
    if not jnp.issubdtype(before.dtype, np.inexact):
        return before != after
    gone = np.isnan(before) != np.isnan(after)
    if not tolerance:
        return gone | ((before != after) & ~np.isnan(before))
    with np.errstate(all="ignore"):
        return gone | (abs(after - before) > tolerance * abs(before))
