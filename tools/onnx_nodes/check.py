"""One test: what the frontend says that each output element reads, against what was seen to change."""

from __future__ import annotations

import zlib
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyeshot.analyses.reach import Reach
from eyeshot.analyses.sets import Sets
from eyeshot.errors import EyeshotError, GraphError
from eyeshot.frontends.onnx.frontend import read
from eyeshot.frontends.onnx.lower import load_lowerings
from eyeshot.frontends.registry import Request
from eyeshot.graph import Graph
from eyeshot.graph.verify import verify
from tools.onnx_nodes.cases import Case, frozen, load
from tools.onnx_nodes.more import more
from tools.onnx_nodes.oracle import Mask, Place, Seen, leaf_names, observe

SMALL = 1 << 22
"""Pairs of an output and an input element up to which all are looked up at once."""
SHOWN = 4
SHAPED_BY_DATA = {"Compress", "NonZero", "StringNormalizer", "StringSplit", "Unique"}
"""Ops whose data decide shapes: what is given for them is perturbed still, and counts where the shape stays."""

_loaded: dict[str, Case] = {}


def everything() -> dict[str, Case]:
    """The onnx package's tests and ours."""
    return {**load(), **more()}


def warm() -> None:
    """Load every test and lowering, for all children at once."""
    if not _loaded:
        load_lowerings()
        _loaded.update(everything())


def check_named(argument: tuple[str, float]) -> dict[str, Any]:
    """A child's work: a test's name, and the seconds that perturbations may take."""
    warm()
    name, seconds = argument
    return check(_loaded[name], seconds)


def check(case: Case, seconds: float = 0.5, *, variants: bool = True) -> dict[str, Any]:
    """Compare one test, and its twins, with what perturbations show.

    Perturbations end after so many ``seconds`` of processor time. Variants are ``frozen`` (integers are constants) and
    ``weights`` (all but the first input are).

    ``pairs`` counts predicted (output element, perturbed input element), ``exact`` those that were seen; ``unsound`` are
    changes that were not predicted, ``leaks`` those that NaN and infinities alone made.
    """
    row: dict[str, Any] = {
        "op": case.op,
        "opset": case.opset,
        "pairs": 0,
        "exact": 0,
        "unsound": [],
        "leaks": 0,
    }
    try:
        graph, fixed = graph_of(case)
    except GraphError:
        raise  # a defect, not a refusal
    except EyeshotError as error:
        return {**row, "refused": f"{type(error).__name__}: {error}"}
    if case.op in SHAPED_BY_DATA:
        fixed = set()
    row["reasons"] = sorted({node.reason for node in graph.nodes if node.reason})
    seen = observe(case, fixed, np.random.default_rng(zlib.crc32(case.name.encode())), seconds)
    row |= {"oracle": seen.engine, "random": seen.random, "runs": seen.runs, "fixed": sorted(fixed)}
    row["shaping"] = sorted(seen.shaping)
    predicted = Influences(graph)
    row["shapes"] = _shape_difference(row, predicted, seen)
    if not row["shapes"]:
        _compare(row, predicted, seen)
    for key, weights in (("frozen", False), ("weights", True)):
        constant = frozen(case, weights=weights) if variants else None
        if constant is not None:
            row[key] = check(constant, seconds, variants=False)
    row["twins"] = {twin.name: compare_twin(case, twin) for twin in case.twins}
    return row


def graph_of(case: Case) -> tuple[Graph, set[str]]:
    """The frontend's graph, with the test's own values given, and the inputs that it holds for these values alone of."""
    reading = read(Request(case.model.SerializeToString(), None, case.inputs))
    verify(reading.graph)
    return reading.graph, set(reading.provenance["settling"])


