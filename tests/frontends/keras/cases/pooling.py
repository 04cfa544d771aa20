"""Pooling."""

from __future__ import annotations

from itertools import product

from tests.frontends.keras.backend import keras
from tests.frontends.keras.case import Case

L = keras.layers


def _layer(name, *args, **kwargs):
    def call(x):  # a layer is made anew for each model, in the precision of the test
        return getattr(L, name)(*args, **kwargs)(x)

    return call


# What a maximum reads, only NaN finds in one draw.
CASES = [
    Case(
        f"{kind}1d {padding} n{n} k{k} s{s}",
        _layer(f"{kind}Pooling1D", k, strides=s, padding=padding),
        ((1, n, 2),),
        ("nan",),
    )
    for kind, padding, n, k, s in product(
        ("Max", "Average"), ("valid", "same"), (7, 8), (2, 3), (None, 1, 2, 4)
    )
] + [
    Case("average2d", _layer("AveragePooling2D", (3, 2), padding="same"), ((2, 5, 4, 2),)),
    Case(
        "average2d first",
        _layer("AveragePooling2D", 2, strides=1, data_format="channels_first"),
        ((1, 2, 3, 4),),
    ),
    Case("max2d", _layer("MaxPooling2D", 3, strides=2, padding="same"), ((1, 6, 5, 2),), ("nan",)),
    Case("max2d first", _layer("MaxPooling2D", 2, data_format="channels_first"), ((1, 2, 5, 4),), ("nan",)),
    Case("max3d", _layer("MaxPooling3D", (1, 2, 3), strides=2, padding="same"), ((1, 3, 4, 5, 1),), ("nan",)),
    Case("average3d", _layer("AveragePooling3D", 2, data_format="channels_first"), ((1, 2, 2, 4, 3),)),
    Case("global average1d", _layer("GlobalAveragePooling1D"), ((2, 4, 3),)),
    Case(
        "global average1d first", _layer("GlobalAveragePooling1D", data_format="channels_first"), ((2, 3, 4),)
    ),
    Case("global max1d", _layer("GlobalMaxPooling1D", keepdims=True), ((2, 4, 3),), ("nan",)),
    Case("global average2d", _layer("GlobalAveragePooling2D", keepdims=True), ((2, 2, 3, 2),)),
    Case(
        "global max2d first",
        _layer("GlobalMaxPooling2D", data_format="channels_first"),
        ((1, 2, 2, 3),),
        ("nan",),
    ),
    Case("global average3d", _layer("GlobalAveragePooling3D"), ((1, 2, 3, 2, 2),)),
    Case("global max3d", _layer("GlobalMaxPooling3D"), ((1, 2, 3, 2, 2),), ("nan",)),
    Case("adaptive average1d", _layer("AdaptiveAveragePooling1D", 3), ((1, 7, 2),)),
    Case("adaptive max1d", _layer("AdaptiveMaxPooling1D", 3), ((1, 7, 2),), ("nan",)),
    Case("adaptive average2d", _layer("AdaptiveAveragePooling2D", (2, 3)), ((1, 5, 4, 2),)),
    Case(
        "adaptive max2d first",
        _layer("AdaptiveMaxPooling2D", 3, data_format="channels_first"),
        ((1, 2, 5, 4),),
        ("nan",),
    ),
    Case("adaptive average3d", _layer("AdaptiveAveragePooling3D", 2), ((1, 3, 2, 4, 1),)),
    Case("adaptive max3d", _layer("AdaptiveMaxPooling3D", (1, 2, 2)), ((1, 3, 2, 4, 1),), ("nan",)),
]
