"""Rows of tables are united in blocks: the same unions, in bounded memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyeshot.analyses import lattices
from eyeshot.analyses.bitsets import Bitset
from eyeshot.analyses.lattices import Interval
from eyeshot.relations import Table

rows = st.lists(st.lists(st.integers(0, 5), max_size=6), min_size=1, max_size=9).filter(any)


@pytest.mark.parametrize("lattice", [Interval(), Bitset()])
@given(rows=rows, block=st.integers(1, 40), other=st.integers(1, 3))
def test_blocks_make_no_difference(lattice, rows, block, other):
    table = Table.of_rows([np.unique(np.array(row, np.int64)) for row in rows], 6)
    sets = (
        np.random.default_rng(0)
        .integers(0, 1 << 40, (2, other, 6))
        .astype(lattice.nothing((1,), np.uint64).dtype)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lattices, "BLOCK", block)
        found = lattice._gather(sets, 2, table)
    for number, row in enumerate(rows):
        united = (
            lattice.ufunc.reduce(sets[:, :, sorted(set(row))], axis=2)
            if row
            else lattice.nothing((2, other), sets.dtype)
        )
        np.testing.assert_array_equal(found[:, :, number], united)
