"""What JAX users see: names, layouts, rows, costs, and what they are told where something does not fit."""

from __future__ import annotations

import functools
import subprocess
import sys

import equinox as eqx
import jax
import numpy as np
import pytest
import torch
from flax import linen, nnx
from jax import lax
from jax import numpy as jnp

import eyeshot
from eyeshot.errors import CaptureError, InputError, UnsupportedOpError
from eyeshot.frontends.jax import frontend
from tests.frontends.jax.networks import NETWORKS

IMAGE = jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32)
BY_NAME = {network.name: network for network in NETWORKS}


class Net(linen.Module):
    @linen.compact
    def __call__(self, x, *, flip=False):
        x = linen.relu(linen.Conv(4, (3, 3), name="stem")(x))
        conv = linen.Conv(4, (3, 3), 2, name="shared", padding="SAME")
        x = conv(conv(x))
        return jnp.flip(x, 2) if flip else x


class Pair(nnx.Module):
    def __init__(self, rngs):
        zeros = nnx.initializers.zeros  # quick to make
        self.convs = nnx.List([nnx.Conv(3, 3, (3, 3), kernel_init=zeros, rngs=rngs) for _ in range(2)])
        self.norm = nnx.BatchNorm(3, rngs=rngs)

    def __call__(self, x):
        for conv in self.convs:
            x = conv(x)
        return {"plain": x, "normed": self.norm(x)}


class Linears(eqx.Module):
    layers: list
    scale: jax.Array

    def __init__(self):
        keys = jax.random.split(jax.random.key(0), 2)
        self.layers = [eqx.nn.Linear(3, 4, key=keys[0]), eqx.nn.Linear(4, 2, key=keys[1])]
        self.scale = jnp.ones(2)

    def __call__(self, x):
        return self.layers[1](jax.nn.relu(self.layers[0](x))) * self.scale


def linears():
    """One with numbers, that are quick to make."""
    shapes = eqx.filter_eval_shape(Linears)
    return jax.tree_util.tree_map(lambda x: jnp.zeros(x.shape) if hasattr(x, "shape") else x, shapes)


# Ways to hand in a model


def variables():
    return Net().init(jax.random.key(0), jnp.zeros(IMAGE.shape))


@pytest.mark.parametrize(
    "model",
    [
        Net(),
        Net().bind(variables()),
        functools.partial(Net().apply, variables()),
        lambda x, held=variables(): Net().apply(held, x),  # noqa: B008 - made once
    ],
    ids=["unbound", "bound", "partial", "function"],
)
def test_a_flax_module_with_or_without_its_variables(model):
    report = eyeshot.analyze(model, input_size=(1, 16, 16, 3))
    assert list(report) == ["stem", "shared", "shared:1"]
    assert [report[name].size for name in report] == [(3, 3), (5, 5), (9, 9)]
    assert [report[name].stride for name in report] == [(1, 1), (2, 2), (4, 4)]
    assert report.input == "x"


def test_flags_are_plain_values():
    report = eyeshot.analyze(Net(), inputs=IMAGE, kwargs={"flip": True})
    assert report.outputs[0].at(0, 0, 0, 0).start[1] > 0
    assert list(report.graph.inputs) == ["x"]


def test_an_nnx_module_in_train_mode_is_not_changed():
    model = Pair(nnx.Rngs(0))
    before = np.array(model.norm.mean[...])
    call = nnx.Conv.__call__
    report = eyeshot.analyze(model, inputs=IMAGE)
    assert list(report) == ["convs.0", "convs.1", "norm"]
    assert report["plain"].size == (5, 5)
    assert report["norm"].size == (None, None)
    assert report["norm"].cost.parameters == 6
    assert np.array_equal(before, model.norm.mean[...])
    assert nnx.Conv.__call__ is call


def test_an_equinox_module():
    report = eyeshot.analyze(linears(), inputs=jnp.ones(3), axes="all")
    assert list(report) == ["layers.0", "layers.1"]
    assert [module.path for module in report.graph.modules] == ["layers.0", "layers.1", ""]
    assert sum(module.parameters for module in report.graph.modules) == 16 + 10 + 2


