"""Exported programs: timm's and torchvision's networks as `torch.export` writes them, against the live model.

Each network is exported as it is ("training": composite ops, writes in place) and decomposed into core ATen ("core").
Identity modules leave nothing in a program, decomposed ones no dropout either: those have no row there.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch

import eyeshot
from eyeshot.frontends.torch.zoo import load

if TYPE_CHECKING:
    from eyeshot.fields import Report

_VARIANTS = ("training", "core")
_AT = {
    64: """
        timm:resnet18 timm:resnet26d timm:resnext26ts timm:seresnet50 timm:skresnet18 timm:resnest14d
        timm:res2net50_14w_8s timm:densenet121 timm:dla34 timm:hrnet_w18_small timm:vgg11_bn timm:mobilenetv2_050
        timm:mobilenetv3_small_050 timm:efficientnet_b0 timm:tf_efficientnet_lite0 timm:tf_efficientnetv2_b0
        timm:mnasnet_small timm:ghostnet_050 timm:lcnet_050 timm:tinynet_e timm:rexnet_100 timm:regnetx_002
        timm:regnety_002 timm:repvgg_a0 timm:gernet_s timm:ese_vovnet19b_dw timm:cspresnet50 timm:selecsls42
        timm:hardcorenas_a timm:fbnetc_100 timm:convnext_atto timm:convnextv2_atto timm:poolformer_s12
        timm:gcresnext26ts timm:nf_resnet26 timm:mobileone_s0 timm:inception_next_atto timm:convmixer_768_32
        torchvision:alexnet torchvision:squeezenet1_1 torchvision:shufflenet_v2_x0_5 torchvision:fcn_resnet50
        torchvision:lraspp_mobilenet_v3_large torchvision:deeplabv3_mobilenet_v3_large
    """,
    96: "timm:edgenext_xx_small timm:focalnet_tiny_srf timm:xception41 torchvision:googlenet",
    128: "timm:mobilevit_xxs timm:fastvit_t8",
    139: "timm:inception_v3 timm:inception_v4",
    224: """
        timm:vit_tiny_patch16_224 timm:deit_tiny_distilled_patch16_224 timm:swin_tiny_patch4_window7_224
        timm:mixer_s32_224 timm:resmlp_12_224 timm:pit_ti_224 timm:cait_xxs24_224 timm:xcit_nano_12_p16_224
        timm:beit_base_patch16_224 timm:levit_128s timm:pvt_v2_b0 timm:volo_d1_224 timm:efficientformer_l1
        timm:coatnet_pico_rw_224 timm:twins_svt_small timm:convit_tiny timm:tnt_s_legacy_patch16_224
        timm:visformer_tiny timm:crossvit_9_240 torchvision:vit_b_32 torchvision:swin_v2_t torchvision:maxvit_t
    """,
    256: "timm:maxvit_rmlp_pico_rw_256 timm:halonet26t timm:botnet26t_256 timm:swinv2_tiny_window8_256",
}
_SIZES = {name: size for size, names in _AT.items() for name in names.split()} | {"timm:crossvit_9_240": 240}
NETWORKS = dict.fromkeys(_SIZES, _VARIANTS)


def both(network: str, variant: str) -> tuple[Report, Report]:
    """The live model, and its exported file."""
    model = load(network, initialised=True).model
    size = (1, 3, _SIZES[network], _SIZES[network])
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        path = Path(folder) / "network.pt2"
        program = torch.export.export(model, (torch.zeros(size),))
        torch.export.save(program.run_decompositions() if variant == "core" else program, path)
        return eyeshot.analyze(model, size), eyeshot.analyze(path)
