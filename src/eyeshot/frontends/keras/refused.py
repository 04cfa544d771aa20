"""What is refused on purpose, and why."""

from __future__ import annotations

FUNCTION = "runs a Python function, which no configuration holds"
COUNTED = "how many elements there are depends on the data"
SELDOM = "seldom part of a network, so nobody has said yet what it reads"

LAYERS: dict[str, str] = {
    "Lambda": FUNCTION,
    "TextVectorization": "splits strings, so how many tokens there are depends on the text",
    "TFSMLayer": "runs a TensorFlow SavedModel",
    "TorchModuleWrapper": "runs a PyTorch module: give that to eyeshot itself",
    "JaxLayer": "runs a JAX function: give that to eyeshot itself",
    "FlaxLayer": "runs a Flax module: give that to eyeshot itself",
    "MaxNumBoundingBoxes": "takes dictionaries of boxes, of which there are as many as the data has",
    "Layer": "the base class of layers",
    "Wrapper": "the base class of wrappers",
    "InputSpec": "no layer, but what a layer expects",
}

OPS: dict[str, str] = {
    FUNCTION: (
        "core.Map core.Scan core.AssociativeScan core.Cond core.Switch core.ForiLoop core.WhileLoop core.VectorizedMap "
        "linalg.JVP"
    ),
    COUNTED: "numpy.Nonzero numpy.Unique numpy.Bincount numpy.Arange numpy.Histogram",
    SELDOM: (
        "image.MapCoordinates image.SSIM image.ScaleAndTranslate linalg.Eig linalg.Lstsq linalg.LuFactor math.CDist "
        "math.ISTFT math.SegmentMax math.SegmentMin math.SegmentProd math.SegmentSum math.SegmentReduction "
        "math.ViewAsComplex math.ViewAsReal nn.CTCDecode nn.CTCLoss nn.Fold nn.Unfold nn.PSNR "
        "nn.SparseCategoricalCrossentropy numpy.AllClose numpy.Corrcoef numpy.Correlate numpy.Cross numpy.Geomspace "
        "numpy.IsIn numpy.Kron numpy.Linspace numpy.Logspace numpy.Ndim numpy.SearchSorted numpy.Size numpy.UnravelIndex "
        "numpy.Vander"
    ),
}

REFUSED: dict[str, str] = {
    **{f"layers.{name}": reason for name, reason in LAYERS.items()},
    **{name: reason for reason, names in OPS.items() for name in names.split()},
}
