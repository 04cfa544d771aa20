"""Whole networks: the same fields as their twins in PyTorch, as a live model and from its file."""

from __future__ import annotations

import numpy as np
import pytest

import eyeshot
from eyeshot.cost import Costs
from eyeshot.fields.axes import input_axes
from eyeshot.fields.report import Report
from eyeshot.frontends.keras.frontend import read
from eyeshot.frontends.registry import Request
from eyeshot.graph.verify import verify
from tests.frontends.keras.networks import NETWORKS


def report_of(model, **kwargs):
    """What `eyeshot.analyze` makes of a Keras model."""
    reading = read(Request(model, **kwargs))
    verify(reading.graph)
    asked = {
        name: input_axes(reading.graph.nodes[node].shape, name, "spatial", reading.layouts.get(name))
        for name, node in reading.graph.inputs.items()
    }
    return Report(
        reading.graph, reading.name, asked, provenance=reading.provenance, enlarged=reading.enlarged
    )


def boxes_of(field, *, last):
    """Starts, stops and who reads anything, for every unit, channels first."""
    starts, stops, occupied = field.boxes()
    found = [np.broadcast_to(each, field.shape) for each in (*starts, *stops, occupied)]
    return [np.moveaxis(each, -1, 1) if last else each for each in found]


# Keras copies tensors for HDF5 in a way that NumPy 2 deprecates.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_twins_see_the_same(network, tmp_path):
    path = tmp_path / "network.keras"
    model = network.keras()
    model.save(path)
    live, saved = report_of(model), report_of(path)
    twin = eyeshot.analyze(network.torch(), network.torch_size)
    assert set(network.names()) <= set(live)
    assert list(live) == list(saved)
    for name in network.names():
        mine, other = live[name], twin[name]
        assert (mine.size, mine.stride, mine.offset) == (other.size, other.stride, other.offset), name
        assert (saved[name].size, saved[name].stride, saved[name].offset) == (
            mine.size,
            mine.stride,
            mine.offset,
        )
        assert live.view("local")[name].size == twin.view("local")[name].size
        for ours, theirs in zip(
            boxes_of(mine, last=not network.channels_first), boxes_of(other, last=False), strict=True
        ):
            assert (ours == theirs).all(), name
    assert sum(Costs(live.graph).owned.values()) == model.count_params()
