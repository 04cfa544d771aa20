"""Layers that mix features or nothing; activations, norms, merges, encodings."""

from __future__ import annotations

from tests.frontends.keras.backend import keras
from tests.frontends.keras.case import Case

L = keras.layers


def _layer(name, *args, **kwargs):
    def call(x):  # a layer is made anew for each model, in the precision of the test
        return getattr(L, name)(*args, **kwargs)(x)

    return call


def _merge(name, *args, **kwargs):
    return lambda *xs: getattr(L, name)(*args, **kwargs)(list(xs))


def _spectral(x):
    return L.SpectralNormalization(L.Conv2D(3, 2))(x)


def _pipeline(x):
    return L.Pipeline([L.Rescaling(2.0), L.CenterCrop(2, 2)])(x)


ACTIVATIONS = [
    Case(f"activation {name}", _layer("Activation", name), ((2, 3, 4),))
    for name in (
        "linear",
        "sigmoid",
        "tanh",
        "softplus",
        "softsign",
        "silu",
        "squareplus",
        "log_sigmoid",
        "elu",
        "selu",
        "gelu",
        "celu",
        "tanh_shrink",
        "exponential",
        "mish",
        "softmax",
        "log_softmax",
        "glu",
    )
] + [
    Case(f"activation {name}", _layer("Activation", name), ((2, 3),), ("nan",))
    for name in (
        "relu",
        "relu6",
        "leaky_relu",
        "hard_sigmoid",
        "hard_silu",
        "hard_tanh",
        "hard_shrink",
        "soft_shrink",
        "sparse_plus",
        "sparse_sigmoid",
    )
]

IDENTITIES = [
    Case(name, _layer(name, *args), ((2, 3, 2, 4)[: 4 if "2D" in name else 3 if "1D" in name else 2],))
    for name, *args in (
        ("Identity",),
        ("Dropout", 0.5),
        ("SpatialDropout1D", 0.5),
        ("SpatialDropout2D", 0.5),
        ("GaussianDropout", 0.5),
        ("GaussianNoise", 0.5),
        ("AlphaDropout", 0.5),
        ("ActivityRegularization",),
        ("ELU",),
        ("LeakyReLU",),
        ("ReLU",),
        ("Rescaling", 2.0, 1.0),
    )
]

NORMS = [
    Case("batch norm", _layer("BatchNormalization"), ((2, 3, 4),)),
    Case("batch norm bare", _layer("BatchNormalization", axis=1, scale=False, center=False), ((2, 3, 4),)),
    Case("batch norm told to train", lambda x: L.BatchNormalization()(x, training=True), ((3, 2, 3),)),
    Case("layer norm", _layer("LayerNormalization"), ((2, 3, 4),)),
    Case("layer norm axes", _layer("LayerNormalization", axis=(2, 3), scale=False), ((1, 2, 3, 2),)),
    Case("rms norm", _layer("RMSNormalization"), ((2, 3, 4),)),
    Case("unit norm", _layer("UnitNormalization", axis=1), ((2, 3, 4),)),
    Case("group norm", _layer("GroupNormalization", groups=2), ((2, 3, 2, 4),)),
    Case("group norm first", _layer("GroupNormalization", groups=2, axis=1), ((2, 4, 3),)),
    Case("instance norm", _layer("GroupNormalization", groups=-1, scale=False), ((2, 3, 2, 3),)),
    Case("normalization", _layer("Normalization", mean=1.0, variance=2.0), ((2, 3),)),
    Case("normalization to adapt", _layer("Normalization"), ((2, 3),)),
    Case("normalization of two axes", _layer("Normalization", axis=(1, 2)), ((2, 3, 2),)),
    Case("spectral norm", _spectral, ((1, 3, 4, 2),)),
]

MERGES = [
    Case(name, _merge(name), ((2, 3, 4), (2, 3, 4)), ("nan",))
    for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
] + [
    Case("add three ranks", _merge("Add"), ((2, 3, 4), (2, 4), (2, 1, 4))),
    Case("concatenate", _merge("Concatenate"), ((2, 3, 2), (2, 3, 1), (2, 3, 3))),
    Case("concatenate axis", _merge("Concatenate", axis=1), ((2, 3, 2), (2, 1, 2))),
    Case("dot", _merge("Dot", axes=1), ((2, 4), (2, 4))),
    Case("dot matrices", _merge("Dot", axes=(1, 2)), ((2, 3, 5), (2, 4, 3))),
    Case("dot matrix vector", _merge("Dot", axes=(2, 1)), ((2, 3, 5), (2, 5))),
    Case("dot of more", _merge("Dot", axes=(1, 1)), ((2, 3, 2, 2), (2, 3, 4))),
    Case("dot normalized", _merge("Dot", axes=-1, normalize=True), ((2, 3, 4), (2, 2, 4))),
]

