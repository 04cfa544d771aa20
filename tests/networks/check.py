"""One network through the whole of eyeshot, and every answer against the oracles and against the other answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from random import Random

import numpy as np
import torch

from eyeshot.analyses.boxes import Boxes
from eyeshot.analyses.mask import Masks
from eyeshot.analyses.reach import Reach
from eyeshot.analyses.sets import Sets
from eyeshot.errors import EyeshotError
from eyeshot.frontends.torch.capture import capture
from eyeshot.frontends.torch.lower import lower
from eyeshot.graph import Graph
from eyeshot.graph.verify import verify
from eyeshot.relations import Along
from tests.networks import Network
from tests.networks.oracle import truth

ASKED = 3  # units and elements that the per-axis analyses, masks and influence are asked about


@dataclass
class Examined:
    """What became of one network.

    ``verdict`` is *exact* (the full dependence equals the truth, and no op over-approximates), *sound* (an op
    over-approximates and says why in ``reasons``; the truth is contained), *wide* (it is contained and nothing says why),
    *unsound* (something is missed), *inconsistent* (our own analyses differ) or *refused*; ``why`` has the first instance.
    ``decided`` tells whether *both* oracles agree, only *NaN* reaches some elements that no draw's gradient shows, or the
    gradient shows what NaN does not (*gradient*); ``refuted``, that a gradient was wrong. ``holes`` tells whether some unit
    does not read all of its box. ``skip`` is *kept* or *shrunk* where a skip could be added.
    """

    verdict: str = "exact"
    why: str = ""
    decided: str = ""
    refuted: bool = False
    skip: str = ""
    cells: int = 0
    holes: bool = False
    reasons: list[str] = field(default_factory=list)
    relations: list[str] = field(default_factory=list)
    maps: list[str] = field(default_factory=list)
    families: list[str] = field(default_factory=list)
    ops: list[str] = field(default_factory=list)


def graph_of(network: torch.nn.Module, shape: tuple[int, ...]) -> Graph:
    """The lowered graph, verified."""
    graph = lower(capture(network, (torch.empty(shape, dtype=torch.float64, device="meta"),)))
    verify(graph)
    return graph


def examine(network: Network, seed: int = 0) -> Examined:
    """Everything that is promised of one network."""
    found = Examined(families=sorted({network.families[i] for i in network.live()}))
    try:
        graph = graph_of(network, network.shape)
    except EyeshotError as error:
        found.verdict, found.why = "refused", f"{type(error).__name__}: {error}"
        return found
    source, output = next(iter(graph.inputs.values())), next(iter(graph.outputs.values()))
    _count(graph, output, found)
    full = Sets(graph, source, None).matrix(output)
    _compare(full, network, found)
    rng = Random(seed)
    problem = _agree(graph, source, output, full, rng)
    if problem and found.verdict != "unsound":
        found.verdict, found.why = "inconsistent", problem
    found.skip = skip_of(network, graph, rng)
    return found


def _count(graph: Graph, output: int, found: Examined) -> None:
    """What occurs on the way to the output."""
    live = graph.ancestors([output])
    relations = [graph.nodes[number].relation for number in live]
    maps = [amap for relation in relations if isinstance(relation, Along) for _, amap in relation.maps]
    found.relations = sorted({type(relation).__name__ for relation in relations})
    found.maps = sorted({type(amap).__name__ for amap in maps})
    found.reasons = sorted({graph.nodes[number].reason or "" for number in live} - {""})
    found.ops = sorted({tensor.op for tensor in graph.tensors if tensor.node in live})


def _compare(full: np.ndarray, network: Network, found: Examined) -> None:
    """The verdict on the whole dependence, every output element by every input element."""
    oracle = truth(network)
    expected = oracle.reached | oracle.proved
    assert full.shape == expected.shape
    found.cells, found.refuted = full.size, oracle.refuted
    units = expected.reshape(-1, *network.shape)
    found.holes = any(not np.array_equal(reads, _hull(_projections(reads))) for reads in units)
    same = (oracle.reached == oracle.proved).all()
    found.decided = "both" if same else "gradient" if (oracle.proved & ~oracle.reached).any() else "NaN"
    missed, extra = expected & ~full, full & ~expected
    if missed.any():
        found.verdict, found.why = "unsound", f"misses {np.argwhere(missed)[0].tolist()}"
    elif found.reasons:
        found.verdict = "sound"
    elif extra.any():
        found.verdict, found.why = "wide", f"too much at {np.argwhere(extra)[0].tolist()}"


def _agree(graph: Graph, source: int, output: int, full: np.ndarray, rng: Random) -> str:
    """Where masks, influence, sets by axis or boxes differ from the full dependence; empty if nowhere."""
    shape, extents = graph.nodes[output].shape, graph.nodes[source].shape
    rank = len(extents)
    masks, sets, boxes = Masks(graph), Sets(graph, source, range(rank)), Boxes(graph, source, range(rank))
    widened = sets.dependencies[output].reasons - {graph.nodes[n].reason for n in graph.ancestors([output])}
    for _ in range(ASKED):
        unit = tuple(rng.randrange(n) for n in shape)
        reads = full[unit]
        if not np.array_equal(masks.at(output, unit, source), reads):
            return f"the mask of {unit}"
        region = tuple(None if rng.random() < 0.5 else i for i in unit)
        places = tuple(slice(None) if i is None else slice(i, i + 1) for i in region)
        if not np.array_equal(masks.at(output, region, source), full[places].any(tuple(range(len(shape))))):
            return f"the mask of the region {region}"
        element = tuple(rng.randrange(n) for n in extents)
        if not np.array_equal(Reach(graph, source, element).at(output), full[(..., *element)]):
            return f"the influence of {element}"
        projections = _projections(reads)
        shadows = sets.shadows(output, unit)
        alike = all(np.array_equal(*each) for each in zip(shadows, projections, strict=True))
        if not alike and not widened:
            return f"the shadows of {unit}"
        held = sets.mask(output, unit)
        if (reads & ~held).any() or (sets.exact(output) and not np.array_equal(held, reads)):
            return f"the products of {unit}, exact: {sets.exact(output)}"
        if not np.array_equal(_filled(boxes.at(output, unit), extents), _hull(projections)):
            return f"the box of {unit}"
    return ""


def _projections(reads: np.ndarray) -> list[np.ndarray]:
    return [reads.any(tuple(i for i in range(reads.ndim) if i != axis)) for axis in range(reads.ndim)]


def _hull(projections: list[np.ndarray]) -> np.ndarray:
    """The smallest box around the projections, as booleans."""
    sides = [np.maximum.accumulate(p) & np.maximum.accumulate(p[::-1])[::-1] for p in projections]
    return reduce(np.logical_and.outer, sides)


def _filled(box: list[tuple[int, int]] | None, extents: tuple[int, ...]) -> np.ndarray:
    out = np.zeros(extents, bool)
    if box is not None:
        out[tuple(slice(*side) for side in box)] = True
    return out


def skip_of(network: Network, graph: Graph, rng: Random) -> str:
    """A skip from an earlier value to a later one of as many elements must not shrink any unit's box."""
    values = network.values(torch.ones(network.shape, dtype=torch.float64))
    pairs = [
        (step, of)
        for step in network.live()
        for of in range(step + 1)
        if values[of].numel() == values[step + 1].numel()
    ]
    if not pairs:
        return ""
    other = network.with_skip(*rng.choice(pairs))
    try:
        with_skip = graph_of(other, network.shape)
    except EyeshotError:
        return "refused"
    before, after = (_boxes(each) for each in (graph, with_skip))
    return "shrunk" if (before & ~after).any() else "kept"


def _boxes(graph: Graph) -> np.ndarray:
    """Whether an input index lies in the box of a unit, along each axis: all axes' booleans end to end."""
    source, output = next(iter(graph.inputs.values())), next(iter(graph.outputs.values()))
    shape, extents = graph.nodes[output].shape, graph.nodes[source].shape
    starts, stops, occupied = Boxes(graph, source, range(len(extents))).arrays(output, shape)
    sides = []
    for extent, start, stop in zip(extents, starts, stops, strict=True):
        index = np.arange(extent)
        inside = (index >= start[..., None]) & (index < stop[..., None]) & occupied[..., None]
        sides.append(np.broadcast_to(inside, (*shape, extent)))
    return np.concatenate(sides, -1)
