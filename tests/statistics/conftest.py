"""Blocks with a known effect."""

import numpy as np
import pytest

from harness.statistics.block import Block
from harness.statistics.power import Layout

UNEQUAL = (1, 2, 3, 3, 4, 2, 3, 5)


@pytest.fixture(scope="session")
def block_of(simulated_block):
    """Return what makes a block: 23 compressors of 8 unequal families on 6 data sets."""

    def make(effect=0.5, *, sizes=UNEQUAL, n_datasets=6, seed=0, ties=False):
        layout = Layout(sizes=sizes, n_datasets=n_datasets, intra_family=0.5)
        block = simulated_block(layout, effect, np.random.default_rng(seed))
        if not ties:
            return block
        return Block(
            rate=np.round(block.rate),
            metric=np.round(block.metric),
            family=block.family,
        )

    return make