class Influences:
    """Predicted influence of single input elements on the outputs of a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.outputs = list(graph.outputs.values())
        self.shapes = [graph.nodes[node].shape for node in self.outputs]
        self._matrices: dict[str, list[Mask]] = {}

    def of(self, place: Place) -> list[Mask]:
        """The elements of every output, flattened, that an input element is said to reach."""
        name, element = place
        node = self.graph.inputs[name]
        shape = self.graph.nodes[node].shape
        size = int(np.prod(shape))
        if size * max([1, *(int(np.prod(s)) for s in self.shapes)]) > SMALL:
            where = np.unravel_index(element, shape)
            reach = Reach(self.graph, node, [int(i) for i in where])
            return [reach.at(out).reshape(-1) for out in self.outputs]
        if name not in self._matrices:
            sets = Sets(self.graph, node, None)
            self._matrices[name] = [sets.matrix(out).reshape(-1, size) for out in self.outputs]
        return [matrix[:, element] for matrix in self._matrices[name]]


def _shape_difference(row: dict[str, Any], predicted: Influences, seen: Seen) -> str:
    """What is wrong with the predicted shapes; where data decide extents, an upper bound is right."""
    if seen.engine == "none" or predicted.shapes == seen.shapes:
        return ""
    bound = "data-dependent-shape" in row["reasons"] and all(
        len(said) == len(is_) and all(a >= b for a, b in zip(said, is_, strict=True))
        for said, is_ in zip(predicted.shapes, seen.shapes, strict=True)
    )
    row["upper"] = bound
    return "" if bound else f"predicted {predicted.shapes}, computed {seen.shapes}"


def _compare(row: dict[str, Any], predicted: Influences, seen: Seen) -> None:
    wrong: list[str] = []
    loose: Counter[str] = Counter()
    for place, changes in seen.finite.items():
        extra = seen.other[place]
        for number, (whole, changed) in enumerate(zip(predicted.of(place), changes, strict=True)):
            said = _cropped(whole, predicted.shapes[number], seen.shapes[number])
            missed = np.flatnonzero(changed & ~said)
            if len(missed):
                wrong.append(f"{place} -> output {number} {_index(missed[0], seen.shapes[number])}")
            row["leaks"] += int((extra[number] & ~said & ~changed).sum())
            row["pairs"] += int(said.sum())
            row["exact"] += int((said & extra[number]).sum())
            loose[f"{place[0]} -> {number}"] += int((said & ~extra[number]).sum())
    row["unsound"] = [len(wrong), *wrong[:SHOWN]] if wrong else []
    row["loose"] = {name: count for name, count in loose.items() if count}


def _cropped(mask: Mask, said: tuple[int, ...], is_: tuple[int, ...]) -> Mask:
    """A mask of an upper bound's elements for those that are there."""
    return mask if said == is_ else mask.reshape(said)[tuple(map(slice, is_))].reshape(-1)


def _index(place: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(place, shape))


def compare_twin(case: Case, twin: Case) -> str:
    """How a function body's influence differs from that of the op: "equal", or how many elements it says more or less.

    Both have the test's integers as constants: what a body computes shapes and places from is then known in it, too.
    """
    case, twin = frozen(case) or case, frozen(twin) or twin
    try:
        (graph, fixed), (body, settled) = graph_of(case), graph_of(twin)
    except EyeshotError as error:
        return f"refused: {type(error).__name__}: {error}"
    own, other = Influences(graph), Influences(body)
    if own.shapes != other.shapes:
        return f"shapes: {own.shapes} against the body's {other.shapes}"
    more = less = 0
    for name in leaf_names(case.inputs):
        if name in fixed | settled:
            continue
        size = int(np.prod(graph.nodes[graph.inputs[name]].shape))
        for element in _sampled(size):
            for mine, its in zip(own.of((name, element)), other.of((name, element)), strict=True):
                more += int((its & ~mine).sum())
                less += int((mine & ~its).sum())
    return "equal" if more == less == 0 else f"body reads {more} more, {less} less"


def _sampled(size: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, size - 1, min(size, 200)).astype(np.int64)) if size else np.arange(0)
