"""Classical models and their features (ai.onnx.ml)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eyeshot.frontends.onnx.context import Context, Value, lowers
from eyeshot.graph import Ref
from eyeshot.relations import All, Table

ML = "ai.onnx.ml"


@lowers("Binarizer", "Imputer", domain=ML)
def each_element(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself."""
    return ctx.pointwise(x)


@lowers("ZipMap", domain=ML)
def zip_map(ctx: Context, x: Ref) -> Ref:
    """One map a row, from classes to the row's numbers: held as the tensor of these."""
    return x


@lowers("Scaler", domain=ML, dtype="float32")
def scaler(ctx: Context, x: Ref) -> Ref:
    """Each element reads itself; offset and scale are the op's own."""
    return ctx.pointwise(x)


@lowers("LabelEncoder", domain=ML)
def label_encoder(ctx: Context, x: Ref, **attributes: Any) -> Value:
    """Each label reads itself."""
    kinds = {"floats": "float32", "int64s": "int64", "strings": "string"}
    found = [kinds[name[7:]] for name in attributes if name.startswith("values_") and name[7:] in kinds]
    tensor = attributes.get("values_tensor")
    if "classes_strings" in attributes:  # opset 1: strings to integers, or the other way round
        found = ["int64" if ctx.dtype() == "string" else "string"]
    return ctx.typed(
        ctx.pointwise(x), tensor.dtype if tensor is not None else found[0] if found else ctx.dtype()
    )


@lowers("CategoryMapper", domain=ML)
def category_mapper(ctx: Context, x: Ref) -> Value:
    """Strings to integers, or the other way round, one by one."""
    return ctx.typed(ctx.pointwise(x), "int64" if ctx.dtype() == "string" else "string")


@lowers("OneHotEncoder", domain=ML, dtype="float32")
def one_hot_encoder(
    ctx: Context, x: Ref, *, cats_int64s: Sequence[int] = (), cats_strings: Sequence[str] = ()
) -> Ref:
    """Each element reads the one that it encodes; categories are a new last axis."""
    count = len(cats_int64s) or len(cats_strings)
    return ctx.broadcast(ctx.reshape(x, (*x.shape, 1)), (*x.shape, count))


@lowers("Normalizer", domain=ML, dtype="float32")
def normalizer(ctx: Context, x: Ref) -> Ref:
    """Each element reads its whole row."""
    return ctx.normalise(x, [-1])


@lowers("FeatureVectorizer", domain=ML, dtype="float32")
def feature_vectorizer(ctx: Context, *parts: Ref, inputdimensions: Sequence[int] = ()) -> Ref:
    """Columns of all inputs, end to end, cut to so many each or filled with zeros."""
    rows = [ref if len(ref.shape) > 1 else ctx.reshape(ref, (1, *ref.shape)) for ref in parts]
    wide = [
        ctx.pad(ref, {1: (0, count - ref.shape[1])})
        for ref, count in zip(rows, inputdimensions or [ref.shape[1] for ref in rows], strict=True)
    ]
    return ctx.concat(wide, 1)


@lowers("LinearRegressor", domain=ML, dtype="float32")
def linear_regressor(ctx: Context, x: Ref, *, targets: int = 1) -> Ref:
    """Each target reads all features of its row."""
    return ctx.along(_rows(ctx, x), {1: (All(), targets)})


@lowers("SVMRegressor", domain=ML, dtype="float32")
def svm_regressor(ctx: Context, x: Ref) -> Ref:
    """The one target reads all features of its row."""
    return ctx.reduce(_rows(ctx, x), [1], summarises=False)


@lowers("LinearClassifier", "SVMClassifier", domain=ML)
def classifier(
    ctx: Context,
    x: Ref,
    *,
    classlabels_ints: Sequence[int] = (),
    classlabels_strings: Sequence[str] = (),
    intercepts: Sequence[float] = (),
    **attributes: Any,
) -> list[Value]:
    """The label and each class's score read all features of their row."""
    labels = classlabels_strings or classlabels_ints
    rows = ctx.reduce(_rows(ctx, x), [1], summarises=False)
    scores = ctx.broadcast(rows, (rows.shape[0], len(labels) or max(2, len(intercepts))))
    label = ctx.reshape(rows, (rows.shape[0],))
    return [ctx.typed(label, "string" if classlabels_strings else "int64"), ctx.typed(scores, "float32")]


