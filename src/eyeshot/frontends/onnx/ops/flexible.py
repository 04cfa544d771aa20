"""Attention whose scores and probabilities the model changes by graphs of its own (ai.onnx.preview)."""

from __future__ import annotations

from math import prod

from eyeshot.errors import FileFormatError
from eyeshot.frontends.compounds.norms import softmax
from eyeshot.frontends.compounds.products import product
from eyeshot.frontends.onnx.context import Context, Value, lowers
from eyeshot.frontends.onnx.model import Graph
from eyeshot.graph import Ref
from eyeshot.relations.tables import stretch


@lowers("FlexAttention", domain="ai.onnx.preview")
def flex_attention(
    ctx: Context,
    query: Ref,
    key: Ref,
    value: Ref,
    *,
    score_mod: Graph | None = None,
    prob_mod: Graph | None = None,
) -> Ref:
    """Each output reads its query, the keys that the first graph's masks leave, and one feature of their values."""
    heads = query.shape[1]
    k, v = (
        ctx.along(ref, {1: (stretch(heads // ref.shape[1], ref.shape[1]), heads)}) for ref in (key, value)
    )
    scores = _changed(ctx, product(ctx, query, ctx.permute(k, (0, 1, 3, 2))), score_mod)
    out = product(ctx, _changed(ctx, softmax(ctx, scores, -1), prob_mod), v)
    ctx.macs += prod(scores.shape) * (query.shape[-1] + v.shape[-1])
    return out


def _changed(ctx: Context, x: Ref, graph: Graph | None) -> Ref:
    """``x`` after a graph that keeps its shape."""
    if graph is None:
        return x
    item = ctx.run(graph, [Value(x, ctx.dtype())])[0]
    if not isinstance(item, Value) or item.ref.shape != x.shape:
        raise FileFormatError(
            f"{ctx.label} has a graph that does not give a tensor of its input's shape {x.shape}"
        )
    return item.ref
