"""The networks of TF-Slim (`tf_slim/nets` and `models/research/slim/nets`), without their classifiers.

ResNets stride in the last unit of a block; Inception-v2 and the ResNets' first pool pad SAME, so their
paddings depend on the input's extent. Endpoints are named as TF-Slim names them.
"""

from __future__ import annotations

Stages = tuple[tuple[str, str], ...]

_ALEXNET_V2 = "conv1 c11/4; pool1 m3/2; conv2 c5s; pool2 m3/2; conv3 c3s; conv4 c3s; conv5 c3s; pool5 m3/2"

_INCEPTION_V2_TAIL = """
MaxPool_2a_3x3 m3/2; Conv2d_2b_1x1 c1; Conv2d_2c_3x3 c3; MaxPool_3a_3x3 m3/2;
Mixed_3b BLOCK; Mixed_3c BLOCK; Mixed_4a REDUCE;
Mixed_4b BLOCK; Mixed_4c BLOCK; Mixed_4d BLOCK; Mixed_4e BLOCK; Mixed_5a REDUCE;
Mixed_5b BLOCK; Mixed_5c cat{ c1 | c1 c3 | c1 c3 c3 | m3 c1 }
"""
_INCEPTION_V2 = {
    "BLOCK": "cat{ c1 | c1 c3 | c1 c3 c3 | a3p1 c1 }",
    "REDUCE": "cat{ c1 c3/2 | c1 c3 c3/2 | m3/2 }",
}

_INCEPTION_V3_STAGES = """
Conv2d_1a_3x3 c3/2; Conv2d_2a_3x3 c3; Conv2d_2b_3x3 c3s; MaxPool_3a_3x3 m3/2; Conv2d_3b_1x1 c1;
Conv2d_4a_3x3 c3; MaxPool_5a_3x3 m3/2; Mixed_5b BLOCK5; Mixed_5c BLOCK5; Mixed_5d BLOCK5;
Mixed_6a cat{ c3/2 | c1 c3s c3/2 | m3/2 }; Mixed_6b BLOCK6; Mixed_6c BLOCK6; Mixed_6d BLOCK6; Mixed_6e BLOCK6;
Mixed_7a cat{ c1 c3/2 | c1 c1x7s c7x1s c3/2 | m3/2 }; Mixed_7b BLOCK7; Mixed_7c BLOCK7
"""
_INCEPTION_V3 = {
    "BLOCK5": "cat{ c1 | c1 c5s | c1 c3s c3s | a3s c1 }",
    "BLOCK6": "cat{ c1 | c1 c1x7s c7x1s | c1 c7x1s c1x7s c7x1s c1x7s | a3s c1 }",
    "BLOCK7": "cat{ c1 | c1 cat{ c1x3s | c3x1s } | c1 c3s cat{ c1x3s | c3x1s } | a3s c1 }",
}

_VGG_A, _VGG_16 = (1, 1, 2, 2, 2), (2, 2, 3, 3, 3)
_RESNETS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3)}


def _stages(text: str, prefix: str = "", blocks: dict[str, str] | None = None) -> Stages:
    stages = [stage.split(maxsplit=1) for stage in text.split(";")]
    return tuple((prefix + name, (blocks or {}).get(layers.strip(), layers)) for name, layers in stages)


def _vgg(name: str, convolutions: tuple[int, ...]) -> Stages:
    stages = []
    for level, count in enumerate(convolutions, 1):
        stages += [(f"{name}/conv{level}/conv{level}_{index}", "c3s r") for index in range(1, count + 1)]
        stages += [(f"{name}/pool{level}", "m2/2")]
    return tuple(stages)


def _resnet(version: int, depth: int) -> Stages:
    """Post-activation (v1) or pre-activation (v2) bottlenecks; the first shortcut of a block projects."""
    name = f"resnet_v{version}_{depth}"
    stages = [(f"{name}/conv1", "c7/2p3 n r" if version == 1 else "c7/2p3"), (f"{name}/pool1", "m3/2s")]
    for block, units in enumerate(_RESNETS[depth], 1):
        texts = []
        for unit in range(units):
            stride = 2 if unit == units - 1 and block < 4 else 1
            identity = "m1/2" if stride == 2 else ""
            if version == 1:
                shortcut = identity if unit else f"c1/{stride} n"
                texts.append(f"add{{ {shortcut} | c1 n r c3/{stride}p1 n r c1 n }} r")
            else:
                shortcut = identity if unit else f"n r c1/{stride}"
                texts.append(f"add{{ {shortcut} | n r c1 n r c3/{stride}p1 n r c1 }}")
        stages.append((f"{name}/block{block}", " ".join(texts)))
    return tuple(stages)


def networks() -> dict[str, tuple[Stages, str]]:
    """Stages and default padding (s for SAME, v for VALID) by name."""
    separable = "Conv2d_1a_7x7 w7/2 c1; " + _INCEPTION_V2_TAIL
    plain = "Conv2d_1a_7x7 c7/2; " + _INCEPTION_V2_TAIL
    return {
        "alexnet_v2": (_stages(_ALEXNET_V2, "alexnet_v2/"), "v"),
        "vgg_a": (_vgg("vgg_a", _VGG_A), "v"),
        "vgg_16": (_vgg("vgg_16", _VGG_16), "v"),
        "inception_v2": (_stages(separable, blocks=_INCEPTION_V2), "s"),
        "inception_v2-no-separable-conv": (_stages(plain, blocks=_INCEPTION_V2), "s"),
        "inception_v3": (_stages(_INCEPTION_V3_STAGES, blocks=_INCEPTION_V3), "v"),
        **{f"resnet_v{v}_{depth}": (_resnet(v, depth), "v") for v in (1, 2) for depth in _RESNETS},
    }
