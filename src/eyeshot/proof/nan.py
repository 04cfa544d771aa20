"""The NaN probe: which units of a model turn NaN where some of its input is.

NaN survives every product and sum, so a unit is NaN exactly where some poisoned element reaches it. Poisoning all of the
input up to a position along one axis (a prefix) makes NaN exactly the units whose field starts at or before it; a suffix
tells where fields stop. One forward checks every unit of every tensor.

NaN says too much where a resize multiplies by coefficients that are zero by construction; there the nonzero coefficients
are found, and NaN is handed on by those alone. What else it hides or leaks is in :mod:`eyeshot.proof.blind`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from eyeshot.proof.rules.resizing import RESIZES, matrices_of, spread


class NanMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Resizes hand NaN on where a coefficient isn't zero; every other op is the real one."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func._schema.name.removeprefix("aten::") not in RESIZES or not args[0].isnan().any():
            return func(*args, **kwargs)
        names = [a.name for a in func._schema.arguments]
        bound = {a.name: a.default_value for a in func._schema.arguments}
        bound |= dict(zip(names, args, strict=False)) | kwargs
        reach = spread(args[0].isnan().double(), matrices_of(func, bound))
        return func(args[0].nan_to_num(), *args[1:], **kwargs).masked_fill(reach > 0, torch.nan)


def slab(x: Tensor, axis: int, position: int, *, prefix: bool) -> Tensor:
    """``x`` with NaN up to and at a position along an axis, or from it on."""
    out = x.clone()
    along = out.movedim(axis, 0)
    (along[: position + 1] if prefix else along[position:]).fill_(torch.nan)
    return out


def pixel(x: Tensor, index: tuple[int | None, ...]) -> Tensor:
    """``x`` with NaN at one index; None in a place is all of that axis."""
    out = x.clone()
    out[tuple(slice(None) if place is None else place for place in index)] = torch.nan
    return out