ENCODINGS = [
    Case("discretization", _layer("Discretization", bin_boundaries=[0.0, 1.0]), ((2, 3),), ()),
    Case(
        "discretization one hot",
        lambda x: L.Discretization(bin_boundaries=[0.0, 1.0], output_mode="one_hot")(x) * 1.0,
        ((2, 1),),
        ("change",),
        values=(-1.0, 0.5, 2.0),
        draws=4,
    ),
    Case(
        "discretization count",
        lambda x: L.Discretization(bin_boundaries=[0.0, 1.0], output_mode="count")(x) * 1.0,
        ((2, 3),),
        ("change",),
        values=(-1.0, 0.5, 2.0),
        draws=4,
    ),
    Case(
        "category one hot",
        lambda x: L.CategoryEncoding(3, output_mode="one_hot")(x) * 1.0,
        ((2, 3),),
        ("change",),
        values=(0, 1, 2),
        draws=4,
        dtype="int64",
    ),
    Case(
        "category multi hot",
        lambda x: L.CategoryEncoding(3)(x) * 1.0,
        ((2, 3),),
        ("change",),
        values=(0, 1, 2),
        draws=12,
        dtype="int64",
    ),
    Case(
        "category count",
        lambda x: L.CategoryEncoding(3, output_mode="count")(x) * 1.0,
        ((2, 3),),
        ("change",),
        values=(0, 1, 2),
        draws=8,
        dtype="int64",
    ),
    Case(
        "embedding", _layer("Embedding", 5, 3), ((2, 4),), ("change",), values=(0, 1, 2, 3, 4), dtype="int64"
    ),
]


def _tied(x, *, tie):
    layer = L.ReversibleEmbedding(5, 3, tie_weights=tie)
    return layer(layer(x), reverse=True)


CASES = [
    *ACTIVATIONS,
    *IDENTITIES,
    *NORMS,
    *MERGES,
    *ENCODINGS,
    Case("dense", _layer("Dense", 3), ((2, 4),)),
    Case("dense of images", _layer("Dense", 3, activation="relu", use_bias=False), ((1, 2, 3, 4),)),
    Case("dense softmax", _layer("Dense", 3, activation="softmax"), ((2, 2, 3),)),
    Case(
        "einsum dense",
        _layer("EinsumDense", "abc,cd->abd", output_shape=(None, 4), bias_axes="d"),
        ((2, 3, 2),),
    ),
    Case(
        "einsum dense heads",
        _layer("EinsumDense", "abc,cde->abde", output_shape=(None, 2, 3), bias_axes="de"),
        ((2, 3, 2),),
    ),
    Case(
        "einsum dense ellipsis",
        _layer("EinsumDense", "...x,xy->...y", output_shape=4, bias_axes="y"),
        ((2, 3, 2),),
    ),
    Case("einsum dense mixing", _layer("EinsumDense", "abc,bd->adc", output_shape=(4, 2)), ((2, 3, 2),)),
    Case("prelu", _layer("PReLU"), ((2, 3, 4),)),
    Case("prelu shared", _layer("PReLU", shared_axes=[1, 2]), ((1, 2, 3, 4),)),
    Case("softmax", _layer("Softmax", axis=1), ((2, 3, 4),)),
    Case("softmax axes", _layer("Softmax", axis=(1, 2)), ((2, 3, 2, 2),)),
    Case(
        "reversible embedding",
        lambda x: _tied(x, tie=True),
        ((2, 3),),
        ("change",),
        values=(0, 1, 2),
        dtype="int64",
    ),
    Case(
        "untied embedding",
        lambda x: _tied(x, tie=False),
        ((2, 3),),
        ("change",),
        values=(0, 1, 2),
        dtype="int64",
    ),
    Case(
        "solarization",
        _layer("Solarization", addition_factor=0.1, threshold_factor=0.1, value_range=(0, 1)),
        ((1, 2, 2, 3),),
        ("nan",),
    ),
    Case(
        "auto contrast",
        _layer("AutoContrast", value_range=(0, 1)),
        ((2, 2, 3, 2),),
        ("change",),
        values=(0.1, 0.4, 0.5, 0.9),
        draws=60,
    ),
    Case(
        "clahe",
        _layer("ContrastLimitedAdaptiveHistogramEqualization", value_range=(0, 1), tile_grid_size=(2, 2)),
        ((1, 4, 4, 1),),
        ("change",),
        "data-dependent-index",
        values=(0.1, 0.4, 0.9),
    ),
    Case("random flip", _layer("RandomFlip"), ((1, 2, 3, 2),)),
    Case("random rotation", _layer("RandomRotation", 0.3), ((1, 2, 3, 2),)),
    Case("pipeline", _pipeline, ((1, 4, 4, 1),)),
]
