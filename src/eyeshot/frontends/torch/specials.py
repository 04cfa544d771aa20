"""Ops that the recorder answers in its own way: renamed to one form, adopted, or dropped as no-ops.

A special returns NotImplemented where the general way should go on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from eyeshot.frontends.torch import aliases, constants
from eyeshot.frontends.torch.nodes import DataDependent, dtype_name, node_of
from eyeshot.frontends.torch.opinfo import describe
from eyeshot.frontends.torch.shortcuts import spread
from eyeshot.frontends.torch.trace import FLOAT_LIMIT, Value

if TYPE_CHECKING:
    from eyeshot.frontends.torch.recorder import Recorder

Special = Callable[["Recorder", Any, Any, dict[str, Any]], Any]
SPECIALS: dict[str, Special] = {}
_ATEN = torch.ops.aten


def special(*ops: str) -> Callable[[Special], Special]:
    """Register one function for several ops."""

    def register(function: Special) -> Special:
        for op in ops:
            SPECIALS[f"aten.{op}"] = function
        return function

    return register


@special("conv1d.default", "conv2d.default", "conv3d.default")
def convolution(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """One op for every rank: aten.convolution."""
    rank = int(func._opname[4])
    options = _arguments(func, args, kwargs)
    if options["input"].dim() != rank + 2:
        return NotImplemented
    window = [list(spread(options[name], rank)) for name in ("stride", "padding", "dilation")]
    full = (
        options["input"],
        options["weight"],
        options["bias"],
        *window,
        False,
        [0] * rank,
        options["groups"],
    )
    return recorder.apply(_ATEN.convolution.default, full, {})


@special("_native_batch_norm_legit.default", "_batch_norm_with_update.default")
def updating_batch_norm(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """A batch norm that writes its running statistics besides: its functional form, and two copies."""
    functional = getattr(_ATEN, f"{func._opname}_functional").default
    return _updating(recorder, functional, _arguments(func, args, kwargs))


@special("batch_norm.default")
def training_batch_norm(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """In train mode, one that writes its running statistics."""
    options = _arguments(func, args, kwargs)
    if not options["training"] or options["running_mean"] is None:
        return NotImplemented
    del options["cudnn_enabled"]
    return _updating(recorder, _ATEN._native_batch_norm_legit_functional.default, options)[0]


def _updating(recorder: Recorder, functional: Any, options: dict[str, Any]) -> tuple[Any, ...]:
    """The outputs of a functional batch norm; its new statistics are written to where the old ones are held."""
    *outputs, mean, variance = recorder.apply(functional, tuple(options.values()), {})
    for held, new in ((options["running_mean"], mean), (options["running_var"], variance)):
        recorder.write(_ATEN.copy_.default, describe(_ATEN.copy_.default), (held, new), {})
    return tuple(outputs)


@special("conv_transpose1d.default", "conv_transpose2d.input", "conv_transpose3d.input")
def transposed(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """One op for every rank: aten.convolution with transposed=True."""
    rank = int(func._opname[14])
    options = _arguments(func, args, kwargs)
    if options["input"].dim() != rank + 2:
        return NotImplemented
    window = [list(spread(options[name], rank)) for name in ("stride", "padding", "dilation")]
    extra = list(spread(options["output_padding"], rank))
    full = (options["input"], options["weight"], options["bias"], *window, True, extra, options["groups"])
    return recorder.apply(_ATEN.convolution.default, full, {})


def _arguments(func: Any, args: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """All arguments by name, defaults filled in."""
    parameters = _parameters(func)
    return parameters | dict(zip(parameters, args, strict=False)) | kwargs


@cache
def _parameters(func: Any) -> dict[str, Any]:
    """The names of an op's arguments in order, and their defaults."""
    return {argument.name: argument.default_value for argument in func._schema.arguments}


