"""ONNX graphs run by torch, op by op: an engine that hands NaN on where ONNX Runtime's max-pool drops it.

Written from the operators' definitions (https://onnx.ai/onnx/operators/) alone, and read with the onnx package: nothing
here is shared with eyeshot. Shapes and indices are computed for real. It has the ops of the files in
`test_real_files.py`, and a KeyError names one that it lacks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor
from torch.nn import functional as F

Values = dict[str, Any]
OPS: dict[str, Callable[..., Any]] = {}


def op(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        OPS.update(dict.fromkeys(names, function))
        return function

    return register


def run(model: onnx.ModelProto, inputs: Mapping[str, Tensor]) -> Values:
    """Every tensor of the graph (and of the branches taken in it) by name."""
    opset = next(each.version for each in model.opset_import if each.domain in {"", "ai.onnx"})
    values: Values = {"": None}
    _graph(model.graph, values | dict(inputs), values, opset, set(inputs))
    return values


def _graph(graph: Any, seen: Values, found: Values, opset: int, given: set[str]) -> list[Any]:
    for constant in graph.initializer:
        if constant.name not in given:
            seen[constant.name] = torch.from_numpy(numpy_helper.to_array(constant).copy())
    for node in graph.node:
        attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        attributes = {
            name: value.decode() if isinstance(value, bytes) else value for name, value in attributes.items()
        }
        if node.op_type == "If":
            branch = attributes["then_branch" if seen[node.input[0]].item() else "else_branch"]
            results = _graph(branch, dict(seen), found, opset, set())
        else:
            arguments = [seen[name] if name else None for name in node.input]
            results = OPS[node.op_type](*arguments, **attributes, opset=opset, outputs=len(node.output))
        results = results if isinstance(results, list) else [results]
        made = dict(zip(node.output, results, strict=False))
        seen.update(made)
        found.update(made)
    return [seen[each.name] for each in graph.output]


def _pairs(pads: list[int]) -> list[int]:
    """ONNX's (before..., behind...) as torch's (last before, last behind, ...)."""
    half = len(pads) // 2
    return [amount for axis in reversed(range(half)) for amount in (pads[axis], pads[axis + half])]


def _around(
    x: Tensor, kernel: list[int], strides: list[int], dilations: list[int], pads: Any, auto: str
) -> list[int]:
    if not auto.startswith("SAME"):
        return list(pads or [0] * 2 * len(kernel))
    low, high = [], []
    for n, k, s, d in zip(x.shape[2:], kernel, strides, dilations, strict=True):
        total = max(0, (math.ceil(n / s) - 1) * s + d * (k - 1) + 1 - n)
        low.append(total // 2 if auto == "SAME_UPPER" else total - total // 2)
        high.append(total - low[-1])
    return low + high


@op("Conv")
def conv(
    x,
    w,
    b=None,
    *,
    kernel_shape=None,
    strides=None,
    pads=None,
    dilations=None,
    auto_pad="NOTSET",
    group=1,
    **_,
):
    rank = x.ndim - 2
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    wide = F.pad(x, _pairs(_around(x, list(w.shape[2:]), strides, dilations, pads, auto_pad)))
    return [F.conv1d, F.conv2d, F.conv3d][rank - 1](wide, w, b, strides, 0, dilations, group)


@op("ConvTranspose")
def conv_transpose(
    x, w, b=None, *, strides=None, pads=None, dilations=None, output_padding=None, group=1, **_
):
    rank = x.ndim - 2
    pads = pads or [0] * 2 * rank
    function = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][rank - 1]
    out = function(x, w, b, strides or 1, 0, output_padding or 0, group, dilations or 1)
    for axis in range(rank):
        out = out.narrow(axis + 2, pads[axis], out.shape[axis + 2] - pads[axis] - pads[axis + rank])
    return out


@op("MaxPool")
def max_pool(
    x, *, kernel_shape, strides=None, pads=None, dilations=None, auto_pad="NOTSET", ceil_mode=0, **_
):
    rank = len(kernel_shape)
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    pads = _around(x, kernel_shape, strides, dilations, pads, auto_pad)
    wide = F.pad(x, _pairs(pads), value=-math.inf)
    return [F.max_pool1d, F.max_pool2d, F.max_pool3d][rank - 1](
        wide, kernel_shape, strides, 0, dilations, bool(ceil_mode)
    )


@op("AveragePool")
def average_pool(x, *, kernel_shape, strides=None, pads=None, auto_pad="NOTSET", ceil_mode=0, **_):
    rank = len(kernel_shape)
    strides = strides or [1] * rank
    wide = F.pad(x, _pairs(_around(x, kernel_shape, strides, [1] * rank, pads, auto_pad)))
    return [F.avg_pool1d, F.avg_pool2d, F.avg_pool3d][rank - 1](
        wide, kernel_shape, strides, 0, bool(ceil_mode)
    )


@op("GlobalAveragePool")
def global_average_pool(x, **_):
    return x.mean(tuple(range(2, x.ndim)), keepdim=True)


@op("BatchNormalization")
def batch_norm(x, scale, bias, mean, var, *, epsilon=1e-5, **_):
    return F.batch_norm(x, mean, var, scale, bias, False, 0.0, epsilon)


@op("LRN")
def lrn(x, *, size, alpha=1e-4, beta=0.75, bias=1.0, **_):
    wide = F.pad(x * x, [0, 0] * (x.ndim - 2) + [(size - 1) // 2, size // 2])
    sums = sum(wide.narrow(1, place, x.shape[1]) for place in range(size))
    return x / (bias + alpha / size * sums) ** beta


@op("Gemm")
def gemm(a, b, c=None, *, alpha=1.0, beta=1.0, transA=0, transB=0, **_):
    out = alpha * (a.T if transA else a) @ (b.T if transB else b)
    return out if c is None else out + beta * c


@op("Softmax")
def softmax(x, *, axis=None, opset, **_):
    if opset >= 13:
        return x.softmax(-1 if axis is None else axis)
    axis = 1 if axis is None else axis % x.ndim
    return x.reshape(*x.shape[:axis], -1).softmax(-1).reshape(x.shape)


@op("LSTM")
def lstm(
    x, w, r, b=None, lengths=None, h=None, c=None, peepholes=None, *, hidden_size, direction="forward", **_
):
    assert direction == "forward", direction
    assert lengths is None
    assert peepholes is None
    bias = 0 if b is None else b[0, : 4 * hidden_size] + b[0, 4 * hidden_size :]
    h = x.new_zeros(x.shape[1], hidden_size) if h is None else h[0]
    c = x.new_zeros(x.shape[1], hidden_size) if c is None else c[0]
    steps = []
    for step in x:
        i, o, f, g = (step @ w[0].T + h @ r[0].T + bias).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        steps.append(h)
    return [torch.stack(steps)[:, None], h[None], c[None]]


@op("Resize")
def resize(x, roi=None, scales=None, sizes=None, *, mode="nearest", nearest_mode="round_prefer_floor",
           coordinate_transformation_mode="half_pixel", **_):  # fmt: skip
    assert mode == "nearest", mode
    for axis, n in enumerate(x.shape):
        given = sizes is None or not sizes.numel()
        count = math.floor(n * scales[axis].item()) if given else int(sizes[axis])
        scale = scales[axis].item() if given else count / n
        y = np.arange(count)
        place = y / scale if coordinate_transformation_mode == "asymmetric" else (y + 0.5) / scale - 0.5
        rounded = {"floor": np.floor(place), "round_prefer_floor": np.ceil(place - 0.5)}[nearest_mode]
        x = x.index_select(axis, torch.from_numpy(np.clip(rounded, 0, n - 1).astype(np.int64)))
    return x


@op("Constant")
def constant(*, value=None, value_float=None, value_int=None, value_ints=None, **_):
    if value is not None:
        return torch.from_numpy(numpy_helper.to_array(value).copy())
    return torch.tensor(next(each for each in (value_float, value_int, value_ints) if each is not None))


@op("ConstantOfShape")
def constant_of_shape(shape, *, value=None, **_):
    number = numpy_helper.to_array(value) if value is not None else np.zeros(1, np.float32)
    return torch.from_numpy(np.full(shape.tolist(), number.item(), number.dtype))


@op("Shape")
def shape(x, **_):
    return torch.tensor(x.shape)


@op("Size")
def size(x, **_):
    return torch.tensor(x.numel())


@op("Reshape")
def reshape(x, wanted, **_):
    return x.reshape([x.shape[axis] if n == 0 else n for axis, n in enumerate(wanted.tolist())])


@op("Flatten")
def flatten(x, *, axis=1, **_):
    return x.reshape(math.prod(x.shape[:axis]), -1)


@op("Transpose")
def transpose(x, *, perm=None, **_):
    return x.permute(perm or list(range(x.ndim))[::-1])


@op("Unsqueeze")
def unsqueeze(x, given=None, *, axes=None, **_):
    for axis in sorted(axes or given.tolist()):
        x = x.unsqueeze(axis)
    return x


@op("Squeeze")
def squeeze(x, given=None, *, axes=None, **_):
    if axes is None and given is None:
        return x.squeeze()
    for axis in sorted((axis % x.ndim for axis in (axes or given.tolist())), reverse=True):
        x = x.squeeze(axis)
    return x


@op("Slice")
def slices(x, starts_=None, ends_=None, axes_=None, steps=None, *, starts=None, ends=None, axes=None, **_):
    first = starts or starts_.tolist()
    last = ends or ends_.tolist()
    along = axes or (axes_.tolist() if axes_ is not None else range(len(first)))
    every = steps.tolist() if steps is not None else [1] * len(first)
    for axis, start, end, step in zip(along, first, last, every, strict=True):
        x = x.index_select(
            axis, torch.arange(x.shape[axis])[range(*slice(start, end, step).indices(x.shape[axis]))]
        )
    return x


@op("Gather")
def gather(x, indices, *, axis=0, **_):
    axis %= x.ndim
    places = torch.where(indices < 0, indices + x.shape[axis], indices)
    picked = x.index_select(axis, places.reshape(-1))
    return picked.reshape([*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]])


@op("Concat")
def concat(*parts, axis, **_):
    return torch.cat(parts, axis)


@op("Split")
def split(x, given=None, *, axis=0, split=None, outputs, **_):
    lengths = split or (given.tolist() if given is not None else [x.shape[axis] // outputs] * outputs)
    return list(x.split(lengths, axis))


@op("Pad")
def pad(x, amounts=None, value=None, axes=None, *, pads=None, mode="constant", **_):
    around = pads or amounts.tolist()
    for axis in range(x.ndim):
        n, (low, high) = x.shape[axis], (around[axis], around[axis + x.ndim])
        if mode == "constant":
            shape = list(x.shape)
            shape[axis] = low
            before = x.new_full(shape, 0.0 if value is None else value.item())
            shape[axis] = high
            x = torch.cat([before, x, x.new_full(shape, 0.0 if value is None else value.item())], axis)
        else:
            x = x.index_select(axis, torch.from_numpy(np.pad(np.arange(n), (low, high), mode=mode)))
    return x


@op("Expand")
def expand(x, shape, **_):
    return x.expand(torch.broadcast_shapes(x.shape, tuple(shape.tolist())))


@op("Cast")
def cast(x, *, to, **_):
    return x.to(torch.from_numpy(np.zeros(0, onnx.helper.tensor_dtype_to_np_dtype(to))).dtype)


@op("Clip")
def clip(x, low=None, high=None, *, min=None, max=None, **_):  # noqa: A002 - the operator's words
    return x.clamp(min if low is None else low, max if high is None else high)


@op("Sum")
def total(*parts, **_):
    return sum(parts)


@op("Identity", "Dropout")
def same(x, *others, **_):
    return x


@op("HardSigmoid")
def hard_sigmoid(x, *, alpha=0.2, beta=0.5, **_):
    return (alpha * x + beta).clamp(0, 1)


def _reduction(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def reduced(x, given=None, *, axes=None, keepdims=1, **_):
        along = axes or (given.tolist() if given is not None else list(range(x.ndim)))
        return function(x, along, keepdim=bool(keepdims))

    return reduced


for _name, _function in {
    "ReduceMean": torch.mean,
    "ReduceSum": torch.sum,
    "ReduceMin": torch.amin,
    "ReduceMax": torch.amax,
}.items():
    OPS[_name] = _reduction(_function)


def _aligned(x: Tensor, y: Tensor, broadcast: int, axis: int | None) -> Tensor:
    if not broadcast or axis is None:
        return y
    return y.reshape(*y.shape, *(1,) * (x.ndim - axis - y.ndim))


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda x, y, *, broadcast=0, axis=None, **_: function(x, _aligned(x, y, broadcast, axis))


def _divided(x: Tensor, y: Tensor) -> Tensor:
    return x / y if x.is_floating_point() else torch.div(x, y, rounding_mode="trunc")


for _name, _function in {
    "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": _divided, "Pow": torch.pow, "MatMul": torch.matmul,
    "Equal": torch.eq, "Greater": torch.gt, "Less": torch.lt, "And": torch.logical_and, "Or": torch.logical_or,
}.items():  # fmt: skip
    OPS[_name] = _binary(_function)


def _unary(function: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda x, **_: function(x)


for _name, _function in {
    "Relu": torch.relu, "Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "Erf": torch.erf, "Sqrt": torch.sqrt,
    "Log": torch.log, "Exp": torch.exp, "Neg": torch.neg, "Not": torch.logical_not, "Floor": torch.floor,
    "Reciprocal": torch.reciprocal, "Abs": torch.abs,
}.items():  # fmt: skip
    OPS[_name] = _unary(_function)


@op("Where")
def where(condition, x, y, **_):
    return torch.where(condition, x, y)


@op("LeakyRelu")
def leaky_relu(x, *, alpha=0.01, **_):
    return F.leaky_relu(x, alpha)
