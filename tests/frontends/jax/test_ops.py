"""Programs of one idea each: what the graph says is read, element by element, against what JAX's own numbers show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp

from eyeshot.analyses.sets import Sets
from eyeshot.frontends.jax.capture import capture
from eyeshot.frontends.jax.lower import lower
from eyeshot.graph.verify import verify
from tools.jax_harness.oracles import ORACLES, Oracles

NUMBERS = ("change", "gradient")
"""Where a NaN gets through, since 0 times NaN is NaN."""
MASK = np.tril(np.ones((4, 4), bool))
BAND = abs(np.subtract.outer(np.arange(5), np.arange(5))) < 2


@dataclass(frozen=True)
class Case:
    """A function of arrays of these shapes; ``reason`` (several with spaces between) where the answer is only sound."""

    name: str
    function: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    oracles: tuple[str, ...] = ORACLES
    reason: str | None = None


def conv(x, w, **options):
    strides = options.pop("window_strides", (1,) * (x.ndim - 2))
    return lax.conv_general_dilated(x, w, strides, **options)


def attention(scores, v):
    return jax.nn.softmax(scores) @ v


def scanned(step, **options):
    return lambda first, xs: lax.scan(step, first, xs, **options)


DENSE = np.array([[0.5, 0.3, -0.4], [0.2, 0.9, 0.6], [-0.7, 0.1, 0.8]])
MIXER = np.array([[1.0, 2, 0], [0, 3, 1], [4, 0, 0]])

CASES = [
    Case("strided", lambda x, w: conv(x, w, window_strides=(2,), padding=[(2, 1)]), ((1, 2, 7), (3, 2, 3)), NUMBERS),
    Case("transposed", lambda x, w: lax.conv_transpose(x, w, (2,), "SAME"), ((1, 4, 2), (3, 2, 2)), NUMBERS),
    Case("both dilated", lambda x, w: conv(x, w, padding=[(1, 2)], lhs_dilation=(2,), rhs_dilation=(3,)),
         ((1, 1, 5), (1, 1, 2)), NUMBERS),
    Case("cropped", lambda x, w: conv(x, w, padding=[(-1, -2)]), ((1, 1, 8), (1, 1, 2))),
    Case("feature groups", lambda x, w: conv(x, w, padding="SAME", feature_group_count=2), ((1, 4, 4), (4, 2, 3)), NUMBERS),
    Case("batch groups", lambda x, w: conv(x, w, padding="VALID", batch_group_count=2), ((4, 2, 4), (4, 2, 2))),
    Case("channels last", lambda x, w: conv(x, w, padding="SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")),
         ((1, 3, 4, 2), (2, 3, 2, 1)), NUMBERS),
    Case("pool", lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (2,), (2,), [(1, 1)], (2,), (3,)), ((6,),)),
    Case("pool by a function", lambda x: lax.reduce_window(x, 1.0, lax.mul, (3,), (2,), "SAME"), ((6,),)),
    Case("gradient of a pool",
         lambda x, y: jax.vjp(lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (2,), (2,), "VALID"), x)[1](y)[0],
         ((6,), (3,))),
    Case("matmul", lambda x, y: x @ y, ((2, 3, 2), (2, 2, 2))),
    Case("einsum", lambda x, y: jnp.einsum("abc,dcb->ad", x, y), ((2, 3, 2), (2, 2, 3))),
    Case("known matrix", lambda x: x @ MIXER, ((2, 3),), NUMBERS),
    Case("known matrix before", lambda x: jnp.einsum("ij,njk->nik", MIXER, x), ((2, 3, 2),), NUMBERS),
    Case("two axes with a known one", lambda x: jnp.einsum("njk,jkl->nl", x, np.eye(6).reshape(2, 3, 6)),
         ((2, 2, 3),), NUMBERS),
    Case("triangle times", lambda x, y: jnp.tril(x) @ y, ((4, 4), (4, 2)), NUMBERS),
    Case("softmax", jax.nn.softmax, ((2, 3),)),
    Case("masked attention", lambda s, v: attention(jnp.where(MASK, s, -jnp.inf), v)[1:], ((4, 4), (4, 2)), NUMBERS),
    Case("mask that is added", lambda s, v: attention(s * 2 + jnp.where(MASK, 0.0, -jnp.inf), v)[1:],
         ((4, 4), (4, 2)), NUMBERS),
    Case("mask in the minimum", lambda s, v: attention(jnp.where(BAND, s, jnp.finfo(s.dtype).min), v),
         ((5, 5), (5, 2)), NUMBERS),
    Case("softmax where", lambda s, v: jax.nn.softmax(s, where=BAND) @ v, ((5, 5), (5, 2)), NUMBERS),
    Case("log softmax of a mask", lambda s: jax.nn.log_softmax(jnp.where(BAND, s, -jnp.inf)), ((5, 5),), ("change",)),
    Case("causal", lambda q, k, v: jax.nn.dot_product_attention(q, k, v, is_causal=True)[:, 1:],
         ((1, 4, 2, 2),) * 3, NUMBERS),
    Case("window", lambda q, k, v: jax.nn.dot_product_attention(q, k, v, local_window_size=1),
         ((1, 5, 1, 2),) * 3, NUMBERS),
    Case("gathered", lambda x: x[np.array([2, 0, -1]), :, None, ::2], ((4, 2, 5),)),
    Case("open grid", lambda x: x[np.ix_([2, 0], [1], [0, 3, 3])], ((3, 2, 4),)),
    Case("pairs", lambda x: x[np.array([0, 2]), :, np.array([1, 3])], ((3, 2, 4),)),
    Case("along", lambda x: jnp.take_along_axis(x, np.array([[0, 2], [1, 1]]), 1), ((2, 3),)),
    Case("outside", lambda x: jnp.take(x, np.array([1, 9]), 0, mode="fill"), ((3, 2),)),
    Case("at a computed place", lambda x: x[jnp.argmax(x)], ((4,),), reason="data-dependent-index"),
    Case("slice", lambda x: lax.dynamic_slice(x, (1, 5), (2, 3)), ((4, 6),)),
    Case("slice from a computed place", lambda x, y: lax.dynamic_slice(x, (y[0].astype(int), 0), (2, 2)), ((4, 2), (2,)),
         reason="data-dependent-index"),
    Case("box set", lambda x, y: x.at[1:3, :2].set(y), ((4, 3), (2, 2))),
    Case("box updated", lambda x, y: lax.dynamic_update_slice(x, y, (1, 1)), ((4, 3), (2, 2))),
    Case("box added", lambda x, y: x.at[1:3, :2].add(y), ((4, 3), (2, 2))),
    Case("rows set", lambda x, y: x.at[np.array([3, 1])].set(y), ((4, 2), (2, 2))),
    Case("places added", lambda x, y: x.at[np.array([0, 2, 2]), np.array([1, 1, 1])].add(y), ((3, 2), (3,))),
    Case("dropped", lambda x, y: x.at[np.array([1, 7])].set(y, mode="drop"), ((3, 2), (2, 2))),
    Case("multiplied", lambda x, y: x.at[np.array([1, 0])].mul(y), ((3,), (2,))),
    Case("pad inside", lambda x: lax.pad(x, 0.0, ((1, -1, 2),)), ((4,),)),
    Case("pad by a number", lambda x, y: lax.pad(x, y, ((1, 1, 1),)), ((3,), ())),
    Case("reflected", lambda x: jnp.pad(x, ((2, 1), (0, 0)), "reflect"), ((4, 2),)),
    Case("roll", lambda x: jnp.roll(x, 2, 1), ((2, 5),)),
    Case("tile", lambda x: jnp.tile(x, (2, 3)), ((2, 2),)),
    Case("stack and unstack", lambda x, y: jnp.unstack(jnp.stack([x, y], 1), axis=2), ((2, 3), (2, 3))),
    Case("split", lambda x: jnp.split(x, (1, 3), 1), ((2, 4),)),
    Case("shuffle", lambda x: x.reshape(2, 2, 2, 3).transpose(0, 2, 1, 3).reshape(4, 6), ((8, 3),)),
    Case("doubled bilinearly", lambda x: jax.image.resize(x, (8,), "linear"), ((4,),), NUMBERS),
    Case("halved bilinearly", lambda x: jax.image.resize(x, (3, 2), "linear"), ((6, 2),), NUMBERS),
    Case("cubic", lambda x: jax.image.resize(x, (10,), "cubic"), ((5,),), NUMBERS),
    Case("nearest", lambda x: jax.image.resize(x, (9,), "nearest"), ((3,),)),
    Case("cumulative", lambda x: (jnp.cumsum(x, 1), lax.cumlogsumexp(x, 0, reverse=True)), ((3, 3),)),
    Case("sums", lambda x: (x.mean(1), x.max(), jnp.prod(x, 0)), ((3, 2),)),
    Case("two results of one reduction", lambda x, y: lax.reduce(
        (x, y), (0.0, 1.0), lambda a, b: (a[0] + b[0], a[1] * b[1]), (0,)), ((3, 2), (3, 2))),
    Case("sort", lambda x, y: lax.sort((x, y), num_keys=1), ((4,), (4,))),
    Case("largest", lambda x: lax.top_k(x, 2)[0], ((2, 4),)),
    Case("Fourier", lambda x: jnp.abs(jnp.fft.fft(x)), ((2, 5),)),
    Case("solve", lambda a, b: jnp.linalg.solve(a + 9 * np.eye(3), b),
         ((3, 3), (3, 2)), reason="zero-coefficient data-dependent-index"),
    Case("inverse", lambda a: jnp.linalg.inv(a + 9 * np.eye(3)), ((2, 3, 3),), reason="zero-coefficient"),
    Case("eigenvalues", jnp.linalg.eigvalsh, ((2, 3, 3),)),
    Case("reflections", lax.linalg.householder_product, ((2, 4, 3), (2, 3)), reason="zero-coefficient"),
    Case("factors", lambda a: lax.linalg.lu(a)[0], ((2, 3, 3),), reason="zero-coefficient"),
    Case("there and back", lambda x: jnp.fft.irfft(jnp.fft.rfft(x) * jnp.arange(1, 4)), ((4,),)),
    Case("back from Fourier", lambda x: jnp.fft.irfft(x.astype(complex)), ((4,),), reason="zero-coefficient"),
    Case("bits", lambda x: lax.bitcast_convert_type(x, jnp.uint16), ((3,),)),
    Case("recurrent", scanned(lambda h, x: (jnp.sin(h @ DENSE + x), h)), ((2, 3), (4, 2, 3)), NUMBERS),
    Case("recurrent, backwards", scanned(lambda h, x: (jnp.tanh(h.sum(-1, keepdims=True) + x), h), reverse=True),
         ((2, 3), (4, 2, 3))),
    Case("running mean", scanned(lambda h, x: (h / 2 + x, h + x)), ((3,), (4, 3))),
    Case("delay line", lambda h, x: lax.scan(lambda c, x: ((c[1], x), c[0]), (h, 2 * h), x), ((2,), (5, 2))),
    Case("moving carry", scanned(lambda h, x: (jnp.roll(h, 1) + x, h)), ((3,), (4, 3))),
    Case("scanned with a constant", lambda h, x, k: lax.scan(lambda c, x: (c * x, c + k), h, x), ((2,), (3, 2), (2,))),
    Case("map", lambda x: lax.map(jnp.cumsum, x), ((3, 4),)),
    Case("counted", lambda x: lax.fori_loop(0, 3, lambda i, c: c + jnp.roll(c, 1), x), ((6,),)),
    Case("counted and indexed", lambda x, y: lax.fori_loop(0, 2, lambda i, c: c + y[i], x), ((2,), (4, 2))),
    Case("while of known length", lambda x: lax.while_loop(lambda c: c[0] < 2, lambda c: (c[0] + 1, c[1] * x), (0, x))[1],
         ((3,),)),
    Case("while it is small", lambda x: lax.while_loop(lambda c: c.sum() < 9, lambda c: c * c + 1, x),
         ((3,),), reason="loop"),
    Case("associative scan", lambda x: lax.associative_scan(jnp.multiply, x), ((5, 2),)),
    Case("known branch", lambda x: lax.switch(1, (jnp.cumsum, jnp.flip, jnp.sin), x), ((4,),)),
    Case("computed branch", lambda x, y: lax.cond(y[0] > 0, jnp.sin, jnp.flip, x), ((4,), (2,))),
    Case("choice", lambda x, y: jnp.where(np.array([True, False, True]), x, y), ((2, 3), (3,))),
    Case("computed choice", lambda x, y: jnp.where(x > 0, x, y), ((4,), (4,))),
    Case("vmapped", jax.vmap(lambda x, y: jnp.convolve(x, y, "same")), ((2, 4), (2, 3)), NUMBERS),
    Case("less the mean of all mapped", jax.vmap(lambda x: x - lax.pmean(x, "all"), axis_name="all"), ((3, 2),)),
    Case("printed", lambda x: (jax.debug.print("{}", x.shape, ordered=False), jnp.cumsum(x))[1], ((3,),)),
    Case("power of 0", lambda x, y: lax.integer_pow(x, 0) + y, ((3,), (3,))),
    Case("checkpointed", jax.checkpoint(lambda x: jnp.sin(x).sum(0)), ((3, 2),)),
    Case("jitted twice", jax.jit(lambda x: jax.jit(jnp.cumsum)(x) + 1), ((4,),)),
    Case("rules of its own", lambda x: jax.nn.relu(jax.nn.silu(x)) + jax.nn.gelu(x), ((4,),)),
    Case("its gradient", jax.grad(lambda x: (jnp.roll(x, 1) * x**2).sum()), ((4,),)),
    Case("noise", lambda x: x + jax.random.normal(jax.random.key(0), x.shape), ((3,),)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_read_is_what_numbers_show(case):
    def draw(seed):
        random = np.random.RandomState(seed)
        return [random.standard_normal(shape).astype(np.float32) for shape in case.shapes]

    oracles = Oracles(case.function, draw, 0)
    shapes = tuple(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in case.shapes)
    graph = lower(capture(case.function, (shapes, {})))
    verify(graph)
    nodes = list(graph.outputs.values())
    rules = {}
    for i, (source, shape) in enumerate(zip(graph.inputs.values(), case.shapes, strict=True)):
        sets = Sets(graph, source, None)
        for o, node in enumerate(nodes):
            rules[o, i] = sets.matrix(node).reshape(-1, int(np.prod(shape)))
    oracles.observe(rules, draws=1 if case.reason else 40)
    reasons = {graph.nodes[n].reason for node in nodes for n in graph.ancestors([node])} - {None}
    assert reasons == set((case.reason or "").split())
    for key, rule in rules.items():
        seen = oracles.union(key, case.oracles)
        assert not (seen & ~rule).any(), key
        assert case.reason or (seen == rule).all(), key
