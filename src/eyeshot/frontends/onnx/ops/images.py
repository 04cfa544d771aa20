"""Encoded images."""

from __future__ import annotations

from eyeshot.errors import InputError
from eyeshot.frontends.onnx.context import Context, lowers
from eyeshot.graph import Ref


@lowers("ImageDecoder")
def image_decoder(ctx: Context, stream: Ref) -> Ref:
    """Refused: how large an image is, its bytes say, and no decoder runs here."""
    raise InputError(
        f"the shape that {ctx.label} gives depends on data: on the bytes of an encoded image. Cut the model after it and "
        "give the decoded image instead"
    )
