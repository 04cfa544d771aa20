"""A forward as a list of ATen calls bound to a model's own tensors, so that it can be run call by call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from eyeshot.errors import CaptureError
from eyeshot.frontends.torch.capture import capture
from eyeshot.frontends.torch.modules import unwrap
from eyeshot.frontends.torch.trace import Call, Trace, Value, values_in

_WORDS = {"dtype", "layout", "memory_format"}
_COPYING = {"aten.view.default": "aten.reshape.default", "aten._unsafe_view.default": "aten.reshape.default"}
_NORMS = {"aten.batch_norm.default": 5, "aten.native_batch_norm.default": 5}  # op: place of ``training``


class Program:
    """One forward of ``model`` on one input of ``shape``, batch axis included.

    Calls are in the order in which they ran, in-place ones made functional; what follows from no input is held. Batch norms
    in eval mode are folded into the convolutions before them.
    """

    def __init__(self, model: nn.Module, shape: Sequence[int]) -> None:
        """Capture.

        Raises
        ------
        CaptureError
            where the model's own code raises, or its course depends on the elements of the input.
        """
        model = unwrap(model)
        self.trace: Trace = capture(model, (torch.empty(tuple(shape), device="meta"),))
        if self.trace.real or len(self.trace.inputs) != 1:
            raise CaptureError(
                f"the course of {type(model).__name__} depends on the elements of its input: it cannot be run call by call"
            )
        (self.input,) = self.trace.inputs.values()
        self.outputs = tuple(self.trace.outputs.values())
        self._held: dict[Value, Tensor] = {}
        self._model = model
        self._hold(model)
        self.calls = self._folded(self._needed())

    def constant(self, value: Value) -> Tensor | None:
        """The tensor of a value that depends on no input, as far as it is held."""
        return self._held.get(value)

    def real(self, item: Any, held: Callable[[Value], Tensor]) -> Any:
        """An argument with a tensor in the place of every Value that depends on the input, as ``held`` gives it."""
        if isinstance(item, Value):
            constant = self._held.get(item)
            return held(item) if constant is None else constant
        if isinstance(item, list | tuple):
            return [self.real(part, held) for part in item]
        return item

    def run(self, call: Call, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Tensor]:
        """Run one call on real arguments."""
        options = {
            key: getattr(torch, word) if key in _WORDS and isinstance(word, str) else word
            for key, word in kwargs.items()
            if key != "device"
        }
        out = _function(call.op)(*args, **options)
        return list(out) if isinstance(out, list | tuple) else [out]

    def replay(self, x: Tensor) -> dict[Value, Tensor]:
        """Every value of a forward on ``x``."""
        made = {self.input: x}
        for call in self.calls:
            args = [self.real(arg, made.__getitem__) for arg in call.args]
            kwargs = {key: self.real(arg, made.__getitem__) for key, arg in call.kwargs.items()}
            parts = zip(call.outputs, self.run(call, args, kwargs), strict=False)
            made.update({value: part for value, part in parts if value is not None})
        return made

    def _hold(self, model: nn.Module) -> None:
        """Parameters, buffers and known constants; what is computed from them alone is computed now."""
        named = {
            **dict(model.named_parameters(remove_duplicate=False)),
            **dict(model.named_buffers(remove_duplicate=False)),
        }
        for value in values_in(
            [[call.args, list(call.kwargs.values()), call.outputs] for call in self.trace.calls]
        ):
            if value.known is not None:
                self._held[value] = torch.from_numpy(value.known).to(getattr(torch, value.dtype))
            elif value.name in named and value.origin in {"parameter", "buffer"}:
                self._held[value] = named[value.name].detach()
        for call in self.trace.calls:
            operands = list(values_in([call.args, call.kwargs]))
            if all(value in self._held for value in operands) and None not in call.outputs:
                if all(value in self._held for value in call.outputs):
                    continue
                args = [self.real(arg, self._missing) for arg in call.args]
                kwargs = {key: self.real(arg, self._missing) for key, arg in call.kwargs.items()}
                made = self.run(call, args, kwargs)
                self._held.update({v: t for v, t in zip(call.outputs, made, strict=True) if v is not None})

    def _missing(self, value: Value) -> Tensor:
        raise CaptureError(f"{value} of {type(self._model).__name__} has no elements to run with")

    def _needed(self) -> list[Call]:
        """The calls that an output needs and that depend on the input."""
        wanted, kept = set(self.outputs), []
        for call in reversed(self.trace.calls):
            if any(value in wanted and value not in self._held for value in call.outputs):
                kept.append(call)
                wanted.update(values_in([call.args, call.kwargs]))
        return kept[::-1]

    def _folded(self, calls: list[Call]) -> list[Call]:
        """The calls with eval-mode batch norms inside the convolutions that nothing else reads."""
        readers = Counter(value for call in calls for value in values_in([call.args, call.kwargs]))
        made = {call.outputs[0]: place for place, call in enumerate(calls)}
        out: list[Call | None] = list(calls)
        for place, call in enumerate(calls):
            training = _NORMS.get(call.op)
            if training is None or call.args[training]:
                continue
            before = made.get(call.args[0], place)
            source = out[before]
            if source is None or source.op != "aten.convolution.default" or readers[call.args[0]] != 1:
                continue
            if source.args[6] or call.args[0] in self.outputs or source.args[1] not in self._held:
                continue
            out[before], out[place] = None, self._merged(source, call)
            made[call.outputs[0]] = place
        return [call for call in out if call is not None]

    def _merged(self, conv: Call, norm: Call) -> Call:
        """A convolution with the scale and shift of the norm behind it."""
        weight, shift, mean, var = (None if value is None else self._held[value] for value in norm.args[1:5])
        assert mean is not None
        assert var is not None
        kernel = self._held[conv.args[1]]
        scale = torch.rsqrt(var + norm.args[-2 if norm.op == "aten.batch_norm.default" else -1])
        scale = scale if weight is None else scale * weight
        bias = -mean if conv.args[2] is None else self._held[conv.args[2]] - mean
        bias = bias * scale if shift is None else bias * scale + shift
        values = [
            Value(tuple(t.shape), v.dtype, "constant")
            for t, v in ((kernel, conv.args[1]), (bias, conv.args[1]))
        ]
        self._held[values[0]] = kernel * scale.reshape(-1, *(1,) * (kernel.ndim - 1))
        self._held[values[1]] = bias
        args = (conv.args[0], *values, *conv.args[3:])
        return Call(conv.op, args, conv.kwargs, norm.outputs[:1], norm.module, norm.visit)

    def prepare(self, move: Callable[[Tensor], Tensor]) -> None:
        """Put every held tensor through ``move``: into another memory format, say."""
        self._held = {value: move(tensor) for value, tensor in self._held.items()}


@cache
def _function(op: str) -> Callable[..., Any]:
    # A Value has no strides, so what could be viewed in the capture may need a copy here.
    namespace, packet, overload = _COPYING.get(op, op).split(".")
    function: Callable[..., Any] = getattr(getattr(getattr(torch.ops, namespace), packet), overload)
    return function


def last_uses(calls: Sequence[Call]) -> Iterator[tuple[Call, list[Value]]]:
    """Each call with the values that nothing after it reads."""
    last: dict[Value, int] = {}
    for place, call in enumerate(calls):
        for value in values_in([call.args, call.kwargs]):
            last[value] = place
    ending: dict[int, list[Value]] = {}
    for value, place in last.items():
        ending.setdefault(place, []).append(value)
    for place, call in enumerate(calls):
        yield call, ending.get(place, [])
