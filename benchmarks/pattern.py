"""The dependency pattern of a 3-layer 1-D convolution network, by eyeshot and by asdex (JAX) on the same shape.

asdex lists the nonzeros of the Jacobian; eyeshot holds the sets of every output element, one an input axis, whose products
are the pattern (and says so). `written_out` makes a boolean matrix of it, which `same` compares with asdex's.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from report import Row, alternate, faster

Channels = tuple[int, int, int, int]
KERNEL = 3


def torch_network(channels: Channels) -> Any:
    """Three convolutions that keep the length, with ReLU between them."""
    from torch import nn

    layers: list[nn.Module] = []
    for inside, outside in pairwise(channels):
        layers += [nn.Conv1d(inside, outside, KERNEL, padding=KERNEL // 2), nn.ReLU()]
    return nn.Sequential(*layers[:-1]).eval()


def jax_network(channels: Channels) -> Callable[[Any], Any]:
    """The same network as a function of JAX."""
    import jax

    sizes = [(outside, inside) for inside, outside in pairwise(channels)]
    kernels = [np.ones((outside, inside, KERNEL), np.float32) for outside, inside in sizes]

    def network(x: Any) -> Any:
        for number, kernel in enumerate(kernels):
            x = jax.nn.relu(x) if number else x
            x = jax.lax.conv_general_dilated(x, kernel, (1,), "SAME")
        return x

    return network


def ours(channels: Channels, length: int) -> Callable[[], Any]:
    """Trace, lowering and the sets of every element of every tensor on all axes."""
    import eyeshot
    from eyeshot.analyses.sets import Sets

    model = torch_network(channels)

    def detect() -> Sets:
        graph = eyeshot.analyze(model, (1, channels[0], length)).graph
        sets = Sets(graph, graph.inputs["input"], (0, 1, 2))
        assert sets.exact(graph.outputs["output"])
        return sets

    return detect


def written_out(channels: Channels, length: int) -> Callable[[], NDArray[np.bool_]]:
    """As `ours`, and the pattern as a matrix: output elements by input elements."""
    import eyeshot
    from eyeshot.analyses.sets import Sets

    model = torch_network(channels)

    def detect() -> NDArray[np.bool_]:
        graph = eyeshot.analyze(model, (1, channels[0], length)).graph
        matrix = Sets(graph, graph.inputs["input"], None).matrix(graph.outputs["output"])
        return matrix.reshape(-1, channels[0] * length)

    return detect


def theirs(channels: Channels, length: int) -> Callable[[], Any]:
    """The detection of asdex."""
    import asdex
    import jax.numpy as jnp

    network, x = jax_network(channels), jnp.zeros((1, channels[0], length))
    return lambda: asdex.jacobian_sparsity(network, x)


def same(channels: Channels, length: int) -> bool:
    """Whether both find the same pattern."""
    return np.array_equal(written_out(channels, length)(), theirs(channels, length)().todense().astype(bool))


def rows(rounds: int) -> list[Row]:
    """The dependency pattern of a 1-D network against asdex on the same shape; narrow ones are only stated."""
    what = "pattern of Conv1d-ReLU-Conv1d-ReLU-Conv1d at length 1000, channels"
    if find_spec("asdex") is None:
        return [Row(f"{what}: asdex is not installed", promise="at least 1000x faster", kept=False)]
    assert same((3, 16, 16, 3), 24), "asdex finds another pattern"
    found, rival = [], f"asdex {version('asdex')} on JAX {version('jax')}"
    for channels, limit in (((3, 32, 32, 3), 1000), ((3, 16, 16, 3), None), ((1, 1, 1, 1), None)):
        works = [side(channels, 1000) for side in (ours, written_out, theirs)]
        sets, matrix, peer = alternate(works, rounds)
        through = "-".join(map(str, channels))
        found += [
            faster(f"{what} {through}: sets on all axes", sets, peer, rival, limit),
            faster(f"{what} {through}: the whole matrix", matrix, peer, rival),
        ]
    return found
