"""Convolutions: paddings of every parity, strides, dilation, groups, both layouts; and transposed ones."""

from __future__ import annotations

from itertools import product

from tests.frontends.keras.backend import keras
from tests.frontends.keras.case import Case

L = keras.layers


def _layer(name, *args, **kwargs):
    def call(x):  # a layer is made anew for each model, in the precision of the test
        return getattr(L, name)(*args, **kwargs)(x)

    return call


# Every parity of extent, kernel and stride, with dilation where Keras allows it.
ONE = [
    Case(
        f"conv1d {padding} n{n} k{k} s{s} d{d}",
        _layer("Conv1D", 2, k, strides=s, dilation_rate=d, padding=padding),
        ((1, n, 2),),
        ("nan",) if n > 7 else ("gradient", "nan"),
    )
    for padding, n, k, (s, d) in product(
        ("valid", "same", "causal"), (7, 8), (1, 2, 3), ((1, 1), (2, 1), (3, 1), (1, 2))
    )
]

TURNED = [
    Case(
        f"conv1d transpose {padding} n{n} k{k} s{s} d{d} {extra}",
        _layer("Conv1DTranspose", 2, k, strides=s, dilation_rate=d, padding=padding, output_padding=extra),
        ((1, n, 2),),
        ("nan",),
    )
    for padding, n, k, (s, d), extra in product(
        ("valid", "same"), (3, 4), (1, 2, 3, 4, 5), ((1, 1), (2, 1), (3, 1), (1, 2)), (None,)
    )
] + [
    Case(
        f"conv1d transpose {padding} k{k} s{s} extra{extra}",
        _layer("Conv1DTranspose", 2, k, strides=s, padding=padding, output_padding=extra),
        ((1, 3, 1),),
        ("nan",),
    )
    for padding, k, s, extra in product(("valid", "same"), (2, 3, 5), (2, 3), (0, 1))
]

CASES = [
    *ONE,
    *TURNED,
    Case("conv2d", _layer("Conv2D", 3, (3, 2), strides=(2, 1), padding="same"), ((2, 5, 4, 2),)),
    Case("conv2d relu no bias", _layer("Conv2D", 3, 3, activation="relu", use_bias=False), ((1, 5, 4, 2),)),
    Case("conv2d softmax", _layer("Conv2D", 3, 1, activation="softmax"), ((1, 2, 3, 2),)),
    Case(
        "conv2d dilated", _layer("Conv2D", 2, (2, 3), dilation_rate=(3, 2), padding="same"), ((1, 6, 7, 1),)
    ),
    Case("conv2d groups", _layer("Conv2D", 4, 3, groups=2, padding="same"), ((1, 4, 3, 6),)),
    Case("conv2d depthwise groups", _layer("Conv2D", 4, 3, groups=4), ((1, 4, 3, 4),)),
    Case(
        "conv2d channels first",
        _layer("Conv2D", 3, 3, strides=2, padding="same", data_format="channels_first"),
        ((1, 2, 6, 5),),
    ),
    Case(
        "conv2d groups first", _layer("Conv2D", 4, 2, groups=2, data_format="channels_first"), ((1, 2, 4, 3),)
    ),
    Case("conv3d", _layer("Conv3D", 2, (1, 2, 3), strides=(1, 2, 1), padding="same"), ((1, 2, 4, 3, 2),)),
    Case("conv3d first", _layer("Conv3D", 2, 2, data_format="channels_first"), ((1, 2, 3, 3, 2),)),
    Case("depthwise1d", _layer("DepthwiseConv1D", 3, padding="same", depth_multiplier=2), ((2, 6, 2),)),
    Case("depthwise1d strides", _layer("DepthwiseConv1D", 3, strides=2), ((1, 7, 3),)),
    Case(
        "depthwise2d",
        _layer("DepthwiseConv2D", 3, strides=2, padding="same", depth_multiplier=2),
        ((1, 6, 5, 2),),
    ),
    Case(
        "depthwise2d dilated",
        _layer("DepthwiseConv2D", 2, dilation_rate=2, activation="relu"),
        ((1, 5, 4, 2),),
    ),
    Case(
        "depthwise2d first",
        _layer("DepthwiseConv2D", (3, 2), padding="same", data_format="channels_first", use_bias=False),
        ((1, 2, 4, 5),),
    ),
    Case("separable1d", _layer("SeparableConv1D", 3, 3, padding="same"), ((1, 6, 2),)),
    Case("separable1d dilated", _layer("SeparableConv1D", 3, 3, dilation_rate=2), ((1, 7, 2),)),
    Case(
        "separable2d",
        _layer("SeparableConv2D", 3, 3, strides=2, padding="same", depth_multiplier=2),
        ((1, 6, 5, 2),),
    ),
    Case(
        "separable2d first",
        _layer("SeparableConv2D", 3, 2, use_bias=False, data_format="channels_first"),
        ((1, 2, 4, 3),),
    ),
    Case(
        "conv2d transpose", _layer("Conv2DTranspose", 3, (4, 3), strides=2, padding="same"), ((1, 3, 2, 2),)
    ),
    Case("conv2d transpose valid", _layer("Conv2DTranspose", 2, 2, strides=3), ((1, 2, 3, 2),)),
    Case(
        "conv2d transpose first",
        _layer(
            "Conv2DTranspose", 2, 3, strides=2, padding="same", use_bias=False, data_format="channels_first"
        ),
        ((1, 2, 3, 2),),
    ),
    Case(
        "conv3d transpose",
        _layer("Conv3DTranspose", 2, 2, strides=(1, 2, 1), padding="same"),
        ((1, 2, 2, 3, 1),),
    ),
]
