"""Which output elements change when one input element does: ONNX's reference implementation, run on perturbed inputs."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from tools.onnx_nodes.cases import Case

Mask = NDArray[np.bool_]
Place = tuple[str, int]
"""An input's name (``name.k`` for the k-th tensor of a sequence), and one of its elements, counted through."""

ELEMENTS = 32
"""So many elements of a tensor are perturbed at most; which ones, is drawn."""
NOISY = {"DFT", "Resize", "STFT"}
"""Ops that leave rounding errors where the coefficient is 0 (a fast transform, a scale such as 0.6): a change has to stand
out from these."""
SLOW = 0.02
"""Seconds a run from which on ONNX Runtime takes over, where it can run the model."""


@dataclass
class Seen:
    """What changed: for each place the elements of every output, flattened.

    ``finite`` changes go from finite values to finite values; ``other`` has all, and with them those that pass through
    coefficients of 0: of NaN, of infinities, of numbers that overflow on the way. ``shaping`` inputs changed an output's
    shape.
    """

    finite: dict[Place, list[Mask]] = field(default_factory=dict)
    other: dict[Place, list[Mask]] = field(default_factory=dict)
    shaping: set[str] = field(default_factory=set)
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    random: bool = False
    noisy: bool = False
    engine: str = "onnx.reference"
    runs: int = 0


