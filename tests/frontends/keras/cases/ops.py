"""`keras.ops` between the layers of functional models."""

from __future__ import annotations

import numpy as np

from tests.frontends.keras.backend import keras
from tests.frontends.keras.case import Case

ops = keras.ops
A = ((2, 3, 4),)
TWO = ((2, 3), (2, 3))
IMAGE = ((1, 4, 5, 2),)

POINTWISE = [
    Case(name, lambda x, n=name: getattr(ops, n)(x), ((2, 3),), ("nan",))
    for name in (
        "abs",
        "exp",
        "sin",
        "log",
        "sqrt",
        "square",
        "negative",
        "relu",
        "gelu",
        "sigmoid",
        "silu",
        "leaky_relu",
        "floor",
        "rsqrt",
        "erf",
        "softplus",
        "tanh",
        "reciprocal",
        "expm1",
        "log1p",
        "cos",
        "arctan",
        "hard_sigmoid",
    )
]
BINARY = [
    Case(name, lambda x, y, n=name: getattr(ops, n)(x, y), TWO, ("nan",))
    for name in (
        "add",
        "subtract",
        "multiply",
        "divide",
        "maximum",
        "minimum",
        "power",
        "arctan2",
        "logaddexp",
        "mod",
    )
]
REDUCTIONS = [
    Case(
        f"{name} {axis} {keep}",
        lambda x, n=name, a=axis, k=keep: getattr(ops, n)(x, axis=a, keepdims=k),
        A,
        ("nan",),
    )
    for name in ("mean", "sum", "max", "prod", "std")
    for axis, keep in ((None, False), (1, True), ((0, -1), False))
]

INDICES = np.array([[2, 0], [1, 1]])

