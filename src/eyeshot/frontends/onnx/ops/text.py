"""Strings: an element is one whole string."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eyeshot.errors import InputError
from eyeshot.frontends.compounds.indexing import SHAPELESS
from eyeshot.frontends.onnx.context import Context, Value, lowers
from eyeshot.graph import Ref
from eyeshot.graph.masks import masked
from eyeshot.relations import All


@lowers("StringConcat")
def string_concat(ctx: Context, x: Ref, y: Ref) -> Ref:
    """Each string reads its two parts."""
    return ctx.pointwise(x, y)


@lowers("RegexFullMatch", dtype="bool")
def regex_full_match(ctx: Context, x: Ref) -> Ref:
    """Each answer reads its string."""
    return ctx.pointwise(x)


@lowers("StringNormalizer")
def string_normalizer(
    ctx: Context, x: Ref, *, stopwords: Sequence[str] = (), is_case_sensitive: int = 0
) -> Value:
    """Strings in another case; where some are left out, which ones are where depends on all of them."""
    if not stopwords:
        return ctx.typed(ctx.pointwise(x), ctx.dtype())
    extent, given = x.shape[-1], ctx.value(0)
    count = extent
    if given is not None:
        words = [str(word) for word in given.reshape(-1)]
        listed = set(stopwords) if is_case_sensitive else {word.lower() for word in stopwords}
        count = sum((word if is_case_sensitive else word.lower()) not in listed for word in words)
    if not count:
        return ctx.typed(ctx.along(x, {-1: (All(), 1)}, reason=SHAPELESS), ctx.dtype())
    everything = ctx.reduce(x, [-1], summarises=False)
    out = ctx.along(ctx.broadcast(everything, (*x.shape[:-1], count)), {}, reason=SHAPELESS)
    return ctx.upper(out) if given is None else ctx.typed(out, ctx.dtype())


@lowers("StringSplit", dtype=(None, "int64"))
def string_split(ctx: Context, x: Ref, *, delimiter: str = "", maxsplit: int | None = None) -> list[Ref]:
    """The pieces of each string, and how many there are; how many at most, the longest one says."""
    given = ctx.value(0)
    if given is None:
        raise InputError(
            f"the shape that {ctx.label} gives depends on data: on how many pieces its strings have. "
            "Pass inputs={...} with the strings"
        )
    pieces = [
        len(str(text).split(delimiter or None, -1 if maxsplit is None else maxsplit)) for text in given.flat
    ]
    split = ctx.broadcast(ctx.reshape(x, (*x.shape, 1)), (*x.shape, max(pieces, default=0)))
    return [split, ctx.pointwise(x)]


@lowers("TfIdfVectorizer", dtype="float32")
def tf_idf(ctx: Context, x: Ref, *, ngram_indexes: Sequence[int]) -> Ref:
    """Each count of an n-gram reads all words of its row; columns that stand for no n-gram read nothing."""
    columns = np.arange(*ctx.bounded((max(ngram_indexes) + 1,)))
    used = np.isin(columns, ngram_indexes)
    read = ctx.along(x, {-1: (All(), len(columns))})
    return masked(ctx, read, used)
