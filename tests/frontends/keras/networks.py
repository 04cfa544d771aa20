"""Networks that Keras and PyTorch have to see alike: `NETWORKS`, made of the steps in `twins`."""

from __future__ import annotations

from typing import Any

from tests.frontends.keras.twins import Join, Network, Step


def _conv(name: str, size: Any = 3, stride: int = 1, **kwargs: Any) -> Step:
    """A convolution that keeps the extent, for odd sizes and stride 1."""
    spans = [size] if isinstance(size, int) else size
    pads = tuple((kwargs.get("dilation", 1) * (k - 1) // 2,) * 2 for k in spans)
    return Step(name, "conv", size, stride, "same", pads[0] if isinstance(size, int) else pads, **kwargs)


def _bottleneck(name: str, stride: int) -> Join:
    """A residual block as keras.applications has it: the first 1x1 strides."""
    main = (
        Step(f"{name}_1", "conv", 1, stride),
        Step(f"{name}_1n", "norm"),
        _conv(f"{name}_2"),
        Step(f"{name}_3", "conv", 1, channels=8),
    )
    return Join(f"{name}_add", "add", (main, (Step(f"{name}_0", "conv", 1, stride, channels=8),)))


# Even extents with stride 2: "same" pads (0, 1) for 3x3 and (2, 3) for 7x7.
NETWORKS = (
    Network("plain", (_conv("c1"), _conv("c2"), _conv("c3", 5)), (20, 17)),
    Network(
        "strided_same",
        (
            Step("c1", "conv", 7, 2, "same", (2, 3)),
            Step("p1", "max", 3, 2, "same", (0, 1)),
            Step("c2", "conv", 3, 2, "same", (0, 1)),
            Step("c3", "conv", 2, 1, "same", (0, 1)),
        ),
    ),
    Network(
        "alexnet",
        (
            Step("c1", "conv", 11, 4),
            Step("p1", "max", 3, 2),
            _conv("c2", 5),
            Step("p2", "max", 3, 2),
            _conv("c3"),
            _conv("c4"),
        ),
        (83, 95),
    ),
    Network(
        "vgg",
        (
            _conv("c1"),
            _conv("c2"),
            Step("p1", "max", 2, 2),
            _conv("c3"),
            _conv("c4"),
            Step("p2", "max", 2, 2),
            _conv("c5"),
            Step("p3", "average", 2, 2),
        ),
    ),
    Network(
        "resnet",
        (
            Step("z1", "pad", pad=(3, 3)),
            Step("c1", "conv", 7, 2),
            Step("n1", "norm"),
            Step("a1", "act"),
            Step("z2", "pad", pad=(1, 1)),
            Step("p1", "max", 3, 2),
            _bottleneck("b1", 1),
            _bottleneck("b2", 2),
            Join("b3", "add", ((_conv("b3_1", channels=8),), ())),
        ),
        (48, 40),
    ),
    Network(
        "inception",
        (
            _conv("c1"),
            Join(
                "mixed",
                "cat",
                (
                    (Step("m0", "conv", 1),),
                    (Step("m1", "conv", 1), _conv("m2", 5)),
                    (_conv("m3"), _conv("m4")),
                    (Step("mp", "average", 3, 1, "same", (1, 1)), Step("m5", "conv", 1)),
                ),
            ),
            Join("reduced", "cat", ((Step("r1", "conv", 3, 2),), (Step("r2", "max", 3, 2),))),
        ),
        (21, 19),
    ),
    Network(
        "asymmetric",
        (_conv("c1", (1, 7)), _conv("c2", (7, 1)), _conv("c3", (3, 5)), Step("c4", "conv", (2, 3), 2)),
        (24, 26),
    ),
    Network(
        "densenet",
        (
            _conv("c1"),
            Join("d1", "cat", ((), (_conv("e1"),))),
            Join("d2", "cat", ((), (Step("e2n", "norm"), _conv("e2")))),
            Step("t", "conv", 1),
            Step("tp", "average", 2, 2),
            Join("d3", "cat", ((), (_conv("e3"),))),
        ),
    ),
    Network(
        "mobilenet",
        (
            Step("z1", "pad", pad=(0, 1)),
            Step("c1", "conv", 3, 2),
            Step("dw1", "depthwise", 3, 1, "same", (1, 1)),
            Step("pw1", "conv", 1),
            Step("z2", "pad", pad=(0, 1)),
            Step("dw2", "depthwise", 3, 2),
            Step("pw2", "conv", 1),
        ),
    ),
    Network(
        "xception",
        (
            Step("c1", "conv", 3, 2),
            Step("s1", "separable", 3, 1, "same", (1, 1)),
            Join(
                "add",
                "add",
                (
                    (Step("s2", "separable", 3, 1, "same", (1, 1)), Step("p1", "max", 3, 2, "same", (1, 1))),
                    (Step("short", "conv", 1, 2, "same"),),
                ),
            ),
        ),
        (31, 31),
    ),
    Network(
        "unet",
        (
            _conv("c1"),
            Join(
                "skip",
                "cat",
                (
                    (),
                    (
                        Step("down", "max", 2, 2),
                        _conv("c2"),
                        Step("up", "transposed", 2, 2, "valid"),
                    ),
                ),
            ),
            _conv("c3"),
        ),
    ),
    Network(
        "transposed_same",
        (
            Step("c1", "conv", 3, 2, "same", (0, 1)),
            Step("c2", "conv", 3, 2, "same", (0, 1)),
            Step("t1", "transposed", 4, 2, "same", (1, 1)),
            Step("t2", "transposed", 3, 2, "same", (0, 1)),
        ),
    ),
    Network(
        "valid_unet",
        (
            Step("c1", "conv", 3),
            Join(
                "skip",
                "cat",
                (
                    (Step("cut", "crop", pad=(4, 4)),),
                    (
                        Step("down", "max", 2, 2),
                        Step("c2", "conv", 3),
                        Step("c3", "conv", 3),
                        Step("up", "up", 2),
                    ),
                ),
            ),
            Step("c4", "conv", 3),
        ),
        (34, 30),
    ),
    Network(
        "pyramid",
        (
            Step("c1", "conv", 3, 2, "same", (0, 1)),
            Join(
                "merged",
                "add",
                (
                    (Step("side", "conv", 1),),
                    (Step("c2", "conv", 3, 2, "same", (0, 1)), Step("top", "conv", 1), Step("up", "up", 2)),
                ),
            ),
            _conv("smooth"),
        ),
    ),
    Network(
        "bilinear",
        (
            Step("c1", "conv", 3, 2, "same", (0, 1)),
            Step("c2", "conv", 3, 2, "same", (0, 1)),
            Step("up", "bilinear", 2),
            _conv("c3"),
        ),
    ),
    Network(
        "atrous",
        (
            _conv("c1"),
            _conv("c2", dilation=2),
            _conv("c3", dilation=4),
            Join("aspp", "cat", tuple((_conv(f"a{d}", dilation=d),) for d in (1, 3, 5))),
            Step("out", "conv", 1),
        ),
        (40, 30),
    ),
    Network(
        "two_resolutions",
        (
            _conv("stem"),
            Join(
                "exchange",
                "add",
                (
                    (_conv("high"),),
                    (Step("lower", "conv", 3, 2, "same", (0, 1)), _conv("low"), Step("raise", "up", 2)),
                ),
            ),
            _conv("out"),
        ),
    ),
    Network(
        "squeeze",
        (
            _conv("c1"),
            Join(
                "gated", "mul", ((), (Step("pool", "global"), Step("s1", "conv", 1), Step("s2", "conv", 1)))
            ),
            _conv("c2"),
        ),
    ),
    Network(
        "grouped",
        (
            _conv("c1", channels=6),
            _conv("c2", channels=6, more={"groups": 3}),
            Step("c3", "conv", 3, 2, channels=6),
        ),
        (23, 23),
    ),
    Network(
        "channels_first",
        (Step("c1", "conv", 3, 2), Step("p1", "average", 2, 2), Step("c2", "conv", 3, dilation=2)),
        (40, 33),
        channels_first=True,
    ),
    Network(
        "causal",
        tuple(Step(f"c{d}", "conv", 2, 1, "causal", (d, 0), dilation=d) for d in (1, 2, 4, 8)),
        (40,),
    ),
    Network(
        "gated_wave",
        (
            Step("c1", "conv", 3, 1, "causal", (2, 0)),
            Join(
                "gate",
                "mul",
                (
                    (Step("f1", "conv", 2, 1, "causal", (2, 0), 2),),
                    (Step("g1", "conv", 2, 1, "causal", (2, 0), 2),),
                ),
            ),
            Step("p1", "max", 2, 2),
        ),
        (30,),
    ),
    Network(
        "convolutions_then_lstm",
        (Step("c1", "conv", 5, 2), Step("p1", "max", 2, 2), Step("r1", "lstm")),
        (41,),
    ),
    Network(
        "volume",
        (
            _conv("c1"),
            Step("p1", "max", 2, 2),
            Step("c2", "conv", 3, 2, "same", (0, 1)),
            Step("up", "up", 2),
        ),
        (8, 8, 12),
        1,
    ),
)
