"""Encoded images."""

from __future__ import annotations

from eyeshot.errors import InputError
from eyeshot.frontends.compounds.indexing import SHAPELESS
from eyeshot.frontends.onnx.context import Context, lowers
from eyeshot.graph import Ref


@lowers("ImageDecoder", dtype="uint8")
def image_decoder(ctx: Context, stream: Ref) -> Ref:
    """Each number may read every byte; how large the image is, the file has to declare."""
    declared = ctx.declared(ctx.node.outputs[0])
    if declared is None:
        raise InputError(
            f"the shape that {ctx.label} gives depends on the bytes of an encoded image, and the file does not declare it. "
            "Cut the model after it and give the decoded image instead"
        )
    return ctx.dense([stream], ctx.bounded(declared[0]), SHAPELESS)
