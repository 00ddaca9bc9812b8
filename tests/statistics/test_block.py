"""Rank correlations of a block: second implementations and closed cases."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.statistics.block import (
    Block,
    between,
    kendall,
    overall,
    partial,
    within,
    without_each_family,
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


def test_within_is_the_correlation_of_ranks_about_family_means_by_loops(block_of):
    block = block_of(ties=True)
    values = []
    for x, y in zip(block.rate.T, block.metric.T, strict=True):
        a, b = scipy_stats.rankdata(x), scipy_stats.rankdata(y)
        for f in range(8):
            a[block.family == f] -= a[block.family == f].mean()
            b[block.family == f] -= b[block.family == f].mean()
        values.append(float(a @ b / math.sqrt((a @ a) * (b @ b))))
    assert within(block) == pytest.approx(np.mean(values))


def test_within_and_between_part_an_effect_that_reverses_between_families():
    """Simpson: inside each of six families upwards, between them downwards."""
    family = np.repeat(np.arange(6), 3)
    member = np.tile([0.0, 1.0, 2.0], 6)
    rate = np.repeat((10.0 * family + member)[:, None], 5, axis=1)
    metric = np.repeat((-10.0 * family + member)[:, None], 5, axis=1)
    block = Block(rate=rate, metric=metric, family=family)
    assert within(block) == pytest.approx(1.0)
    assert between(block) == pytest.approx(-1.0)
    assert overall(block) < 0


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


def test_leaving_a_family_out_is_the_statistic_of_the_other_rows(block_of):
    block = block_of()
    for family, value in without_each_family(block).items():
        is_other = block.family != family
        pairs = zip(block.rate[is_other].T, block.metric[is_other].T, strict=True)
        by_scipy = [scipy_stats.spearmanr(x, y).statistic for x, y in pairs]
        assert value == pytest.approx(np.mean(by_scipy))
