"""The two-way bootstrap against loops over repeated rows."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.statistics.block import Block, overall
from harness.statistics.bootstrap import (
    Replicates,
    family_counts,
    two_way_interval,
    weighted_spearman,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_weighted_spearman_is_scipys_on_repeated_rows(block_of):
    block = block_of(ties=True)
    counts = rng(1).multinomial(23, np.full(23, 1 / 23), 5)
    result = weighted_spearman(block, counts)
    for weights, row in zip(counts, result, strict=True):
        rows = np.repeat(np.arange(23), weights)
        for d, value in enumerate(row):
            by_scipy = scipy_stats.spearmanr(block.rate[rows, d], block.metric[rows, d])
            assert value == pytest.approx(by_scipy.statistic)


def test_intervals_equal_those_of_a_loop_over_repeated_rows(monkeypatch, block_of):
    block = block_of(0.6)
    monkeypatch.setattr("harness.statistics.bootstrap._tail", lambda _: 0.1)
    low, high = two_way_interval(Replicates.of(block), rng(), 4000)
    draw, values = rng(3), []
    for _ in range(1500):
        families = draw.integers(0, 8, 8)
        rows = np.concatenate([np.flatnonzero(block.family == f) for f in families])
        picked = np.ix_(rows, draw.integers(0, 6, 6))
        again = Block(
            rate=block.rate[picked], metric=block.metric[picked], family=rows * 0
        )
        values.append(overall(again))
    assert (low, high) == pytest.approx(np.quantile(values, [0.1, 0.9]), abs=0.04)


def test_no_resample_is_of_a_single_family():
    assert ((family_counts(3, 500, rng()) > 0).sum(axis=1) >= 2).all()


def test_noise_in_the_replicates_widens_the_interval(block_of):
    block = block_of(0.9, n_datasets=8)
    noise = rng(2).normal(size=(100, *block.metric.shape))
    noisy = Replicates(
        rate=np.repeat(block.rate[None], 100, axis=0),
        metric=block.metric + noise,
        family=block.family,
    )
    plain = two_way_interval(Replicates.of(block), rng(), 1000)
    wide = two_way_interval(noisy, rng(), 1000)
    assert np.diff(wide) > 1.2 * np.diff(plain)


def test_resamples_of_one_family_on_one_data_set_give_no_interval(block_of):
    """There is nothing to resample, and an interval of no width would claim certainty."""
    block = block_of(sizes=(4,), n_datasets=1)
    result = two_way_interval(Replicates.of(block), rng(), 200)
    assert all(math.isnan(end) for end in result)


def test_one_family_on_one_data_set_has_an_interval_if_samples_were_resampled(block_of):
    block = block_of(0.9, sizes=(6,), n_datasets=1)
    noise = rng(2).normal(size=(100, *block.metric.shape))
    noisy = Replicates(
        rate=np.repeat(block.rate[None], 100, axis=0),
        metric=block.metric + noise,
        family=block.family,
    )
    low, high = two_way_interval(noisy, rng(), 1000)
    assert low < high
