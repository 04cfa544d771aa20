"""Layers that change images: most do so in training alone."""

from __future__ import annotations

from eyeshot.frontends.keras.context import Context, lowers
from eyeshot.graph import Ref
from eyeshot.relations import All

AUGMENTING = (
    "AugMix CutMix Equalization MixUp RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter "
    "RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale "
    "RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness "
    "RandomShear RandomTranslation RandomZoom"
)


@lowers(*(f"layers.{name}" for name in AUGMENTING.split()))
def augmenting(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself at inference."""
    note = "layers that augment images are read as at inference, where they change nothing"
    if note not in ctx.graph.notes:
        ctx.graph.notes.append(note)
    return x


@lowers("layers.AutoContrast")
def auto_contrast(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself, and the least and the largest along the second and third axis."""
    return ctx.normalise(x, [1, 2])


@lowers("layers.ContrastLimitedAdaptiveHistogramEqualization")
def adaptive_equalization(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself, and may read all of its image's channel: bins are looked up by value."""
    first = len(x.shape) - (2 if ctx.options.get("data_format") == "channels_first" else 3)
    read = ctx.along(x, {axis: (All(), 1) for axis in (first, first + 1)}, reason="data-dependent-index")
    return ctx.pointwise(x, read)
