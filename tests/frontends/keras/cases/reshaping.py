"""Layers that move, repeat, resize, cut off and pad."""

from __future__ import annotations

from itertools import product

from tests.frontends.keras.backend import keras
from tests.frontends.keras.case import Case

L = keras.layers


def _layer(name, *args, **kwargs):
    def call(x):  # a layer is made anew for each model, in the precision of the test
        return getattr(L, name)(*args, **kwargs)(x)

    return call


# Where a coefficient is 0, NaN passes it all the same: the gradient decides.
CASES = [
    Case("flatten", _layer("Flatten"), ((2, 3, 2, 2),)),
    Case("flatten vector", _layer("Flatten"), ((2, 3),)),
    Case("flatten first", _layer("Flatten", data_format="channels_first"), ((2, 3, 2, 2),)),
    Case("reshape", _layer("Reshape", (3, -1)), ((2, 2, 6),)),
    Case("reshape new axis", _layer("Reshape", (2, 6, 1)), ((2, 2, 6),)),
    Case("permute", _layer("Permute", (3, 1, 2)), ((1, 2, 3, 4),)),
    Case("repeat vector", _layer("RepeatVector", 3), ((2, 4),)),
    Case("zero padding1d", _layer("ZeroPadding1D", 2), ((1, 3, 2),)),
    Case("zero padding1d pair", _layer("ZeroPadding1D", (0, 2)), ((1, 3, 2),)),
    Case("zero padding2d", _layer("ZeroPadding2D", ((1, 0), (2, 3))), ((1, 3, 2, 2),)),
    Case(
        "zero padding2d pair", _layer("ZeroPadding2D", (1, 2), data_format="channels_first"), ((1, 2, 2, 3),)
    ),
    Case("zero padding3d", _layer("ZeroPadding3D", (1, 0, 2)), ((1, 2, 2, 2, 1),)),
    Case("cropping1d", _layer("Cropping1D", (1, 2)), ((1, 5, 2),)),
    Case("cropping2d", _layer("Cropping2D", ((1, 0), (0, 2))), ((1, 4, 5, 2),)),
    Case("cropping2d first", _layer("Cropping2D", 1, data_format="channels_first"), ((1, 2, 4, 3),)),
    Case("cropping3d", _layer("Cropping3D", (1, 0, 1)), ((1, 3, 2, 3, 1),)),
    Case("up sampling1d", _layer("UpSampling1D", 3), ((1, 3, 2),)),
    Case("up sampling2d", _layer("UpSampling2D", (2, 3)), ((1, 2, 3, 2),)),
    Case("up sampling2d first", _layer("UpSampling2D", 2, data_format="channels_first"), ((1, 2, 2, 3),)),
    Case(
        "up sampling2d bilinear",
        _layer("UpSampling2D", (2, 3), interpolation="bilinear"),
        ((1, 3, 3, 1),),
        ("gradient",),
    ),
    Case(
        "up sampling2d bicubic",
        _layer("UpSampling2D", (2, 3), interpolation="bicubic"),
        ((1, 5, 4, 1),),
        ("gradient",),
    ),
    Case("up sampling3d", _layer("UpSampling3D", (1, 2, 3)), ((1, 2, 2, 2, 1),)),
    *(
        Case(
            f"resizing {mode} {size} antialias {aa}",
            _layer("Resizing", *size, interpolation=mode, antialias=aa),
            ((1, 5, 6, 2),),
            ("gradient",),
        )
        for mode, size, aa in product(
            ("nearest", "bilinear", "bicubic"), ((3, 9), (10, 4), (5, 2)), (False, True)
        )
    ),
    Case(
        "resizing crop", _layer("Resizing", 4, 4, crop_to_aspect_ratio=True), ((1, 5, 8, 1),), ("gradient",)
    ),
    Case("resizing pad", _layer("Resizing", 6, 4, pad_to_aspect_ratio=True), ((1, 5, 8, 1),), ("gradient",)),
    Case(
        "resizing pad wide",
        _layer("Resizing", 4, 8, pad_to_aspect_ratio=True),
        ((1, 5, 4, 1),),
        ("gradient",),
    ),
    Case(
        "resizing first",
        _layer("Resizing", 2, 3, data_format="channels_first"),
        ((2, 2, 5, 4),),
        ("gradient",),
    ),
    Case("center crop", _layer("CenterCrop", 3, 2), ((2, 6, 5, 2),)),
    Case("center crop first", _layer("CenterCrop", 2, 3, data_format="channels_first"), ((1, 2, 5, 6),)),
    Case("center crop of less", _layer("CenterCrop", 6, 3), ((1, 4, 5, 1),), ("gradient",)),
]
