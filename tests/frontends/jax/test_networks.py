"""The same networks in JAX and in PyTorch have the same fields."""

import numpy as np
import pytest

import eyeshot
from tests.frontends.jax.networks import NETWORKS


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_a_network_sees_what_its_twin_sees(network):
    ours = eyeshot.analyze(network.build(), input_size=network.shape, layout=network.layout)
    twin = eyeshot.analyze(network.twin().eval(), input_size=network.twin_shape, layout=network.twin_layout)
    assert len(ours.outputs) == len(twin.outputs) > 0
    for mine, theirs in zip(ours.outputs, twin.outputs, strict=True):
        order = network.order(len(mine.shape))
        assert tuple(mine.shape[axis] for axis in order) == theirs.shape
        assert mine.size == theirs.size
        assert mine.stride == theirs.stride
        assert mine.offset == theirs.offset
        assert mine.phases == theirs.phases
        assert mine.kind == theirs.kind
        assert mine.reasons == theirs.reasons
        (starts, stops, empty), (their_starts, their_stops, their_empty) = mine.boxes(), theirs.boxes()
        moved = [
            np.transpose(np.broadcast_to(array, mine.shape), order) for array in (*starts, *stops, empty)
        ]
        for one, other in zip(moved, (*their_starts, *their_stops, their_empty), strict=True):
            assert np.array_equal(one, np.broadcast_to(other, theirs.shape))


def test_there_are_twenty_of_them():
    assert len({network.name for network in NETWORKS}) == len(NETWORKS) >= 20
