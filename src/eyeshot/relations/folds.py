"""Axis maps between an axis and its (overlapping) windows laid end to end."""

from __future__ import annotations

import numpy as np

from eyeshot.relations.maps import Periodic, Table, transpose


def unfold(
    size: int, windows: int, kernel: int, stride: int = 1, dilation: int = 1, padding: int = 0
) -> Table:
    """Every window's elements, windows in order; places over padding read nothing.

    Output ``w * kernel + k`` reads ``w * stride + k * dilation - padding``.
    """
    offsets = np.arange(kernel) * dilation - padding
    places = (np.arange(windows)[:, None] * stride + offsets).reshape(-1)
    inside = (places >= 0) & (places < size)
    indptr = np.concatenate([[0], np.cumsum(inside)])
    law = Periodic(stride, tuple(offsets.tolist()), tuple((offsets + 1).tolist())) if kernel else None
    return Table(indptr, places[inside], size, law)


def fold(size: int, windows: int, kernel: int, stride: int = 1, dilation: int = 1, padding: int = 0) -> Table:
    """The reverse of `unfold`: element ``y`` reads its place in every window that holds it."""
    turned = transpose(unfold(size, windows, kernel, stride, dilation, padding), size, windows * kernel)
    low, high, gap = [], [], 1
    for phase in range(stride):
        # The window w that holds element `phase` as its k-th, on an endless axis.
        starts = [(phase + padding - k * dilation, k) for k in range(kernel)]
        read = sorted(start // stride * kernel + k for start, k in starts if start % stride == 0)
        low.append(min(read, default=0))
        high.append(max(read, default=-1) + 1)
        gap = max([gap, *np.diff(read).tolist()])
    law = Periodic(kernel, tuple(low), tuple(high), gap=gap)
    return Table(turned.indptr, turned.indices, windows * kernel, law)
