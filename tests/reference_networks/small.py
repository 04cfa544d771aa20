"""Small networks: other tools' tests and examples, PatchGANs, causal stacks, U-Nets.

Sources stand with the figures in `tests/data/receptive_fields.csv`.
"""

from __future__ import annotations

Stages = tuple[tuple[str, str], ...]

_ALIGNED = "add{ c1/4 | c3/2p1,0 c1/2 }"
_TWICE = _ALIGNED + " r add{ c1/2 | c3/2p1,0 } r"

# The networks of google-research/receptive_field's own tests, and the toy of Araujo et al. (Distill 2019).
ALIGNED: dict[str, Stages] = {
    "branches k1s4 + (k3s2p(1,0) > k1s2)": (("add", _ALIGNED),),
    "create_test_network_1": (("output", _ALIGNED + " r"),),
    "create_test_network_2": (("output", "add{ c1/4 | m3/2p1,0 m1/2 } r"),),
    "create_test_network_5 (k 3x5 s2, k 3x1 s2)": (("output", "c3x5/2 c3x1/2 r"),),
    "create_test_network_6": (("output", "add{ c1/4 | c3/2p1,0 c1/2 o } r"),),
    "create_test_network_7": (("output", _ALIGNED + " r"),),
    "create_test_network_8": (("output", _TWICE),),
    "create_test_network_8_keras": (("output", _TWICE),),
}
SAME_4: Stages = (("output", "add{ c1/4v | c3/2 c1/2v } r"),)
SAME_9: Stages = (("output", "add{ c1/4 | c3/2 c1/2 } r add{ c1/2 | c3/2 } r"),)

README_2D: Stages = (
    ("conv 7x7 s2", "c7/2p3 n r"),
    ("maxpool 3x3 s2", "m3/2p1"),
    ("avgpool 3x3 s2", "a3/2p1"),
)
README_3D: Stages = (("conv3d k3", "c3p1 n r"), ("maxpool3d k2 s2 p1", "m2/2p1"))
CODINGACE: Stages = (("Conv 1", "c3p1"), ("Conv 2", "c3/2p1"), ("Pool 1", "m2/2"), ("Conv 3", "c3d2p2"))

PATCH_GANS: dict[str, Stages] = {
    "PatchGAN n_layers=0": (("output", "c1 r c1 r c1"),),
    **{
        f"PatchGAN n_layers={n}": (
            ("output", " ".join(["c4/2p1 r", *["c4/2p1 n r"] * (n - 1), "c4p1 n r c4p1"])),
        )
        for n in (1, 3, 4)
    },
}


def _causal(dilation: int) -> str:
    return f"c2d{dilation}p{dilation},0"


def _tcn(stacks: int, convolutions: int) -> Stages:
    """Residual blocks with dilations 1, 2, 4, 8; the figures count one convolution a block, or two."""
    blocks = [
        "add{ | " + f"{_causal(dilation)} r " * convolutions + "} r"
        for _ in range(stacks)
        for dilation in (1, 2, 4, 8)
    ]
    return (("output", " ".join(blocks)),)


TWO_CONVOLUTIONS = ", two convolutions a block"
CAUSAL: dict[str, Stages] = {
    "10 dilated k2 convs d=1..512, no initial causal conv (1D)": (
        ("output", " ".join(_causal(2**level) for level in range(10))),
    ),
    **{
        f"TCN k2 d=[1,2,4,8] stacks={stacks} (1D causal){suffix}": _tcn(stacks, convolutions)
        for stacks in (1, 3)
        for convolutions, suffix in ((1, ""), (2, TWO_CONVOLUTIONS))
    },
}


def u_net(depth: int, kernel: int) -> str:
    """Two convolutions a level, max-pool 2, transposed convolution k2 s2, skips by concatenation."""
    block = f"c{kernel} n r c{kernel} n r"
    return block if depth == 0 else f"{block} cat{{ | m2/2 {u_net(depth - 1, kernel)} t2/2 }} {block}"


# Depth (poolings) and kernel of each configuration file of vinloo/u-net-receptive-field-study.
U_NETS: dict[str, Stages] = {
    f"U-Net {name}.json": (("output", u_net(depth, kernel) + " c1"),)
    for name, depth, kernel in (
        ("trf54", 3, 2),
        ("trf100", 3, 3),
        ("trf204", 4, 3),
        ("trf230", 3, 6),
        ("trf360", 3, 9),
        ("trf412", 5, 3),
    )
}
