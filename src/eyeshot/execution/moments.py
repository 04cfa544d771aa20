"""Mean and variance of a gradient, propagated backwards through a program without sampling any image.

The gradient of a target is taken as a random variable at every element of every tensor, over images (and over random
weights, if they are): ``mean`` and ``variance``, elements independent. A linear op hands the mean on by its coefficients
and the variance by their squares. An activation multiplies by its slope, itself random with moments a (mean) and b (mean
square): mean a·m, variance b·(m² + v) − a²·m². That is the mean-field theory of backpropagation (Poole et al. 2016,
Schoenholz et al. 2017) with the mean kept, which trained weights do not let vanish.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from eyeshot.errors import QuestionError, UnsupportedOpError
from eyeshot.execution.aim import Aim, frozen
from eyeshot.execution.program import Program
from eyeshot.frontends.torch.trace import Call, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyeshot.execution.target import Target
    from eyeshot.fields import Report
    from eyeshot.geometry import Box

Rule = Callable[["Backward", Call, Tensor, Tensor], None]
RULES: dict[str, Rule] = {}
_KNOTS = 2001


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register how moments go back through ATen ops: ``rule(backward, call, mean, variance)`` adds to its operands."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


@dataclass
class _Moments:
    mean: Tensor
    variance: Tensor


class Backward:
    """Moments of the gradient of a target: ``seed`` (of the shape of the program's output) is its own gradient there.

    ``calibration``, images, gives the moments of slopes, channel by channel, and the values of gates; without it inputs
    of activations are standard normal, and gates are 1/2.
    """

    def __init__(self, program: Program, calibration: Tensor | None = None) -> None:
        unknown: dict[str, list[str]] = {}
        for call in program.calls:
            if call.op not in RULES:
                unknown.setdefault(call.op, []).append(call.module or "the model itself")
        if unknown:
            raise UnsupportedOpError(unknown)
        self.program = program
        self._held: dict[Value, _Moments] = {}
        self.slopes: dict[Value, _Moments] = {}
        self.gates: dict[Value, Tensor] = {}
        images = [] if calibration is None else list(calibration)
        for image in images:
            self._calibrate(image[None], 1 / len(images))

    def __call__(self, seed: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the gradient at every element of the input."""
        (output,) = self.program.outputs
        self._held = {output: _Moments(seed, torch.zeros_like(seed))}
        with torch.no_grad():
            for call in reversed(self.program.calls):
                found = self._held.pop(call.outputs[0], None) if call.outputs[0] is not None else None
                if found is not None:
                    RULES[call.op](self, call, found.mean, found.variance)
        found = self._held.get(self.program.input)
        shape = self.program.input.shape
        return (torch.zeros(shape), torch.zeros(shape)) if found is None else (found.mean, found.variance)

    def _calibrate(self, image: Tensor, share: float) -> None:
        """Measure slopes and gates on one of several images."""
        with torch.no_grad():
            made = self.program.replay(image)
        for call in self.program.calls:
            if RULES[call.op] is activation:
                slope = _slopes(self, call, made[call.args[0]])
                others = [axis for axis in range(slope.ndim) if axis != 1]
                first, second = slope.mean(others, keepdim=True), (slope**2).mean(others, keepdim=True)
                held = self.slopes.get(call.args[0])
                self.slopes[call.args[0]] = _Moments(
                    first * share + (0 if held is None else held.mean),
                    second * share + (0 if held is None else held.variance),
                )
            elif RULES[call.op] is multiply:
                for value in {each for each in call.args[:2] if isinstance(each, Value) and each in made}:
                    self.gates[value] = made[value] * share + self.gates.get(value, 0)

    def constant(self, value: Any) -> Tensor | None:
        """The tensor behind an argument that depends on no input."""
        return self.program.constant(value) if isinstance(value, Value) else None

    def add(self, value: Any, mean: Tensor, variance: Tensor) -> None:
        """Hand moments to an operand, if it depends on the input; broadcast axes are summed."""
        if not isinstance(value, Value) or self.program.constant(value) is not None:
            return
        mean, variance = mean.sum_to_size(value.shape), variance.sum_to_size(value.shape)
        held = self._held.get(value)
        self._held[value] = (
            _Moments(mean, variance) if held is None else _Moments(held.mean + mean, held.variance + variance)
        )


# Linear ops


@rule("aten.convolution.default")
def convolution(back: Backward, call: Call, mean: Tensor, variance: Tensor) -> None:
    """Coefficients are the weights."""
    x, weight, _, stride, padding, dilation, transposed, output_padding, groups, *_ = call.args
    kernel = back.constant(weight)
    assert kernel is not None, "weights that are computed from the input"
    empty = torch.empty(x.shape, dtype=mean.dtype)

    def turned(slopes: Tensor, taps: Tensor) -> Tensor:
        found: Tensor = torch.ops.aten.convolution_backward(
            slopes, empty, taps, None, stride, padding, dilation, transposed, output_padding, groups,
            [True, False, False],
        )[0]  # fmt: skip
        return found

    back.add(x, turned(mean, kernel), turned(variance, kernel**2))


@rule("aten.linear.default")
def linear(back: Backward, call: Call, mean: Tensor, variance: Tensor) -> None:
    """Coefficients are the weights."""
    weight = back.constant(call.args[1])
    assert weight is not None
    back.add(call.args[0], mean @ weight, variance @ weight**2)


@rule("aten.batch_norm.default")
def batch_norm(back: Backward, call: Call, mean: Tensor, variance: Tensor) -> None:
    """A scale a channel."""
    x, weight, _, _, var, *_ = call.args
    held, spread = back.constant(weight), back.constant(var)
    assert spread is not None
    scale = torch.rsqrt(spread + call.args[7]) * (1 if held is None else held)
    scale = scale.reshape(-1, *(1,) * (mean.ndim - 2))
    back.add(x, mean * scale, variance * scale**2)


@rule("aten.add.Tensor", "aten.sub.Tensor")
def add(back: Backward, call: Call, mean: Tensor, variance: Tensor) -> None:
    """Both terms get it."""
    factor = call.kwargs.get("alpha", 1) * (-1 if "sub" in call.op else 1)
    back.add(call.args[0], mean, variance)
    back.add(call.args[1], mean * factor, variance * factor**2)


@rule("aten.view.default", "aten.reshape.default", "aten._unsafe_view.default", "aten.flatten.using_ints")
@rule("aten.unsqueeze.default", "aten.squeeze.dim", "aten.squeeze.dims")
def view(back: Backward, call: Call, mean: Tensor, variance: Tensor) -> None:
    """The same elements."""
    shape = call.args[0].shape
    back.add(call.args[0], mean.reshape(shape), variance.reshape(shape))


@rule("aten.permute.default")
def permute(back: Backward, call: Call, mean: Tensor, variance: Tensor) -> None:
    """Axes in another order."""
    order = [axis % mean.ndim for axis in call.args[1]]
    inverse = [order.index(axis) for axis in range(mean.ndim)]
    back.add(call.args[0], mean.permute(inverse), variance.permute(inverse))


@rule("aten.cat.default")
def cat(back: Backward, call: Call, mean: Tensor, variance: Tensor) -> None:
    """Each operand its part."""
    axis = call.args[1] if len(call.args) > 1 else 0
    first = 0
    for value in call.args[0]:
        extent = value.shape[axis]
        back.add(value, mean.narrow(axis, first, extent), variance.narrow(axis, first, extent))
        first += extent


@rule("aten.slice.Tensor", "aten.constant_pad_nd.default", "aten.upsample_nearest2d.default")
@rule("aten.upsample_nearest2d.vec", "aten.select.int", "aten.transpose.int", "aten.clone.default")
@rule("aten.dropout.default", "aten.expand.default", "aten.upsample_nearest1d.default")
def copied(back: Backward, call: Call, mean: Tensor, variance: Tensor) -> None:
    """Coefficients are 0 and 1, their own squares."""
    x = call.args[0]
    back.add(x, *(_turned(back, call, slopes) for slopes in (mean, variance)))


@rule(
    "aten.mean.dim", "aten.adaptive_avg_pool2d.default", "aten.avg_pool2d.default", "aten.avg_pool1d.default"
)
@rule("aten.adaptive_avg_pool1d.default")
def averaged(back: Backward, call: Call, mean: Tensor, variance: Tensor) -> None:
    """Each of n elements has the coefficient 1/n."""
    x = call.args[0]
    ones = torch.ones_like(mean)
    coefficient = _turned(back, call, ones) / _counted(back, call, ones)
    back.add(x, _turned(back, call, mean), _turned(back, call, variance) * coefficient)


def _counted(back: Backward, call: Call, ones: Tensor) -> Tensor:
    """How many windows each element is in."""
    if "pool" not in call.op or "adaptive" in call.op:
        return torch.ones(())
    kernel = call.args[1]
    size = prod(kernel if isinstance(kernel, list) else [kernel] * int(call.op.split("pool")[1][0]))
    return _turned(back, call, float(size) * ones).clamp(min=1)


def _turned(back: Backward, call: Call, slopes: Tensor) -> Tensor:
    """The transposed map of a linear op."""
    x = torch.zeros(call.args[0].shape, dtype=slopes.dtype, requires_grad=True)
    with torch.enable_grad():
        args = [x, *(back.program.real(arg, torch.Tensor) for arg in call.args[1:])]
        (out, *_) = back.program.run(call, args, call.kwargs)
        (found,) = torch.autograd.grad(out, x, slopes)
    return found


# Choices and products


@rule("aten.max_pool2d.default", "aten.max_pool1d.default")
def max_pool(back: Backward, call: Call, mean: Tensor, variance: Tensor) -> None:
    """Each element of a window is the largest as likely as any other."""
    x, kernel, *rest = call.args
    stride, padding = ([*rest, *[[], 0][len(rest) :]])[:2]
    rank = int(call.op.split("pool")[1][0])
    extents = kernel if isinstance(kernel, list) else [kernel] * rank
    likely = 1 / prod(extents)
    ceil_mode = call.args[5] if len(call.args) > 5 else False
    twin = Call(
        f"aten.avg_pool{rank}d.default",
        (x, kernel, stride or kernel, padding, ceil_mode),
        {},
        call.outputs,
        "",
        0,
    )
    square = _turned(back, twin, mean**2)
    back.add(x, _turned(back, twin, mean), _turned(back, twin, mean**2 + variance) - square * likely)


@rule("aten.mul.Tensor", "aten.mul.Scalar", "aten.div.Tensor", "aten.div.Scalar")
def multiply(back: Backward, call: Call, mean: Tensor, variance: Tensor) -> None:
    """Each factor gets it times the other, which is as the calibration images have it, or 1/2."""
    x, y = call.args[:2]
    divides = "div" in call.op
    for value, other in ((x, y),) if divides else ((x, y), (y, x)):
        factor = back.constant(other) if isinstance(other, Value) else torch.tensor(float(other))
        if factor is None:
            factor = back.gates.get(other, torch.tensor(0.5))
        factor = 1 / factor if divides else factor
        back.add(value, mean * factor, variance * factor**2)


@rule(
    *(
        f"aten.{name}.default"
        for name in "relu relu6 hardtanh gelu silu sigmoid hardswish hardsigmoid tanh elu leaky_relu softplus mish".split()
    )
)
def activation(back: Backward, call: Call, mean: Tensor, variance: Tensor) -> None:
    """Its slope has moments: those of the calibration images a channel, or of a standard normal input."""
    x = call.args[0]
    if x in back.slopes:
        first, second = back.slopes[x].mean, back.slopes[x].variance
    else:
        knots = torch.linspace(-6, 6, _KNOTS, dtype=mean.dtype)
        weights = torch.exp(-(knots**2) / 2)
        slope = _slopes(back, call, knots)
        first, second = ((slope**power * weights).sum() / weights.sum() for power in (1, 2))
    back.add(x, mean * first, second * (mean**2 + variance) - (first * mean) ** 2)


def _slopes(back: Backward, call: Call, x: Tensor) -> Tensor:
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        (out,) = back.program.run(call, [x, *call.args[1:]], call.kwargs)
        (slope,) = torch.autograd.grad(out.sum(), x)
    return slope


def propagated(
    model: Any, report: Report, target: Target, images: NDArray[np.floating[Any]] | None
) -> tuple[Box, NDArray[np.float64], NDArray[np.float64]]:
    """The part of the input that a target sees, and the moments of its gradient there, (C, *window) each.

    ``images`` calibrate, if given.

    Raises
    ------
    UnsupportedOpError
        listing the ops on the way without a rule.
    QuestionError
        for a target that is a function of its own.
    CaptureError
        where the model's course depends on the elements of its input.
    """
    if target.function is not None:
        raise QuestionError('method="analytic" takes units; for a function of the output sample gradients')
    aim = Aim(model, report, target, crop_input=images is None)
    shape = [1, *report.input_shape[1:]]
    for axis, extent in zip(report.spatial[report.input].axes, aim.crop.window.size, strict=True):
        shape[axis] = extent
    with frozen(aim.part):
        program = Program(aim.part, shape)
        backward = Backward(program, None if images is None else aim.tensor(images))
    (output,) = program.outputs
    seed = torch.zeros(output.shape, dtype=aim.dtype)
    region = aim.region(seed)
    region.fill_(1.0 if target.reduce == "sum" else 1.0 / region.numel())
    mean, variance = backward(seed)
    return aim.crop.window, mean[0].double().numpy(), variance[0].double().numpy()


def folded(mean: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expectation of the absolute value of a normal variable."""
    m, v = torch.from_numpy(mean), torch.from_numpy(variance).clamp(min=0)
    deviation = v.sqrt()
    ratio = torch.where(deviation > 0, m / deviation.clamp(min=torch.finfo(torch.float64).tiny), 0.0)
    spread = (2 / pi) ** 0.5 * deviation * torch.exp(-(ratio**2) / 2) + m * torch.erf(ratio / 2**0.5)
    expected: NDArray[np.float64] = torch.where(deviation > 0, spread, m.abs()).numpy()
    return expected
