"""What is refused on purpose, and why."""

from __future__ import annotations

REFUSED: dict[str, str] = {
    "layers.Lambda": "any Python function",
    "layers.TextVectorization": "splits strings, so how many tokens there are depends on the text",
    "layers.TFSMLayer": "runs a TensorFlow SavedModel",
    "layers.TorchModuleWrapper": "runs a PyTorch module: give that to eyeshot itself",
    "layers.JaxLayer": "runs a JAX function: give that to eyeshot itself",
    "layers.FlaxLayer": "runs a Flax module: give that to eyeshot itself",
    "layers.MaxNumBoundingBoxes": "takes dictionaries of boxes, of which there are as many as the data has",
    "layers.Layer": "the base class of layers",
    "layers.Wrapper": "the base class of wrappers",
    "layers.InputSpec": "no layer, but what a layer expects",
}
