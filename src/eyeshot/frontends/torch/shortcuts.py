"""Output shapes of the commonest ops, in place of meta kernels that take far longer.

Each shortcut takes the op's arguments (meta tensors) and returns an empty output of the right
shape and dtype, or None where the plain case does not hold and the meta kernel must be asked.
Outputs are contiguous, but those of elementwise ops keep the strides of their (first) operand, as kernels do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from eyeshot.errors import InputError

Shortcut = Callable[..., Any]
SHORTCUTS: dict[str, Shortcut] = {}


def shortcut(*ops: str) -> Callable[[Shortcut], Shortcut]:
    """Register one function for several ops."""

    def register(function: Shortcut) -> Shortcut:
        for op in ops:
            SHORTCUTS[op] = function
        return function

    return register


def _empty(shape: Sequence[int], like: Tensor) -> Tensor:
    return torch.empty(shape, dtype=like.dtype, device="meta")


def _like(x: Tensor) -> Tensor:
    # On meta, empty_like works out strides in Python: ten times slower.
    return _empty(x.shape, x) if x.is_contiguous() else torch.empty_like(x)


def spread(value: int | Sequence[int], rank: int) -> Sequence[int]:
    """One number per spatial axis from a number, a list of one, or a full list."""
    if isinstance(value, int):
        return (value,) * rank
    return value if len(value) == rank else tuple(value) * rank


@shortcut("aten.convolution.default")
def convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any,
    transposed: bool, output_padding: Any, groups: int,
) -> Tensor | None:  # fmt: skip
    """(N, C, *spatial); raises InputError on channels that do not fit or a kernel too large."""
    rank = weight.dim() - 2
    if x.dtype is not weight.dtype or x.dim() != rank + 2:
        return None
    shape = x.shape
    spatial = shape[2:]
    kernel = weight.shape[2:]
    expected = weight.shape[0] if transposed else weight.shape[1] * groups
    if shape[1] != expected:
        raise InputError(
            f"the convolution expects {expected} channels, got {shape[1]} (input of shape {tuple(shape)})"
        )
    strides, pads, dilations = spread(stride, rank), spread(padding, rank), spread(dilation, rank)
    if transposed:
        extra = spread(output_padding, rank)
        out = [
            (n - 1) * s - 2 * p + d * (k - 1) + e + 1
            for n, k, s, p, d, e in zip(spatial, kernel, strides, pads, dilations, extra, strict=True)
        ]
        channels = weight.shape[1] * groups
    else:
        out = [
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(spatial, kernel, strides, pads, dilations, strict=True)
        ]
        channels = weight.shape[0]
    if min(out, default=1) < 1:
        raise InputError(
            f"the input is too small for the network: a kernel of {tuple(kernel)} with dilation "
            f"{tuple(dilations)} meets an input of {tuple(spatial)} with padding "
            f"{tuple(pads)}. Use a larger input."
        )
    return _empty((shape[0], channels, *out), x)


@shortcut("aten.linear.default")
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    """(*, features) -> (*, out); raises InputError where the features do not fit."""
    if weight.dim() != 2 or x.dim() < 1 or x.dtype is not weight.dtype:
        return None
    if x.shape[-1] != weight.shape[1]:
        raise InputError(
            f"the linear layer expects {weight.shape[1]} features, got {x.shape[-1]} "
            f"(input of shape {tuple(x.shape)}); the network may want another input size"
        )
    return _empty((*x.shape[:-1], weight.shape[0]), x)


@shortcut("aten.batch_norm.default")
def batch_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor | None, *_: Any
) -> Tensor | None:
    """Keeps the shape; raises InputError on channels that do not fit."""
    held = weight if weight is not None else mean
    if x.dim() < 2 or held is None or held.dtype is not x.dtype:
        return None
    if held.shape[0] != x.shape[1]:
        raise InputError(
            f"the batch norm expects {held.shape[0]} channels, got {x.shape[1]} "
            f"(input of shape {tuple(x.shape)})"
        )
    return _empty(x.shape, x)


@shortcut("aten.layer_norm.default")
def layer_norm(x: Tensor, normalized: Sequence[int], weight: Tensor | None = None, *_: Any) -> Tensor | None:
    """Keeps the shape."""
    if tuple(x.shape[-len(normalized) :]) != tuple(normalized):
        return None
    if weight is not None and weight.dtype is not x.dtype:
        return None
    return _empty(x.shape, x)


@shortcut("aten.group_norm.default", "aten.instance_norm.default", "aten.rms_norm.default")
def other_norms(x: Tensor, *args: Any) -> Tensor | None:
    """A floating tensor keeps its shape where all operands are of its dtype."""
    held = [arg for arg in args if isinstance(arg, Tensor)]
    if x.dim() < 2 or not x.is_floating_point() or any(each.dtype is not x.dtype for each in held):
        return None
    return _empty(x.shape, x)


_ELEMENTWISE = (
    "relu.default gelu.default silu.default sigmoid.default tanh.default hardswish.default "
    "hardsigmoid.default leaky_relu.default hardtanh.default elu.default mish.default softplus.default "
    "sqrt.default rsqrt.default exp.default log.default neg.default abs.default sin.default cos.default "
    "clamp.default clamp_min.default clamp_max.default pow.Tensor_Scalar rsub.Scalar erf.default "
    "square.default"
).split()


@shortcut(*(f"aten.{name}" for name in _ELEMENTWISE))
def elementwise(x: Tensor, *args: Any, **kwargs: Any) -> Tensor | None:
    """A floating tensor keeps its shape and dtype."""
    if (
        not x.is_floating_point()
        or kwargs
        or any(isinstance(arg, torch.dtype | complex | Tensor) for arg in args)
    ):
        return None
    return _like(x)


@shortcut("aten._softmax.default", "aten._log_softmax.default", "aten.roll.default")
def along_an_axis(x: Tensor, *args: Any) -> Tensor | None:
    """A floating tensor keeps its shape and dtype."""
    return _empty(x.shape, x) if x.is_floating_point() else None


@shortcut("aten.dropout.default")
def dropout(x: Tensor, probability: float, training: bool) -> Tensor:
    """Keeps shape and dtype."""
    return _like(x)


@shortcut("aten.add.Tensor", "aten.sub.Tensor", "aten.mul.Tensor", "aten.div.Tensor")
def binary(x: Any, other: Any, **kwargs: Any) -> Tensor | None:
    """Two tensors of one floating dtype broadcast; a Python number leaves the tensor as it is."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        return None
    if not isinstance(other, Tensor):
        return _like(x) if isinstance(other, int | float) else None
    if other.dtype is not x.dtype:
        return None
    if x.shape == other.shape:
        return _like(x)
    shape = _broadcast(x.shape, other.shape)
    if shape is None or not (x.is_contiguous() and other.is_contiguous()):
        return None
    return _empty(shape, x)


