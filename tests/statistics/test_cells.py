"""Correlations inside families and data sets, against scipy and regression."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.statistics.block import Block
from harness.statistics.cells import (
    family_correlations,
    near_ties,
    partial_correlations,
)

MIN_MEMBERS = 3


def rng(seed=0):
    return np.random.default_rng(seed)


def with_holes(block, draw, share=0.2):
    holes = draw.random(block.rate.shape) < share
    return Block(
        rate=block.rate,
        metric=np.where(holes, math.nan, block.metric),
        family=block.family,
    )


@pytest.mark.parametrize("has_holes", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_cells_are_scipys_spearman_of_complete_rows(block_of, ties, has_holes):
    block = block_of(0.5, ties=ties)
    if has_holes:
        block = with_holes(block, rng(1))
    cells = family_correlations(block)
    for f in range(block.n_families):
        for d in range(6):
            is_row = (block.family == f) & np.isfinite(block.metric[:, d])
            x, y = block.rate[is_row, d], block.metric[is_row, d]
            if is_row.sum() < MIN_MEMBERS or np.ptp(x) == 0 or np.ptp(y) == 0:
                assert math.isnan(cells[f, d])
            else:
                expected = scipy_stats.spearmanr(x, y).statistic
                assert cells[f, d] == pytest.approx(expected)


def test_a_stack_of_blocks_has_the_cells_of_each(block_of):
    blocks = [block_of(0.5, seed=seed) for seed in range(3)]
    stack = Block(
        rate=np.stack([block.rate for block in blocks]),
        metric=np.stack([block.metric for block in blocks]),
        family=blocks[0].family,
    )
    expected = np.stack([family_correlations(block) for block in blocks])
    np.testing.assert_allclose(family_correlations(stack), expected)


def test_near_ties_share_a_rank_and_are_counted_inside_families_only():
    rate = -np.array([1.0, 1.005, 1.02, 1.0, 2.0, 4.0])[:, None]
    metric = np.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0])[:, None]
    block = Block(
        rate=rate, metric=metric, family=np.array([0, 0, 0, 1, 1, 1]), near_tie=0.01
    )
    ties = near_ties(block)
    assert (ties.n_near, ties.n_pairs) == (1, 6)
    expected = scipy_stats.spearmanr([2.5, 2.5, 1.0], [1, 2, 3]).statistic
    assert family_correlations(block)[0, 0] == pytest.approx(expected)


def test_rates_of_which_only_the_outer_ones_differ_keep_that_order():
    """1.000 and 1.008 tie, 1.008 and 1.016 tie, 1.000 and 1.016 do not."""
    rate = np.array([1.0, 1.008, 1.016])[:, None]
    block = Block(rate=rate, metric=rate, family=np.zeros(3, np.int64), near_tie=0.01)
    # Ranks -1/2, 0, 1/2 against -1, 0, 1.
    assert family_correlations(block)[0, 0] == pytest.approx(1.0)
    assert near_ties(block).n_near == 2


def test_partial_cells_are_the_correlation_of_what_regression_on_ranks_leaves(block_of):
    block = block_of(0.5, sizes=(8, 8, 8))
    covariate = rng(5).normal(size=block.rate.shape) + block.rate
    cells = partial_correlations(block, covariate)
    for f in range(3):
        for d in range(6):
            x, y, z = (
                scipy_stats.rankdata(v[block.family == f, d])
                for v in (block.rate, block.metric, covariate)
            )
            left_over = [v - np.polyval(np.polyfit(z, v, 1), z) for v in (x, y)]
            assert cells[f, d] == pytest.approx(np.corrcoef(*left_over)[0, 1])


def test_given_the_rate_itself_nothing_is_left_and_given_a_constant_all_is(block_of):
    block = block_of(0.5, sizes=(8, 8, 8))
    assert np.isnan(partial_correlations(block, np.exp(block.rate))).all()
    constant = partial_correlations(block, np.ones_like(block.rate))
    np.testing.assert_allclose(constant, family_correlations(block))
    missing = partial_correlations(block, np.full_like(block.rate, math.nan))
    assert np.isnan(missing).all()