def test_modules_behind_a_function_keep_their_names():
    model = linears()
    report = eyeshot.analyze(jax.vmap(model), inputs=jnp.ones((5, 3)), layout="NC", axes="all")
    assert list(report) == ["layers.0", "layers.1"]
    assert not report["layers.1"].mask(0, 0)[1:].any()
    report = eyeshot.analyze(lambda x: model(x).sum(), inputs=jnp.ones(3))
    assert list(report) == ["model.layers.0", "model.layers.1", "model"]


def test_named_scopes_are_rows_of_a_function():
    def function(x):
        with jax.named_scope("encoder"):
            with jax.named_scope("first"):
                x = jnp.einsum("i,i->i", jnp.roll(x, 1), x)
            with jax.named_scope("second"):
                x = jnp.roll(x, 1) * x
        return x * 2

    report = eyeshot.analyze(function, inputs=jnp.ones(8))
    assert list(report) == ["encoder.first", "encoder.second", "encoder"]
    assert report["encoder.first"].mask(4).sum() == 2
    assert report["encoder"].mask(4).sum() == 3


def test_tensors_go_by_what_computed_them():
    report = eyeshot.analyze(lambda x: jax.nn.silu(jax.nn.relu(x) + 1) + 1, inputs=jnp.ones(8))
    assert [tensor.name for tensor in report.tensors] == ["relu", "add", "logistic", "silu", "add_1"]


# Inputs and outputs


def test_leaves_of_arguments_have_names():
    def function(batch, *rest, scale):
        return {"out": batch["image"].sum() + rest[1] * scale, "pair": (batch["mask"], rest[0])}

    x = jnp.ones(4)
    given = ({"image": x, "mask": x > 0}, x, x)
    graph = eyeshot.analyze(function, inputs=given, kwargs={"scale": x}, input="batch.image").graph
    assert list(graph.inputs) == ["batch.image", "batch.mask", "rest.0", "rest.1", "scale"]
    assert list(graph.outputs) == ["out", "pair.0", "pair.1"]
    assert graph.dtypes == {"out": "float32", "pair.0": "bool", "pair.1": "float32"}


@pytest.mark.parametrize(
    ("shape", "letters"), [((2, 6), "T"), ((1, 6, 2), "T"), ((1, 6, 6, 2), "HW"), ((1, 4, 6, 6, 2), "DHW")]
)
def test_channels_come_last(shape, letters):
    assert eyeshot.analyze(jnp.sin, input_size=shape).spatial["x"].letters == letters


def test_sizes_by_name():
    report = eyeshot.analyze(lambda x, y: x + y, input_size={"y": (1, 4, 2), "x": (1, 4, 2)})
    assert set(report.graph.inputs) == {"x", "y"}


def test_a_law_that_one_size_leaves_open_is_settled_at_another():
    field = eyeshot.analyze(
        lambda x: jax.image.resize(x, (1, 2 * x.shape[1], 2), "linear"), input_size=(1, 8, 2)
    ).outputs[0]
    assert field.size == (2,)
    assert not field.law[0].at_size
    fixed = eyeshot.analyze(lambda x: jax.image.resize(x, (1, 12, 2), "linear"), input_size=(1, 8, 2))
    assert fixed.outputs[0].law[0].at_size


def test_keys_are_inputs():
    def noisy(key, x):
        return x + jax.random.normal(key, x.shape)

    report = eyeshot.analyze(noisy, inputs=(jax.random.key(0), jnp.ones((1, 4, 2))))
    assert report.input == "x"
    assert list(report.graph.inputs) == ["key", "x"]


# What numbers count


def test_learned_zeros_count_and_written_ones_do_not():
    learned, written = jnp.zeros((3, 3)), np.diag([1.0, 2.0, 3.0]).astype(np.float32)
    x = jnp.ones((1, 3))
    one = eyeshot.analyze(lambda x: x @ learned, inputs=x, axes="all").outputs[0]
    assert one.mask(0, 0).sum() == 3
    other = eyeshot.analyze(lambda x: x @ written, inputs=x, axes="all").outputs[0]
    assert other.mask(0, 0).sum() == 1


