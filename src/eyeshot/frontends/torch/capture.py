"""Capture: run a PyTorch model once and write down what it does."""

from __future__ import annotations

import inspect
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from eyeshot.errors import CaptureError, EyeshotError, InputError
from eyeshot.frontends.torch import fallback
from eyeshot.frontends.torch.modules import ModuleStack, ModuleTree, leaves, untouched, unwrap
from eyeshot.frontends.torch.nodes import dtype_name
from eyeshot.frontends.torch.recorder import Recorder
from eyeshot.frontends.torch.surroundings import no_autograd, plain_torch
from eyeshot.frontends.torch.trace import Trace, Value

_TOO_SMALL = (
    "output size is too small", "kernel size can't be greater", "smaller than kernel",
    "padding size should be less", "non-zero size", "too small", "expected more than 1 value per channel",
)  # fmt: skip
_MISFIT = ("(unbatched)", "expected 2d or 3d", "expected 3d or 4d", "expected 4d", "doesn't match model")


def capture(model: nn.Module, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Trace:
    """Record one forward of ``model`` in the mode it is in; the model is the same afterwards.

    ``args`` and ``kwargs`` are any pytrees of example tensors on any device; meta tensors will do.
    The model runs on meta tensors; if it needs their elements, it runs again on real ones
    (``Trace.real``), with the user's own examples where they have elements.

    Raises InputError for inputs that do not fit, CaptureError where the model's code raises.
    """
    kwargs = kwargs or {}
    model = unwrap(model)
    named = named_inputs(model, args, kwargs)
    for name, tensor in named.items():
        if tensor.numel() == 0:
            raise InputError(
                f"input {name!r} has no elements (shape {tuple(tensor.shape)}). "
                "Give every axis at least one element."
            )
    try:
        return _take(model, args, kwargs, real=False)
    except _Failed as failed:
        if not fallback.needs_real(failed.error):
            raise _explained(failed, named) from failed.error
        note = fallback.why(failed.error, failed.place)
    try:
        trace = _take(model, args, kwargs, real=True)
    except _Failed as failed:
        raise _explained(failed, named) from failed.error
    trace.notes.append(note)
    return trace


class _Failed(Exception):  # noqa: N818 - carries an error, is none
    """The forward raised ``error`` while the module at ``place`` ran."""

    def __init__(self, error: Exception, place: str) -> None:
        self.error, self.place = error, place


def _take(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], real: bool) -> Trace:
    tree = ModuleTree(model)
    stack = ModuleStack(tree)
    recorder = Recorder(tree, stack, real)
    stack.value_of = recorder.value_of
    stack.position = lambda: len(recorder.calls)
    with untouched(tree), no_autograd():
        generator = torch.Generator().manual_seed(0)

        def twin(tensor: Tensor, name: str) -> Tensor:
            value = Value(tuple(tensor.shape), dtype_name(tensor.dtype), "input", name)
            return recorder.fresh(value, fallback.real_input(tensor, generator) if real else None)

        names = _input_names(model, args)
        inputs = {
            name: twin(t, name) for n, arg in zip(names, args, strict=True) for name, t in leaves(arg, n)
        }
        inputs |= {name: twin(t, name) for key, arg in kwargs.items() for name, t in leaves(arg, key)}
        values = {name: recorder.value_of(tensor) for name, tensor in inputs.items()}
        args = tuple(_replaced(arg, name, inputs) for name, arg in zip(names, args, strict=True))
        kwargs = {key: _replaced(arg, key, inputs) for key, arg in kwargs.items()}
        try:
            with plain_torch(), stack.watching(), recorder:
                output = model(*args, **kwargs)
        except Exception as error:
            raise _Failed(error, stack.path) from error
        outputs = {name: recorder.value_of(tensor) for name, tensor in leaves(output)}
    return Trace(values, outputs, recorder.calls, stack.finished, real, model.training)


def named_inputs(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Tensor]:
    """The tensors among a model's arguments, by the names that a report knows them by."""
    named = {
        name: t for n, arg in zip(_input_names(model, args), args, strict=True) for name, t in leaves(arg, n)
    }
    return named | {name: t for key, arg in kwargs.items() for name, t in leaves(arg, key)}


def _input_names(model: nn.Module, args: tuple[Any, ...]) -> list[str]:
    """The forward's own names for its positional arguments; ``*rest`` as rest.0, rest.1."""
    try:
        parameters = list(inspect.signature(model.forward).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names: list[str] = []
    for position in range(len(args)):
        star = next((p for p in parameters[: position + 1] if p.kind is p.VAR_POSITIONAL), None)
        if star is not None:
            names.append(f"{star.name}.{position - parameters.index(star)}")
        elif position < len(parameters):
            names.append(parameters[position].name)
        else:
            names.append(f"input{position}")
    return names


def _replaced(item: Any, name: str, twins: dict[str, Tensor]) -> Any:
    if isinstance(item, Tensor):
        return twins[name]
    if isinstance(item, dict):
        parts = {key: _replaced(part, f"{name}.{key}", twins) for key, part in item.items()}
        return parts if type(item) is dict else type(item)(parts)
    if isinstance(item, list | tuple):
        items = [_replaced(part, f"{name}.{i}", twins) for i, part in enumerate(item)]
        return type(item)(*items) if hasattr(item, "_fields") else type(item)(items)
    if is_dataclass(item) and not isinstance(item, type):
        return replace(
            item,
            **{f.name: _replaced(getattr(item, f.name), f"{name}.{f.name}", twins) for f in fields(item)},
        )
    return item


def _explained(failed: _Failed, inputs: dict[str, Tensor]) -> EyeshotError:
    error = failed.error
    place = f"module {failed.place!r}" if failed.place else "the model's own forward"
    shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in inputs.items())
    if isinstance(error, EyeshotError):
        return type(error)(f"in {place}: {error} [inputs: {shapes}]")
    message = str(error) or type(error).__name__
    text = f"in {place}: {type(error).__name__}: {message} [inputs: {shapes}]"
    if any(phrase in message.lower() for phrase in _TOO_SMALL):
        return InputError(f"{text} The input is too small for the network. Use a larger input.")
    if any(phrase in message.lower() for phrase in _MISFIT):
        return InputError(f"{text} Give an input of the rank and size that the model is made for.")
    return CaptureError(f"{text} Check that the model runs on inputs of these shapes.")
