"""Operators that make tensors of nothing but numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from eyeshot.errors import FileFormatError
from eyeshot.frontends.onnx.context import Context, Value, lowers
from eyeshot.frontends.onnx.elements import Elements
from eyeshot.frontends.onnx.tensors import Blob, SparseBlob
from eyeshot.frontends.onnx.values import range_length
from eyeshot.graph import Ref

CONTENTS = {
    "value_float": "float32",
    "value_floats": "float32",
    "value_int": "int64",
    "value_ints": "int64",
    "value_string": "object",
    "value_strings": "object",
}


@lowers("Constant")
def constant(ctx: Context, **contents: Any) -> Value:
    """A tensor inside the file."""
    blob = contents.get("value")
    if isinstance(blob, Blob):
        shape = ctx.bounded(blob.shape)
        return ctx.typed(ctx.constant(shape), blob.dtype, Elements(blob.array))
    sparse = contents.get("sparse_value")
    if isinstance(sparse, SparseBlob):
        dtype = sparse.values.dtype if sparse.values else "float32"
        return ctx.typed(ctx.constant(ctx.bounded(sparse.shape)), dtype)
    for name, dtype in CONTENTS.items():
        if name in contents:
            held = np.asarray(contents[name], dtype)
            spelt = "string" if dtype == "object" else dtype
            return ctx.typed(ctx.constant(held.shape), spelt, Elements.of(held, dtype))
    raise FileFormatError(f"{ctx.label} holds nothing")


@lowers("ConstantOfShape")
def constant_of_shape(ctx: Context, shape: Ref, *, value: Blob | None = None) -> Value:
    """One number everywhere; it reads nothing."""
    extents = ctx.bounded(ctx.integers(0, "shape") or [])
    return ctx.typed(ctx.constant(extents), value.dtype if value is not None else "float32")


@lowers("Range")
def steps(ctx: Context, start: Ref, limit: Ref, delta: Ref) -> Ref:
    """Numbers in even steps read where they start and how far apart they are."""
    ends = [ctx.value(place) for place in range(3)]
    for place, what in enumerate(("start", "limit", "step")):
        if ends[place] is None:
            raise ctx.unsettled(place, what)
    count = ctx.bounded((range_length(*ends),))
    return ctx.pointwise(start, delta, shape=count)