def test_a_mask_made_before_the_call_counts():
    mask = jnp.where(jnp.tril(jnp.ones((4, 4))) > 0, 0.0, -jnp.inf)
    field = eyeshot.analyze(
        lambda x: jax.nn.softmax(x @ x.T + mask) @ x, inputs=jnp.ones((4, 3)), layout="TC"
    ).outputs[0]
    assert [field.at(t, 0).stop[0] for t in range(4)] == [1, 2, 3, 4]
    assert not field.reasons


# Costs


@pytest.mark.parametrize(
    "name", ["residual blocks", "causal transformer", "transposed", "depthwise", "U-Net"]
)
def test_a_twin_costs_the_same(name):
    network = BY_NAME[name]
    ours = eyeshot.analyze(network.build(), input_size=network.shape)
    twin = network.twin().eval()
    theirs = eyeshot.analyze(twin, input_size=network.twin_shape, layout=network.twin_layout)
    counted = {module.path: module.parameters for module in ours.graph.modules}
    assert sum(counted.values()) == sum(parameter.numel() for parameter in twin.parameters())
    assert sum(tensor.macs for tensor in ours.graph.tensors) == sum(t.macs for t in theirs.graph.tensors)


def test_a_loop_that_is_read_as_one_costs_all_its_steps():
    report = eyeshot.analyze(BY_NAME["LSTM"].build(), input_size=(2, 7, 3))
    assert sum(tensor.macs for tensor in report.graph.tensors) == 2 * 7 * (3 + 4) * 16
    assert sum(module.parameters for module in report.graph.modules) == (3 + 4) * 16 + 16


# What does not fit


def test_what_is_ours(monkeypatch):
    assert frontend.accepts(jnp.sin)
    assert frontend.accepts(Net())
    assert not frontend.accepts(torch.nn.ReLU())
    assert not frontend.accepts("timm:resnet18")
    assert not frontend.accepts(3)
    monkeypatch.delitem(sys.modules, "jax")
    assert not frontend.accepts(len)


def test_the_frontend_loads_no_framework():
    code = "import eyeshot.frontends.jax.frontend as f, sys; f.accepts(len); assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_primitive_is_refused_by_name():
    def function(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    x = jnp.ones((1, 4, 2))
    with pytest.raises(UnsupportedOpError, match="pure_callback"):
        eyeshot.analyze(function, inputs=x)
    field = eyeshot.analyze(function, inputs=x, on_unknown="dense").outputs[0]
    assert field.reasons == {"unknown-op"}


def test_control_flow_on_numbers_is_explained():
    with pytest.raises(CaptureError, match=r"jax\.lax\.cond"):
        eyeshot.analyze(lambda x: x if x.sum() > 0 else -x, input_size=(1, 4, 2))


def test_an_input_that_does_not_fit_is_named():
    with pytest.raises(InputError, match=r"x \(1, 16, 16, 5\)"):
        eyeshot.analyze(functools.partial(Net().apply, variables()), input_size=(1, 16, 16, 5))
    with pytest.raises(InputError, match="input_size="):
        eyeshot.analyze(jnp.sin)


def test_an_error_of_the_function_is_its_own():
    def broken(x):
        raise RuntimeError("no luck")

    with pytest.raises(CaptureError, match="RuntimeError: no luck"):
        eyeshot.analyze(broken, input_size=(1, 4, 2))


def test_loops_too_long_to_follow_are_flagged():
    def shifted(x):
        return lax.fori_loop(0, 100_000, lambda i, c: jnp.roll(c, 1, 1), x)

    field = eyeshot.analyze(shifted, input_size=(1, 4, 2)).outputs[0]
    assert field.reasons == {"loop"}
    assert field.at(0, 0, 0).stop == (4,)
