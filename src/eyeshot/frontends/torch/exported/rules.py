"""Ops of an exported program that come in another form than a live capture records: renamed, adopted, or dropped.

Programs hold composite ops and writes in place as they were called. Most composite ops have lowerings of their own; here
are those that a live capture turns into others, so that both ways in give one record.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from eyeshot.errors import FileFormatError, UnsupportedOpError
from eyeshot.frontends.torch.aliases import Node
from eyeshot.frontends.torch.trace import Value

if TYPE_CHECKING:
    from eyeshot.frontends.torch.exported.replay import Replay
    from eyeshot.frontends.torch.exported.schema import Meta

Rule = Callable[..., "Node | list[Node] | None"]
RULES: dict[str, Rule] = {}


def rule(*ops: str) -> Callable[[Rule], Rule]:
    """Register one function for several ops.

    It is called as ``function(replay, meta, *args, **kwargs)``, with a `Node` in the place of every tensor and the `Meta`
    of the output, and returns the output's node, or those of several; None where the general way should go on.
    """

    def register(function: Rule) -> Rule:
        RULES.update({f"aten.{op}": function for op in ops})
        return function

    return register


@rule("detach.default", "detach_.default", "alias.default", "lift.default", "lift_fresh.default")
def same(replay: Replay, meta: Meta, x: Node, *args: Any, **kwargs: Any) -> Node:
    """The tensor itself."""
    return x


@rule("clone.default", "lift_fresh_copy.default")
def clone(replay: Replay, meta: Meta, x: Node, *args: Any, **kwargs: Any) -> Node:
    """A new tensor that stands for the same Value."""
    return replay.fresh(replay.value(x), ordered=meta.contiguous)


@rule("contiguous.default")
def contiguous(replay: Replay, meta: Meta, x: Node, *args: Any, **kwargs: Any) -> Node:
    """A copy where the elements are not already in order."""
    return x if x.ordered else replay.fresh(replay.value(x))


@rule("dropout.default", "feature_dropout.default", "alpha_dropout.default", "feature_alpha_dropout.default")
@rule(
    "dropout_.default", "feature_dropout_.default", "alpha_dropout_.default", "feature_alpha_dropout_.default"
)
@rule("native_dropout.default")
def dropout(replay: Replay, meta: Meta, x: Node, p: float = 0.5, train: bool | None = True) -> Node | None:
    """Nothing in eval mode."""
    if not train or p == 0:
        return x
    replay.training = True
    return None


@rule(
    "to.device",
    "to.dtype",
    "to.dtype_layout",
    "to.other",
    "_to_copy.default",
    "cpu.default",
    "type_as.default",
)
def cast(replay: Replay, meta: Meta, x: Node, *args: Any, **kwargs: Any) -> Node:
    """Devices and layouts are ignored; a change of dtype is aten._to_copy."""
    return x if meta.dtype == x.dtype else replay.fresh(_cast(replay, x, meta.dtype), ordered=meta.contiguous)


def _cast(replay: Replay, x: Node, dtype: str) -> Value:
    value = replay.value(x)
    if value.dtype == dtype:
        return value
    return replay.tape.emit("aten._to_copy.default", (value,), {"dtype": dtype}, value.shape, dtype)


@rule(
    "view.default", "reshape.default", "_unsafe_view.default", "_reshape_alias.default", "flatten.using_ints",
    "unflatten.int", "view_as.default", "reshape_as.default", "ravel.default",
)  # fmt: skip
def reshape(replay: Replay, meta: Meta, x: Node, *args: Any, **kwargs: Any) -> Node:
    """Always aten.view; a view of the tensor where its elements are in order."""
    if prod(meta.shape) != prod(x.shape):
        raise FileFormatError(
            f"the exported program reshapes {x.shape} to {meta.shape}, which has other elements"
        )
    if meta.shape == x.shape and meta.dtype == x.dtype:
        return x
    wanted = list(meta.shape)
    value = replay.tape.emit("aten.view.default", (replay.value(x), wanted), {}, meta.shape, x.dtype)
    if x.ordered:
        return replay.view(x, value, meta, "aten.view.default", (wanted,), {})
    return replay.fresh(value)


@rule("as_strided.default")
def as_strided(
    replay: Replay, meta: Meta, x: Node, size: list[int], stride: list[int], storage_offset: int | None = None
) -> Node:
    """Strides speak of memory, so the operand is the tensor that owns it."""
    root = x
    while root.parent is not None:
        root = root.parent
    if not root.ordered or (storage_offset is None and root is not x):
        raise UnsupportedOpError(
            {"aten.as_strided.default (memory out of order)": [replay.tape.module or "the model"]}
        )
    rest = (size, stride, storage_offset or 0)
    value = replay.tape.emit(
        "aten.as_strided.default", (replay.value(root), *rest), {}, meta.shape, meta.dtype
    )
    return replay.view(root, value, meta, "aten.as_strided.default", rest, {})


def _spread(value: int | list[int], rank: int) -> list[int]:
    items = [value] if isinstance(value, int) else list(value)
    return items * rank if len(items) == 1 else items


@rule("conv1d.default", "conv2d.default", "conv3d.default")
def convolution(
    replay: Replay,
    meta: Meta,
    x: Node,
    weight: Node,
    bias: Node | None = None,
    stride: int | list[int] = 1,
    padding: int | list[int] = 0,
    dilation: int | list[int] = 1,
    groups: int = 1,
) -> Node | None:
    """One op for every rank: aten.convolution."""
    rank = len(weight.shape) - 2
    if len(x.shape) != rank + 2:
        return None
    window = [_spread(each, rank) for each in (stride, padding, dilation)]
    return _convolution(replay, meta, (x, weight, bias), (*window, False, [0] * rank, groups))


@rule("conv_transpose1d.default", "conv_transpose2d.input", "conv_transpose3d.input")
def transposed(
    replay: Replay,
    meta: Meta,
    x: Node,
    weight: Node,
    bias: Node | None = None,
    stride: int | list[int] = 1,
    padding: int | list[int] = 0,
    output_padding: int | list[int] = 0,
    groups: int = 1,
    dilation: int | list[int] = 1,
) -> Node | None:
    """One op for every rank: aten.convolution with transposed=True."""
    rank = len(weight.shape) - 2
    if len(x.shape) != rank + 2:
        return None
    window = [_spread(each, rank) for each in (stride, padding, dilation)]
    return _convolution(
        replay, meta, (x, weight, bias), (*window, True, _spread(output_padding, rank), groups)
    )


def _convolution(replay: Replay, meta: Meta, tensors: tuple[Node | None, ...], rest: tuple[Any, ...]) -> Node:
    values = tuple(replay.value(each) if each is not None else None for each in tensors)
    value = replay.tape.emit("aten.convolution.default", (*values, *rest), {}, meta.shape, meta.dtype)
    return replay.fresh(value, ordered=meta.contiguous)


@rule("_convolution.default", "_convolution.deprecated")
def private_convolution(replay: Replay, meta: Meta, *args: Any) -> Node:
    """The same without its backend flags."""
    return _convolution(replay, meta, args[:3], args[3:9])


@rule("softmax.int", "log_softmax.int")
def softmax(replay: Replay, meta: Meta, x: Node, dim: int, dtype: str | None = None) -> Node | None:
    """aten._softmax or aten._log_softmax, of the tensor cast first."""
    op = replay.op.replace("aten.", "aten._").replace(".int", ".default")
    value = _cast(replay, x, meta.dtype)
    value = replay.tape.emit(op, (value, dim, False), {}, meta.shape, meta.dtype)
    return replay.fresh(value, ordered=meta.contiguous)


@rule("copy_.default", "fill_.Tensor")
def copy(replay: Replay, meta: Meta, target: Node, source: Node, non_blocking: bool = False) -> Node:
    """The target stands for the source's Value, cast and expanded as needed."""
    value = _cast(replay, source, target.dtype)
    if value.shape != target.shape:
        value = replay.tape.emit(
            "aten.expand.default", (value, list(target.shape)), {}, target.shape, target.dtype
        )
    return replay.written(target, value)


