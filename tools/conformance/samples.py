"""What PyTorch tests itself with: OpInfo's samples of its operators, and module_db's of its modules."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.common_modules import module_db
from torch.utils import _pytree as pytree

DTYPES = (torch.float64, torch.float32, torch.complex128)
# Elements of an input, and of the whole dependence of one output on one input.
LARGEST = 1 << 16
LARGEST_MATRIX = 1 << 26


class Skipped(Exception):  # noqa: N818 - says what kind of sample this is, which is no error
    """A sample that has nothing to compare, and why."""


class Call(nn.Module):
    """One call of an operator or a module as a network: its floating tensors are inputs, all else stays as it is."""

    def __init__(self, function: Callable[..., Any], leaves: list[Any], spec: pytree.TreeSpec) -> None:
        super().__init__()
        self.function, self.leaves, self.spec = function, leaves, spec

    def forward(self, *inputs: Tensor) -> Any:
        """The operator's own result."""
        given = iter(inputs)
        leaves = [next(given) if is_input(leaf) else copied(leaf) for leaf in self.leaves]
        args, kwargs = pytree.tree_unflatten(leaves, self.spec)
        return self.function(*args, **kwargs)


@dataclass(frozen=True)
class Sample:
    """A call, and example inputs for it."""

    call: Call
    inputs: list[Tensor]
    words: str


def is_input(leaf: object) -> bool:
    """Whether an argument takes part: a tensor of floating-point or complex numbers."""
    return isinstance(leaf, Tensor) and (leaf.is_floating_point() or leaf.is_complex())


def copied(leaf: Any) -> Any:
    """A tensor's own copy, so that an operator that writes leaves the sample alone."""
    return leaf.clone() if isinstance(leaf, Tensor) else leaf


@cache
def subjects() -> dict[str, Any]:
    """All operators and modules by name."""
    named: dict[str, Any] = {}
    for op in op_db:
        named[f"{op.name}.{op.variant_test_name}" if op.variant_test_name else op.name] = op
    return named | {module.formatted_name: module for module in module_db}


def samples(name: str) -> Iterator[Sample | Skipped]:
    """Every sample of an operator or a module, each fit to be compared or with the reason why not."""
    torch.manual_seed(0)
    subject = subjects()[name]
    dtype = next((dtype for dtype in DTYPES if dtype in subject.dtypes), None)
    if dtype is None:
        yield Skipped("it takes no floating-point numbers")
        return
    calls = _module_calls(subject, dtype) if name.startswith("nn_") else _op_calls(subject, dtype)
    for function, args, kwargs in calls:
        try:
            yield _sample(function, args, kwargs)
        except Skipped as why:
            yield why


def _op_calls(
    op: Any, dtype: torch.dtype
) -> Iterator[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]:
    # The method itself would pass by the one that capture puts in its place; models write x[i].
    function = operator.getitem if op.name == "__getitem__" else op.op
    for sample in op.sample_inputs("cpu", dtype):
        yield function, (sample.input, *sample.args), sample.kwargs


def _module_calls(
    info: Any, dtype: torch.dtype
) -> Iterator[tuple[nn.Module, tuple[Any, ...], dict[str, Any]]]:
    for training in (False, True) if info.train_and_eval_differ else (False,):
        given = info.module_inputs_func(
            info, device="cpu", dtype=dtype, requires_grad=False, training=training
        )
        for sample in given:
            made, used = sample.constructor_input, sample.forward_input
            module = info.module_cls(*made.args, **made.kwargs).to(dtype).train(training)
            with torch.no_grad():
                module(*used.args, **used.kwargs)  # lazy modules learn their shapes
            yield module, used.args, used.kwargs


def _sample(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sample:
    leaves, spec = pytree.tree_flatten((args, kwargs))
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    inputs = [leaf for leaf in tensors if is_input(leaf)]
    if not inputs:
        raise Skipped("no floating-point tensor among the arguments")
    if any(tensor.layout != torch.strided for tensor in tensors):
        raise Skipped("sparse tensors")
    if any(tensor.numel() == 0 for tensor in inputs):
        raise Skipped("empty tensors")
    if any(tensor.numel() > LARGEST for tensor in inputs):
        raise Skipped("too large")
    call = Call(function, [leaf.detach() if isinstance(leaf, Tensor) else leaf for leaf in leaves], spec)
    if isinstance(function, nn.Module):
        call.train(function.training)
    else:
        call.eval()
    words = f"{[_short(leaf) for leaf in leaves]}"
    return Sample(call, [x.detach().clone(memory_format=torch.contiguous_format) for x in inputs], words)


def _short(leaf: Any) -> Any:
    return f"{str(leaf.dtype)[6:]}{tuple(leaf.shape)}" if isinstance(leaf, Tensor) else leaf
