"""Convolutions, matrix products and distances: means over what is summed, whatever the weights."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from eyeshot.proof.program import mean, thin
from eyeshot.proof.rules.call import Call, rule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from eyeshot.proof.program import Linear, Twins


@rule("convolution _convolution convolution_overrideable mkldnn_convolution")
def convolution(call: Call) -> Linear:
    """Mean over channels of a group, then a kernel of equal weights; every channel of a group comes out the same."""
    x, weight, bias = (call.slot(name) for name in ("input", "weight", "bias"))
    kernel, shape, groups = call.args["weight"].shape, call.shape, call.args["groups"]
    transposed, given = call.args["transposed"], call.args["input"]
    if weight is not None:
        call.flag("leaks", "misses")
    # A computed weight is not read where it meets padding alone, which may have been put there by an op before.
    solid = (given != 0).flatten(0, 1).all(0)[None, None].double() if weight is not None else None
    settings = {name: call.args[name] for name in ("stride", "padding", "dilation")}
    if transposed:
        settings["output_padding"] = call.args["output_padding"]
    convolve = getattr(functional, f"conv{'_transpose' if transposed else ''}{len(kernel) - 2}d")

    def linear(twins: Twins) -> list[Tensor]:
        out = twins[0].new_zeros(())
        if x is not None:
            out = out + _convolved(convolve, twins[x], kernel[2:], groups, shape, settings)
        if weight is not None and solid is not None:
            w = twins[weight]
            w = (
                w.reshape(groups, -1, *w.shape[1:]).mean(1).flatten(0, 1)[None]
                if transposed
                else mean(w, [1])
            )
            out = out + convolve(solid, w, **settings)
        if bias is not None:
            out = out + twins[bias].reshape(1, -1, *(1,) * (len(kernel) - 2))
        return [out.expand(shape)]

    return linear


def _convolved(
    convolve: Callable[..., Tensor],
    x: Tensor,
    kernel: Sequence[int],
    groups: int,
    shape: Sequence[int],
    settings: dict[str, Any],
) -> Tensor:
    """A convolution by equal weights: one channel a group is computed, or one for all where they are alike."""
    small = thin(x)
    if small.shape[1] != 1:
        small = small.reshape(small.shape[0], groups, -1, *small.shape[2:]).mean(2)
    while thin(small).shape[2:] != small.shape[2:]:
        small = small.contiguous()
    n, c = small.shape[:2]
    flat = small.expand(n, c, *x.shape[2:]).reshape(n * c, 1, *x.shape[2:])
    weight = flat.new_full((1, 1, *kernel), 1 / prod(kernel))
    out = convolve(flat, weight, **settings)
    out = out.reshape(n, c, 1, *out.shape[2:]).expand(n, c, shape[1] // c, *out.shape[2:])
    wide: Tensor = out.reshape(n, shape[1], *out.shape[3:]) if c > 1 else out[:, 0]
    return wide


def _product(call: Call, a: Any, b: Any) -> Callable[[Twins], Tensor]:
    """``a @ b``: a row and a column, as far as neither is multiplied by 0 by construction."""
    left, right = call.slot(a), call.slot(b)
    from_left, from_right = _kept(call, b), _kept(call, a)
    if from_left is not None or from_right is not None:
        call.flag("leaks")

    def linear(twins: Twins) -> Tensor:
        out = twins[0].new_zeros(())
        if left is not None:
            x = twins[left]
            out = out + (mean(x, [x.dim() - 1]) if from_left is None else x @ from_left / x.shape[-1])
        if right is not None:
            x = twins[right]
            out = out + (mean(x, [x.dim() - 2]) if from_right is None else from_right @ x / x.shape[-2])
        return out

    return linear


def _kept(call: Call, item: Tensor) -> Tensor | None:
    """Where one side of a product is not 0 by construction, in float64."""
    held = call.support_of(item) if call.slot(item) is not None else call.zeros(item)
    return None if held is None or bool(held.all()) else held.double()


@rule("mm bmm matmul")
def matmul(call: Call) -> Linear:
    """One row and one column."""
    product, shape = _product(call, call.args["self"], _second(call)), call.shape
    return lambda twins: [product(twins).expand(shape)]


def _second(call: Call) -> Tensor:
    found: Tensor = next(call.args[name] for name in ("mat2", "other", "batch2") if name in call.args)
    return found


@rule("addmm baddbmm")
def addmm(call: Call) -> Linear:
    """One row, one column, and the same element of the summand."""
    names = ("mat1", "mat2") if call.name == "addmm" else ("batch1", "batch2")
    product, shape, start = (
        _product(call, *(call.args[name] for name in names)),
        call.shape,
        call.slot("self"),
    )
    if call.args["beta"] == 0:
        start = None
    return lambda twins: [(product(twins) + (0 if start is None else twins[start])).expand(shape)]


@rule("addmv mv dot vdot")
def vectors(call: Call) -> Linear:
    """One row and a whole vector."""
    added = call.name == "addmv"
    names = ("mat", "vec") if added else ("self", "tensor" if "dot" in call.name else "vec")
    slots, shape, start = (
        [call.slot(name) for name in names],
        call.shape,
        call.slot("self") if added else None,
    )

    def linear(twins: Twins) -> list[Tensor]:
        parts = [twins[slot].mean(-1) for slot in slots if slot is not None]
        parts += [] if start is None else [twins[start]]
        return [sum(parts[1:], parts[0]).expand(shape)]

    return linear


@rule("linear")
def linear_layer(call: Call) -> Linear:
    """All of the last axis."""
    x, weight, bias, shape = *(call.slot(name) for name in ("input", "weight", "bias")), call.shape

    def linear(twins: Twins) -> list[Tensor]:
        out = twins[0].new_zeros(())
        if x is not None:
            out = out + mean(twins[x], [twins[x].dim() - 1])
        if weight is not None:
            out = out + twins[weight].mean(-1)
        if bias is not None:
            out = out + twins[bias]
        return [out.expand(shape)]

    return linear


@rule("_cdist_forward _euclidean_dist")
def distances(call: Call) -> Linear:
    """A row of either operand."""
    first, second, shape = call.slot("x1"), call.slot("x2"), call.shape

    def linear(twins: Twins) -> list[Tensor]:
        out = twins[0].new_zeros(())
        if first is not None:
            out = out + twins[first].mean(-1, keepdim=True)
        if second is not None:
            out = out + twins[second].mean(-1).unsqueeze(-2)
        return [out.expand(shape)]

    return linear


@rule("grid_sampler_2d grid_sampler_3d")
def grid_sampler(call: Call) -> Linear:
    """Its own point of the grid, and what is sampled there this time."""
    x, grid, shape = call.slot("input"), call.slot("grid"), call.shape
    call.flag("misses", "hides")
    points = call.args["grid"].detach().double()
    settings = [call.args[name] for name in ("interpolation_mode", "padding_mode", "align_corners")]
    packet = getattr(torch.ops.aten, call.name)

    def linear(twins: Twins) -> list[Tensor]:
        out = twins[0].new_zeros(())
        if x is not None:
            out = out + packet(twins[x], points, *settings).abs()
        if grid is not None:
            out = out + twins[grid].mean(-1).unsqueeze(1)
        return [out.expand(shape)]

    return linear
