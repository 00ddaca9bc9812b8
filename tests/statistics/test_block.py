"""Rank correlations of a block: second implementations and closed cases."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.statistics.block import (
    Block,
    between,
    kendall,
    overall,
    partial,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def by_dataset(block, of):
    pairs = zip(block.rate.T, block.metric.T, strict=True)
    return float(np.mean([of(x, y).statistic for x, y in pairs]))


@pytest.mark.parametrize("ties", [False, True])
def test_the_statistic_is_the_mean_of_scipys_spearman(ties, block_of):
    block = block_of(ties=ties)
    assert overall(block) == pytest.approx(by_dataset(block, scipy_stats.spearmanr))


@pytest.mark.parametrize("ties", [False, True])
def test_kendall_is_the_mean_of_scipys_tau_b(ties, block_of):
    block = block_of(ties=ties)
    assert kendall(block) == pytest.approx(by_dataset(block, scipy_stats.kendalltau))


def test_a_data_set_on_which_all_tie_counts_as_zero(block_of):
    block = block_of()
    metric = block.metric.copy()
    metric[:, 0] = 0.5
    tied = Block(rate=block.rate, metric=metric, family=block.family)
    remaining = Block(
        rate=block.rate[:, 1:], metric=block.metric[:, 1:], family=block.family
    )
    assert overall(tied) == pytest.approx(overall(remaining) * 5 / 6)


def test_between_is_spearman_of_mean_ranks_by_loops(block_of):
    block = block_of(ties=True)
    values = []
    for x, y in zip(block.rate.T, block.metric.T, strict=True):
        a, b = scipy_stats.rankdata(x), scipy_stats.rankdata(y)
        means = [
            (a[block.family == f].mean(), b[block.family == f].mean()) for f in range(8)
        ]
        values.append(scipy_stats.spearmanr(np.array(means)).statistic)
    assert between(block) == pytest.approx(np.mean(values))


def test_partial_is_the_correlation_of_what_regression_on_ranks_leaves(block_of):
    block = block_of()
    covariate = rng(5).normal(size=block.rate.shape) + block.rate
    values = []
    for d in range(6):
        x, y, z = (
            scipy_stats.rankdata(v[:, d]) for v in (block.rate, block.metric, covariate)
        )
        residuals = [v - np.polyval(np.polyfit(z, v, 1), z) for v in (x, y)]
        values.append(np.corrcoef(*residuals)[0, 1])
    assert partial(block, covariate) == pytest.approx(np.mean(values))


def test_partial_on_the_rate_itself_leaves_nothing(block_of):
    block = block_of()
    assert partial(block, np.exp(block.rate)) == 0.0


def test_a_grouped_block_has_units_in_place_of_families(block_of):
    block = block_of(sizes=(2, 3, 2))
    grouped = block.grouped([0, 1, 0])
    assert grouped.family.tolist() == [0, 0, 1, 1, 1, 0, 0]
    assert overall(grouped) == overall(block)


def test_near_ties_share_ranks_in_every_statistic(block_of):
    """Rates on a grid, moved by less than a tenth of the tolerance, are ties again."""
    tied = block_of(ties=True)
    grid = tied.rate + 10
    moved = grid * (1 + rng(4).uniform(0, 0.001, grid.shape))
    near = Block(rate=moved, metric=tied.metric, family=tied.family, near_tie=0.01)
    for of in (overall, between, kendall):
        assert of(near) == pytest.approx(of(tied))
