"""Resizes that interpolate: neighbours with nonzero coefficients, which the op itself is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from eyeshot.proof.rules.call import Call, rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from eyeshot.proof.program import Linear

RESIZES = frozenset(
    "upsample_linear1d upsample_bilinear2d upsample_trilinear3d upsample_bicubic2d _upsample_bilinear2d_aa "
    "_upsample_bicubic2d_aa _upsample_lanczos2d_aa".split()
)
_NEAREST = """
    upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d
    _upsample_nearest_exact3d
"""
_ROUNDING = 1e-10


def coefficients(func: Callable[..., Tensor], args: dict[str, Any], axis: int, rank: int) -> Tensor:
    """Which input index each output index reads along one spatial axis: float64 (in, out), 1 or 0.

    An interpolation multiplies neighbours by coefficients that may be zero by construction, which are no dependence; so
    the op resizes one-hot vectors, and the axis on its own.
    """
    x = args["self"]
    extent = x.shape[axis - rank]
    # Two elements along the other axes: with one, antialiased resizes take the layout for another and read elsewhere.
    one_hot = torch.eye(extent, dtype=torch.float64)
    one_hot = one_hot.reshape(extent, 1, *(extent if a == axis else 1 for a in range(rank)))
    one_hot = one_hot.repeat(1, 1, *(1 if a == axis else 2 for a in range(rank)))
    size = [n if a == axis else 2 for a, n in enumerate(args["output_size"])]
    scales = [name for name in args if name.startswith("scales")]
    kept = {name: args[name] if a == axis else None for a, name in enumerate(scales)}
    aligned = {"align_corners": args["align_corners"]} if "align_corners" in args else {}
    answer = func(one_hot, size, **aligned, **kept)
    line = answer.movedim(axis - rank, -1).reshape(extent, -1, size[axis])[:, 0]
    return (line.abs() > _ROUNDING).double()


def nearest(func: Callable[..., Tensor], args: dict[str, Any], axis: int, rank: int) -> Tensor:
    """As `coefficients`, for ops that copy; which kernel is used depends on shapes, so a tensor of the same is asked."""
    x = args["self"]
    extent = x.shape[axis - rank]
    index = torch.arange(extent, device=x.device).reshape([-1 if a == axis else 1 for a in range(rank)])
    answer = func(**{**args, "self": torch.empty_like(x, dtype=torch.float32).copy_(index)})
    first = answer.movedim(axis - rank, -1).reshape(-1, answer.shape[axis - rank])[0]
    return torch.nn.functional.one_hot(first.long(), extent).T.double()


def spread(x: Tensor, matrices: list[Tensor]) -> Tensor:
    """The mean of the neighbours that count, along each of the last axes."""
    for axis, matrix in enumerate(matrices):
        place = axis - len(matrices)
        x = (x.movedim(place, -1) @ (matrix / matrix.sum(0).clamp(min=1))).movedim(-1, place)
    return x


def matrices_of(func: Any, args: dict[str, Any]) -> list[Tensor]:
    """The coefficients along every spatial axis."""
    rank = len(args["output_size"])
    along = nearest if "nearest" in func._schema.name else coefficients
    return [along(func, args, axis, rank) for axis in range(rank)]


@rule(*RESIZES, _NEAREST)  # nearest: derivatives of torch's own go elsewhere by ragged factors
def resize(call: Call) -> Linear:
    """Neighbours with nonzero coefficients."""
    slot, matrices, shape = call.slot("self"), matrices_of(call.func, call.args), call.shape
    assert slot is not None
    return lambda twins: [spread(twins[slot], matrices).expand(shape)]
