"""A notation for convolutional networks, so that an architecture fits on a few lines.

A sequence is a list of layers; `c3/2p1` is a convolution of kernel 3, stride 2 and padding 1. The letter says
what: c convolution, w depthwise convolution, t transposed convolution, m max-pool, a average-pool, r ReLU, n
batch norm, o dropout. Kernels are `3` or, by axis, `1x7`; then `/stride`, `ddilation`, and a padding: `p1`,
or `p1,0` for low and high, `s` for TensorFlow's SAME, `v` for VALID (a default for the whole network stands
in where none is given). `add{ ... | ... }` and `cat{ ... | ... }` join branches that read the same tensor; an
empty branch is the tensor itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce

import torch
from torch import nn

LAYER = re.compile(
    r"(?P<kind>[cwtma])(?P<kernel>\d+(?:x\d+)*)(?:/(?P<stride>\d+))?(?:d(?P<dilation>\d+))?"
    r"(?:p(?P<low>\d+)(?:,(?P<high>\d+))?|(?P<auto>[sv]))?"
)
TOKEN = re.compile(r"add\{|cat\{|\||\}|[^\s{}|]+")
CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
MAX_POOL = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVG_POOL = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
NORM = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
PAD = {1: nn.ConstantPad1d, 2: nn.ConstantPad2d, 3: nn.ConstantPad3d}


class Parallel(nn.Module):
    """Branches that read the same tensor, joined by a sum ("add") or along the channels ("cat")."""

    def __init__(self, join: str, branches: list[nn.Module]) -> None:
        super().__init__()
        self.join = join
        for index, branch in enumerate(branches):
            self.add_module(f"branch_{index}", branch)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = [branch(x) for branch in self.children()]
        if self.join == "cat":
            return torch.cat(parts, dim=1)
        return reduce(torch.add, parts)


@dataclass
class _State:
    """Where the builder stands: the channels and, for SAME padding, the extent of the tensor so far."""

    channels: int
    extent: int
    rank: int
    width: int
    auto: str


def build(
    stages: tuple[tuple[str, str], ...], spatial: tuple[int, ...], channels: int, width: int, auto: str
) -> nn.Sequential:
    """A network in eval mode whose children are the named stages, for an input of extents `spatial`.

    SAME paddings with a stride are those of the first extent: such networks want equal extents.
    """
    state = _State(channels, spatial[0], len(spatial), width, auto)
    network = nn.Sequential()
    for name, text in stages:
        tokens = TOKEN.findall(text)
        network.add_module(name, _sequence(tokens, state))
        assert not tokens, f"{name}: unbalanced braces before {tokens}"
    return network.eval()


def _sequence(tokens: list[str], state: _State) -> nn.Module:
    """Layers up to the end, a `|` or a `}`, which stays in `tokens`."""
    layers: list[nn.Module] = []
    while tokens and tokens[0] not in {"|", "}"}:
        token = tokens.pop(0)
        layers += [_branches(token[:-1], tokens, state)] if token.endswith("{") else _layer(token, state)
    if not layers:
        return nn.Identity()
    return layers[0] if len(layers) == 1 else nn.Sequential(*layers)


def _branches(join: str, tokens: list[str], state: _State) -> nn.Module:
    branches, ends = [], []
    while True:
        end = _State(**vars(state))
        branches.append(_sequence(tokens, end))
        ends.append(end)
        if tokens.pop(0) == "}":
            break
    assert len({end.extent for end in ends}) == 1, f"branches end at extents {[end.extent for end in ends]}"
    state.extent = ends[0].extent
    state.channels = sum(end.channels for end in ends) if join == "cat" else ends[0].channels
    return Parallel(join, branches)


def _layer(token: str, state: _State) -> list[nn.Module]:
    simple = {"r": nn.ReLU, "n": lambda: NORM[state.rank](state.channels), "o": nn.Dropout}
    if token in simple:
        return [simple[token]()]
    match = LAYER.fullmatch(token)
    assert match, f"{token!r} is no layer of this notation"
    sizes = [int(k) for k in match["kernel"].split("x")]
    kernel = tuple(sizes * state.rank if len(sizes) == 1 else sizes)
    stride, dilation = int(match["stride"] or 1), int(match["dilation"] or 1)
    if match["kind"] == "t":
        state.extent = (state.extent - 1) * stride - 2 * int(match["low"] or 0) + kernel[0]
        channels, state.channels = state.channels, state.width
        return [TRANSPOSED[state.rank](channels, state.width, kernel, stride, int(match["low"] or 0))]
    spans = [dilation * (k - 1) + 1 for k in kernel]
    pads = _pads(match, spans, stride, state)
    state.extent = (state.extent + sum(pads[0]) - spans[0]) // stride + 1
    return _window(match["kind"], kernel, stride, dilation, pads, state)


def _pads(match: re.Match[str], spans: list[int], stride: int, state: _State) -> list[tuple[int, int]]:
    """Padding (low, high) along each axis."""
    if match["low"]:
        return [(int(match["low"]), int(match["high"] or match["low"]))] * len(spans)
    if (match["auto"] or state.auto) == "v":
        return [(0, 0)] * len(spans)
    out = -(-state.extent // stride)
    totals = [max((out - 1) * stride + span - state.extent, 0) for span in spans]
    return [(total // 2, total - total // 2) for total in totals]


def _window(
    kind: str, kernel: tuple[int, ...], stride: int, dilation: int, pads: list[tuple[int, int]], state: _State
) -> list[nn.Module]:
    """The layer, behind an explicit padding where low and high differ."""
    before: list[nn.Module] = []
    padding = tuple(low for low, _ in pads)
    if any(low != high for low, high in pads):
        before = [PAD[state.rank]([side for pair in reversed(pads) for side in pair], 0.0)]
        padding = (0,) * len(kernel)
    if kind == "m":
        return [*before, MAX_POOL[state.rank](kernel, stride, padding, dilation)]
    if kind == "a":
        return [*before, AVG_POOL[state.rank](kernel, stride, padding)]
    channels = state.channels
    state.channels = channels if kind == "w" else state.width
    groups = channels if kind == "w" else 1
    return [*before, CONV[state.rank](channels, state.channels, kernel, stride, padding, dilation, groups)]