@rule("fill_.Scalar", "zero_.default")
def fill(replay: Replay, meta: Meta, target: Node, number: float = 0) -> Node:
    """The target stands for a constant."""
    value = replay.tape.emit(
        "aten.full.default", (list(target.shape), number), {}, target.shape, target.dtype
    )
    return replay.written(target, value)


@rule(
    "index.Tensor",
    "index_put.default",
    "index_put_.default",
    "_index_put_impl_.default",
    "_unsafe_index.Tensor",
)
def index(
    replay: Replay, meta: Meta, x: Node, indices: list[Node | None], *rest: Any, **kwargs: Any
) -> Node | None:
    """A known boolean index is the same as the positions where it is true."""
    values = [replay.value(each) if each is not None else None for each in indices]
    if all(each is None or each.dtype not in ("bool", "uint8") or each.known is None for each in values):
        return None
    places: list[Value | None] = []
    for each in values:
        if each is None or each.dtype not in ("bool", "uint8") or each.known is None:
            places.append(each)
        else:
            found = np.nonzero(each.known)
            places += [Value(part.shape, "int64", "constant", known=part) for part in found]
    op = replay.op.replace("_impl_", "").replace("put_.", "put.").replace("._index", ".index")
    tail = tuple(replay.values(list(rest)))
    value = replay.tape.emit(op, (replay.value(x), places, *tail), {}, meta.shape, meta.dtype)
    return replay.written(x, value) if "_." in replay.op else replay.fresh(value)