class Engine:
    """Runs a model: outputs as a flat list of arrays (None is an absent optional), or None where it fails."""

    def __init__(self, case: Case) -> None:
        self.name = "onnx.reference"
        self._names = [given.name for given in case.model.graph.input]
        self._case = case
        self._session: Any = None
        try:
            self._reference: Any = ReferenceEvaluator(case.model)
        except Exception:  # noqa: BLE001 - an op that the reference does not have
            self._reference = None
        works = not case.runtime and self.run(case.inputs) is not None  # the first run is no measure of time
        began = time.process_time()
        if not works or (self.run(case.inputs) is not None and time.process_time() - began > SLOW):
            self._switch()

    def _switch(self) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 4
        try:
            self._session = onnxruntime.InferenceSession(
                self._case.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception:  # noqa: BLE001 - an op, type or version that it does not have
            return
        if self.run(self._case.inputs) is None:
            self._session = None
        else:
            self.name = "onnxruntime"

    def run(self, inputs: dict[str, Any]) -> list[Any] | None:
        """Outputs for some inputs."""
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                if self._session is not None:
                    return _leaves(self._session.run(None, inputs))
                return None if self._reference is None else _leaves(self._reference.run(None, inputs))
            except Exception:  # noqa: BLE001 - a perturbed value that the op refuses
                return None


def _leaves(outputs: Any) -> list[Any]:
    out: list[Any] = []
    for value in outputs:
        if isinstance(value, list) and value and isinstance(value[0], dict):  # a sequence of maps
            out.append(np.array([list(each.values()) for each in value]))
        elif isinstance(value, list | tuple):
            out += _leaves(value)
        else:
            out.append(None if value is None else np.asarray(value))
    return out


def observe(case: Case, fixed: set[str], rng: np.random.Generator, seconds: float) -> Seen:
    """Perturb one element at a time of every input that is not ``fixed``, on the test's own data and on two redraws."""
    engine = Engine(case)
    seen = Seen(engine=engine.name, noisy=case.op in NOISY)
    plain = engine.run(case.inputs)
    if plain is None:
        seen.engine = "none"
        return seen
    seen.shapes = [() if out is None else out.shape for out in plain]
    seen.random = any(_changed(a, b).any() for a, b in zip(plain, engine.run(case.inputs) or [], strict=True))
    if seen.random:
        return seen
    places = list(_places(case, fixed, rng))
    deadline = time.process_time() + seconds
    for base in range(3):
        inputs = case.inputs if base == 0 else _shuffled(case.inputs, fixed, rng)
        whole = engine.run(inputs)
        if whole is None or [getattr(out, "shape", ()) for out in whole] != seen.shapes:
            continue
        for place in places:
            if time.process_time() > deadline:
                return seen
            _perturb(engine, inputs, place, whole, seen, rng)
    return seen


def _perturb(
    engine: Engine,
    inputs: dict[str, Any],
    place: Place,
    whole: list[Any],
    seen: Seen,
    rng: np.random.Generator,
) -> None:
    """Every value in turn at one place, against the outputs without them."""
    array = leaf(inputs, place[0])
    for value in _values(array, place[1], rng):
        other = array.copy()
        other.reshape(-1)[place[1]] = value
        got = engine.run(_with(inputs, place[0], other))
        seen.runs += 1
        if got is None:
            continue
        if len(got) != len(whole) or any(
            getattr(a, "shape", None) != getattr(b, "shape", None) for a, b in zip(got, whole, strict=True)
        ):
            seen.shaping.add(place[0])
            continue
        finite = not _is_float(array) or bool(np.isfinite(np.asarray(value, np.float64)))
        empty = [np.zeros(1 if out is None else out.size, bool) for out in whole]
        plain = seen.finite.setdefault(place, [mask.copy() for mask in empty])
        leaking = seen.other.setdefault(place, empty)
        for number, (a, b) in enumerate(zip(got, whole, strict=True)):
            changed = _changed(a, b) & _stands_out(a, b, array, place[1], value, noisy=seen.noisy)
            leaking[number] |= changed
            if finite:
                plain[number] |= changed & _stays_finite(a)


def _stays_finite(out: Any) -> Mask:
    """Elements that did not overflow: an infinity is no change that a coefficient of 0 would stop."""
    if out is None or out.dtype.kind not in "fc":
        return np.ones(1, bool)
    return np.asarray(np.isfinite(out).reshape(-1), bool)


def _changed(a: Any, b: Any) -> Mask:
    """Elements that differ in any bit, NaN and NaN apart."""
    if a is None or b is None:
        return np.array([a is not b])
    if a.shape != b.shape:
        return np.ones(b.size, bool)
    if a.dtype.kind in "OUST":
        return np.asarray(a.reshape(-1) != b.reshape(-1), bool)
    if a.dtype.kind in "fc":
        return np.asarray(~((a == b) | (np.isnan(a) & np.isnan(b))).reshape(-1), bool)
    raw = f"u{a.dtype.itemsize}"
    flat_a, flat_b = (np.ascontiguousarray(x).reshape(-1).view(raw) for x in (a, b))
    return np.asarray(flat_a != flat_b, bool)


def _stands_out(a: Any, b: Any, array: NDArray[Any], element: int, value: Any, *, noisy: bool) -> Mask:
    """Elements whose change is no mere rounding."""
    if not noisy or not np.isfinite(value):
        return np.ones(1, bool)
    moved = abs(float(value) - float(array.reshape(-1)[element]))
    scale = moved + float(np.abs(b).max(initial=0))
    return np.asarray(~(np.abs(a.reshape(-1) - b.reshape(-1)) <= 1e-5 * scale), bool)


def leaf(inputs: dict[str, Any], name: str) -> NDArray[Any]:
    """The array that a place names."""
    if name in inputs:
        array: NDArray[Any] = inputs[name]
        return array
    base, _, number = name.rpartition(".")
    part: NDArray[Any] = inputs[base][int(number)]
    return part


def leaf_names(inputs: dict[str, Any]) -> list[str]:
    """Names of all arrays among the inputs."""
    out: list[str] = []
    for name, value in inputs.items():
        if isinstance(value, list):
            out += [f"{name}.{number}" for number in range(len(value))]
        elif value is not None:
            out.append(name)
    return out


def _with(inputs: dict[str, Any], name: str, array: NDArray[Any]) -> dict[str, Any]:
    if name in inputs:
        return {**inputs, name: array}
    base, _, number = name.rpartition(".")
    parts = list(inputs[base])
    parts[int(number)] = array
    return {**inputs, base: parts}


def _places(case: Case, fixed: set[str], rng: np.random.Generator) -> Iterator[Place]:
    for name in leaf_names(case.inputs):
        size = leaf(case.inputs, name).size
        if name in fixed or name.rpartition(".")[0] in fixed:
            continue
        chosen = range(size) if size <= ELEMENTS else rng.choice(size, ELEMENTS, replace=False)
        yield from ((name, int(element)) for element in sorted(chosen))


def _shuffled(inputs: dict[str, Any], fixed: set[str], rng: np.random.Generator) -> dict[str, Any]:
    """The same values at other places, so that all stay legal; floats are drawn within their range, too."""
    out = dict(inputs)
    for name, value in inputs.items():
        if isinstance(value, np.ndarray) and name not in fixed and value.size > 1:
            flat = rng.permutation(value.reshape(-1))
            if value.dtype.kind == "f" and np.isfinite(value).all():
                low, high = float(value.min()), float(value.max())
                if high > low:
                    flat = rng.uniform(low, high, value.size).astype(value.dtype)
            out[name] = flat.reshape(value.shape)
    return out


def _is_float(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "fV" and "int" not in array.dtype.name


def _values(array: NDArray[Any], element: int, rng: np.random.Generator) -> list[Any]:
    """What an element is changed to: near and far, other signs, other elements' values, NaN and infinities."""
    old = array.reshape(-1)[element]
    if array.dtype.kind == "b":
        return [not old]
    if array.dtype.kind in "OUST":
        return ["", "zz", f"{old}q", "0", "1.5", array.reshape(-1)[rng.integers(array.size)]]
    other = array.reshape(-1)[rng.integers(array.size)]
    if _is_float(array):
        x = float(old)
        wide = [x + 1, 1.5 * x + 0.25, -x, 0.0, 1000.0, -1000.0, other, np.nan, np.inf, -np.inf]
    else:
        x = int(old)
        wide = [x + 1, x - 1, 0, -x, 2 * x + 1, other]
    out = []
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for value in wide:
            try:
                out.append(np.asarray(value).astype(array.dtype)[()])
            except (OverflowError, ValueError):
                continue
    return out
