"""Pads, slices, views, windows as axes."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from tests.frontends.torch.case import Case


def _assign(x, y):
    out = x.clone()
    out[:, 1:3] = y
    return out


def _assign_strided(x, y):
    out = x.clone()
    out[:, 1::2] = y
    return out


def _interleave_zeros(x):
    out = x.new_zeros(2, 7)
    out[:, 1::2] = x
    return out


def _assign_index(x, y):
    out = x.clone()
    out[:, -1] = y
    return out


def _assign_strided_view(x, y):
    out = x.clone()
    out.as_strided((2, 2), (4, 2), 1).copy_(y)
    return out


def _assign_diagonal(x, y):
    out = x.clone()
    torch.diagonal(out, 1, 0, 1).copy_(y)
    return out


PADS = [
    Case("pad-zero", lambda x: F.pad(x, (1, 2, 0, 1)), ((1, 1, 3, 3),)),
    Case("pad-constant-crop", lambda x: F.pad(x, (-1, 2, 1, -2), value=3.0), ((1, 1, 4, 4),)),
    Case("pad-reflect1d", lambda x: F.pad(x, (2, 3), mode="reflect"), ((1, 2, 5),)),
    Case("pad-reflect2d", lambda x: F.pad(x, (2, 1, 0, 2), mode="reflect"), ((1, 1, 3, 4),)),
    Case("pad-reflect3d", lambda x: F.pad(x, (1, 0, 0, 1, 1, 1), mode="reflect"), ((1, 1, 2, 2, 3),)),
    Case("pad-replicate1d", lambda x: F.pad(x, (2, 1), mode="replicate"), ((1, 2, 4),)),
    Case("pad-replicate2d", lambda x: F.pad(x, (2, 3, 0, 1), mode="replicate"), ((1, 1, 2, 3),)),
    Case("pad-replicate2d-crop", lambda x: F.pad(x, (-1, 3, 0, 1), mode="replicate"), ((1, 1, 2, 3),)),
    Case("pad-replicate2d-all-new", lambda x: F.pad(x, (-4, 5, 1, -3), mode="replicate"), ((1, 1, 3, 4),)),
    Case("pad-replicate3d", nn.ReplicationPad3d(1), ((1, 1, 1, 2, 2),)),
    Case("pad-circular1d", lambda x: F.pad(x, (2, 3), mode="circular"), ((1, 2, 4),)),
    Case("pad-circular2d", lambda x: F.pad(x, (1, 3, 0, 2), mode="circular"), ((1, 1, 3, 3),)),
    Case("pad-circular3d", nn.CircularPad3d(1), ((1, 1, 1, 2, 2),)),
]

SLICES = [
    Case("slice", lambda x: x[:, 1:3], ((2, 5),)),
    Case("slice-negative", lambda x: x[:, -3:-1], ((2, 5),)),
    Case("slice-beyond", lambda x: x[-9:1, 2:99], ((2, 5),)),
    Case("slice-step", lambda x: x[::2, 1::3], ((4, 8),)),
    Case("slice-empty", lambda x: torch.cat([x[:, 3:2], x], 1), ((2, 4),)),
    Case("select", lambda x: x[:, -2], ((2, 4, 2),)),
    Case("narrow", lambda x: x.narrow(-1, 1, 2), ((2, 4),)),
    Case("split", lambda x: x.split(2, 1), ((2, 5),)),
    Case("split-sizes", lambda x: x.split([1, 3, 1], -1), ((2, 5),)),
    Case("chunk", lambda x: x.chunk(3, 1), ((2, 7),)),
    Case("tensor-split", lambda x: torch.tensor_split(x, (1, 4), 1), ((2, 7),)),
    Case("unbind", lambda x: x.unbind(1), ((2, 3, 2),)),
    Case("cat", lambda x, y: torch.cat([x, y, x], -1), ((2, 3), (2, 2))),
    Case("cat-empty", lambda x: torch.cat([x.new_zeros(0), x], 1), ((2, 3),)),
    Case("cat-constant", lambda x: torch.cat([torch.ones(2, 1, dtype=x.dtype), x], 1), ((2, 3),)),
    Case("stack", lambda x, y: torch.stack([x, y], -1), ((2, 3), (2, 3))),
    Case("assign", _assign, ((2, 5), (2, 2))),
    Case("assign-broadcast", _assign, ((2, 5), (1,))),
    Case("assign-strided", _assign_strided, ((2, 6), (2, 3))),
    Case("assign-into-zeros", _interleave_zeros, ((2, 3),)),
    Case("assign-index", _assign_index, ((2, 4), (2,))),
    Case("assign-diagonal", _assign_diagonal, ((3, 4, 2), (2, 3))),
    Case("slice-scatter", lambda x, y: torch.slice_scatter(x, y, 1, -3, 99, 2), ((2, 5), (2, 2))),
    Case("select-scatter", lambda x, y: torch.select_scatter(x, y, 0, -1), ((2, 5), (5,))),
    Case("flip", lambda x: x.flip((0, -1)), ((2, 2, 3),)),
    Case("roll", lambda x: x.roll((1, -2), (0, 1)), ((3, 5),)),
    Case("roll-same-axis", lambda x: x.roll((1, 2), (1, 1)), ((3, 5),)),
    Case("roll-flat", lambda x: x.roll(3), ((2, 4),)),
    Case("rot90", lambda x: torch.rot90(x, 1, (1, 2)), ((1, 2, 3),)),
    Case("rot180", lambda x: torch.rot90(x, -2, (0, 2)), ((2, 2, 3),)),
    Case("rot270", lambda x: torch.rot90(x, 3, (2, 0)), ((2, 2, 3),)),
]

VIEWS = [
    Case("view", lambda x: x.view(3, -1), ((2, 3, 2),)),
    Case("reshape-copying", lambda x: x.transpose(0, 1).reshape(-1), ((2, 3),)),
    Case("flatten", lambda x: x.flatten(1).unflatten(1, (2, 3)), ((2, 3, 2),)),
    Case("squeeze", lambda x: x.squeeze(1).unsqueeze(-1), ((2, 1, 3),)),
    Case("permute", lambda x: x.permute(2, 0, 1).contiguous(), ((2, 3, 2),)),
    Case("transpose", lambda x: x.transpose(-1, 0), ((2, 3, 2),)),
    Case("t", lambda x: x.t(), ((2, 3),)),
    Case("movedim", lambda x: x.movedim((0, 1), (-1, 0)), ((2, 3, 4),)),
    Case("expand", lambda x: x.expand(2, -1, 3), ((2, 1),)),
    Case("repeat", lambda x: x.repeat(2, 1, 3), ((2, 2),)),
    Case("tile", lambda x: x.tile(2), ((2, 3),)),
    Case("repeat-interleave", lambda x: x.repeat_interleave(3, 1), ((2, 3),)),
    Case("repeat-interleave-flat", lambda x: x.repeat_interleave(2), ((2, 2),)),
    Case("diagonal", lambda x: x.diagonal(-1, 0, 2), ((3, 2, 4),)),
    Case("diag-embed", lambda x: torch.diag_embed(x, 1, 0, 2), ((2, 3),)),
    Case("block-diag", torch.block_diag, ((2, 3), (1, 2), (2,))),
    Case("transpose-scalar", lambda x: x.transpose(0, -1), ((),)),
    Case("gather-scalar", lambda x: x.gather(0, torch.tensor(0)), ((),)),
    Case("diagonal-outside", lambda x: torch.cat([x.diagonal(9).reshape(-1), x[0]]), ((2, 3),)),
    Case("as-strided-permute", lambda x: x.as_strided((2, 3, 4), (1, 2, 6)), ((4, 3, 2),)),
    Case("as-strided-slice", lambda x: x.as_strided((2, 2), (4, 2), 1), ((3, 4),)),
    Case("as-strided-expand", lambda x: x.as_strided((2, 3, 4), (0, 4, 1)), ((3, 4),)),
    Case("as-strided-windows", lambda x: x.as_strided((2, 3, 3), (8, 2, 1)), ((2, 8),)),
    Case("as-strided-windows-apart", lambda x: x.as_strided((2, 3, 2), (8, 1, 3), 1), ((2, 8),)),
    Case("as-strided-assign", _assign_strided_view, ((3, 4), (2, 2))),
    Case("fill-diagonal", lambda x: (x * 1).fill_diagonal_(0.0), ((3, 4),)),
    Case("as-strided-crossing", lambda x: x.as_strided((5,), (2,), 1), ((3, 4),)),
    Case("as-strided-diagonal", lambda x: x.as_strided((3,), (4,)), ((3, 3),)),
]

FOLDS = [
    Case("unfold-axis", lambda x: x.unfold(1, 3, 2), ((2, 7, 2),)),
    Case("unfold-axis-apart", lambda x: x.unfold(-1, 2, 3), ((2, 8),)),
    Case("im2col", nn.Unfold((2, 3), padding=(1, 0), stride=(2, 1)), ((1, 2, 4, 5),)),
    Case("im2col-dilated", nn.Unfold(2, dilation=(1, 2), padding=1), ((2, 1, 3, 4),)),
    Case("col2im", nn.Fold((4, 5), (2, 3), padding=(1, 0), stride=(2, 1)), ((1, 12, 9),)),
    Case("col2im-dilated", nn.Fold((3, 4), 2, dilation=(1, 2), stride=(1, 3)), ((1, 4, 2),)),
    Case("col2im-padded", nn.Fold((3, 5), 3, dilation=2, padding=2, stride=1), ((1, 9, 15),)),
    Case("pixel-shuffle", nn.PixelShuffle(2), ((2, 8, 2, 1),)),
    Case("pixel-unshuffle", nn.PixelUnshuffle(2), ((1, 2, 4, 2),)),
    Case("channel-shuffle", nn.ChannelShuffle(3), ((1, 6, 2, 1),)),
]

CASES = [*PADS, *SLICES, *VIEWS, *FOLDS]
