"""Windows of convolutions and pooling, from the attributes that they share."""

from __future__ import annotations

from collections.abc import Sequence

from eyeshot.errors import FileFormatError
from eyeshot.frontends.onnx.context import Context
from eyeshot.relations import Window

Numbers = Sequence[int] | None


def windows(
    ctx: Context,
    shape: Sequence[int],
    kernel: Sequence[int],
    strides: Numbers,
    pads: Numbers,
    dilations: Numbers,
    auto_pad: str = "NOTSET",
    *,
    ceil: bool = False,
) -> tuple[list[Window], tuple[int, ...]]:
    """One window for each spatial extent of ``shape``, and the extents of the result.

    ``pads`` has what comes before every axis, then what comes behind. With ``auto_pad`` SAME_UPPER (SAME_LOWER) there are
    ceil(n / stride) outputs, and an odd padding has its extra element behind (before). With ``ceil`` a last window may hang
    over the end, but not start there.
    """
    rank = len(shape)
    if len(kernel) != rank:
        raise FileFormatError(f"{ctx.label} has a kernel {tuple(kernel)} for {rank} spatial axes")
    around = sized(ctx, pads if auto_pad in {"NOTSET", ""} else None, 2 * rank, 0)
    steps = zip(shape, kernel, sized(ctx, strides, rank, 1), sized(ctx, dilations, rank, 1), strict=True)
    maps: list[Window] = []
    extents: list[int] = []
    for axis, (n, k, s, d) in enumerate(steps):
        if k < 1 or s < 1 or d < 1:
            raise FileFormatError(
                f"{ctx.label} has kernel {k}, stride {s}, dilation {d} along axis {axis + 2}"
            )
        span = d * (k - 1) + 1
        low, high = around[axis], around[axis + rank]
        if auto_pad.startswith("SAME"):
            total = max(0, (-(-n // s) - 1) * s + span - n)
            low = total // 2 if auto_pad == "SAME_UPPER" else -(-total // 2)
            high = total - low
        last = n + low + high - span
        count = (-(-last // s) if ceil else last // s) + 1
        if ceil and (count - 1) * s >= n + low:
            count -= 1
        maps.append(Window(k, s, d, low))
        extents.append(max(0, count))
    return maps, ctx.bounded(extents)


def sized(ctx: Context, given: Numbers, count: int, default: int) -> list[int]:
    """An attribute with one number each for ``count`` things.

    Raises
    ------
    FileFormatError
        where it has another length.
    """
    if not given:
        return [default] * count
    if len(given) != count:
        raise FileFormatError(f"{ctx.label} has {len(given)} numbers {list(given)} where {count} are due")
    return list(given)