@lowers("TreeEnsemble", domain=ML)
def tree_ensemble(
    ctx: Context,
    x: Ref,
    *,
    nodes_featureids: Sequence[int],
    leaf_targetids: Sequence[int],
    nodes_truenodeids: Sequence[int],
    nodes_falsenodeids: Sequence[int],
    nodes_trueleafs: Sequence[int],
    nodes_falseleafs: Sequence[int],
    tree_roots: Sequence[int],
    n_targets: int = 1,
    post_transform: int = 0,
) -> Ref:
    """Each target reads the features that the trees which can answer for it ask for, all targets' after a softmax."""
    read: list[set[int]] = [set() for _ in range(n_targets)]
    for root in tree_roots:
        asked, targets, waiting, seen = set(), set(), [root], set()
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            asked.add(nodes_featureids[node])
            for children, leaves in (
                (nodes_truenodeids, nodes_trueleafs),
                (nodes_falsenodeids, nodes_falseleafs),
            ):
                if leaves[node]:
                    targets.add(leaf_targetids[children[node]])
                else:
                    waiting.append(children[node])
        for target in targets:
            # A tree of one leaf is written as a node whose branches are the same leaf: it asks for nothing.
            read[target] |= asked
    return _of_features(ctx, x, read, mixes=post_transform != 0)


@lowers("TreeEnsembleRegressor", domain=ML, dtype="float32")
def tree_regressor(
    ctx: Context,
    x: Ref,
    *,
    n_targets: int = 1,
    target_ids: Sequence[int] = (),
    target_treeids: Sequence[int] = (),
    nodes_treeids: Sequence[int] = (),
    nodes_featureids: Sequence[int] = (),
    nodes_modes: Sequence[str] = (),
    post_transform: str = "NONE",
) -> Ref:
    """Each target reads the features that the trees which can answer for it ask for, all targets' after a softmax."""
    read = _by_tree(n_targets, target_ids, target_treeids, nodes_treeids, nodes_featureids, nodes_modes)
    return _of_features(ctx, x, read, mixes=post_transform != "NONE")


@lowers("TreeEnsembleClassifier", domain=ML)
def tree_classifier(
    ctx: Context,
    x: Ref,
    *,
    classlabels_int64s: Sequence[int] = (),
    classlabels_strings: Sequence[str] = (),
    nodes_featureids: Sequence[int] = (),
    nodes_modes: Sequence[str] = (),
) -> list[Value]:
    """The label and each class's score read all features that some tree asks for."""
    count = len(classlabels_int64s) or len(classlabels_strings)
    asked = {f for f, mode in zip(nodes_featureids, nodes_modes, strict=True) if mode != "LEAF"}
    scores = _of_features(ctx, x, [asked] * count, mixes=False)
    label = ctx.reshape(ctx.slice(scores, 1, 0, 1), (scores.shape[0],))
    return [ctx.typed(label, "string" if classlabels_strings else "int64"), ctx.typed(scores, "float32")]


def _by_tree(
    count: int,
    targets: Sequence[int],
    target_trees: Sequence[int],
    trees: Sequence[int],
    features: Sequence[int],
    modes: Sequence[str],
) -> list[set[int]]:
    """The features that each target's trees ask for."""
    asked: dict[int, set[int]] = {}
    for tree, feature, mode in zip(trees, features, modes, strict=True):
        if mode != "LEAF":
            asked.setdefault(tree, set()).add(feature)
    read: list[set[int]] = [set() for _ in range(count)]
    for target, tree in zip(targets, target_trees, strict=True):
        read[target] |= asked.get(tree, set())
    return read


def _of_features(ctx: Context, x: Ref, read: list[set[int]], *, mixes: bool) -> Ref:
    rows = _rows(ctx, x)
    if mixes:
        read = [set().union(*read)] * len(read)
    table = Table.of_rows([sorted(each) for each in read], rows.shape[1])
    return ctx.along(rows, {1: (table, len(read))})


def _rows(ctx: Context, x: Ref) -> Ref:
    """One row a sample; a vector is one sample."""
    return x if len(x.shape) > 1 else ctx.reshape(x, (1, *x.shape))