@special("_convolution.default", "_convolution.deprecated")
def private_convolution(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The same without its backend flags."""
    return recorder.apply(_ATEN.convolution.default, args[:9], {})


@special("softmax.int", "log_softmax.int")
def softmax(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Without a change of dtype: aten._softmax or aten._log_softmax."""
    if len(args) > 2 or kwargs:
        return NotImplemented
    return recorder.apply(getattr(_ATEN, f"_{func._opname}").default, (args[0], args[1], False), {})


@special("to.device", "to.dtype", "to.dtype_layout", "to.other", "_to_copy.default", "cpu.default")
def cast(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Devices and layouts are ignored; a change of dtype is recorded as aten._to_copy."""
    options = _arguments(func, args, kwargs)
    tensor = recorder.own(args[0])
    dtype = options.get("dtype")
    if isinstance(options.get("other"), Tensor):
        dtype = options["other"].dtype
    if dtype is None or dtype is tensor.dtype:
        copied = func._opname == "_to_copy" or options.get("copy")
        return clone(recorder, func, (tensor,), {}) if copied else tensor
    return recorder.apply(_ATEN._to_copy.default, (tensor,), {"dtype": dtype})


@special("detach.default", "detach_.default", "alias.default", "lift.default", "lift_fresh.default")
def same(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The tensor itself: these change nothing but autograd."""
    return recorder.own(args[0])


@special("clone.default", "lift_fresh_copy.default")
def clone(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """A new tensor that stands for the same Value."""
    tensor = recorder.own(args[0])
    if recorder.is_known(tensor):
        return recorder.adopt(tensor.clone(memory_format=torch.contiguous_format), None, known=True)
    copied = tensor.clone(memory_format=torch.contiguous_format) if recorder.real else None
    return recorder.fresh(recorder.value_of(tensor), copied)


@special("reshape.default", "_unsafe_view.default")
def reshape(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Always aten.view, of a copy where the elements are not in order."""
    tensor = recorder.own(args[0])
    shape = args[1]
    if not tensor.is_contiguous():
        try:
            return recorder.apply(_ATEN.view.default, (tensor, shape), {})
        except RuntimeError:
            tensor = clone(recorder, func, (tensor,), {})
    return recorder.apply(_ATEN.view.default, (tensor, shape), {})


@special("as_strided.default")
def as_strided(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Strides speak of memory, so the operand is the tensor that owns it, not a view of that."""
    tensor = recorder.own(args[0])
    options = _arguments(func, args, kwargs)
    offset = options["storage_offset"]
    offset = tensor.storage_offset() if offset is None else offset
    return recorder.apply(func, (recorder.owner_of(tensor), options["size"], options["stride"], offset), {})


@special("contiguous.default")
def contiguous(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """A copy where the elements are not already in order."""
    tensor = recorder.own(args[0])
    wanted = kwargs.get("memory_format", torch.contiguous_format)
    if wanted is not torch.contiguous_format or tensor.is_contiguous():
        return tensor
    return clone(recorder, func, (tensor,), {})


@special(
    "dropout.default", "feature_dropout.default", "alpha_dropout.default", "feature_alpha_dropout.default"
)
def dropout(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Nothing in eval mode."""
    options = _arguments(func, args, kwargs)
    return recorder.own(args[0]) if not options["train"] or options["p"] == 0 else NotImplemented


@special(
    "dropout_.default", "feature_dropout_.default", "alpha_dropout_.default", "feature_alpha_dropout_.default"
)
def dropout_in_place(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Nothing in eval mode."""
    return dropout(recorder, func, args, kwargs)


@special("_local_scalar_dense.default")
def scalar(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """A known number is a plain number; an unknown one needs a real forward."""
    tensor = recorder.own(args[0])
    if recorder.is_known(tensor) or recorder.real:
        return func(tensor)
    raise DataDependent("item()")


@special("copy_.default")
def copy(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The target stands for the source's Value, cast and expanded as needed."""
    target, source = recorder.own(args[0]), recorder.own(args[1])
    if recorder.is_known(target) and recorder.is_known(source):
        return NotImplemented
    recorder.taint(target)
    value = recorder.value_of(source)
    if recorder.real:
        target.copy_(source)
    return _assign(recorder, target, value)


@special("fill_.Tensor")
def fill_tensor(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """As copy_ from a scalar tensor."""
    return copy(recorder, func, args, kwargs)


@special("fill_.Scalar", "zero_.default")
def fill(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The target stands for a constant."""
    target = recorder.own(args[0])
    if recorder.is_known(target):
        return NotImplemented
    number = args[1] if len(args) > 1 else 0
    value = Value(tuple(target.shape), str(target.dtype)[6:], "constant")
    if target.numel() <= FLOAT_LIMIT:
        value.known = constants.as_array(torch.full(target.shape, number, dtype=target.dtype))
    if recorder.real:
        func(target, *args[1:])
    return _assign(recorder, target, value)


def _assign(recorder: Recorder, target: Tensor, value: Value) -> Tensor:
    dtype, shape = dtype_name(target.dtype), tuple(target.shape)
    if value.dtype != dtype:
        value = recorder.emit("aten._to_copy.default", (value,), {"dtype": dtype}, value.shape, dtype)
    if value.shape != shape:
        value = recorder.emit("aten.expand.default", (value, list(shape)), {}, shape, dtype)
    aliases.written(node_of(target), value)
    return target


@special("index.Tensor", "index_put.default", "index_put_.default", "_index_put_impl_.default")
def index(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """A known boolean index is the same as the positions where it is true."""
    indices: list[Any] = []
    changed = False
    for each in args[1]:
        own = recorder.own(each) if isinstance(each, Tensor) else None
        if own is None or own.dtype not in (torch.bool, torch.uint8):
            indices.append(each)
            continue
        if not recorder.is_known(own):
            if func._opname == "index" and not recorder.real:
                raise DataDependent(f"{func} with a mask")
            return NotImplemented
        changed = True
        indices.extend(recorder.adopt(part, None, known=True) for part in own.nonzero(as_tuple=True))
    if not changed:
        return NotImplemented
    with recorder:
        return func(args[0], indices, *args[2:], **kwargs)
