"""Published receptive fields: every row of the table, against eyeshot and against a recursion of our own.

`data/receptive_fields.csv` names the source of each figure. Sizes, strides and paddings are unclipped; a
blank means that the source says nothing (TensorFlow's SAME padding is unknown while the input's extent is).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import torch

import eyeshot
from tests.probe import nan_masks, poisoned
from tests.reference_networks import NETWORKS, laws, module_path, network_name, reference

FIGURES = Path(__file__).parent / "data" / "receptive_fields.csv"
NOT_BUILT: dict[str, str] = {}  # row id -> reason; every row has its network


@dataclass(frozen=True)
class Row:
    """One published figure; per-axis entries are as long as the network has spatial axes."""

    source: str
    model: str
    endpoint: str
    resolution: str
    size: tuple[int, ...]
    stride: tuple[int, ...] | None
    padding: tuple[int, ...] | None

    @property
    def name(self) -> str:
        return network_name(self.source, self.model)

    @property
    def path(self) -> str:
        return module_path(self.model, self.endpoint)

    def __str__(self) -> str:
        return "|".join((self.source, self.model, self.endpoint, self.resolution or "any"))


def _per_axis(line: dict[str, str], column: str, rank: int) -> tuple[int, ...] | None:
    """The column's figures for height and width; one axis has the first, a third axis repeats it."""
    first, second = line[f"{column}_h"], line[f"{column}_w"]
    if not first:
        return None
    return (int(first), int(second))[:rank] if rank == 2 else (int(first),) * rank


def _rows() -> list[Row]:
    rows = []
    with FIGURES.open(newline="") as lines:
        for line in csv.DictReader(lines):
            rank = len(NETWORKS[network_name(line["source"], line["model"])].spatial)
            size = _per_axis(line, "rf", rank)
            assert size is not None, f"no size in {line}"
            names = (line["source"], line["model"], line["endpoint"], line["input_resolution"])
            rows.append(Row(*names, size, _per_axis(line, "stride", rank), _per_axis(line, "pad", rank)))
    return rows


ROWS = _rows()
BY_HAND = [row for row in ROWS if NETWORKS[row.name].stages]
BY_NAN = [row for row in ROWS if not NETWORKS[row.name].stages]


@cache
def _hand_laws(name: str, resolution: str, axis: int):
    return laws(reference(name, resolution)[0], axis)


@cache
def _report(name: str, resolution: str):
    network, input_size = reference(name, resolution)
    return eyeshot.analyze(network, input_size=input_size)


def test_every_row_is_here():
    assert len(ROWS) == 393
    assert len({str(row) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", BY_HAND, ids=str)
def test_recursion_by_hand(row):
    """The reference network is the one that the figure speaks of."""
    for axis, size in enumerate(row.size):
        law = _hand_laws(row.name, row.resolution, axis)[row.path]
        assert (min if "min over phase" in row.endpoint else max)(law.sizes) == size
        if row.stride:
            assert law.stride == row.stride[axis]
        if row.padding:
            assert law.starts == (-row.padding[axis],)


@pytest.mark.parametrize("row", BY_NAN, ids=str)
def test_size_by_nan(row):
    """torchvision's networks: the middle unit of a tall input turns NaN from its first row to its last.

    Their paddings put the center of unit y at row stride * y.
    """
    network = reference(row.name, row.resolution)[0]
    start = 512 - (row.size[0] - 1) // 2
    stop = start + row.size[0]
    slabs = [(start - 1, "prefix"), (start, "prefix"), (stop - 1, "suffix"), (stop, "suffix")]
    batch = torch.cat([poisoned((1, 3, 1024, 9), 0, position, side) for position, side in slabs])
    mask = nan_masks(network, batch)[row.path]
    assert mask[:, :, mask.shape[2] // 2].any(axis=(1, 2)).tolist() == [False, True, True, False]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_published_figure(row):
    field = _report(row.name, row.resolution)[row.path]
    sizes = field.size
    if "min over phase" in row.endpoint:
        sizes = tuple(min(size for _, size in phases) for phases in field.phases)
    elif "max over phase" in row.endpoint:
        assert field.size == tuple(max(size for _, size in phases) for phases in field.phases)
    assert sizes == row.size
    if row.stride:
        assert field.stride == row.stride
    if row.padding:
        assert field.offset == tuple(-padding for padding in row.padding)


@pytest.mark.parametrize(
    ("name", "resolution"),
    [
        ("alexnet_v2", "224"),
        ("vgg_16", "224"),
        ("inception_v2", "321"),
        ("inception_v3", "224"),
        ("resnet_v1_50", "224"),
        ("resnet_v2_50", "321"),
        ("create_test_network_5 (k 3x5 s2, k 3x1 s2)", ""),
        ("create_test_network_8", ""),
        ("PatchGAN n_layers=3", ""),
        ("TCN k2 d=[1,2,4,8] stacks=3 (1D causal), two convolutions a block", ""),
        ("U-Net trf54.json", ""),
        ("U-Net trf100.json", ""),
        ("3D example (per axis)", ""),
    ],
)
def test_recursion_agrees_with_eager_networks(name, resolution):
    """Units whose unclipped field lies inside the input turn NaN exactly where the recursion says.

    The recursion tells the union over channels; those of a concatenation may read less, and at a border of
    the other axis there are units that read nothing but padding.
    """
    network, input_size = reference(name, resolution)
    compared = 0
    for axis, extent in enumerate(input_size[2:]):
        found = _hand_laws(name, resolution, axis)
        for position in (extent // 3, extent // 2):
            for side in ("prefix", "suffix"):
                masks = nan_masks(network, poisoned(input_size, axis, position, side))
                for path, mask in masks.items():
                    along = mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis + 2))
                    for unit in range(0, len(along), 3):  # 3 meets every phase of 2, 4, 8, ...
                        start, stop = found[path].at(unit)
                        if start >= 0 and stop <= extent:
                            expected = start <= position if side == "prefix" else stop > position
                            assert along[unit] == expected, (path, unit, side, position)
                            compared += 1
    assert compared > 100