def _broadcast(first: Sequence[int], second: Sequence[int]) -> Sequence[int] | None:
    if len(first) < len(second):
        first, second = second, first
    lead = len(first) - len(second)
    out = list(first[:lead])
    for a, b in zip(first[lead:], second, strict=True):
        if a != b and 1 not in (a, b):
            return None
        out.append(b if a == 1 else a)
    return out


@shortcut("aten.mean.dim", "aten.sum.dim_IntList", "aten.amax.default")
def reduced(x: Tensor, axes: Any = None, keep: bool = False, **kwargs: Any) -> Tensor | None:
    """The named axes go, or stay with extent 1."""
    if not axes or not x.is_floating_point() or kwargs or x.numel() == 0:
        return None
    return _reduced(x, axes, keep)


@shortcut("aten.linalg_vector_norm.default")
def vector_norm(
    x: Tensor, order: Any = 2, axes: Any = None, keep: bool = False, **kwargs: Any
) -> Tensor | None:
    """As a sum."""
    if not axes or not x.is_floating_point() or kwargs or x.numel() == 0:
        return None
    return _reduced(x, axes, keep)


def _reduced(x: Tensor, axes: Sequence[int], keep: bool) -> Tensor | None:
    rank = x.dim()
    gone = {axis % rank for axis in axes if -rank <= axis < rank}
    if len(gone) != len(axes):
        return None
    shape = [1 if axis in gone else extent for axis, extent in enumerate(x.shape) if keep or axis not in gone]
    return _empty(shape, x)