CASES = [
    *POINTWISE,
    *BINARY,
    *REDUCTIONS,
    Case("with a number", lambda x: 2 * (x + 1) / 3 - x**2, A),
    Case("broadcast", lambda x, y: x + y, ((2, 3, 1), (4,))),
    Case("where", lambda x, y: ops.where(x > 1, x, y), TWO, ("change",), values=(0.0, 1.5, 2.0), draws=40),
    Case("sign", ops.sign, A, ("change",), values=(-1.0, 0.0, 2.0)),
    Case("where known", lambda x, y: ops.where(np.tri(3, dtype=bool), x, y), ((3, 3), (3, 3))),
    Case("clip", lambda x: ops.clip(x, 0, 2), A),
    Case("cast", lambda x: ops.cast(x, "float32"), A, ("nan",)),
    Case("softmax", lambda x: ops.softmax(x, axis=1), A),
    Case("log softmax", ops.log_softmax, A),
    Case("logsumexp", lambda x: ops.logsumexp(x, axis=1), A),
    Case("normalize", lambda x: ops.normalize(x, axis=1), A),
    Case("glu", lambda x: ops.glu(x, axis=-1), A),
    Case("moments", lambda x: ops.moments(x, axes=[1]), A),
    Case("var", lambda x: ops.var(x, axis=-1), A),
    Case("norm", lambda x: ops.norm(x, axis=-1), A),
    Case("cumsum", lambda x: ops.cumsum(x, axis=1), A),
    Case("cumsum of all", ops.cumsum, ((2, 3),)),
    Case("diff", lambda x: ops.diff(x, n=1, axis=1), A),
    Case(
        "sort", lambda x: ops.sort(x, axis=-1), ((2, 3),), ("change",), values=(0.0, 1.0, 2.0, 3.0), draws=20
    ),
    Case(
        "top k", lambda x: ops.top_k(x, 2)[0], ((2, 4),), ("change",), values=(0.0, 1.0, 2.0, 3.0), draws=20
    ),
    Case(
        "argmax",
        lambda x: ops.cast(ops.argmax(x, axis=-1), "float64"),
        ((2, 3),),
        ("change",),
        values=(0.0, 1.0, 2.0),
        draws=12,
    ),
    Case(
        "one hot",
        lambda x: ops.one_hot(x, 3, dtype="float64"),
        ((2, 3),),
        ("change",),
        values=(0, 1, 2),
        draws=4,
        dtype="int64",
    ),
    Case(
        "one hot axis",
        lambda x: ops.one_hot(x, 3, axis=1, dtype="float64"),
        ((2, 3),),
        ("change",),
        values=(0, 1, 2),
        draws=4,
        dtype="int64",
    ),
    Case("reshape", lambda x: ops.reshape(x, (2, -1)), A),
    Case("expand dims", lambda x: ops.expand_dims(x, (0, -1)), A),
    Case("squeeze", lambda x: ops.squeeze(x, 1), ((2, 1, 3),)),
    Case("transpose", lambda x: ops.transpose(x, (2, 0, 1)), A),
    Case("transpose backwards", ops.transpose, A),
    Case("swapaxes", lambda x: ops.swapaxes(x, 0, -1), A),
    Case("moveaxis", lambda x: ops.moveaxis(x, (0, 2), (1, 0)), A),
    Case("broadcast to", lambda x: ops.broadcast_to(x, (2, 3, 4)), ((3, 1),)),
    Case("concatenate", lambda x, y: ops.concatenate([x, y], axis=1), TWO),
    Case("stack", lambda x, y: ops.stack([x, y], axis=-1), TWO),
    Case("hstack", lambda x, y: ops.hstack([x, y]), TWO),
    Case("vstack", lambda x, y: ops.vstack([x, y]), ((1, 3), (2, 3))),
    Case("append", lambda x, y: ops.append(x, y, axis=0), TWO),
    Case("split", lambda x: ops.split(x, 2, axis=-1), A),
    Case("split at", lambda x: ops.split(x, [1, 3], axis=-1), A),
    Case("unstack", lambda x: ops.unstack(x, axis=1), A),
    Case("flip", lambda x: ops.flip(x, axis=(0, 2)), A),
    Case("rot90", lambda x: ops.rot90(x, k=1, axes=(1, 2)), A),
    Case("roll", lambda x: ops.roll(x, 1, axis=1), A),
    Case("roll of all", lambda x: ops.roll(x, 5), A),
    Case("tile", lambda x: ops.tile(x, (2, 1, 2)), A),
    Case("repeat", lambda x: ops.repeat(x, 2, axis=1), A),
    Case("pad", lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 1))), A),
    Case("pad reflect", lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 1)), mode="reflect"), A),
    Case("tril", lambda x: ops.tril(x, k=1), ((2, 3, 4),)),
    Case("triu", ops.triu, ((3, 3),)),
    Case("diagonal", lambda x: ops.diagonal(x, offset=1, axis1=1, axis2=2), A),
    Case("trace", lambda x: ops.trace(x, axis1=1, axis2=2), A),
    Case("diag", lambda x: ops.diag(x, k=1), ((3,),)),
    Case("meshgrid", ops.meshgrid, ((3,), (2,))),
    Case("rearrange", lambda x: keras.ops.rearrange(x, "n (h p) c -> n h (p c)", p=2), ((2, 4, 3),)),
    Case("item", lambda x: x[:, 1], A),
    Case("item slices", lambda x: x[:, ::2, 1:-1], A),
    Case("item backwards", lambda x: x[..., None, -1], A),
    Case("take", lambda x: ops.take(x, INDICES, axis=1), A),
    Case("take along axis", lambda x: ops.take_along_axis(x, INDICES, axis=1), ((2, 3),)),
    Case(
        "take computed",
        lambda x, i: ops.take(x, ops.cast(i, "int32"), axis=1),
        ((2, 3), (2,)),
        ("change",),
        "data-dependent-index",
        values=(0.0, 1.0, 2.0),
        draws=8,
    ),
    Case("slice", lambda x: ops.slice(x, (0, 1, 1), (2, 2, 3)), A),
    Case("slice update", lambda x, y: ops.slice_update(x, (1, 0), y), ((3, 3), (2, 2)), ("gradient",)),
    Case(
        "scatter update",
        lambda x, y: ops.scatter_update(x, [[0, 1], [2, 0]], y),
        ((3, 3), (2,)),
        ("gradient",),
    ),
    Case("matmul", lambda x, y: x @ y, ((2, 3, 4), (4, 2))),
    Case("dot", ops.dot, ((2, 3), (3, 2))),
    Case("tensordot", lambda x, y: ops.tensordot(x, y, axes=([1], [0])), ((2, 3, 2), (3, 2))),
    Case("inner", ops.inner, ((2, 3), (2, 3))),
    Case("outer", ops.outer, ((2,), (3,))),
    Case("einsum", lambda x, y: ops.einsum("nij,njk->nki", x, y), ((2, 3, 2), (2, 2, 4))),
    Case("inverse", ops.inv, ((2, 3, 3),), ("nan",)),
    Case("solve", ops.solve, ((2, 3, 3), (2, 3, 2)), ("gradient",)),
    Case("conv", lambda x: ops.conv(x, np.ones((3, 2, 2, 3)), strides=(1, 2), padding="same"), IMAGE),
    Case(
        "conv computed",
        lambda x, w: ops.conv(x, w, padding="same", strides=2),
        ((1, 5, 2), (3, 2, 2)),
        ("gradient",),
    ),
    Case("depthwise conv", lambda x: ops.depthwise_conv(x, np.ones((3, 3, 2, 2))), IMAGE),
    Case(
        "separable conv",
        lambda x: ops.separable_conv(x, np.ones((3, 2, 2, 2)), np.ones((1, 1, 4, 3)), padding="same"),
        IMAGE,
    ),
    Case("max pool", lambda x: ops.max_pool(x, 2, padding="same"), IMAGE, ("nan",)),
    Case("average pool", lambda x: ops.average_pool(x, (3, 2), strides=1), IMAGE),
    Case("attention", ops.dot_product_attention, ((1, 2, 2, 2), (1, 3, 2, 2), (1, 3, 2, 2)), ("gradient",)),
    Case(
        "attention causal",
        lambda q: ops.dot_product_attention(q, q, q, is_causal=True),
        ((1, 3, 2, 1),),
        ("gradient",),
    ),
    Case("grayscale", ops.image.rgb_to_grayscale, ((1, 2, 2, 3),)),
    Case("image resize", lambda x: ops.image.resize(x, (8, 3)), IMAGE, ("gradient",)),
    Case(
        "pad images",
        lambda x: ops.image.pad_images(x, top_padding=1, left_padding=2, target_height=7, target_width=8),
        IMAGE,
    ),
    Case(
        "crop images",
        lambda x: ops.image.crop_images(x, top_cropping=1, left_cropping=2, target_height=2, target_width=2),
        IMAGE,
    ),
    Case("patches", lambda x: ops.image.extract_patches(x, (2, 3), strides=2), IMAGE, ("gradient",)),
    Case(
        "patches same",
        lambda x: ops.image.extract_patches(x, 3, strides=2, padding="same"),
        IMAGE,
        ("gradient",),
    ),
    Case("depth to space", lambda x: ops.depth_to_space(x, 2), ((1, 2, 1, 8),)),
    Case("space to depth", lambda x: ops.space_to_depth(x, 2), ((1, 4, 2, 2),)),
    Case("extract sequences", lambda x: ops.extract_sequences(x, 3, 2), ((2, 7),)),
    Case("layer norm", lambda x: ops.layer_normalization(x, axis=-1), A),
    Case("rms norm", ops.rms_normalization, A),
    Case("stop gradient", ops.stop_gradient, A, ("nan",)),
    Case("ones like", lambda x: ops.ones_like(x) + x, A),
    Case("quantile", lambda x: ops.quantile(x, 0.3, axis=1), A, ("nan",)),
    Case("crossentropy", ops.categorical_crossentropy, ((2, 3), (2, 3)), ("gradient",)),
    Case("fft", lambda x, y: ops.fft((x, y)), ((2, 3), (2, 3)), ("gradient",), "zero-coefficient"),
    Case("rfft", ops.rfft, ((2, 5),), ("gradient",), "zero-coefficient"),
    Case("stft", lambda x: ops.stft(x, 4, 2, 4), ((1, 10),), ("gradient",), "zero-coefficient"),
]