@rule("batch_norm.default", "native_batch_norm.default", "_native_batch_norm_legit.default")
@rule("_batch_norm_with_update.default")
def batch_norm(
    replay: Replay,
    meta: Meta,
    x: Node,
    weight: Node | None,
    bias: Node | None,
    mean: Node | None,
    var: Node | None,
    training: bool | float = True,
    *rest: Any,
) -> list[Node] | None:
    """In train mode it writes its running statistics besides; its functional form gives them as outputs."""
    if training is False:
        return None
    replay.training = True
    if mean is None or var is None:
        return None
    held = [None if each is None else replay.value(each) for each in (x, weight, bias, mean, var)]
    shapes = [(meta.shape, meta.dtype), *[(each.shape, each.dtype) for each in (mean, var)] * 2]
    op = "aten._native_batch_norm_legit_functional.default"
    made = replay.tape.record(op, (*held, True, 0.1, 1e-5), {}, shapes)
    replay.written(mean, made[3])
    replay.written(var, made[4])
    return [replay.fresh(value) for value in made[:3]]


@rule("prelu.default")
def prelu(replay: Replay, meta: Meta, x: Node, weight: Node) -> Node:
    """One slope a channel, brought to its axis."""
    slopes = replay.value(weight)
    if len(x.shape) > 1:
        shape = (1, prod(slopes.shape), *[1] * (len(x.shape) - 2))
        slopes = replay.tape.emit("aten.view.default", (slopes, list(shape)), {}, shape, slopes.dtype)
    value = replay.tape.emit(
        "aten._prelu_kernel.default", (replay.value(x), slopes), {}, meta.shape, meta.dtype
    )
    return replay.fresh(value, ordered=meta.contiguous)


@rule("where.self")
def where(replay: Replay, meta: Meta, condition: Node, other: Node, shares: Node) -> Node | None:
    """Core ATen's softmax that gives 0 where all scores are -inf, as the one op that it was: so masks reach it."""
    made = replay.tape.maker
    rows = made(
        replay.value(condition), "aten.logical_not.default", "aten.any.dim", "aten.logical_not.default"
    )
    scores = rows and made(rows.args[0], "aten.eq.Scalar")
    softmax_ = made(replay.value(shares), "aten._softmax.default")
    zeros = replay.value(other).known
    if not (rows and scores and softmax_) or scores.args[0] is not softmax_.args[0]:
        return None
    if zeros is None or zeros.any() or scores.args[1] != -np.inf:
        return None
    op, args = "aten._safe_softmax.default", (softmax_.args[0], softmax_.args[1])
    return replay.fresh(replay.tape.emit(op, args, {}, meta.shape, meta.dtype))


# Ops under another name: the same arguments, the same result.
SYNONYMS = {
    f"aten.{old}": f"aten.{new}"
    for old, new in (
        pair.split("=")
        for pair in """
        absolute.default=abs.default arccos.default=acos.default arccosh.default=acosh.default arcsin.default=asin.default
        arcsinh.default=asinh.default arctan.default=atan.default arctanh.default=atanh.default clip.default=clamp.default
        clip.Tensor=clamp.Tensor greater.Tensor=gt.Tensor greater.Scalar=gt.Scalar less.Tensor=lt.Tensor
        less.Scalar=lt.Scalar
        greater_equal.Tensor=ge.Tensor greater_equal.Scalar=ge.Scalar less_equal.Tensor=le.Tensor
        less_equal.Scalar=le.Scalar
        not_equal.Tensor=ne.Tensor not_equal.Scalar=ne.Scalar multiply.Tensor=mul.Tensor multiply.Scalar=mul.Scalar
        subtract.Tensor=sub.Tensor subtract.Scalar=sub.Scalar max.other=maximum.default min.other=minimum.default
        """.split()
    )
}

# Ops whose output shares the operand's memory. Parts of splits become slices, those of an unbind selections.
VIEWS = frozenset(
    f"aten.{name}"
    for name in (
        "slice.Tensor", "select.int", "narrow.default", "diagonal.default", "permute.default", "transpose.int",
        "t.default", "numpy_T.default", "swapaxes.default", "swapdims.default", "movedim.int", "movedim.intlist",
        "moveaxis.int", "moveaxis.intlist", "mT.default", "mH.default", "T.default", "adjoint.default",
        "squeeze.default", "squeeze.dim", "squeeze.dims", "unsqueeze.default", "expand.default", "expand_as.default",
        "view_as_real.default", "view_as_complex.default", "real.default", "imag.default", "unfold.default",
    )
)  # fmt: skip
SPLITS = frozenset(
    f"aten.{name}"
    for name in (
        "split.Tensor", "split.sizes", "split_with_sizes.default", "chunk.default", "unbind.int",
        "tensor_split.sections", "tensor_split.indices",
    )
)  # fmt: skip