@shortcut("aten.cat.default")
def cat(tensors: Sequence[Tensor], axis: int = 0) -> Tensor | None:
    """Tensors of one dtype and rank whose other axes agree."""
    first = tensors[0]
    rank = first.dim()
    if not -rank <= axis < rank:
        return None
    axis %= rank
    shape = list(first.shape)
    for each in tensors[1:]:
        if each.dim() != rank or each.dtype is not first.dtype:
            return None
        if any(a != b for i, (a, b) in enumerate(zip(each.shape, shape, strict=True)) if i != axis):
            return None
        shape[axis] += each.shape[axis]
    return _empty(shape, first)


_RESIZES = (
    "upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d "
    "_upsample_nearest_exact2d _upsample_nearest_exact3d upsample_linear1d upsample_bilinear2d "
    "upsample_trilinear3d upsample_bicubic2d _upsample_bilinear2d_aa _upsample_bicubic2d_aa "
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d"
).split()


@shortcut(*(f"aten.{name}.default" for name in _RESIZES))
def resized(x: Tensor, size: Sequence[int], *args: Any) -> Tensor | None:
    """The last axes take the given extents."""
    if not x.is_floating_point() or x.dim() <= len(size) or min(size) < 1 or min(x.shape) < 1:
        return None
    return _empty((*x.shape[: -len(size)], *size), x)


@shortcut("aten.matmul.default")
def matmul(x: Tensor, other: Tensor) -> Tensor | None:
    """Matrices with equal batch axes."""
    if x.dim() < 2 or x.dim() != other.dim() or x.dtype is not other.dtype:
        return None
    if x.shape[-1] != other.shape[-2] or x.shape[:-2] != other.shape[:-2]:
        return None
    return _empty((*x.shape[:-1], other.shape[-1]), x)


@shortcut("aten.scaled_dot_product_attention.default")
def attention(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Tensor | None:
    """(..., L, E), (..., S, E), (..., S, V) -> (..., L, V) with equal batch axes."""
    if query.dim() < 3 or query.shape[:-2] != key.shape[:-2] or key.shape[:-1] != value.shape[:-1]:
        return None
    if query.shape[-1] != key.shape[-1]:
        return None
    return _empty((*query.shape[:-1], value.shape[-1]), query)


def _recurrent(x: Tensor, hidden: Tensor, bidirectional: bool, batch_first: bool = False) -> Tensor:
    features = hidden.shape[-1] * (2 if bidirectional else 1)
    if batch_first:  # computed in time order, then turned
        return _empty((x.shape[1], x.shape[0], features), x).transpose(0, 1)
    return _empty((*x.shape[:-1], features), x)


@shortcut("aten.lstm.input")
def lstm(x: Tensor, hx: Sequence[Tensor], params: Sequence[Tensor], *rest: Any) -> tuple[Tensor, ...]:
    """The output sequence, then hidden and cell state as given; projections change the hidden size."""
    output = _recurrent(x, hx[0], rest[4], rest[5])
    return output, _empty(hx[0].shape, x), _empty(hx[1].shape, x)


@shortcut("aten.gru.input", "aten.rnn_tanh.input", "aten.rnn_relu.input")
def gru(x: Tensor, hx: Tensor, params: Sequence[Tensor], *rest: Any) -> tuple[Tensor, ...]:
    """The output sequence, then the hidden state."""
    return _recurrent(x, hx, rest[4], rest[5]), _empty(hx.shape, x)


@shortcut("aten.lstm.data")
def packed_lstm(
    data: Tensor, sizes: Tensor, hx: Sequence[Tensor], params: Sequence[Tensor], *rest: Any
) -> tuple[Tensor, ...]:
    """A packed sequence (steps, features)."""
    output = _recurrent(data, hx[0], rest[4])
    return output, _empty(hx[0].shape, data), _empty(hx[1].shape, data)


@shortcut("aten.gru.data", "aten.rnn_tanh.data", "aten.rnn_relu.data")
def packed_gru(
    data: Tensor, sizes: Tensor, hx: Tensor, params: Sequence[Tensor], *rest: Any
) -> tuple[Tensor, ...]:
    """A packed sequence (steps, features)."""
    return _recurrent(data, hx, rest[4]), _empty(hx.shape, data)
